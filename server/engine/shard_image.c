/* The state of a shard as data, for checkpoints. */
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "server/engine/shard_state.h"

/* A push that waits for its round is taken but not applied: the image must not know its number. */
static dcps_image_seq slot_seq(const dcps_slot *slot, uint32_t worker)
{
    uint64_t seq = slot->wait == DCPS_WAIT_ROUND ? slot->last_seq - 1u : slot->last_seq;
    return (dcps_image_seq){.worker = worker, .incarnation = slot->incarnation, .seq = seq};
}

static dcps_status export_seqs(const dcps_shard *shard, const dcps_block *block, dcps_image_block *image)
{
    image->seqs = dcps_alloc(shard->slot_capacity, sizeof(*image->seqs));
    if (image->seqs == NULL) {
        return dcps_fail(DCPS_NO_MEMORY, "no memory for the sequence numbers of block %u", block->index);
    }
    for (uint32_t worker = 0; worker < shard->slot_capacity; worker++) {
        if (block->slots[worker].last_seq > 0) {
            image->seqs[image->seq_count++] = slot_seq(&block->slots[worker], worker);
        }
    }
    return DCPS_OK;
}

static dcps_status export_worker_states(const dcps_shard *shard, const dcps_block *block, dcps_image_block *image)
{
    dcps_status status = DCPS_OK;
    if (dcps_rule_worker_state_count(shard->rule) == 0) {
        return DCPS_OK;
    }
    image->worker_states = dcps_alloc(shard->slot_capacity, sizeof(*image->worker_states));
    if (image->worker_states == NULL) {
        return dcps_fail(DCPS_NO_MEMORY, "no memory for what workers have at block %u", block->index);
    }
    for (uint32_t worker = 0; status == DCPS_OK && worker < shard->slot_capacity; worker++) {
        const dcps_slot *slot = &block->slots[worker];
        if (slot->worker_states[0] == NULL) {
            continue;
        }
        dcps_image_worker_states *entry = &image->worker_states[image->worker_states_count++];
        entry->worker = worker;
        for (uint32_t k = 0; status == DCPS_OK && k < dcps_rule_worker_state_count(shard->rule); k++) {
            status = dcps_buffer_copy(slot->worker_states[k], (size_t)block->length * sizeof(float), &entry->values[k]);
        }
    }
    return status;
}

static dcps_status export_block(const dcps_shard *shard, const dcps_block *block, dcps_image_block *image)
{
    image->block = block->index;
    image->version = block->version;
    image->samples = block->samples;
    image->weights = dcps_buffer_ref(block->latest);
    dcps_status status = export_seqs(shard, block, image);
    for (uint32_t i = 0; status == DCPS_OK && i < dcps_rule_state_count(shard->rule); i++) {
        status = dcps_buffer_copy(block->arrays.states[i], (size_t)block->length * sizeof(float), &image->states[i]);
        image->state_updates[i] = block->arrays.state_updates[i];
    }
    return status == DCPS_OK ? export_worker_states(shard, block, image) : status;
}

static dcps_status export_tickets(const dcps_tickets *tickets, dcps_shard_image *image)
{
    image->ticket_next = dcps_tickets_next(tickets);
    image->ticket_open_count = dcps_tickets_open_count(tickets);
    image->ticket_open = dcps_alloc(image->ticket_open_count + 1u, sizeof(*image->ticket_open));
    if (image->ticket_open == NULL) {
        return dcps_fail(DCPS_NO_MEMORY, "no memory for %u open mini-batches", image->ticket_open_count);
    }
    dcps_tickets_open(tickets, image->ticket_open);
    image->has_tickets = true;
    return DCPS_OK;
}

dcps_status dcps_shard_export(const dcps_shard *shard, dcps_shard_image *image)
{
    dcps_shard_image made = {0};
    dcps_status status = DCPS_OK;
    made.blocks = dcps_alloc(shard->block_count + 1u, sizeof(*made.blocks));
    if (made.blocks == NULL) {
        return dcps_fail(DCPS_NO_MEMORY, "no memory for the image of shard %u", shard->config.shard);
    }
    for (uint32_t i = 0; status == DCPS_OK && i < shard->block_count; i++) {
        if (shard->blocks[i].initialised) {
            status = export_block(shard, &shard->blocks[i], &made.blocks[made.block_count++]);
        }
    }
    if (status == DCPS_OK && shard->tickets != NULL) {
        status = export_tickets(shard->tickets, &made);
    }
    if (status != DCPS_OK) {
        dcps_shard_image_fini(&made);
        return status;
    }
    made.done = shard->any_done && shard->live_count == 0;
    made.training_ns = shard->block_count > 0 ? dcps_block_training_ns(&shard->blocks[0]) : 0;
    *image = made;
    return DCPS_OK;
}

static void image_block_fini(dcps_image_block *block)
{
    dcps_buffer_unref(&block->weights);
    for (uint32_t k = 0; k < DCPS_RULE_MAX_STATES; k++) {
        dcps_buffer_unref(&block->states[k]);
    }
    for (uint32_t i = 0; i < block->worker_states_count; i++) {
        for (uint32_t k = 0; k < DCPS_RULE_MAX_WORKER_STATES; k++) {
            dcps_buffer_unref(&block->worker_states[i].values[k]);
        }
    }
    dcps_free(block->worker_states);
    dcps_free(block->seqs);
}

void dcps_shard_image_fini(dcps_shard_image *image)
{
    for (uint32_t i = 0; i < image->block_count; i++) {
        image_block_fini(&image->blocks[i]);
    }
    dcps_free(image->blocks);
    dcps_free(image->ticket_open);
    *image = (dcps_shard_image){0};
}

static dcps_status import_seqs(dcps_shard *shard, dcps_block *block, const dcps_image_block *image)
{
    for (uint32_t i = 0; i < image->seq_count; i++) {
        const dcps_image_seq *entry = &image->seqs[i];
        if (entry->worker >= DCPS_MAX_WORKERS) {
            return dcps_fail(DCPS_CORRUPT, "checkpoint: worker %u of block %u is beyond the limit of %u", entry->worker,
                             block->index, DCPS_MAX_WORKERS);
        }
        dcps_status status = dcps_shard_reserve_slot(shard, entry->worker);
        if (status != DCPS_OK) {
            return status;
        }
        dcps_slot_reset(&block->slots[entry->worker], entry->incarnation, entry->seq);
    }
    return DCPS_OK;
}

/* The restored weights stand for the mark passed last, so that a run can be evaluated that was complete when it was saved. */
static void restore_mark(const dcps_shard *shard, dcps_block *block)
{
    uint32_t passed = block->marks_reached;
    if (passed > 0 && passed <= shard->mark_count) {
        block->marks[passed - 1u] = (dcps_mark){.weights = dcps_buffer_ref(block->latest),
                                                .version = block->version,
                                                .samples = block->samples,
                                                .training_ns = block->trained_before_ns,
                                                .train_loss = (double)NAN};
    }
}

static dcps_status check_bytes(const dcps_block *block, const dcps_buffer *buffer, const char *what)
{
    size_t bytes = (size_t)block->length * sizeof(float);
    if (buffer != NULL && buffer->bytes != bytes) {
        return dcps_fail(DCPS_MISMATCH, "checkpoint: block %u has %zu bytes of %s, expected %zu", block->index,
                         buffer->bytes, what, bytes);
    }
    return DCPS_OK;
}

static dcps_status import_states(const dcps_shard *shard, dcps_block *block, const dcps_image_block *image)
{
    dcps_status status = DCPS_OK;
    for (uint32_t i = 0; status == DCPS_OK && i < dcps_rule_state_count(shard->rule); i++) {
        status = check_bytes(block, image->states[i], dcps_rule_state_name(shard->rule, i));
        if (status == DCPS_OK && image->states[i] != NULL) {
            memcpy(block->arrays.states[i], image->states[i]->data, image->states[i]->bytes);
            block->arrays.state_updates[i] = image->state_updates[i];
        }
    }
    return status;
}

static dcps_status import_worker(dcps_shard *shard, dcps_block *block, const dcps_image_worker_states *entry)
{
    if (entry->worker >= DCPS_MAX_WORKERS) {
        return dcps_fail(DCPS_CORRUPT, "checkpoint: worker %u of block %u is beyond the limit of %u", entry->worker,
                         block->index, DCPS_MAX_WORKERS);
    }
    dcps_status status = dcps_shard_reserve_slot(shard, entry->worker);
    if (status != DCPS_OK) {
        return status;
    }
    dcps_slot *slot = &block->slots[entry->worker];
    status = dcps_block_reserve_worker(shard, block, slot);
    for (uint32_t k = 0; status == DCPS_OK && k < dcps_rule_worker_state_count(shard->rule); k++) {
        status = check_bytes(block, entry->values[k], dcps_rule_worker_state_name(shard->rule, k));
        if (status == DCPS_OK && entry->values[k] != NULL) {
            memcpy(slot->worker_states[k], entry->values[k]->data, entry->values[k]->bytes);
        }
    }
    if (status == DCPS_OK && entry->worker >= shard->config.workers) {
        dcps_block_forget_worker(shard, block, slot);
    }
    return status;
}

static dcps_status import_block(dcps_shard *shard, dcps_block *block, const dcps_image_block *image)
{
    if (image->weights == NULL) {
        return dcps_fail(DCPS_MISMATCH, "checkpoint: block %u has 0 bytes of weights, expected %zu", block->index,
                         (size_t)block->length * sizeof(float));
    }
    dcps_status status = check_bytes(block, image->weights, "weights");
    if (status == DCPS_OK) {
        status = import_states(shard, block, image);
    }
    bool wanted = dcps_rule_worker_state_count(shard->rule) > 0;
    for (uint32_t i = 0; wanted && status == DCPS_OK && i < image->worker_states_count; i++) {
        status = import_worker(shard, block, &image->worker_states[i]);
    }
    block->samples = image->samples; /* the learning rate, and so what answers show, depends on it */
    if (status == DCPS_OK) {
        status = dcps_block_set_weights(shard, block, image->weights->data);
    }
    if (status != DCPS_OK) {
        return status;
    }
    block->version = image->version;
    block->restored = true;
    block->marks_reached = dcps_snapshots_passed(shard, image->samples);
    restore_mark(shard, block);
    return import_seqs(shard, block, image);
}

dcps_status dcps_shard_import(dcps_shard *shard, const dcps_shard_image *image)
{
    for (uint32_t i = 0; i < image->block_count; i++) {
        uint32_t index = image->blocks[i].block;
        if (index < shard->first_block || index - shard->first_block >= shard->block_count) {
            continue;
        }
        dcps_block *block = &shard->blocks[index - shard->first_block];
        block->trained_before_ns = image->training_ns;
        dcps_status status = import_block(shard, block, &image->blocks[i]);
        if (status != DCPS_OK) {
            return status;
        }
    }
    shard->any_done = image->done; /* nobody is left to say so again */
    if (shard->tickets != NULL && image->has_tickets) {
        return dcps_tickets_restore(shard->tickets, image->ticket_next, image->ticket_open, image->ticket_open_count);
    }
    return DCPS_OK;
}
