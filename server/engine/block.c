#include <assert.h>
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "server/engine/shard_state.h"

/* Weights and states lie back to back, each padded to a cache line. */
static dcps_status allocate_arrays(const dcps_rule *rule, dcps_block *block)
{
    uint32_t states = dcps_rule_state_count(rule);
    size_t stride = ((size_t)block->length + 15u) / 16u * 16u;
    float *memory = dcps_alloc_aligned((size_t)(1u + states) * stride, sizeof(float));
    if (memory == NULL) {
        return dcps_fail(DCPS_NO_MEMORY, "no memory for block %u of %u parameters", block->index, block->length);
    }
    block->arrays.count = block->length;
    block->arrays.weights = memory;
    for (uint32_t i = 0; i < states; i++) {
        block->arrays.states[i] = memory + (size_t)(i + 1u) * stride;
    }
    return DCPS_OK;
}

/* Where averaged tensors lie in a block. Called with room NULL to count them. Neighbours with one rate are one. */
static uint32_t find_averages(const dcps_layout *layout, uint64_t begin, uint64_t end, dcps_average *room)
{
    uint32_t count = 0;
    uint64_t reached = UINT64_MAX; /* end of the previous one */
    float rate = 0.0F;
    for (uint32_t i = 0; layout != NULL && i < dcps_layout_tensor_count(layout); i++) {
        const dcps_layout_tensor *tensor = dcps_layout_tensor_at(layout, i);
        uint64_t padded = (tensor->count_params + DCPS_LAYOUT_ALIGN_PARAMS - 1u) / DCPS_LAYOUT_ALIGN_PARAMS *
                          DCPS_LAYOUT_ALIGN_PARAMS;
        uint64_t first = tensor->offset_params > begin ? tensor->offset_params : begin;
        uint64_t last = tensor->offset_params + padded < end ? tensor->offset_params + padded : end;
        if (tensor->average_rate == 0.0F || first >= last) {
            continue;
        }
        bool joined = first == reached && tensor->average_rate == rate;
        count += joined ? 0 : 1;
        if (room != NULL) {
            dcps_average *average = &room[count - 1u];
            uint32_t from = joined ? average->first : (uint32_t)(first - begin);
            *average =
                (dcps_average){.first = from, .count = (uint32_t)(last - begin) - from, .rate = tensor->average_rate};
        }
        reached = last;
        rate = tensor->average_rate;
    }
    return count;
}

static dcps_status note_averages(const dcps_shard *shard, dcps_block *block, const dcps_layout *layout)
{
    uint64_t begin = dcps_partition_block_offset(&shard->partition, block->index);
    uint64_t end = begin + block->length;
    uint32_t count = find_averages(layout, begin, end, NULL);
    if (count == 0) {
        return DCPS_OK;
    }
    block->averages = dcps_alloc(count, sizeof(*block->averages));
    if (block->averages == NULL) {
        return dcps_fail(DCPS_NO_MEMORY, "no memory for the tables of block %u", block->index);
    }
    block->average_count = find_averages(layout, begin, end, block->averages);
    return DCPS_OK;
}

dcps_status dcps_block_init(dcps_shard *shard, dcps_block *block, const dcps_layout *layout, uint32_t index)
{
    memset(block, 0, sizeof(*block));
    block->index = index;
    block->length = dcps_partition_block_length(&shard->partition, index);
    block->initialiser = DCPS_MAX_WORKERS;
    block->loss_mean = (double)NAN;
    block->started = shard->config.algorithm.consistency == DCPS_CONSISTENCY_ASP;
    dcps_status status = allocate_arrays(shard->rule, block);
    if (status == DCPS_OK) {
        status = note_averages(shard, block, layout);
    }
    if (status != DCPS_OK) {
        return status;
    }
    block->slots = dcps_alloc(shard->slot_capacity, sizeof(*block->slots));
    block->marks = dcps_alloc(shard->mark_count + 1u, sizeof(*block->marks));
    if (block->slots == NULL || block->marks == NULL) {
        return dcps_fail(DCPS_NO_MEMORY, "no memory for the tables of block %u", index);
    }
    return DCPS_OK;
}

void dcps_block_fini(dcps_shard *shard, dcps_block *block)
{
    for (uint32_t i = 0; block->slots != NULL && i < shard->slot_capacity; i++) {
        dcps_buffer_unref(&block->slots[i].pulled);
        dcps_buffer_unref(&block->slots[i].gradient);
        dcps_free(block->slots[i].worker_states[0]);
    }
    for (uint32_t i = 0; block->marks != NULL && i < shard->mark_count; i++) {
        dcps_buffer_unref(&block->marks[i].weights);
    }
    dcps_buffer_unref(&block->latest);
    dcps_buffer_unref(&block->shown);
    dcps_free(block->slots);
    dcps_free(block->marks);
    dcps_free(block->averages);
    dcps_free(block->arrays.weights);
}

static dcps_status take_snapshot_buffer(dcps_shard *shard, const dcps_block *block, dcps_buffer **buffer)
{
    dcps_status status = dcps_pool_take(shard->pool, buffer);
    if (status == DCPS_OK) {
        (*buffer)->bytes = (size_t)block->length * sizeof(float);
    }
    return status;
}

/* The buffers of an update: one where answers show the weights, else two. */
static dcps_status take_snapshots(dcps_shard *shard, const dcps_block *block, dcps_buffer **shown, dcps_buffer **latest)
{
    dcps_status status = take_snapshot_buffer(shard, block, shown);
    if (status != DCPS_OK) {
        return status;
    }
    if (!dcps_rule_looks_ahead(shard->rule)) {
        *latest = dcps_buffer_ref(*shown);
        return DCPS_OK;
    }
    status = take_snapshot_buffer(shard, block, latest);
    if (status != DCPS_OK) {
        dcps_buffer_unref(shown);
    }
    return status;
}

/* Both are filled but the copy of the weights where it is apart. */
static void keep_snapshots(dcps_block *block, dcps_buffer *shown, dcps_buffer *latest)
{
    if (latest != shown) {
        memcpy(latest->data, block->arrays.weights, latest->bytes);
    }
    dcps_buffer_unref(&block->shown);
    dcps_buffer_unref(&block->latest);
    block->shown = shown;
    block->latest = latest;
}

static float rate_at(const dcps_shard *shard, uint64_t samples)
{
    return (float)dcps_schedule_rate(&shard->config.schedule, samples, shard->samples_per_epoch);
}

dcps_status dcps_block_set_weights(dcps_shard *shard, dcps_block *block, const float *values)
{
    dcps_buffer *shown;
    dcps_buffer *latest;
    dcps_status status = take_snapshots(shard, block, &shown, &latest);
    if (status != DCPS_OK) {
        return status;
    }
    memcpy(block->arrays.weights, values, shown->bytes);
    dcps_rule_show(shard->rule, &block->arrays, rate_at(shard, block->samples), shown->data);
    keep_snapshots(block, shown, latest);
    block->initialised = true;
    return DCPS_OK;
}

/* The rule on parameters [first, end) of a block. `whole` is the push for all of it. */
static void train_range(const dcps_shard *shard, const dcps_block *block, uint32_t first, uint32_t end,
                        const dcps_rule_push *whole, float *snapshot)
{
    if (first == end) {
        return;
    }
    dcps_rule_block range = block->arrays;
    dcps_rule_push push = *whole;
    range.weights += first;
    range.count = end - first;
    for (uint32_t i = 0; i < dcps_rule_state_count(shard->rule); i++) {
        range.states[i] += first;
    }
    push.gradient += first;
    push.pulled += first;
    for (uint32_t i = 0; i < dcps_rule_worker_state_count(shard->rule); i++) {
        push.worker_states[i] += first;
    }
    dcps_rule_apply(shard->rule, &range, &push, snapshot + first);
}

/* Trains and averages the ranges of a block in turn. */
static void apply(const dcps_shard *shard, const dcps_block *block, const dcps_rule_push *push, float *snapshot)
{
    uint32_t first = 0;
    for (uint32_t i = 0; i < block->average_count; i++) {
        const dcps_average *average = &block->averages[i];
        train_range(shard, block, first, average->first, push, snapshot);
        first = average->first;
        dcps_rule_average(block->arrays.weights + first, push->gradient + first, average->rate, average->count,
                          snapshot + first);
        first += average->count;
    }
    train_range(shard, block, first, block->length, push, snapshot);
}

dcps_status dcps_block_reserve_worker(const dcps_shard *shard, const dcps_block *block, dcps_slot *slot)
{
    uint32_t states = dcps_rule_worker_state_count(shard->rule);
    if (states == 0 || slot->worker_states[0] != NULL) {
        return DCPS_OK;
    }
    size_t stride = ((size_t)block->length + 15u) / 16u * 16u;
    float *memory = dcps_alloc_aligned(states * stride, sizeof(float));
    if (memory == NULL) {
        return dcps_fail(DCPS_NO_MEMORY, "no memory for what a worker has at block %u", block->index);
    }
    for (uint32_t i = 0; i < states; i++) {
        slot->worker_states[i] = memory + i * stride;
    }
    return DCPS_OK;
}

void dcps_block_forget_worker(const dcps_shard *shard, const dcps_block *block, dcps_slot *slot)
{
    if (slot->worker_states[0] != NULL) {
        dcps_rule_forget_worker(shard->rule, &block->arrays, slot->worker_states);
    }
}

/* A round is the push of one who has no others beside it. */
static dcps_rule_push rule_push(const dcps_shard *shard, const dcps_block *block, const dcps_block_push *push)
{
    dcps_rule_push made = {.gradient = push->gradient,
                           .pulled = push->pulled,
                           .step_size = rate_at(shard, block->samples),
                           .step_size_next = rate_at(shard, block->samples + push->samples),
                           .step_size_max = (float)shard->config.schedule.base,
                           .staleness = push->staleness,
                           .workers = push->slot != NULL ? shard->config.workers : 1u};
    for (uint32_t i = 0; i < dcps_rule_worker_state_count(shard->rule); i++) {
        made.worker_states[i] = push->slot->worker_states[i];
    }
    return made;
}

dcps_status dcps_block_update(dcps_shard *shard, dcps_block *block, const dcps_block_push *push, uint64_t now_ns)
{
    dcps_buffer *shown;
    dcps_buffer *latest;
    dcps_status status = push->slot != NULL ? dcps_block_reserve_worker(shard, block, push->slot) : DCPS_OK;
    if (status == DCPS_OK) {
        status = take_snapshots(shard, block, &shown, &latest);
    }
    if (status != DCPS_OK) {
        return status;
    }
    dcps_rule_push applied = rule_push(shard, block, push);
    apply(shard, block, &applied, shown->data);
    keep_snapshots(block, shown, latest);
    block->version++;
    for (uint32_t i = 0; i < dcps_rule_state_count(shard->rule); i++) {
        block->arrays.state_updates[i]++;
    }
    block->samples += push->samples;
    block->loss_sum += push->loss_sum;
    block->loss_samples += push->samples;
    block->updated_ns = now_ns;
    dcps_snapshots_update(shard, block);
    return DCPS_OK;
}

void dcps_block_follow(dcps_shard *shard, dcps_block *block, uint64_t run_samples)
{
    uint64_t end = shard->samples_per_epoch * shard->config.epochs;
    uint64_t target = run_samples < end ? run_samples : end;
    /* Pushes on their way make blocks differ by a batch a worker; twice that is no accident. And block 0 may have applied what was missed here. */
    uint64_t slack = 2u * (uint64_t)shard->slot_capacity * shard->config.batch_size;
    bool behind = block->samples + block->samples_missed + slack < target;
    bool ahead = block->restored && target + slack < block->samples; /* else the worker itself may be behind */
    if (run_samples == 0 || block->index == 0) {
        return;
    }
    block->restored = false;
    if (behind || ahead) {
        dcps_snapshots_move(shard, block, target);
        shard->stats.blocks_moved++;
    }
}

uint64_t dcps_block_training_ns(const dcps_block *block)
{
    uint64_t now_ns = block->updated_ns > block->started_ns ? block->updated_ns - block->started_ns : 0;
    return block->trained_before_ns + now_ns;
}

void dcps_slot_drop_request(dcps_shard *shard, dcps_slot *slot)
{
    dcps_buffer_unref(&slot->gradient);
    slot->push_waits = false;
    dcps_slot_set_wait(shard, slot, DCPS_WAIT_NOTHING);
}

void dcps_slot_leave(dcps_shard *shard, dcps_slot *slot)
{
    if (slot->wait == DCPS_WAIT_ROUND) {
        slot->last_seq--;
    }
    dcps_slot_drop_request(shard, slot);
    dcps_buffer_unref(&slot->pulled);
}

void dcps_slot_reset(dcps_slot *slot, uint32_t incarnation, uint64_t last_seq)
{
    dcps_slot fresh = {.incarnation = incarnation, .last_seq = last_seq};
    memcpy(fresh.worker_states, slot->worker_states, sizeof(fresh.worker_states));
    *slot = fresh;
}
