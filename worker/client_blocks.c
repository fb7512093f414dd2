/* The data plane of the client: one request a block at a time, repeated until it is answered. */
#include <assert.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "worker/client_state.h"

/* Index of a snapshot that no run has: a question that a shard answers at once. */
#define NO_SNAPSHOT UINT32_MAX

dcps_status dcps_blocks_create(dcps_client_core *core)
{
    core->blocks = dcps_alloc(core->partition.block_count, sizeof(*core->blocks));
    core->watches = dcps_alloc((size_t)core->config.server_count * DCPS_MAX_SHARDS, sizeof(*core->watches));
    if (core->blocks == NULL || core->watches == NULL) {
        return dcps_fail(DCPS_NO_MEMORY, "no memory for %u blocks", core->partition.block_count);
    }
    return DCPS_OK;
}

static dcps_route route_of(const dcps_client_core *core, uint32_t block)
{
    uint32_t shard = dcps_partition_shard_of(&core->partition, block);
    return (dcps_route){.server = shard / core->partition.shards_per_server,
                        .shard = shard % core->partition.shards_per_server};
}

static size_t block_bytes(const dcps_client_core *core, uint32_t block)
{
    return (size_t)dcps_partition_block_length(&core->partition, block) * sizeof(float);
}

static dcps_request request_of(const dcps_client_core *core, uint32_t block, uint32_t server)
{
    return (dcps_request){.session = core->links[server].session,
                          .block = block,
                          .seq = core->blocks[block].seq,
                          .step = core->step,
                          .run_samples = core->run_samples};
}

static void emit_pull(dcps_client_core *core, uint32_t block, dcps_route route)
{
    dcps_message message = {.type = DCPS_MESSAGE_PULL, .body.request = request_of(core, block, route.server)};
    core->config.emit(core->config.context, route, &message, NULL, 0);
}

static void emit_init(dcps_client_core *core, uint32_t block, dcps_route route)
{
    dcps_message message = {.type = DCPS_MESSAGE_INIT, .body.request = request_of(core, block, route.server)};
    const float *values = core->weights + dcps_partition_block_offset(&core->partition, block);
    core->config.emit(core->config.context, route, &message, values, block_bytes(core, block));
}

static void emit_push(dcps_client_core *core, uint32_t block, dcps_route route)
{
    const dcps_pending *pending = &core->blocks[block];
    dcps_message message = {
        .type = DCPS_MESSAGE_PUSH_PULL,
        .body.push_pull = {.request = request_of(core, block, route.server),
                           .samples = pending->samples,
                           .loss = pending->loss},
    };
    bool abstain = pending->samples == 0;
    const float *gradient = abstain ? NULL : core->gradient + dcps_partition_block_offset(&core->partition, block);
    core->config.emit(core->config.context, route, &message, gradient, abstain ? 0 : block_bytes(core, block));
}

static void emit_query(dcps_client_core *core, uint32_t block, dcps_route route)
{
    dcps_message message = {.type = DCPS_MESSAGE_QUERY, .body.request = request_of(core, block, route.server)};
    core->config.emit(core->config.context, route, &message, NULL, 0);
}

static void emit_snapshot(dcps_client_core *core, uint32_t block, dcps_route route, uint32_t index, bool release)
{
    dcps_message message = {
        .type = DCPS_MESSAGE_SNAPSHOT,
        .body.snapshot = {.block = block, .index = index, .release = release},
    };
    core->config.emit(core->config.context, route, &message, NULL, 0);
}

static void emit_pending(dcps_client_core *core, uint32_t block, dcps_route route)
{
    switch (core->blocks[block].kind) {
    case DCPS_PENDING_PULL:
        emit_pull(core, block, route);
        break;
    case DCPS_PENDING_INIT:
        emit_init(core, block, route);
        break;
    case DCPS_PENDING_PUSH:
        emit_push(core, block, route);
        break;
    case DCPS_PENDING_SNAPSHOT:
        emit_snapshot(core, block, route, core->snapshot_index, core->snapshot_release);
        break;
    case DCPS_PENDING_NONE:
        break;
    }
}

/* Gradients and initial values are large: the server is asked first whether it has them. */
static void emit_again(dcps_client_core *core, uint32_t block, dcps_route route)
{
    dcps_pending_kind kind = core->blocks[block].kind;
    if (kind == DCPS_PENDING_PUSH || kind == DCPS_PENDING_INIT) {
        emit_query(core, block, route);
    } else {
        emit_pending(core, block, route);
    }
}

/* From now on the answer is waited for. */
static void restart_wait(dcps_pending *pending, uint64_t now_ns)
{
    pending->sent_ns = now_ns;
    pending->retry_ms = DCPS_CLIENT_RETRY_MS;
}

static void send_pending(dcps_client_core *core, uint32_t block, uint64_t now_ns)
{
    dcps_route route = route_of(core, block);
    restart_wait(&core->blocks[block], now_ns);
    if (core->links[route.server].state == DCPS_LINK_READY) {
        emit_pending(core, block, route);
    }
}

void dcps_blocks_request(dcps_client_core *core, uint32_t block, dcps_pending_kind kind, uint64_t now_ns)
{
    dcps_pending *pending = &core->blocks[block];
    core->pending_count += pending->kind == DCPS_PENDING_NONE ? 1 : 0;
    pending->kind = kind;
    pending->seq++;
    send_pending(core, block, now_ns);
}

/* Blocks [*first, *end) live on `server`. */
static void server_blocks(const dcps_client_core *core, uint32_t server, uint32_t *first, uint32_t *end)
{
    uint32_t shards = core->partition.shards_per_server;
    *first = dcps_partition_first_block(&core->partition, server * shards);
    *end = dcps_partition_first_block(&core->partition, (server + 1u) * shards);
}

void dcps_blocks_server_ready(dcps_client_core *core, uint32_t server, bool first_time, uint64_t now_ns)
{
    uint32_t first;
    uint32_t end;
    server_blocks(core, server, &first, &end);
    dcps_silence_forget_shards(core, server);
    for (uint32_t block = first; block < end; block++) {
        if (first_time && core->config.role == DCPS_ROLE_WORKER) {
            dcps_blocks_request(core, block, DCPS_PENDING_PULL, now_ns);
        } else {
            restart_wait(&core->blocks[block], now_ns);
            emit_again(core, block, route_of(core, block));
        }
    }
}

bool dcps_blocks_any_pending(const dcps_client_core *core, uint32_t server)
{
    if (!core->has_partition) {
        return false;
    }
    uint32_t first;
    uint32_t end;
    server_blocks(core, server, &first, &end);
    for (uint32_t block = first; block < end; block++) {
        if (core->blocks[block].kind != DCPS_PENDING_NONE) {
            return true;
        }
    }
    return false;
}

static void settle(dcps_client_core *core, uint32_t block)
{
    core->blocks[block].kind = DCPS_PENDING_NONE;
    core->pending_count--;
}

static bool takes_weights(dcps_pending_kind kind)
{
    return kind == DCPS_PENDING_PULL || kind == DCPS_PENDING_INIT || kind == DCPS_PENDING_PUSH;
}

/* Whether an answer is for the request that we wait for, from where we sent it. */
static bool is_awaited(const dcps_client_core *core, dcps_route route, uint32_t block, uint64_t seq)
{
    if (block >= core->partition.block_count || core->blocks[block].seq != seq) {
        return false;
    }
    dcps_route expected = route_of(core, block);
    return expected.server == route.server && expected.shard == route.shard;
}

static bool is_ours(const dcps_client_core *core, uint32_t server, uint32_t worker, uint32_t incarnation)
{
    const dcps_session *session = &core->links[server].session;
    return session->worker == worker && session->incarnation == incarnation;
}

static void on_weights(dcps_client_core *core, dcps_route route, const dcps_weights *answer, const void *payload,
                       size_t payload_bytes)
{
    uint32_t block = answer->block;
    if (!is_awaited(core, route, block, answer->seq) || !takes_weights(core->blocks[block].kind) ||
        !is_ours(core, route.server, answer->worker, answer->incarnation) ||
        dcps_link_has_replaced(core, route.server, answer->token) || payload_bytes != block_bytes(core, block)) {
        return;
    }
    memcpy(core->weights + dcps_partition_block_offset(&core->partition, block), payload, payload_bytes);
    if (block == 0) {
        bool pushed = core->blocks[0].kind == DCPS_PENDING_PUSH && answer->version > core->blocks[0].version;
        core->staleness = pushed ? answer->version - core->blocks[0].version - 1u : 0;
        core->ticket = answer->ticket;
        core->run_samples = answer->samples;
    }
    core->blocks[block].version = answer->version;
    core->latest_clock = answer->clock > core->latest_clock ? answer->clock : core->latest_clock;
    settle(core, block);
}

static void on_notice(dcps_client_core *core, dcps_route route, dcps_message_type type, const dcps_notice *answer,
                      uint64_t now_ns)
{
    uint32_t block = answer->block;
    if (!is_awaited(core, route, block, answer->seq) || !takes_weights(core->blocks[block].kind) ||
        !is_ours(core, route.server, answer->worker, answer->incarnation)) {
        return;
    }
    dcps_pending *pending = &core->blocks[block];
    if (type == DCPS_MESSAGE_RESEND) {
        send_pending(core, block, now_ns);
    } else if (type == DCPS_MESSAGE_NEED_INIT && pending->kind != DCPS_PENDING_PUSH) {
        dcps_blocks_request(core, block, DCPS_PENDING_INIT, now_ns);
    }
}

static void on_snapshot(dcps_client_core *core, dcps_route route, const dcps_snapshot_reply *answer,
                        const void *payload, size_t payload_bytes)
{
    uint32_t block = answer->block;
    if (block >= core->partition.block_count || core->blocks[block].kind != DCPS_PENDING_SNAPSHOT ||
        answer->index != core->snapshot_index || !is_awaited(core, route, block, core->blocks[block].seq)) {
        return;
    }
    if (answer->available && payload_bytes != block_bytes(core, block)) {
        return;
    }
    if (answer->available) {
        memcpy(core->weights + dcps_partition_block_offset(&core->partition, block), payload, payload_bytes);
    }
    core->snapshot_complete = core->snapshot_complete && answer->available;
    if (block == 0) {
        core->snapshot = *answer;
    }
    settle(core, block);
    if (core->pending_count == 0) {
        core->snapshot.available = core->snapshot_complete;
    }
}

static void on_error(dcps_client_core *core, dcps_route route, const dcps_error_message_body *error, uint64_t now_ns)
{
    if (!error->has_block || !is_awaited(core, route, error->block, error->seq) ||
        core->blocks[error->block].kind == DCPS_PENDING_NONE) {
        return;
    }
    switch (error->status) {
    case DCPS_NOT_PULLED:
        if (core->blocks[error->block].kind == DCPS_PENDING_PUSH) {
            dcps_client_notice notice = {
                .kind = DCPS_CLIENT_GRADIENT_LOST, .server = route.server, .block = error->block};
            core->config.notice(core->config.context, &notice);
        }
        dcps_blocks_request(core, error->block, DCPS_PENDING_PULL, now_ns);
        break;
    case DCPS_AGAIN:
    case DCPS_NO_MEMORY:
    case DCPS_LIMIT:
        break; /* the repeat comes by itself */
    default:
        dcps_client_core_fail(core, error->status, "shard %u of server %u refuses a request: %s", route.shard,
                              route.server, error->text);
        break;
    }
}

void dcps_blocks_receive(dcps_client_core *core, dcps_route route, const dcps_message *message, const void *payload,
                         size_t payload_bytes, uint64_t now_ns)
{
    switch (message->type) {
    case DCPS_MESSAGE_WEIGHTS:
        on_weights(core, route, &message->body.weights, payload, payload_bytes);
        break;
    case DCPS_MESSAGE_NEED_INIT:
    case DCPS_MESSAGE_PENDING:
    case DCPS_MESSAGE_RESEND:
        on_notice(core, route, message->type, &message->body.notice, now_ns);
        break;
    case DCPS_MESSAGE_SNAPSHOT_REPLY:
        on_snapshot(core, route, &message->body.snapshot_reply, payload, payload_bytes);
        break;
    case DCPS_MESSAGE_ERROR:
        on_error(core, route, &message->body.error, now_ns);
        break;
    default:
        break;
    }
}

/* Repeats a request that has had no answer. A snapshot that is held is not answered for
 * being asked for again; one that cannot exist is, at once, by whoever lives. */
static void repeat(dcps_client_core *core, uint32_t block, dcps_route route, uint64_t now_ns)
{
    dcps_pending *pending = &core->blocks[block];
    pending->sent_ns = now_ns;
    pending->retry_ms =
        pending->retry_ms < DCPS_CLIENT_MAX_RETRY_MS / 2u ? pending->retry_ms * 2u : DCPS_CLIENT_MAX_RETRY_MS;
    emit_again(core, block, route);
    if (dcps_silence_repeated(core, route, now_ns) && pending->kind == DCPS_PENDING_SNAPSHOT) {
        emit_snapshot(core, block, route, NO_SNAPSHOT, false);
    }
}

void dcps_blocks_tick(dcps_client_core *core, uint64_t now_ns)
{
    if (!core->has_partition || core->pending_count == 0) {
        return;
    }
    for (uint32_t block = 0; block < core->partition.block_count; block++) {
        const dcps_pending *pending = &core->blocks[block];
        if (pending->kind == DCPS_PENDING_NONE || now_ns - pending->sent_ns < pending->retry_ms * DCPS_NS_PER_MS) {
            continue;
        }
        dcps_route route = route_of(core, block);
        if (core->links[route.server].state == DCPS_LINK_READY) {
            repeat(core, block, route, now_ns);
        }
    }
}
