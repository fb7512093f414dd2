/* Weights kept at exact counts of samples, for evaluation. Keeping one costs no copy, but memory for as long as it is kept: the buffer that the update had filled anyway is not used again. */
#include "proto/snapshot_count.h"
#include "server/engine/shard_state.h"

#define DCPS_MAX_MARKS (1u << 16)

dcps_status dcps_plan_marks(uint64_t every_samples, uint64_t samples_per_epoch, uint32_t epochs,
                            uint64_t *mark_every_samples, uint32_t *mark_count)
{
    bool by_epoch = every_samples == 0 || every_samples == DCPS_SNAPSHOT_EVERY_EPOCH;
    uint64_t count = dcps_snapshot_count(every_samples, samples_per_epoch, epochs);
    if (count > DCPS_MAX_MARKS) {
        return dcps_fail(DCPS_LIMIT,
                         "a snapshot every %llu samples makes %llu over the run, the limit is %u: keep fewer",
                         (unsigned long long)(by_epoch ? samples_per_epoch : every_samples), (unsigned long long)count,
                         DCPS_MAX_MARKS);
    }
    *mark_every_samples = by_epoch ? samples_per_epoch : every_samples;
    *mark_count = (uint32_t)count;
    return DCPS_OK;
}

double dcps_snapshots_recent_loss(const dcps_block *block)
{
    return block->loss_samples > 0 ? block->loss_sum / (double)block->loss_samples : block->loss_mean;
}

static void emit_reply(dcps_shard *shard, const dcps_peer *peer, const dcps_snapshot_reply *reply, dcps_buffer *weights)
{
    dcps_message message = {.type = DCPS_MESSAGE_SNAPSHOT_REPLY, .body.snapshot_reply = *reply};
    if (weights != NULL) {
        shard->stats.payload_bytes_out += weights->bytes;
    }
    shard->config.emit(shard->config.emit_context, peer, &message, weights);
}

static void answer_mark(dcps_shard *shard, const dcps_block *block, const dcps_peer *peer, uint32_t index)
{
    const dcps_mark *mark = &block->marks[index];
    dcps_snapshot_reply reply = {.block = block->index,
                                 .index = index,
                                 .available = mark->weights != NULL,
                                 .version = mark->version,
                                 .samples = mark->samples,
                                 .training_ns = mark->training_ns,
                                 .train_loss = mark->train_loss};
    emit_reply(shard, peer, &reply, mark->weights);
}

/* How far the run came, as this block knows it. Block 0 leads: what it missed it has had again. Others may have missed what it applied. */
static uint64_t run_samples(const dcps_block *block)
{
    return block->samples + (block->index == 0 ? 0 : block->samples_missed);
}

/* This mark will never be reached. Where the run came further than the mark before, or this block only fell behind it, the final weights stand for it. */
static void answer_final(dcps_shard *shard, const dcps_block *block, const dcps_peer *peer, uint32_t index)
{
    bool some = dcps_shard_is_over(shard) && index < shard->mark_count &&
                run_samples(block) > (uint64_t)index * shard->mark_every_samples;
    dcps_snapshot_reply reply = {.block = block->index, .index = index, .available = some};
    if (some) {
        reply.version = block->version;
        reply.samples = block->samples;
        reply.training_ns = dcps_block_training_ns(block);
        reply.train_loss = dcps_snapshots_recent_loss(block);
    }
    emit_reply(shard, peer, &reply, some ? block->latest : NULL);
}

/* An answer may get lost and be asked for again, so a mark goes only when a later one is asked for. */
static void release_below(const dcps_shard *shard, dcps_block *block, uint32_t index)
{
    uint32_t kept = block->marks_reached < shard->mark_count ? block->marks_reached : shard->mark_count;
    for (; block->marks_released < index && block->marks_released < kept; block->marks_released++) {
        dcps_buffer_unref(&block->marks[block->marks_released].weights);
    }
}

/* Answers at once if that is possible. */
static bool try_answer(dcps_shard *shard, dcps_block *block, const dcps_peer *peer, uint32_t index, bool release)
{
    if (release) {
        release_below(shard, block, index);
    }
    if (index < block->marks_reached && index < shard->mark_count) {
        answer_mark(shard, block, peer, index);
        return true;
    }
    if (index >= shard->mark_count || dcps_shard_is_over(shard)) {
        answer_final(shard, block, peer, index);
        return true;
    }
    return false;
}

void dcps_snapshots_settle(dcps_shard *shard, dcps_block *block)
{
    for (uint32_t i = 0; i < DCPS_MAX_SNAPSHOT_WAITERS; i++) {
        dcps_snapshot_waiter *waiter = &block->waiters[i];
        if (waiter->used && try_answer(shard, block, &waiter->peer, waiter->index, waiter->release)) {
            waiter->used = false;
        }
    }
}

uint32_t dcps_snapshots_passed(const dcps_shard *shard, uint64_t samples)
{
    uint64_t passed = samples / shard->mark_every_samples;
    return passed < UINT32_MAX ? (uint32_t)passed : UINT32_MAX;
}

void dcps_snapshots_update(dcps_shard *shard, dcps_block *block)
{
    uint32_t passed = dcps_snapshots_passed(shard, block->samples);
    if (passed <= block->marks_reached) {
        return;
    }
    block->loss_mean = dcps_snapshots_recent_loss(block);
    block->loss_sum = 0.0;
    block->loss_samples = 0;
    for (uint32_t index = block->marks_reached; index < passed && index < shard->mark_count; index++) {
        block->marks[index] = (dcps_mark){.weights = dcps_buffer_ref(block->latest),
                                          .version = block->version,
                                          .samples = block->samples,
                                          .training_ns = dcps_block_training_ns(block),
                                          .train_loss = block->loss_mean};
    }
    block->marks_reached = passed;
    dcps_snapshots_settle(shard, block);
}

void dcps_snapshots_move(dcps_shard *shard, dcps_block *block, uint64_t samples)
{
    uint32_t passed = dcps_snapshots_passed(shard, samples);
    for (uint32_t index = passed; index < block->marks_reached && index < shard->mark_count; index++) {
        dcps_buffer_unref(&block->marks[index].weights);
    }
    block->marks_released = block->marks_released < passed ? block->marks_released : passed;
    block->marks_reached = passed;
    block->samples = samples;
    block->loss_sum = 0.0;
    block->loss_samples = 0;
    dcps_snapshots_settle(shard, block);
}

static bool same_peer(const dcps_peer *a, const dcps_peer *b)
{
    if (a->length != b->length) {
        return false;
    }
    for (uint8_t i = 0; i < a->length; i++) {
        if (a->bytes[i] != b->bytes[i]) {
            return false;
        }
    }
    return true;
}

void dcps_snapshots_request(dcps_shard *shard, dcps_block *block, const dcps_peer *peer,
                            const dcps_snapshot_request *request)
{
    if (try_answer(shard, block, peer, request->index, request->release)) {
        return;
    }
    dcps_snapshot_waiter *place = NULL;
    for (uint32_t i = 0; i < DCPS_MAX_SNAPSHOT_WAITERS; i++) {
        dcps_snapshot_waiter *waiter = &block->waiters[i];
        if (waiter->used && waiter->index == request->index && same_peer(&waiter->peer, peer)) {
            return; /* a repeat */
        }
        place = !waiter->used && place == NULL ? waiter : place;
    }
    if (place == NULL) {
        /* Some may have died, and who lives asks again. */
        place = &block->waiters[block->waiter_turn];
        block->waiter_turn = (block->waiter_turn + 1u) % DCPS_MAX_SNAPSHOT_WAITERS;
    }
    *place = (dcps_snapshot_waiter){.used = true, .peer = *peer, .index = request->index, .release = request->release};
}
