#include "support/loopback_server.h"

#include <arpa/inet.h>
#include <check.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/rng.h"
#include "proto/transport.h"
#include "server/engine/control.h"
#include "server/engine/shard.h"

#define MAX_SHARDS 4u
#define MAX_TYPES 64u
#define TURN_MS 20
#define BATCH_MESSAGES 64u /* received from a socket before time gets its turn */

struct loopback_server {
    loopback_config config;
    char address[64];
    uint16_t port;
    dcps_transport *transport;
    dcps_socket *sockets[1 + MAX_SHARDS]; /* control, then shards */
    dcps_control *control;
    dcps_shard *shards[MAX_SHARDS];
    int wake_fd;
    pthread_t thread;
    uint64_t turn_ns;
    uint64_t leases_wait_until_ns;
    atomic_bool ending;
    atomic_bool mute;
    atomic_bool mute_shards;
    atomic_bool draining;
    atomic_uint_fast64_t received[MAX_TYPES];
    atomic_uint_fast64_t departures[DCPS_DEPARTURE_LOST + 1];
    atomic_uint_fast64_t applied;
};

/* Clients ask again for what cannot be sent. */
static void emit(void *context, const dcps_peer *peer, const dcps_message *message, dcps_buffer *payload)
{
    dcps_socket *const *socket = context;
    dcps_status status = dcps_socket_send(*socket, peer, message, payload);
    (void)status;
}

static void emit_control(void *context, const dcps_peer *peer, const dcps_message *message, dcps_buffer *payload)
{
    emit(((loopback_server *)context)->sockets, peer, message, payload);
}

static void on_event(void *context, const dcps_control_event *event)
{
    loopback_server *self = context;
    uint64_t now_ns = dcps_clock_ns();
    if (event->kind == DCPS_CONTROL_LEAVE) {
        atomic_fetch_add(&self->departures[event->departure], 1);
    }
    for (uint32_t i = 0; i < self->config.shards; i++) {
        switch (event->kind) {
        case DCPS_CONTROL_JOIN:
            ck_assert_int_eq(dcps_shard_worker_join(self->shards[i], &event->session, now_ns), DCPS_OK);
            break;
        case DCPS_CONTROL_LEAVE:
            dcps_shard_worker_leave(self->shards[i], event->session.worker, event->departure, now_ns);
            break;
        case DCPS_CONTROL_LAYOUT:
            ck_assert_int_eq(
                dcps_shard_set_partition(self->shards[i], &event->partition, event->layout, event->samples_per_epoch),
                DCPS_OK);
            break;
        }
    }
}

static uint64_t draw_token(void *context)
{
    (void)context;
    return dcps_random_token();
}

static void answer_status(loopback_server *self, const dcps_peer *peer)
{
    dcps_message reply = {.type = DCPS_MESSAGE_STATUS_REPLY,
                          .body.status_reply = {.server_index = self->config.index,
                                                .server_count = self->config.servers,
                                                .state = DCPS_RUN_TRAINING,
                                                .epochs = self->config.epochs,
                                                .algorithm = self->config.algorithm}};
    emit(self->sockets, peer, &reply, NULL);
}

static void serve_control(loopback_server *self, const dcps_delivery *delivery)
{
    if (delivery->message.type == DCPS_MESSAGE_STATUS) {
        answer_status(self, &delivery->peer);
    } else {
        dcps_control_receive(self->control, &delivery->peer, &delivery->message, dcps_clock_ns());
    }
}

static void receive_some(loopback_server *self, uint32_t socket)
{
    dcps_delivery delivery;
    for (uint32_t i = 0; i < BATCH_MESSAGES && dcps_socket_receive(self->sockets[socket], &delivery) == DCPS_OK; i++) {
        atomic_fetch_add(&self->received[(uint32_t)delivery.message.type % MAX_TYPES], 1);
        if (!atomic_load(&self->mute) && socket == 0) {
            serve_control(self, &delivery);
        } else if (!atomic_load(&self->mute) && !atomic_load(&self->mute_shards)) {
            dcps_shard_receive(self->shards[socket - 1], &delivery.peer, &delivery.message, delivery.payload,
                               dcps_clock_ns());
        }
        dcps_buffer_unref(&delivery.payload);
    }
}

/* After a turn that comes late the clients may have stood still, too: they get half a lease for their heartbeats. */
static bool leases_must_wait(loopback_server *self, uint64_t now_ns)
{
    uint64_t lease_ns = self->config.lease_ms * DCPS_NS_PER_MS;
    if (self->turn_ns != 0 && now_ns - self->turn_ns >= lease_ns / 4u) {
        self->leases_wait_until_ns = now_ns + lease_ns / 2u;
    }
    self->turn_ns = now_ns;
    return now_ns < self->leases_wait_until_ns;
}

static void let_time_pass(loopback_server *self)
{
    static _Thread_local dcps_shard_stats stats;
    uint64_t now_ns = dcps_clock_ns();
    uint64_t applied = 0;
    if (!leases_must_wait(self, now_ns)) {
        dcps_control_tick(self->control, now_ns);
    }
    for (uint32_t i = 0; i < self->config.shards; i++) {
        dcps_shard_tick(self->shards[i], now_ns);
        if (atomic_load(&self->draining)) {
            dcps_shard_drain(self->shards[i], now_ns);
        }
        dcps_shard_stats_get(self->shards[i], &stats);
        applied += stats.pushes_applied;
    }
    atomic_store(&self->applied, applied);
}

static void *serve(void *context)
{
    loopback_server *self = context;
    while (!atomic_load(&self->ending)) {
        ck_assert_int_eq(dcps_socket_wait(self->sockets, 1 + self->config.shards, self->wake_fd, TURN_MS, NULL),
                         DCPS_OK);
        for (uint32_t i = 0; i <= self->config.shards; i++) {
            receive_some(self, i);
        }
        let_time_pass(self);
    }
    return NULL;
}

static void apply_defaults(loopback_config *config)
{
    config->servers = config->servers == 0 ? 1 : config->servers;
    config->shards = config->shards == 0 ? 1 : config->shards;
    config->algorithm = config->algorithm == NULL ? "asgd" : config->algorithm;
    config->workers = config->workers == 0 ? 1 : config->workers;
    config->epochs = config->epochs == 0 ? 1 : config->epochs;
    config->batch_size = config->batch_size == 0 ? 1 : config->batch_size;
    config->rate = config->rate > 0 ? config->rate : 0.5;
    config->lease_ms = config->lease_ms == 0 ? 10000 : config->lease_ms;
    ck_assert_uint_le(config->shards, MAX_SHARDS);
}

static void open_shards(loopback_server *self)
{
    const loopback_config *config = &self->config;
    for (uint32_t i = 0; i < config->shards; i++) {
        ck_assert_int_eq(dcps_socket_bind(self->transport, "tcp://127.0.0.1:0", &self->sockets[1 + i]), DCPS_OK);
        dcps_shard_config shard = {.shard = config->index * config->shards + i,
                                   .schedule = {.base = config->rate, .decay_factor = 1.0, .workers = config->workers},
                                   .workers = config->workers,
                                   .epochs = config->epochs,
                                   .batch_size = config->batch_size,
                                   .snapshot_every_samples = config->snapshot_every_samples,
                                   .emit = emit,
                                   .emit_context = &self->sockets[1 + i]};
        ck_assert_int_eq(dcps_algorithm_preset(config->algorithm, &shard.algorithm), DCPS_OK);
        ck_assert_int_eq(dcps_shard_create(&shard, &self->shards[i]), DCPS_OK);
    }
}

static void open_control(loopback_server *self)
{
    const loopback_config *config = &self->config;
    const char *endpoints[MAX_SHARDS];
    char endpoint[64];
    for (uint32_t i = 0; i < config->shards; i++) {
        endpoints[i] = dcps_socket_endpoint(self->sockets[1 + i]);
    }
    (void)snprintf(endpoint, sizeof(endpoint), "tcp://127.0.0.1:%u", config->port);
    ck_assert_msg(dcps_socket_bind(self->transport, endpoint, &self->sockets[0]) == DCPS_OK, "%s",
                  dcps_error_message());
    (void)snprintf(self->address, sizeof(self->address), "%s", dcps_socket_endpoint(self->sockets[0]) + 6);
    ck_assert_int_eq(sscanf(self->address, "127.0.0.1:%hu", &self->port), 1);
    dcps_control_config control = {.server_index = config->index,
                                   .server_count = config->servers,
                                   .shards_per_server = config->shards,
                                   .endpoints = endpoints,
                                   .lease_ms = config->lease_ms,
                                   .workers = config->workers,
                                   .seed = config->seed,
                                   .batch_size = config->batch_size,
                                   .epochs = config->epochs,
                                   .snapshot_every_samples = config->snapshot_every_samples,
                                   .block_params = config->block_params,
                                   .algorithm = config->algorithm,
                                   .emit = emit_control,
                                   .event = on_event,
                                   .token = draw_token,
                                   .context = self};
    ck_assert_int_eq(dcps_control_create(&control, &self->control), DCPS_OK);
}

/* Its thread ends, nothing is taken apart. */
static void stop(loopback_server *self)
{
    if (!atomic_exchange(&self->ending, true)) {
        ck_assert_int_eq((int)write(self->wake_fd, &(uint64_t){1}, sizeof(uint64_t)), (int)sizeof(uint64_t));
        ck_assert_int_eq(pthread_join(self->thread, NULL), 0);
    }
}

static loopback_server *start(const loopback_config *config, const dcps_control_image *image)
{
    loopback_server *self = dcps_alloc(1, sizeof(*self));
    ck_assert_ptr_nonnull(self);
    self->config = *config;
    apply_defaults(&self->config);
    ck_assert_int_eq(dcps_transport_create(1, &self->transport), DCPS_OK);
    open_shards(self);
    open_control(self);
    ck_assert(image == NULL || dcps_control_import(self->control, image) == DCPS_OK);
    self->wake_fd = eventfd(0, EFD_CLOEXEC);
    ck_assert_int_ge(self->wake_fd, 0);
    ck_assert_int_eq(pthread_create(&self->thread, NULL, serve, self), 0);
    return self;
}

loopback_server *loopback_start(const loopback_config *config)
{
    return start(config, NULL);
}

void loopback_restart(loopback_server **server)
{
    loopback_config config = (*server)->config;
    dcps_control_image image;
    config.port = (*server)->port;
    stop(*server);
    ck_assert_int_eq(dcps_control_export((*server)->control, &image), DCPS_OK);
    loopback_kill(server);
    *server = start(&config, &image);
    dcps_control_image_fini(&image);
}

void loopback_kill(loopback_server **server)
{
    loopback_server *self = *server;
    *server = NULL;
    stop(self);
    dcps_control_destroy(&self->control);
    for (uint32_t i = 0; i <= self->config.shards; i++) {
        dcps_socket_close(&self->sockets[i]);
    }
    dcps_transport_destroy(&self->transport); /* lets go of the payloads on their way */
    for (uint32_t i = 0; i < self->config.shards; i++) {
        dcps_shard_destroy(&self->shards[i]);
    }
    (void)close(self->wake_fd);
    dcps_free(self);
}

const char *loopback_address(const loopback_server *server)
{
    return server->address;
}

uint16_t loopback_port(const loopback_server *server)
{
    return server->port;
}

void loopback_mute(loopback_server *server, bool mute)
{
    atomic_store(&server->mute, mute);
}

void loopback_mute_shards(loopback_server *server, bool mute)
{
    atomic_store(&server->mute_shards, mute);
}

void loopback_drain(loopback_server *server)
{
    atomic_store(&server->draining, true);
}

uint64_t loopback_received(const loopback_server *server, dcps_message_type type)
{
    return atomic_load(&((loopback_server *)server)->received[(uint32_t)type % MAX_TYPES]);
}

uint64_t loopback_departures(const loopback_server *server, dcps_departure departure)
{
    return atomic_load(&((loopback_server *)server)->departures[departure]);
}

uint64_t loopback_applied(const loopback_server *server)
{
    return atomic_load(&((loopback_server *)server)->applied);
}

uint16_t loopback_free_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int bound = -1;
    for (uint64_t i = 0; bound != 0 && i < 1000; i++) {
        address.sin_port = htons((uint16_t)(10000u + (dcps_clock_ns() / 1000u + i) % 22000u));
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        ck_assert_int_ge(fd, 0);
        bound = bind(fd, (struct sockaddr *)&address, sizeof(address));
        (void)close(fd);
    }
    ck_assert_int_eq(bound, 0);
    return ntohs(address.sin_port);
}
