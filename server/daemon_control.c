/* The control socket: messages in, answers out, and what the control engine has to say to the shards. */
#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/rng.h"
#include "server/daemon_state.h"

#define MESSAGES_A_TURN 256u

/* A message that cannot leave is dropped: its receiver asks again. */
void dcps_daemon_emit(void *context, const dcps_peer *peer, const dcps_message *message, dcps_buffer *payload)
{
    dcps_daemon *daemon = context;
    dcps_status sent = dcps_socket_send(daemon->control_socket, peer, message, payload);
    (void)sent;
}

uint64_t dcps_daemon_token(void *context)
{
    (void)context;
    return dcps_random_token();
}

static uint32_t workers_live(const dcps_daemon *daemon)
{
    dcps_control_stats stats;
    dcps_control_stats_get(daemon->control, &stats);
    return stats.workers_live;
}

static void on_join(dcps_daemon *daemon, const dcps_control_event *event)
{
    daemon->traces.joins++;
    for (uint32_t i = 0; i < daemon->config->shards; i++) {
        dcps_shard_thread_join_worker(daemon->shards[i], &event->session);
    }
    dcps_info("worker %u (%s) joined: %u of %u are here", event->session.worker, event->name, workers_live(daemon),
              daemon->config->workers);
}

static void on_leave(dcps_daemon *daemon, const dcps_control_event *event)
{
    for (uint32_t i = 0; i < daemon->config->shards; i++) {
        dcps_shard_thread_leave_worker(daemon->shards[i], event->session.worker, event->departure);
    }
    if (event->departure == DCPS_DEPARTURE_EARLY) {
        dcps_info("worker %u (%s) has left before the end: %u are left", event->session.worker, event->name,
                  workers_live(daemon));
    } else if (event->departure == DCPS_DEPARTURE_DONE) {
        dcps_info("worker %u (%s) has finished: %u are left", event->session.worker, event->name, workers_live(daemon));
    } else if (event->renamed) {
        dcps_info("worker %u (%s) has come back under another id", event->session.worker, event->name);
    } else if (event->awaited_ms > 0) {
        dcps_warn("worker %u (%s) is left out, although its lease goes on: others have waited for it for %.1f s "
                  "(--round-timeout-ms); continuing without it, %u are left",
                  event->session.worker, event->name, (double)event->awaited_ms / 1000.0, workers_live(daemon));
    } else {
        dcps_warn("worker %u (%s) is gone: nothing heard for %.1f s; continuing without it, %u are left",
                  event->session.worker, event->name, (double)event->silent_ms / 1000.0, workers_live(daemon));
    }
}

static void on_layout(dcps_daemon *daemon, const dcps_control_event *event)
{
    const dcps_server_config *config = daemon->config;
    const dcps_partition *partition = &event->partition;
    dcps_status status = dcps_daemon_trace_model(daemon, partition, event->samples_per_epoch);
    if (status != DCPS_OK) {
        dcps_error("cannot replay: %s", dcps_error_message());
        dcps_daemon_stop(daemon, status);
        return;
    }
    for (uint32_t i = 0; i < config->shards && !daemon->restoring; i++) {
        dcps_shard_thread_set_partition(daemon->shards[i], partition, event->layout, event->samples_per_epoch);
    }
    uint32_t first = dcps_partition_first_block(partition, config->index * config->shards);
    uint32_t end = dcps_partition_first_block(partition, (config->index + 1u) * config->shards);
    dcps_info("model: %" PRIu64 " parameters in %u blocks of %u, %u of them here; %" PRIu64
              " samples an epoch, %u epochs, algorithm %s",
              partition->total_params, partition->block_count, partition->block_params, end - first,
              event->samples_per_epoch, config->epochs, config->algorithm.name);
    dcps_daemon_check_snapshots(daemon, (uint64_t)(end - first) * partition->block_params, event->samples_per_epoch);
}

void dcps_daemon_event(void *context, const dcps_control_event *event)
{
    dcps_daemon *daemon = context;
    switch (event->kind) {
    case DCPS_CONTROL_JOIN:
        on_join(daemon, event);
        break;
    case DCPS_CONTROL_LEAVE:
        on_leave(daemon, event);
        break;
    case DCPS_CONTROL_LAYOUT:
        on_layout(daemon, event);
        break;
    }
}

void dcps_daemon_status(dcps_daemon *daemon, dcps_status_reply *reply)
{
    dcps_status_sources sources = {.config = daemon->config,
                                   .control_malformed = dcps_socket_rejected(daemon->control_socket),
                                   .partition = dcps_control_partition(daemon->control),
                                   .samples_per_epoch = dcps_control_samples_per_epoch(daemon->control),
                                   .stopping = daemon->phase != DCPS_PHASE_SERVING,
                                   .shards = daemon->published};
    dcps_control_stats_get(daemon->control, &sources.control);
    for (uint32_t i = 0; i < daemon->config->shards; i++) {
        dcps_shard_thread_published(daemon->shards[i], &daemon->published[i]);
    }
    dcps_status_build(&sources, &daemon->status, reply);
}

static bool describe_worker(void *context, dcps_worker_statistics *worker)
{
    dcps_daemon *daemon = context;
    const char *name = dcps_control_worker_name(daemon->control, worker->worker);
    if (name == NULL) {
        return false;
    }
    (void)snprintf(worker->name, sizeof(worker->name), "%s", name);
    for (uint32_t i = 0; i < daemon->config->shards; i++) {
        dcps_shard_thread_add_worker(daemon->shards[i], worker);
    }
    return true;
}

static void answer_status(dcps_daemon *daemon, const dcps_peer *peer, const dcps_status_request *request)
{
    dcps_message reply = {.type = DCPS_MESSAGE_STATUS_REPLY};
    dcps_daemon_status(daemon, &reply.body.status_reply);
    if (request->workers) {
        dcps_status_add_workers(describe_worker, daemon, request->first_worker, &daemon->status,
                                &reply.body.status_reply);
    }
    if (request->histograms) {
        dcps_status_add_histograms(daemon->published, daemon->config->shards, request->first_shard, &daemon->status,
                                   &reply.body.status_reply);
    }
    dcps_daemon_emit(daemon, peer, &reply, NULL);
}

static void dispatch(dcps_daemon *daemon, const dcps_delivery *delivery)
{
    switch (delivery->message.type) {
    case DCPS_MESSAGE_STATUS:
        answer_status(daemon, &delivery->peer, &delivery->message.body.status);
        break;
    case DCPS_MESSAGE_CHECKPOINT:
        dcps_daemon_save_asked(daemon, &delivery->peer);
        break;
    default:
        dcps_control_receive(daemon->control, &delivery->peer, &delivery->message, dcps_clock_ns());
        break;
    }
}

bool dcps_daemon_serve_control(dcps_daemon *daemon)
{
    dcps_delivery delivery;
    for (uint32_t i = 0; i < MESSAGES_A_TURN && daemon->phase != DCPS_PHASE_STOPPED; i++) {
        dcps_status status = dcps_socket_receive(daemon->control_socket, &delivery);
        if (status == DCPS_AGAIN) {
            return false;
        }
        if (status == DCPS_PROTOCOL) {
            return true;
        }
        if (status == DCPS_NO_MEMORY) {
            dcps_warn("a message on the control socket was dropped: %s", dcps_error_message());
            return true;
        }
        if (status != DCPS_OK) {
            dcps_error("the control socket failed: %s", dcps_error_message());
            dcps_daemon_stop(daemon, status);
            return false;
        }
        dispatch(daemon, &delivery);
        dcps_buffer_unref(&delivery.payload);
    }
    return true;
}
