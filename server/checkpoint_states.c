/* The arrays of a checkpoint beside the weights: what they are called and whose they are. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/text.h"
#include "server/checkpoint_parts.h"

void dcps_checkpoint_set_states(dcps_checkpoint *checkpoint, const dcps_rule *rule)
{
    checkpoint->state_count = dcps_rule_state_count(rule);
    for (uint32_t i = 0; i < checkpoint->state_count; i++) {
        snprintf(checkpoint->state_names[i], DCPS_CHECKPOINT_NAME_BYTES, "%s", dcps_rule_state_name(rule, i));
    }
    checkpoint->worker_state_count = dcps_rule_worker_state_count(rule);
    for (uint32_t i = 0; i < checkpoint->worker_state_count; i++) {
        snprintf(checkpoint->worker_state_names[i], DCPS_CHECKPOINT_NAME_BYTES, "worker_%s",
                 dcps_rule_worker_state_name(rule, i));
    }
}

uint32_t dcps_checkpoint_array_count(const dcps_checkpoint *checkpoint)
{
    return 1u + checkpoint->state_count + checkpoint->state_worker_count * checkpoint->worker_state_count;
}

/* Splits the number of a worker's array. False for one of the block's own. */
static bool split_array(const dcps_checkpoint *checkpoint, uint32_t array, uint32_t *worker, uint32_t *state)
{
    if (array <= checkpoint->state_count) {
        return false;
    }
    uint32_t place = array - 1u - checkpoint->state_count;
    *worker = checkpoint->state_workers[place / checkpoint->worker_state_count];
    *state = place % checkpoint->worker_state_count;
    return true;
}

dcps_buffer **dcps_checkpoint_array(const dcps_checkpoint *checkpoint, const dcps_image_block *block, uint32_t array)
{
    uint32_t worker;
    uint32_t state;
    if (!split_array(checkpoint, array, &worker, &state)) {
        dcps_image_block *own = (dcps_image_block *)block;
        return array == 0 ? &own->weights : &own->states[array - 1u];
    }
    for (uint32_t i = 0; i < block->worker_states_count; i++) {
        if (block->worker_states[i].worker == worker) {
            return &block->worker_states[i].values[state];
        }
    }
    return NULL;
}

dcps_status dcps_checkpoint_array_prefix(const dcps_checkpoint *checkpoint, uint32_t array,
                                         char out[DCPS_CHECKPOINT_PREFIX_BYTES])
{
    uint32_t worker;
    uint32_t state;
    if (split_array(checkpoint, array, &worker, &state)) {
        return dcps_format(out, DCPS_CHECKPOINT_PREFIX_BYTES, "%s.%" PRIu32 "/", checkpoint->worker_state_names[state],
                           worker);
    }
    return array == 0 ? dcps_format(out, DCPS_CHECKPOINT_PREFIX_BYTES, "%s", "")
                      : dcps_format(out, DCPS_CHECKPOINT_PREFIX_BYTES, "%s/", checkpoint->state_names[array - 1u]);
}

dcps_status dcps_checkpoint_array_name(const dcps_checkpoint *checkpoint, uint32_t array,
                                       const dcps_layout_tensor *tensor, uint64_t first, uint64_t end, char *out,
                                       size_t capacity)
{
    char prefix[DCPS_CHECKPOINT_PREFIX_BYTES];
    dcps_status status = dcps_checkpoint_array_prefix(checkpoint, array, prefix);
    if (status != DCPS_OK) {
        return status;
    }
    if (first == 0 && end == tensor->count_params) {
        return dcps_format(out, capacity, "%s%s", prefix, tensor->name);
    }
    return dcps_format(out, capacity, "%s%s[%" PRIu64 ":%" PRIu64 "]", prefix, tensor->name, first, end);
}

/* Sets state_workers to those that are marked. */
static dcps_status set_workers(dcps_checkpoint *checkpoint, const bool *marked)
{
    uint32_t *workers = dcps_alloc(DCPS_MAX_WORKERS, sizeof(*workers));
    if (workers == NULL) {
        return dcps_fail(DCPS_NO_MEMORY, "no memory for the workers of a checkpoint");
    }
    checkpoint->state_workers = workers;
    checkpoint->state_worker_count = 0;
    for (uint32_t worker = 0; worker < DCPS_MAX_WORKERS; worker++) {
        if (marked[worker]) {
            workers[checkpoint->state_worker_count++] = worker;
        }
    }
    return DCPS_OK;
}

dcps_status dcps_checkpoint_note_workers(dcps_checkpoint *checkpoint)
{
    bool marked[DCPS_MAX_WORKERS] = {false};
    for (uint32_t i = 0; i < checkpoint->shard.block_count; i++) {
        const dcps_image_block *block = &checkpoint->shard.blocks[i];
        for (uint32_t k = 0; k < block->worker_states_count; k++) {
            marked[block->worker_states[k].worker] = true;
        }
    }
    return set_workers(checkpoint, marked);
}

static const dcps_checkpoint *find_file_of(const dcps_checkpoint_set *set, uint32_t block, uint32_t *position)
{
    for (uint32_t i = 0; i < set->file_count; i++) {
        const dcps_shard_image *shard = &set->files[i].content.shard;
        for (uint32_t k = 0; k < shard->block_count; k++) {
            if (shard->blocks[k].block == block) {
                *position = k;
                return &set->files[i].content;
            }
        }
    }
    return NULL;
}

/* A block gets room for the workers that its file knows: another server's may have had some more. */
static dcps_status reserve_worker_states(const dcps_checkpoint *content, dcps_image_block *block)
{
    uint32_t count = content->state_worker_count;
    block->worker_states = dcps_alloc(count + 1u, sizeof(*block->worker_states));
    if (block->worker_states == NULL) {
        return dcps_fail(DCPS_NO_MEMORY, "no memory for what workers have at block %u", block->block);
    }
    for (uint32_t i = 0; i < count; i++) {
        block->worker_states[i].worker = content->state_workers[i];
    }
    block->worker_states_count = count;
    return DCPS_OK;
}

/* The counts of a block stand in the order of its file; brings them into that of the target. */
static void merge_updates(const dcps_checkpoint *content, uint32_t position, const dcps_checkpoint *checkpoint,
                          dcps_image_block *block)
{
    uint64_t counts[DCPS_RULE_MAX_STATES] = {0};
    for (uint32_t i = 0; i < checkpoint->state_count; i++) {
        for (uint32_t k = 0; k < content->state_count; k++) {
            if (strcmp(checkpoint->state_names[i], content->state_names[k]) == 0) {
                counts[i] = content->shard.blocks[position].state_updates[k];
            }
        }
    }
    memcpy(block->state_updates, counts, sizeof(counts));
}

dcps_status dcps_checkpoint_merge_states(const dcps_checkpoint_set *set, dcps_checkpoint *checkpoint)
{
    bool marked[DCPS_MAX_WORKERS] = {false};
    for (uint32_t i = 0; i < set->file_count && checkpoint->worker_state_count > 0; i++) {
        const dcps_checkpoint *content = &set->files[i].content;
        for (uint32_t k = 0; k < content->state_worker_count; k++) {
            marked[content->state_workers[k]] = true;
        }
    }
    dcps_status status = set_workers(checkpoint, marked);
    for (uint32_t i = 0; status == DCPS_OK && i < checkpoint->shard.block_count; i++) {
        dcps_image_block *block = &checkpoint->shard.blocks[i];
        uint32_t position;
        const dcps_checkpoint *content = find_file_of(set, block->block, &position);
        if (content == NULL) {
            continue; /* a target without blocks asks for none */
        }
        merge_updates(content, position, checkpoint, block);
        status = checkpoint->worker_state_count > 0 ? reserve_worker_states(content, block) : DCPS_OK;
    }
    return status;
}
