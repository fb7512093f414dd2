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

dcps_status dcps_block_init(dcps_shard *shard, dcps_block *block, uint32_t index)
{
    memset(block, 0, sizeof(*block));
    block->index = index;
    block->length = dcps_partition_block_length(&shard->partition, index);
    block->initialiser = DCPS_MAX_WORKERS;
    block->loss_mean = (double)NAN;
    block->started = shard->config.algorithm.consistency == DCPS_CONSISTENCY_ASP;
    dcps_status status = allocate_arrays(shard->rule, block);
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
    }
    for (uint32_t i = 0; block->marks != NULL && i < shard->mark_count; i++) {
        dcps_buffer_unref(&block->marks[i].weights);
    }
    dcps_buffer_unref(&block->latest);
    dcps_free(block->slots);
    dcps_free(block->marks);
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

dcps_status dcps_block_set_weights(dcps_shard *shard, dcps_block *block, const float *values)
{
    dcps_buffer *snapshot;
    dcps_status status = take_snapshot_buffer(shard, block, &snapshot);
    if (status != DCPS_OK) {
        return status;
    }
    memcpy(block->arrays.weights, values, snapshot->bytes);
    memcpy(snapshot->data, values, snapshot->bytes);
    dcps_buffer_unref(&block->latest);
    block->latest = snapshot;
    block->initialised = true;
    return DCPS_OK;
}

dcps_status dcps_block_update(dcps_shard *shard, dcps_block *block, const float *gradient, const float *pulled,
                              uint64_t staleness, uint32_t pushes, uint64_t samples, double loss_sum, uint64_t now_ns)
{
    dcps_buffer *snapshot;
    dcps_status status = take_snapshot_buffer(shard, block, &snapshot);
    if (status != DCPS_OK) {
        return status;
    }
    double rate = dcps_schedule_rate(&shard->config.schedule, block->samples, shard->samples_per_epoch);
    dcps_rule_apply(shard->rule, &block->arrays, gradient, pulled, (float)rate, snapshot->data);
    dcps_buffer_unref(&block->latest);
    block->latest = snapshot;
    block->version++;
    block->samples += samples;
    block->loss_sum += loss_sum;
    block->loss_samples += samples;
    block->updated_ns = now_ns;
    uint64_t bucket = staleness < DCPS_STALENESS_BUCKETS ? staleness : DCPS_STALENESS_BUCKETS - 1u;
    shard->stats.staleness[bucket] += pushes;
    shard->stats.pushes_applied += pushes;
    dcps_snapshots_update(shard, block);
    return DCPS_OK;
}

uint64_t dcps_block_training_ns(const dcps_block *block)
{
    uint64_t now_ns = block->updated_ns > block->started_ns ? block->updated_ns - block->started_ns : 0;
    return block->trained_before_ns + now_ns;
}

void dcps_slot_drop_request(dcps_slot *slot)
{
    dcps_buffer_unref(&slot->gradient);
    slot->wait = DCPS_WAIT_NOTHING;
}

void dcps_slot_leave(dcps_slot *slot)
{
    if (slot->wait == DCPS_WAIT_ROUND) {
        slot->last_seq--;
    }
    dcps_slot_drop_request(slot);
    dcps_buffer_unref(&slot->pulled);
}
