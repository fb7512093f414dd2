/* Sockets between programs that mean well. */
#include <arpa/inet.h>
#include <check.h>
#include <dlfcn.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/text.h"
#include "proto/limits.h"
#include "proto/transport.h"
#include "proto/transport_zmq.h"
#include "support/check_main.h"

#define PATIENCE_MS 30000

static dcps_transport *transport;
static dcps_socket *server;
static dcps_socket *client;

static void start(const char *endpoint)
{
    ck_assert_int_eq(dcps_transport_create(1, &transport), DCPS_OK);
    ck_assert_int_eq(dcps_socket_bind(transport, endpoint, &server), DCPS_OK);
    ck_assert_int_eq(dcps_socket_connect(transport, dcps_socket_endpoint(server), &client), DCPS_OK);
}

static void stop(void)
{
    dcps_socket_close(&client);
    dcps_socket_close(&server);
    dcps_transport_destroy(&transport);
}

/* The next message; fails the test when none comes. */
static dcps_delivery receive(dcps_socket *socket)
{
    dcps_delivery delivery;
    uint64_t deadline_ns = dcps_clock_ns() + PATIENCE_MS * DCPS_NS_PER_MS;
    dcps_status status = dcps_socket_receive(socket, &delivery);
    while (status == DCPS_AGAIN && dcps_clock_ns() < deadline_ns) {
        ck_assert_int_eq(dcps_socket_wait(&socket, 1, -1, PATIENCE_MS, NULL), DCPS_OK);
        status = dcps_socket_receive(socket, &delivery);
    }
    ck_assert_msg(status == DCPS_OK, "nothing received: %s (%s)", dcps_status_name(status), dcps_error_message());
    return delivery;
}

static dcps_message push_message(uint64_t seq)
{
    dcps_message message = {.type = DCPS_MESSAGE_PUSH_PULL};
    message.body.push_pull.request =
        (dcps_request){.session = {.worker = 3, .incarnation = 2, .token = 77}, .block = 5, .seq = seq};
    message.body.push_pull.samples = 32;
    message.body.push_pull.loss = 0.5f;
    return message;
}

static dcps_message weights_message(uint64_t seq)
{
    dcps_message message = {.type = DCPS_MESSAGE_WEIGHTS};
    message.body.weights = (dcps_weights){.worker = 3,
                                          .incarnation = 2,
                                          .block = 5,
                                          .seq = seq,
                                          .version = 9,
                                          .ticket = {.kind = DCPS_TICKET_BATCH, .number = 12}};
    return message;
}

static void fill(uint8_t *bytes, size_t count, uint8_t salt)
{
    for (size_t i = 0; i < count; i++) {
        bytes[i] = (uint8_t)(i * 31 + i / 251 + salt);
    }
}

static void check_filled(const dcps_buffer *buffer, size_t count, uint8_t salt)
{
    ck_assert_ptr_nonnull(buffer);
    ck_assert_uint_eq(buffer->bytes, count);
    const uint8_t *bytes = buffer->data;
    for (size_t i = 0; i < count; i++) {
        if (bytes[i] != (uint8_t)(i * 31 + i / 251 + salt)) {
            ck_abort_msg("byte %zu of %zu differs", i, count);
        }
    }
}

/* A push with `bytes` bytes there, weights with as many back. */
static void round_trip(dcps_pool *pool, size_t bytes, uint64_t seq)
{
    dcps_buffer *gradient = NULL;
    dcps_buffer *weights = NULL;
    dcps_message push = push_message(seq);
    dcps_message answer = weights_message(seq);
    ck_assert_int_eq(dcps_pool_take(pool, &gradient), DCPS_OK);
    ck_assert_int_eq(dcps_pool_take(pool, &weights), DCPS_OK);
    gradient->bytes = bytes;
    weights->bytes = bytes;
    fill(gradient->data, bytes, 1);
    fill(weights->data, bytes, 2);

    ck_assert_int_eq(dcps_socket_send(client, NULL, &push, gradient), DCPS_OK);
    dcps_buffer_unref(&gradient);
    dcps_delivery arrived = receive(server);
    ck_assert_int_eq(arrived.message.type, DCPS_MESSAGE_PUSH_PULL);
    ck_assert_uint_eq(arrived.message.body.push_pull.request.seq, seq);
    check_filled(arrived.payload, bytes, 1);
    ck_assert_uint_eq((uintptr_t)arrived.payload->data % sizeof(float), 0);
    dcps_buffer_unref(&arrived.payload);

    ck_assert_int_eq(dcps_socket_send(server, &arrived.peer, &answer, weights), DCPS_OK);
    dcps_buffer_unref(&weights);
    arrived = receive(client);
    ck_assert_int_eq(arrived.message.type, DCPS_MESSAGE_WEIGHTS);
    ck_assert_uint_eq(arrived.message.body.weights.seq, seq);
    ck_assert_uint_eq(arrived.peer.length, 0);
    check_filled(arrived.payload, bytes, 2);
    dcps_buffer_unref(&arrived.payload);
}

#define SIZES 8u

/* All buffers of a pool can be taken: none is still out. */
static void check_all_back(dcps_pool *pool, size_t limit)
{
    dcps_buffer *taken[2u * SIZES];
    for (size_t i = 0; i < limit; i++) {
        ck_assert_msg(dcps_pool_take(pool, &taken[i]) == DCPS_OK, "%s", dcps_error_message());
    }
    for (size_t i = 0; i < limit; i++) {
        dcps_buffer_unref(&taken[i]);
    }
}

static void round_trips(const char *endpoint)
{
    static const size_t sizes[SIZES] = {4, 64, 4096, 8188, 8192, 8196, 65536, DCPS_MAX_PAYLOAD_BYTES};
    dcps_pool *pool = NULL;
    ck_assert_int_eq(dcps_pool_create("test", DCPS_MAX_PAYLOAD_BYTES, 0, 2u * SIZES, &pool), DCPS_OK);
    start(endpoint);
    for (size_t i = 0; i < SIZES; i++) {
        round_trip(pool, sizes[i], i + 1);
    }
    stop();
    check_all_back(pool, 2u * SIZES);
    dcps_pool_destroy(&pool);
}

START_TEST(test_tcp_round_trip)
{
    round_trips("tcp://127.0.0.1:0");
}
END_TEST

START_TEST(test_ipc_round_trip)
{
    char folder[] = "/tmp/dcps-test-XXXXXX";
    char endpoint[64];
    ck_assert_ptr_nonnull(mkdtemp(folder));
    (void)snprintf(endpoint, sizeof(endpoint), "ipc://%s/socket", folder);
    round_trips(endpoint);
    (void)snprintf(endpoint, sizeof(endpoint), "%s/socket", folder);
    (void)unlink(endpoint);
    ck_assert_int_eq(rmdir(folder), 0);
}
END_TEST

/* What the system gives up after minutes or hours: a connection whose other end is gone, and one that is not answered. */
START_TEST(test_lost_connections_are_given_up_in_time)
{
    dcps_pool *pool = NULL;
    int connected = 0;
    ck_assert_int_eq(dcps_pool_create("test", 64, 0, 2, &pool), DCPS_OK);
    start("tcp://127.0.0.1:0");
    round_trip(pool, 64, 1);
    for (int fd = 0; fd < 256; fd++) {
        struct sockaddr_in peer;
        socklen_t peer_bytes = sizeof(peer);
        int timeout_ms = 0;
        socklen_t bytes = sizeof(timeout_ms);
        if (getpeername(fd, (struct sockaddr *)&peer, &peer_bytes) == 0 && peer.sin_family == AF_INET) {
            ck_assert_int_eq(getsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout_ms, &bytes), 0);
            ck_assert_int_eq(timeout_ms, 20000);
            connected++;
        }
    }
    ck_assert_int_eq(connected, 2); /* both ends */
    int timeout_ms = 0;
    size_t bytes = sizeof(timeout_ms);
    ck_assert_int_eq(zmq_getsockopt(client->zmq, ZMQ_CONNECT_TIMEOUT, &timeout_ms, &bytes), 0);
    ck_assert_int_eq(timeout_ms, 3000);
    stop();
    dcps_pool_destroy(&pool);
}
END_TEST

START_TEST(test_names_are_resolved)
{
    start("tcp://localhost:0");
    ck_assert_int_eq(strncmp(dcps_socket_endpoint(server), "tcp://127.0.0.1:", 16), 0);
    stop();
    start("tcp://*:0");
    ck_assert_int_eq(strncmp(dcps_socket_endpoint(server), "tcp://0.0.0.0:", 14), 0);
    stop();
}
END_TEST

/* Stands before that of the C library, and counts what this thread asks for; those of ZeroMQ ask, too. */
static _Thread_local uint32_t names_asked;

int getaddrinfo(const char *host, const char *service, const struct addrinfo *wanted, struct addrinfo **found)
{
    int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
    void *symbol = dlsym(RTLD_NEXT, "getaddrinfo");
    memcpy(&real, &symbol, sizeof(real));
    names_asked++;
    return real(host, service, wanted, found);
}

/* A slow name service holds up whoever connects: the thread that sends the heartbeats, when it is told of a server's shards. */
START_TEST(test_each_name_is_asked_for_once)
{
    dcps_socket *shard = NULL;
    ck_assert_int_eq(dcps_transport_create(1, &transport), DCPS_OK);
    ck_assert_int_eq(dcps_socket_connect(transport, "tcp://localhost:1", &client), DCPS_OK);
    ck_assert_uint_gt(names_asked, 0);
    names_asked = 0;
    for (uint32_t port = 2; port < 5; port++) {
        char endpoint[DCPS_MAX_ENDPOINT_BYTES];
        ck_assert_int_eq(dcps_format(endpoint, sizeof(endpoint), "tcp://localhost:%u", port), DCPS_OK);
        ck_assert_int_eq(dcps_socket_connect(transport, endpoint, &shard), DCPS_OK);
        dcps_socket_close(&shard);
    }
    ck_assert_int_eq(dcps_socket_connect(transport, "tcp://[::1]:1", &shard), DCPS_OK); /* an address is no name */
    ck_assert_uint_eq(names_asked, 0);
    dcps_socket_close(&shard);
    dcps_socket_close(&client);
    dcps_transport_destroy(&transport);
}
END_TEST

/* More hosts than are remembered: none is taken for another. */
START_TEST(test_families_of_many_hosts)
{
    dcps_host_families families;
    char host[DCPS_MAX_HOST_BYTES];
    bool ipv6 = false;
    dcps_host_families_init(&families);
    for (uint32_t i = 0; i < 3 * DCPS_HOST_FAMILIES; i++) {
        ck_assert_int_eq(dcps_format(host, sizeof(host), "host%u", i), DCPS_OK);
        ck_assert(!dcps_host_families_find(&families, host, &ipv6));
        dcps_host_families_note(&families, host, i % 3 == 0);
        ck_assert(dcps_host_families_find(&families, host, &ipv6));
        ck_assert_int_eq(ipv6, i % 3 == 0);
    }
    for (uint32_t i = 0; i < 3 * DCPS_HOST_FAMILIES; i++) {
        ck_assert_int_eq(dcps_format(host, sizeof(host), "host%u", i), DCPS_OK);
        bool found = dcps_host_families_find(&families, host, &ipv6);
        ck_assert_int_eq(found, i >= 2 * DCPS_HOST_FAMILIES);
        ck_assert(!found || ipv6 == (i % 3 == 0));
    }
    dcps_host_families_fini(&families);
}
END_TEST

START_TEST(test_message_without_payload)
{
    dcps_message status = {.type = DCPS_MESSAGE_STATUS};
    start("tcp://127.0.0.1:0");
    ck_assert_int_eq(dcps_socket_send(client, NULL, &status, NULL), DCPS_OK);
    dcps_delivery arrived = receive(server);
    ck_assert_int_eq(arrived.message.type, DCPS_MESSAGE_STATUS);
    ck_assert_ptr_null(arrived.payload);
    stop();
}
END_TEST

static atomic_int released;

static void note_release(dcps_buffer *buffer, void *owner)
{
    (void)buffer;
    ck_assert_ptr_eq(owner, &released);
    atomic_fetch_add(&released, 1);
}

static void wait_for_release(void)
{
    const struct timespec pause = {.tv_nsec = 1000000};
    for (int i = 0; i < PATIENCE_MS && atomic_load(&released) == 0; i++) {
        (void)nanosleep(&pause, NULL);
    }
    ck_assert_int_eq(atomic_load(&released), 1);
}

/* The bytes are sent from where they lie: the receiver of an inproc message sees that very memory, and it is held as long as it is looked at. */
START_TEST(test_payload_is_not_copied)
{
    static uint8_t memory[65536];
    dcps_buffer buffer;
    dcps_buffer *held = &buffer;
    dcps_message push = push_message(1);
    start("inproc://zero-copy");
    dcps_buffer_init(&buffer, memory, sizeof(memory), note_release, &released);
    fill(memory, sizeof(memory), 3);
    ck_assert_int_eq(dcps_socket_send(client, NULL, &push, held), DCPS_OK);
    dcps_buffer_unref(&held);
    dcps_delivery arrived = receive(server);
    ck_assert_ptr_eq(arrived.payload->data, memory);
    ck_assert_int_eq(atomic_load(&released), 0);
    dcps_buffer_unref(&arrived.payload);
    wait_for_release();
    stop();
}
END_TEST

START_TEST(test_payload_is_released_once_sent)
{
    static uint8_t memory[65536];
    dcps_buffer buffer;
    dcps_buffer *held = &buffer;
    dcps_message push = push_message(1);
    start("tcp://127.0.0.1:0");
    dcps_buffer_init(&buffer, memory, sizeof(memory), note_release, &released);
    fill(memory, sizeof(memory), 3);
    ck_assert_int_eq(dcps_socket_send(client, NULL, &push, held), DCPS_OK);
    ck_assert_int_eq(atomic_load(&released), 0); /* ours is still there */
    dcps_buffer_unref(&held);
    dcps_delivery arrived = receive(server);
    wait_for_release();
    memset(memory, 0, sizeof(memory));
    check_filled(arrived.payload, sizeof(memory), 3);
    stop();
    check_filled(arrived.payload, sizeof(memory), 3); /* what arrived outlives socket and transport */
    dcps_buffer_unref(&arrived.payload);
}
END_TEST

START_TEST(test_unsent_payload_is_released)
{
    static uint8_t memory[65536];
    dcps_buffer buffer;
    dcps_buffer *held = &buffer;
    dcps_message push = push_message(1);
    ck_assert_int_eq(dcps_transport_create(1, &transport), DCPS_OK);
    ck_assert_int_eq(dcps_socket_connect(transport, "tcp://127.0.0.1:1", &client), DCPS_OK); /* nobody listens there */
    dcps_buffer_init(&buffer, memory, sizeof(memory), note_release, &released);
    ck_assert_int_eq(dcps_socket_send(client, NULL, &push, held), DCPS_OK);
    dcps_buffer_unref(&held);
    ck_assert_int_eq(atomic_load(&released), 0);
    uint64_t start_ns = dcps_clock_ns();
    stop();
    ck_assert_uint_lt(dcps_clock_ns() - start_ns, 20 * DCPS_NS_PER_S);
    ck_assert_int_eq(atomic_load(&released), 1);
}
END_TEST

START_TEST(test_full_queue)
{
    dcps_message status = {.type = DCPS_MESSAGE_STATUS};
    dcps_status sent = DCPS_OK;
    uint32_t count = 0;
    ck_assert_int_eq(dcps_transport_create(1, &transport), DCPS_OK);
    ck_assert_int_eq(dcps_socket_connect(transport, "tcp://127.0.0.1:1", &client), DCPS_OK);
    for (; sent == DCPS_OK && count < 100000; count++) {
        sent = dcps_socket_send(client, NULL, &status, NULL);
    }
    ck_assert_int_eq(sent, DCPS_AGAIN);
    ck_assert_uint_ge(count, 4096);
    stop();
}
END_TEST

START_TEST(test_peer_gone)
{
    const struct timespec pause = {.tv_nsec = 5000000};
    dcps_message message = {.type = DCPS_MESSAGE_STATUS};
    dcps_peer stranger = {.length = 5, .bytes = {0, 9, 9, 9, 9}};
    start("tcp://127.0.0.1:0");
    ck_assert_int_eq(dcps_socket_send(client, NULL, &message, NULL), DCPS_OK);
    dcps_peer peer = receive(server).peer;
    message = weights_message(1);
    ck_assert_int_eq(dcps_socket_send(server, &stranger, &message, NULL), DCPS_NOT_FOUND);
    dcps_socket_close(&client);
    dcps_status status = DCPS_OK;
    for (int i = 0; i < 1000 && status == DCPS_OK; i++) {
        status = dcps_socket_send(server, &peer, &message, NULL);
        (void)nanosleep(&pause, NULL);
    }
    ck_assert_int_eq(status, DCPS_NOT_FOUND);
    stop();
}
END_TEST

/* A port at which nobody listens. */
static unsigned free_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t bytes = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&address, &bytes), 0);
    (void)close(fd);
    return ntohs(address.sin_port);
}

START_TEST(test_connect_before_bind)
{
    const struct timespec pause = {.tv_nsec = 200000000};
    char endpoint[DCPS_MAX_ENDPOINT_BYTES];
    dcps_message message = {.type = DCPS_MESSAGE_STATUS};
    (void)snprintf(endpoint, sizeof(endpoint), "tcp://127.0.0.1:%u", free_port());
    ck_assert_int_eq(dcps_transport_create(1, &transport), DCPS_OK);
    ck_assert_int_eq(dcps_socket_connect(transport, endpoint, &client), DCPS_OK);
    ck_assert_int_eq(dcps_socket_send(client, NULL, &message, NULL), DCPS_OK);
    (void)nanosleep(&pause, NULL);
    ck_assert_int_eq(dcps_socket_bind(transport, endpoint, &server), DCPS_OK);
    ck_assert_int_eq(receive(server).message.type, DCPS_MESSAGE_STATUS);
    stop();
}
END_TEST

START_TEST(test_steady_state_allocates_nothing)
{
    dcps_pool *pool = NULL;
    /* Buffers come back when the bytes are gone, so some are on the way at any time, and more when the thread that sends them is kept waiting. */
    ck_assert_int_eq(dcps_pool_create("test", 262144, 64, 64, &pool), DCPS_OK);
    start("tcp://127.0.0.1:0");
    uint64_t seq = 1;
    for (; seq <= 50; seq++) {
        round_trip(pool, seq % 2 == 0 ? 262144 : 4096, seq);
    }
    uint64_t before = dcps_alloc_count();
    for (; seq <= 500; seq++) {
        round_trip(pool, seq % 2 == 0 ? 262144 : 4096, seq);
    }
    /* Pools grow by what was never under way at once before, on a busy machine also after the first fifty; one allocation a message would be hundreds. */
    ck_assert_uint_le(dcps_alloc_count() - before, 16);
    stop();
    dcps_pool_destroy(&pool);
}
END_TEST

START_TEST(test_port_in_use)
{
    char wanted[64];
    dcps_socket *second = NULL;
    start("tcp://127.0.0.1:0");
    ck_assert_int_eq(dcps_socket_bind(transport, dcps_socket_endpoint(server), &second), DCPS_SYSTEM);
    ck_assert_ptr_null(second);
    (void)snprintf(wanted, sizeof(wanted), "(process %d)", (int)getpid());
    ck_assert_msg(strstr(dcps_error_message(), wanted) != NULL, "%s", dcps_error_message());
    ck_assert_msg(strstr(dcps_error_message(), dcps_socket_endpoint(server)) != NULL, "%s", dcps_error_message());
    ck_assert_msg(strstr(dcps_error_message(), "Address already in use") != NULL, "%s", dcps_error_message());
    stop();
}
END_TEST

START_TEST(test_bad_endpoints)
{
    static const char *const both[] = {"",
                                       "127.0.0.1:7070",
                                       "tcp://",
                                       "tcp://127.0.0.1",
                                       "tcp://127.0.0.1:70000",
                                       "tcp://::1:7070",
                                       "udp://127.0.0.1:7070",
                                       "ipc://"};
    char text[1000];
    dcps_socket *socket = NULL;
    ck_assert_int_eq(dcps_transport_create(1, &transport), DCPS_OK);
    for (size_t i = 0; i < sizeof(both) / sizeof(both[0]); i++) {
        ck_assert_msg(dcps_socket_bind(transport, both[i], &socket) == DCPS_INVALID, "%s", both[i]);
        ck_assert_msg(dcps_socket_connect(transport, both[i], &socket) == DCPS_INVALID, "%s", both[i]);
    }
    ck_assert_int_eq(dcps_socket_connect(transport, "tcp://127.0.0.1:0", &socket), DCPS_INVALID);
    ck_assert_int_eq(dcps_socket_bind(transport, "tcp://192.0.2.1:0", &socket), DCPS_SYSTEM);
    ck_assert_msg(strstr(dcps_error_message(), "192.0.2.1") != NULL, "%s", dcps_error_message());
    ck_assert_int_eq(dcps_socket_bind(transport, "ipc:///nowhere/at/all", &socket), DCPS_SYSTEM);
    memset(text, 'x', sizeof(text) - 1);
    memcpy(text, "ipc://", 6);
    text[sizeof(text) - 1] = '\0';
    ck_assert_int_eq(dcps_socket_connect(transport, text, &socket), DCPS_INVALID);
    ck_assert_ptr_null(socket);
    stop();
}
END_TEST

START_TEST(test_wait)
{
    bool wake = true;
    dcps_message status = {.type = DCPS_MESSAGE_STATUS};
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    start("tcp://127.0.0.1:0");
    dcps_socket *const sockets[] = {server, client};
    uint64_t start_ns = dcps_clock_ns();
    ck_assert_int_eq(dcps_socket_wait(sockets, 2, fd, 50, &wake), DCPS_OK);
    ck_assert(!wake);
    ck_assert_uint_ge(dcps_clock_ns() - start_ns, 45 * DCPS_NS_PER_MS);
    ck_assert_int_eq(eventfd_write(fd, 1), 0);
    ck_assert_int_eq(dcps_socket_wait(sockets, 2, fd, -1, &wake), DCPS_OK);
    ck_assert(wake);
    ck_assert_int_eq(dcps_socket_send(client, NULL, &status, NULL), DCPS_OK);
    ck_assert_int_eq(dcps_socket_wait(sockets, 2, -1, -1, &wake), DCPS_OK);
    ck_assert(!wake);
    ck_assert_int_eq(receive(server).message.type, DCPS_MESSAGE_STATUS);
    stop();
    (void)close(fd);
}
END_TEST

START_TEST(test_out_of_memory)
{
    ck_assert_int_eq(dcps_transport_create(1, &transport), DCPS_OK);
    dcps_status status = DCPS_NO_MEMORY;
    uint64_t n = 0;
    for (; status != DCPS_OK && n < 100; n++) {
        dcps_alloc_fail_after(n);
        status = dcps_socket_bind(transport, "tcp://127.0.0.1:0", &server);
        ck_assert(status == DCPS_OK || status == DCPS_NO_MEMORY);
    }
    dcps_alloc_fail_after(UINT64_MAX);
    ck_assert_int_eq(status, DCPS_OK);
    ck_assert_uint_gt(n, 3);
    stop();
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        test_tcp_round_trip,
        test_ipc_round_trip,
        test_lost_connections_are_given_up_in_time,
        test_names_are_resolved,
        test_each_name_is_asked_for_once,
        test_families_of_many_hosts,
        test_message_without_payload,
        test_payload_is_not_copied,
        test_payload_is_released_once_sent,
        test_unsent_payload_is_released,
        test_full_queue,
        test_peer_gone,
        test_connect_before_bind,
        test_steady_state_allocates_nothing,
        test_port_in_use,
        test_bad_endpoints,
        test_wait,
        test_out_of_memory,
    };
    return CHECK_MAIN("transport", tests);
}
