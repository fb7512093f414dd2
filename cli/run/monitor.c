#include "cli/run/monitor.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "proto/transport.h"

/* A request unanswered for that long is repeated: the server may have been restarted. */
#define DCPS_MONITOR_REPEAT_NS (1 * DCPS_NS_PER_S)
/* Workers and histograms are asked for that often, unless somebody wants them. */
#define DCPS_MONITOR_ROUND_NS (2 * DCPS_NS_PER_S)

/* What a request is for beyond the counters. A round asks for workers, page by page, then for the histograms of shards. */
typedef enum dcps_wanted { DCPS_WANTED_NOTHING, DCPS_WANTED_WORKERS, DCPS_WANTED_HISTOGRAMS } dcps_wanted;

/* One server as seen from here. */
typedef struct dcps_watched {
    dcps_socket *socket;
    char address[DCPS_MAX_ENDPOINT_BYTES];
    uint64_t asked_ns;
    bool waiting;        /* for the answer to the latest request */
    uint64_t round_ns;   /* when the round began */
    dcps_wanted wanted;  /* next in it; nothing between two rounds */
    uint32_t next;       /* worker or place of a shard that the next page begins with */
    bool has_workers;    /* the server has told of workers, … */
    bool has_histograms; /* … and of histograms: it knows how */
    dcps_server_view view;
} dcps_watched;

struct dcps_monitor {
    dcps_transport *transport;
    uint32_t count;
    uint64_t interval_ns;
    bool rounds_wanted;
    dcps_watched *servers;
    dcps_socket **sockets; /* the same, as dcps_socket_wait wants them */
};

static dcps_status watched_open(dcps_monitor *monitor, uint32_t index, const dcps_host_port *server)
{
    dcps_watched *watched = &monitor->servers[index];
    char endpoint[DCPS_MAX_ENDPOINT_BYTES];
    char host[DCPS_MAX_BRACKETED_BYTES];
    dcps_status status = dcps_format(watched->address, sizeof(watched->address), "%s:%u",
                                     dcps_host_bracketed(server->host, host), server->port);
    if (status == DCPS_OK) {
        status = dcps_format(endpoint, sizeof(endpoint), "tcp://%s", watched->address);
    }
    if (status == DCPS_OK) {
        status = dcps_socket_connect(monitor->transport, endpoint, &watched->socket);
    }
    monitor->sockets[index] = watched->socket;
    watched->view.heard_ns = dcps_clock_ns();
    return status;
}

dcps_status dcps_monitor_create(const dcps_host_port *servers, uint32_t count, uint32_t interval_ms,
                                dcps_monitor **monitor)
{
    dcps_monitor *made = dcps_alloc(1, sizeof(*made));
    if (made == NULL) {
        return dcps_fail(DCPS_NO_MEMORY, "no memory to watch %" PRIu32 " servers", count);
    }
    made->interval_ns = interval_ms * DCPS_NS_PER_MS;
    made->servers = dcps_alloc(count, sizeof(*made->servers));
    made->sockets = dcps_alloc(count, sizeof(dcps_socket *));
    dcps_status status = made->servers != NULL && made->sockets != NULL
                             ? dcps_transport_create(1, &made->transport)
                             : dcps_fail(DCPS_NO_MEMORY, "no memory to watch %" PRIu32 " servers", count);
    while (status == DCPS_OK && made->count < count) {
        status = watched_open(made, made->count, &servers[made->count]);
        made->count++;
    }
    if (status != DCPS_OK) {
        dcps_monitor_destroy(&made);
        return status;
    }
    *monitor = made;
    return DCPS_OK;
}

void dcps_monitor_destroy(dcps_monitor **monitor)
{
    dcps_monitor *gone = *monitor;
    if (gone == NULL) {
        return;
    }
    for (uint32_t i = 0; i < gone->count; i++) {
        if (gone->servers[i].socket != NULL) {
            dcps_socket_close(&gone->servers[i].socket);
        }
        dcps_worker_table_fini(&gone->servers[i].view.workers);
    }
    dcps_transport_destroy(&gone->transport);
    dcps_free(gone->servers);
    dcps_free(gone->sockets);
    dcps_free(gone);
    *monitor = NULL;
}

/* Asks for the next page at once; nothing: the round is over. */
static void go_on(dcps_watched *watched, dcps_wanted wanted, uint32_t next)
{
    watched->wanted = wanted;
    watched->next = next;
    if (wanted == DCPS_WANTED_NOTHING) {
        watched->view.rounds++;
    } else {
        watched->asked_ns = 0;
    }
}

/* A page of workers, or an answer to a question of before. */
static void keep_workers(dcps_watched *watched, const dcps_status_reply *reply)
{
    dcps_status status = DCPS_OK;
    if (reply->has_workers ? reply->first_worker != watched->next : watched->has_workers) {
        return;
    }
    watched->has_workers = reply->has_workers;
    for (uint32_t i = 0; status == DCPS_OK && i < reply->worker_count; i++) {
        status = dcps_worker_table_set(&watched->view.workers, &reply->workers[i]);
    }
    if (status != DCPS_OK) {
        dcps_warn("%s", dcps_error_message());
    }
    if (status != DCPS_OK || !reply->has_workers) {
        go_on(watched, DCPS_WANTED_NOTHING, 0);
    } else if (reply->next_worker == 0) {
        go_on(watched, DCPS_WANTED_HISTOGRAMS, 0);
    } else {
        go_on(watched, DCPS_WANTED_WORKERS, reply->next_worker);
    }
}

/* A page of histograms, or an answer to a question of before. */
static void keep_histograms(dcps_watched *watched, const dcps_status_reply *reply)
{
    uint32_t next = reply->first_shard + reply->histogram_count;
    bool told = reply->histogram_count > 0;
    bool fewer = watched->next >= reply->shard_count; /* shards than before it was started again */
    if (reply->has_workers || (told ? reply->first_shard != watched->next : watched->has_histograms && !fewer)) {
        return;
    }
    watched->has_histograms = told || fewer;
    memcpy(&watched->view.histograms[reply->first_shard], reply->histograms,
           reply->histogram_count * sizeof(*reply->histograms));
    go_on(watched, told && next < reply->shard_count ? DCPS_WANTED_HISTOGRAMS : DCPS_WANTED_NOTHING, next);
}

static void keep_page(dcps_watched *watched, const dcps_status_reply *reply)
{
    if (watched->wanted == DCPS_WANTED_WORKERS) {
        keep_workers(watched, reply);
    } else if (watched->wanted == DCPS_WANTED_HISTOGRAMS) {
        keep_histograms(watched, reply);
    }
}

static void keep_status(dcps_watched *watched, const dcps_status_reply *reply)
{
    dcps_server_view *view = &watched->view;
    view->status = *reply;
    view->staleness = reply->staleness == NULL ? (dcps_counts){.sum = 0} : *reply->staleness;
    (void)snprintf(view->algorithm, sizeof(view->algorithm), "%s", reply->algorithm == NULL ? "" : reply->algorithm);
    uint32_t shards = reply->shard_count < DCPS_MAX_SHARDS ? reply->shard_count : DCPS_MAX_SHARDS;
    memcpy(view->shards, reply->shards, shards * sizeof(*view->shards));
    keep_page(watched, reply);
    view->status.shard_count = shards;
    view->status.shards = view->shards;
    view->status.held_ns = NULL; /* shards have theirs */
    view->status.worker_count = 0;
    view->status.workers = NULL;
    view->status.histogram_count = 0;
    view->status.histograms = NULL;
    view->status.staleness = &view->staleness;
    view->status.algorithm = view->algorithm;
    view->known = true;
    view->answers++;
    watched->waiting = false;
}

static void keep_checkpoint(dcps_watched *watched, dcps_status status, const char *text)
{
    dcps_server_view *view = &watched->view;
    view->checkpoint_known = true;
    view->checkpoint_status = status;
    (void)snprintf(view->checkpoint_text, sizeof(view->checkpoint_text), "%s", text == NULL ? "" : text);
}

static void take_answers(dcps_watched *watched, uint64_t now_ns)
{
    dcps_delivery delivery;
    while (dcps_socket_receive(watched->socket, &delivery) == DCPS_OK) {
        const dcps_message *message = &delivery.message;
        watched->view.heard_ns = now_ns;
        if (message->type == DCPS_MESSAGE_STATUS_REPLY) {
            keep_status(watched, &message->body.status_reply);
        } else if (message->type == DCPS_MESSAGE_CHECKPOINT_REPLY) {
            keep_checkpoint(watched, message->body.checkpoint_reply.status, message->body.checkpoint_reply.text);
        } else if (message->type == DCPS_MESSAGE_ERROR) {
            keep_checkpoint(watched, message->body.error.status, message->body.error.text);
        }
        dcps_buffer_unref(&delivery.payload);
    }
}

static void ask_if_due(const dcps_monitor *monitor, dcps_watched *watched, uint64_t now_ns)
{
    uint64_t pause_ns = watched->waiting && monitor->interval_ns < DCPS_MONITOR_REPEAT_NS ? DCPS_MONITOR_REPEAT_NS
                                                                                          : monitor->interval_ns;
    if (watched->asked_ns != 0 && now_ns - watched->asked_ns < pause_ns) {
        return;
    }
    bool due = monitor->rounds_wanted || watched->round_ns == 0 || now_ns - watched->round_ns >= DCPS_MONITOR_ROUND_NS;
    if (watched->wanted == DCPS_WANTED_NOTHING && due) {
        watched->wanted = DCPS_WANTED_WORKERS;
        watched->next = 0;
        watched->round_ns = now_ns;
    }
    const dcps_message message = {.type = DCPS_MESSAGE_STATUS,
                                  .body.status = {.workers = watched->wanted == DCPS_WANTED_WORKERS,
                                                  .first_worker = watched->next,
                                                  .histograms = watched->wanted == DCPS_WANTED_HISTOGRAMS,
                                                  .first_shard = watched->next}};
    /* A full queue to a dead server is no news: its silence is. */
    if (dcps_socket_send(watched->socket, NULL, &message, NULL) == DCPS_OK) {
        watched->waiting = true;
    }
    watched->asked_ns = now_ns;
}

void dcps_monitor_want_rounds(dcps_monitor *monitor)
{
    monitor->rounds_wanted = true;
}

dcps_status dcps_monitor_ask_checkpoint(dcps_monitor *monitor)
{
    const dcps_message message = {.type = DCPS_MESSAGE_CHECKPOINT};
    for (uint32_t i = 0; i < monitor->count; i++) {
        monitor->servers[i].view.checkpoint_known = false;
        dcps_status status = dcps_socket_send(monitor->servers[i].socket, NULL, &message, NULL);
        if (status != DCPS_OK) {
            return status;
        }
    }
    return DCPS_OK;
}

dcps_status dcps_monitor_turn(dcps_monitor *monitor, int wake_fd, int timeout_ms)
{
    uint64_t now_ns = dcps_clock_ns();
    for (uint32_t i = 0; i < monitor->count; i++) {
        ask_if_due(monitor, &monitor->servers[i], now_ns);
        take_answers(&monitor->servers[i], now_ns);
    }
    bool wake = false;
    dcps_status status = dcps_socket_wait(monitor->sockets, monitor->count, wake_fd, timeout_ms, &wake);
    if (status != DCPS_OK) {
        return status;
    }
    now_ns = dcps_clock_ns();
    for (uint32_t i = 0; i < monitor->count; i++) {
        take_answers(&monitor->servers[i], now_ns);
    }
    return DCPS_OK;
}

uint32_t dcps_monitor_server_count(const dcps_monitor *monitor)
{
    return monitor->count;
}

const dcps_server_view *dcps_monitor_server(const dcps_monitor *monitor, uint32_t index)
{
    assert(index < monitor->count);
    return &monitor->servers[index].view;
}

const char *dcps_monitor_address(const dcps_monitor *monitor, uint32_t index)
{
    assert(index < monitor->count);
    return monitor->servers[index].address;
}

void dcps_monitor_progress(const dcps_monitor *monitor, dcps_run_progress *progress)
{
    const dcps_status_reply *first = &monitor->servers[0].view.status;
    *progress = (dcps_run_progress){.known = true,
                                    .state = first->state,
                                    .samples = first->samples,
                                    .updates = first->updates,
                                    .samples_per_epoch = first->samples_per_epoch,
                                    .epochs = first->epochs,
                                    .train_loss = first->train_loss,
                                    .seconds = (double)first->training_ns / (double)DCPS_NS_PER_S,
                                    .workers_live = first->workers_live,
                                    .weights_final = true};
    for (uint32_t i = 0; i < monitor->count; i++) {
        const dcps_server_view *view = &monitor->servers[i].view;
        progress->known = progress->known && view->known;
        dcps_counts_merge(&progress->staleness, &view->staleness);
        progress->weights_final = progress->weights_final && view->status.weights_final;
        progress->weights_digest += view->status.weights_digest;
    }
}

dcps_status dcps_monitor_statistics(const dcps_monitor *monitor, dcps_run_statistics *statistics)
{
    dcps_status status = DCPS_OK;
    for (uint32_t i = 0; i < monitor->count; i++) {
        const dcps_server_view *view = &monitor->servers[i].view;
        for (uint32_t shard = 0; status == DCPS_OK && shard < view->status.shard_count; shard++) {
            status = dcps_run_statistics_add_shard(statistics, &view->shards[shard], &view->histograms[shard]);
        }
        for (uint32_t worker = 0; status == DCPS_OK && worker < view->workers.count; worker++) {
            status = dcps_worker_table_add(&statistics->workers, &view->workers.items[worker]);
        }
    }
    return status;
}
