/* Messages of the data plane as they reach a shard: who asks, is it new, and what then. */
#include <string.h>

#include "server/engine/shard_state.h"

/* The block, or NULL with the error answered. */
static dcps_block *find_block(dcps_shard *shard, const dcps_peer *peer, const dcps_request *request, uint32_t index)
{
    if (!shard->has_partition) {
        dcps_answer_error(shard, peer, DCPS_AGAIN, request, "block %u: no model is declared yet", index);
        return NULL;
    }
    if (index < shard->first_block || index - shard->first_block >= shard->block_count) {
        dcps_answer_error(shard, peer, DCPS_INVALID, request,
                          "block %u is not on shard %u, which owns %u blocks from %u", index, shard->config.shard,
                          shard->block_count, shard->first_block);
        return NULL;
    }
    return &shard->blocks[index - shard->first_block];
}

bool dcps_session_is_live(const dcps_shard *shard, const dcps_session *session)
{
    const dcps_member *member = &shard->members[session->worker];
    return member->live && member->session.incarnation == session->incarnation &&
           member->session.token == session->token;
}

/* The slot of the request's worker at its block, or NULL with the error answered. */
static dcps_slot *find_slot(dcps_shard *shard, const dcps_peer *peer, const dcps_request *request, dcps_block **block)
{
    const dcps_session *session = &request->session;
    if (session->worker >= DCPS_MAX_WORKERS || !dcps_session_is_live(shard, session)) {
        dcps_answer_error(shard, peer, DCPS_SESSION, request,
                          "worker %u incarnation %u has no session here: say HELLO again", session->worker,
                          session->incarnation);
        return NULL;
    }
    *block = find_block(shard, peer, request, request->block);
    if (*block == NULL) {
        return NULL;
    }
    dcps_slot *slot = &(*block)->slots[session->worker];
    if (slot->incarnation != session->incarnation) {
        dcps_slot_drop_request(shard, slot);
        dcps_buffer_unref(&slot->pulled);
        dcps_slot_reset(slot, session->incarnation, 0);
    }
    return slot;
}

/* Answers a pull with weights, now or when the block has values and the run begins. */
static void serve_pull(dcps_shard *shard, dcps_block *block, dcps_slot *slot, const dcps_request *request,
                       uint64_t now_ns)
{
    uint32_t worker = request->session.worker;
    slot->asked_ns = now_ns;
    if (block->initialised) {
        dcps_block_follow(shard, block, request->run_samples);
        dcps_slot_set_wait(shard, slot, DCPS_WAIT_START);
        dcps_consistency_settle(shard, block, now_ns);
        return;
    }
    dcps_slot_set_wait(shard, slot, DCPS_WAIT_INIT);
    if (block->initialiser == DCPS_MAX_WORKERS || block->initialiser == worker) {
        block->initialiser = worker;
        dcps_answer_notice(shard, &slot->peer, DCPS_MESSAGE_NEED_INIT, request);
    }
}

/* The request answered last, or the one that waits, came once more. */
static void serve_repeat(dcps_shard *shard, dcps_block *block, dcps_slot *slot, const dcps_request *request,
                         uint64_t now_ns)
{
    dcps_count_duplicate(shard, request->session.worker);
    if (slot->wait == DCPS_WAIT_INIT && block->initialiser == request->session.worker) {
        dcps_answer_notice(shard, &slot->peer, DCPS_MESSAGE_NEED_INIT, request);
    } else if (slot->wait != DCPS_WAIT_NOTHING) {
        dcps_answer_notice(shard, &slot->peer, DCPS_MESSAGE_PENDING, request);
    } else if (slot->pulled != NULL) {
        dcps_answer_again(shard, block, request->session.worker);
    } else {
        /* Taken in an earlier life of the server or session: not again, but the weights it was answered with are gone. */
        serve_pull(shard, block, slot, request, now_ns);
    }
}

/* True when the request is new; a repeat is served, an old one ignored. */
static bool is_new(dcps_shard *shard, const dcps_peer *peer, dcps_block *block, dcps_slot *slot,
                   const dcps_request *request, uint64_t now_ns)
{
    if (request->seq > slot->last_seq) {
        return true;
    }
    if (request->seq < slot->last_seq) {
        shard->stats.stale_ignored++;
        return false;
    }
    slot->peer = *peer;
    serve_repeat(shard, block, slot, request, now_ns);
    return false;
}

/* A request is taken: tells whoever follows the order of events. */
static void note_taken(dcps_shard *shard, const dcps_request *request, dcps_taken *taken, uint64_t now_ns)
{
    shard->members[request->session.worker].took_ns = now_ns;
    taken->block = request->block;
    taken->worker = request->session.worker;
    taken->incarnation = request->session.incarnation;
    taken->seq = request->seq;
    taken->step = request->step;
    if (shard->config.taken != NULL) {
        shard->config.taken(shard->config.taken_context, taken, now_ns);
    }
}

static void take(dcps_shard *shard, dcps_slot *slot, const dcps_peer *peer, const dcps_request *request,
                 dcps_taken_kind kind, uint64_t now_ns)
{
    dcps_taken taken = {.kind = kind, .fate = DCPS_FATE_NONE};
    dcps_slot_drop_request(shard, slot);
    slot->last_seq = request->seq;
    slot->step = request->step;
    slot->peer = *peer;
    note_taken(shard, request, &taken, now_ns);
}

static void on_pull(dcps_shard *shard, const dcps_peer *peer, const dcps_request *request, uint64_t now_ns)
{
    dcps_block *block;
    dcps_slot *slot = find_slot(shard, peer, request, &block);
    if (slot != NULL && is_new(shard, peer, block, slot, request, now_ns)) {
        take(shard, slot, peer, request, DCPS_TAKEN_PULL, now_ns);
        serve_pull(shard, block, slot, request, now_ns);
    }
}

static bool payload_fits(dcps_shard *shard, const dcps_peer *peer, const dcps_request *request, const dcps_block *block,
                         const dcps_buffer *payload)
{
    size_t expected = (size_t)block->length * sizeof(float);
    size_t seen = payload == NULL ? 0 : payload->bytes;
    if (seen != expected) {
        dcps_answer_error(shard, peer, DCPS_PROTOCOL, request, "block %u: payload of %zu bytes, the block has %zu",
                          block->index, seen, expected);
    }
    return seen == expected;
}

/* Everybody who waited for the values. */
static void release_waiting_pulls(dcps_shard *shard, dcps_block *block)
{
    for (uint32_t worker = 0; worker < shard->slot_capacity; worker++) {
        if (block->slots[worker].wait == DCPS_WAIT_INIT) {
            dcps_slot_set_wait(shard, &block->slots[worker], DCPS_WAIT_START);
        }
    }
}

static void on_init(dcps_shard *shard, const dcps_peer *peer, const dcps_request *request, dcps_buffer *payload,
                    uint64_t now_ns)
{
    dcps_block *block;
    dcps_slot *slot = find_slot(shard, peer, request, &block);
    if (slot == NULL || !is_new(shard, peer, block, slot, request, now_ns) ||
        !payload_fits(shard, peer, request, block, payload)) {
        return;
    }
    if (!block->initialised) {
        dcps_status status = dcps_block_set_weights(shard, block, payload->data);
        if (status != DCPS_OK) {
            dcps_answer_error(shard, peer, status, request, "block %u: %s", block->index, dcps_error_message());
            return;
        }
        release_waiting_pulls(shard, block);
    }
    take(shard, slot, peer, request, DCPS_TAKEN_INIT, now_ns);
    serve_pull(shard, block, slot, request, now_ns);
}

/* Whoever comes after the end and pushes goes on with the run. To come is not enough: a worker that wakes up and dies would leave a run without an end. */
static void note_work(dcps_shard *shard, uint32_t worker)
{
    dcps_member *member = &shard->members[worker];
    shard->any_done = shard->any_done && !member->came_after_end;
    member->came_after_end = false;
}

/* Other servers may take this push: what block 0 learns from, this block has missed. */
static void refuse_unpulled(dcps_shard *shard, const dcps_peer *peer, dcps_block *block, const dcps_push_pull *push)
{
    block->samples_missed += push->samples;
    dcps_answer_error(shard, peer, DCPS_NOT_PULLED, &push->request,
                      "block %u: worker %u pushes without having the answer to a pull: pull first", block->index,
                      push->request.session.worker);
}

static void on_push_pull(dcps_shard *shard, const dcps_peer *peer, const dcps_push_pull *push, dcps_buffer *payload,
                         uint64_t now_ns)
{
    dcps_block *block;
    const dcps_request *request = &push->request;
    dcps_slot *slot = find_slot(shard, peer, request, &block);
    if (slot == NULL || !is_new(shard, peer, block, slot, request, now_ns)) {
        return;
    }
    if (slot->pulled == NULL || slot->wait != DCPS_WAIT_NOTHING) {
        refuse_unpulled(shard, peer, block, push);
        return;
    }
    if (push->samples > 0 && !payload_fits(shard, peer, request, block, payload)) {
        return;
    }
    bool abstains = push->samples == 0;
    dcps_taken taken = {.kind = abstains ? DCPS_TAKEN_ABSTAIN : DCPS_TAKEN_PUSH,
                        .samples = push->samples,
                        .away_ns = now_ns - slot->answered_ns};
    dcps_block_follow(shard, block, request->run_samples);
    dcps_status status =
        dcps_consistency_push(shard, block, request->session.worker, push, abstains ? NULL : payload, &taken, now_ns);
    if (status != DCPS_OK) {
        dcps_answer_error(shard, peer, status, request, "block %u: %s", block->index, dcps_error_message());
        return;
    }
    if (!abstains) {
        note_work(shard, request->session.worker);
    }
    slot->last_seq = request->seq;
    slot->peer = *peer;
    note_taken(shard, request, &taken, now_ns);
    dcps_count_arrival(shard, slot, now_ns);
    dcps_consistency_settle_push(shard, block, request->session.worker, now_ns);
}

static void on_query(dcps_shard *shard, const dcps_peer *peer, const dcps_request *request, uint64_t now_ns)
{
    dcps_block *block;
    dcps_slot *slot = find_slot(shard, peer, request, &block);
    if (slot != NULL && is_new(shard, peer, block, slot, request, now_ns)) {
        dcps_answer_notice(shard, peer, DCPS_MESSAGE_RESEND, request);
    }
}

static void on_snapshot(dcps_shard *shard, const dcps_peer *peer, const dcps_snapshot_request *request)
{
    dcps_block *block = find_block(shard, peer, NULL, request->block);
    if (block != NULL) {
        dcps_snapshots_request(shard, block, peer, request);
    }
}

void dcps_shard_receive(dcps_shard *shard, const dcps_peer *peer, const dcps_message *message, dcps_buffer *payload,
                        uint64_t now_ns)
{
    shard->stats.payload_bytes_in += payload == NULL ? 0 : payload->bytes;
    switch (message->type) {
    case DCPS_MESSAGE_PULL:
        on_pull(shard, peer, &message->body.request, now_ns);
        break;
    case DCPS_MESSAGE_INIT:
        on_init(shard, peer, &message->body.request, payload, now_ns);
        break;
    case DCPS_MESSAGE_PUSH_PULL:
        on_push_pull(shard, peer, &message->body.push_pull, payload, now_ns);
        break;
    case DCPS_MESSAGE_QUERY:
        on_query(shard, peer, &message->body.request, now_ns);
        break;
    case DCPS_MESSAGE_SNAPSHOT:
        on_snapshot(shard, peer, &message->body.snapshot);
        break;
    case DCPS_MESSAGE_ERROR:
        shard->stats.rejected++; /* never answered, or two servers could chatter for ever */
        break;
    default:
        dcps_answer_error(shard, peer, DCPS_PROTOCOL, NULL, "%s does not belong on a shard's socket",
                          dcps_message_name(message->type));
        break;
    }
    dcps_count_queue(shard);
}
