/* What a checkpoint knows besides its arrays, written as JSON. */
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>

#include "base/alloc.h"
#include "server/checkpoint_parts.h"

/* Numbers that JSON readers would round or refuse are written as text. */
static json_t *number(uint64_t value)
{
    if (value <= (uint64_t)INT64_MAX) {
        return json_integer((json_int_t)value);
    }
    char text[24];
    snprintf(text, sizeof(text), "%" PRIu64, value);
    return json_string(text);
}

static json_t *nonce_text(uint64_t nonce)
{
    char text[24];
    snprintf(text, sizeof(text), "%" PRIu64, nonce);
    return json_string(text);
}

/* Appends and keeps track of lack of memory: json_array_append_new refuses NULL. */
static void append(json_t *array, json_t *value, bool *complete)
{
    if (json_array_append_new(array, value) != 0) {
        *complete = false;
    }
}

static json_t *encode_layout(const dcps_layout *layout, bool *complete)
{
    json_t *tensors = json_array();
    for (uint32_t i = 0; i < dcps_layout_tensor_count(layout); i++) {
        const dcps_layout_tensor *tensor = dcps_layout_tensor_at(layout, i);
        json_t *dims = json_array();
        for (uint32_t k = 0; k < tensor->dim_count; k++) {
            append(dims, number(tensor->dims[k]), complete);
        }
        append(tensors,
               json_pack("{s:s, s:o, s:i, s:f, s:f}", "name", tensor->name, "dims", dims, "init", (int)tensor->init,
                         "average_rate", (double)tensor->average_rate, "init_bound", (double)tensor->init_bound),
               complete);
    }
    return tensors;
}

static json_t *encode_workers(const dcps_control_image *control, bool *complete)
{
    json_t *workers = json_array();
    for (uint32_t i = 0; i < control->worker_count; i++) {
        const dcps_image_worker *entry = &control->workers[i];
        append(workers,
               json_pack("[o, o, o]", number(entry->worker), number(entry->incarnation), nonce_text(entry->nonce)),
               complete);
    }
    return workers;
}

static json_t *encode_block(const dcps_image_block *block, uint32_t state_count, bool *complete)
{
    json_t *pushes = json_array();
    for (uint32_t i = 0; i < block->seq_count; i++) {
        const dcps_image_seq *entry = &block->seqs[i];
        append(pushes, json_pack("[o, o, o]", number(entry->worker), number(entry->incarnation), number(entry->seq)),
               complete);
    }
    json_t *updates = json_array();
    for (uint32_t i = 0; i < state_count; i++) {
        append(updates, number(block->state_updates[i]), complete);
    }
    return json_pack("{s:o, s:o, s:o, s:o, s:o}", "block", number(block->block), "version", number(block->version),
                     "samples", number(block->samples), "last_requests", pushes, "state_updates", updates);
}

static json_t *encode_blocks(const dcps_checkpoint *checkpoint, bool *complete)
{
    json_t *blocks = json_array();
    for (uint32_t i = 0; i < checkpoint->shard.block_count; i++) {
        append(blocks, encode_block(&checkpoint->shard.blocks[i], checkpoint->state_count, complete), complete);
    }
    return blocks;
}

static json_t *encode_tickets(const dcps_shard_image *shard, bool *complete)
{
    if (!shard->has_tickets) {
        return json_null();
    }
    json_t *open = json_array();
    for (uint32_t i = 0; i < shard->ticket_open_count; i++) {
        append(open, number(shard->ticket_open[i]), complete);
    }
    return json_pack("{s:o, s:o}", "next", number(shard->ticket_next), "open", open);
}

static json_t *encode_names(const char (*names)[DCPS_CHECKPOINT_NAME_BYTES], uint32_t count, bool *complete)
{
    json_t *list = json_array();
    for (uint32_t i = 0; i < count; i++) {
        append(list, json_string(names[i]), complete);
    }
    return list;
}

static json_t *encode_state_workers(const dcps_checkpoint *checkpoint, bool *complete)
{
    json_t *workers = json_array();
    for (uint32_t i = 0; i < checkpoint->state_worker_count; i++) {
        append(workers, number(checkpoint->state_workers[i]), complete);
    }
    return workers;
}

static json_t *encode_all(const dcps_checkpoint *checkpoint, bool *complete)
{
    const dcps_control_image *control = &checkpoint->control;
    const dcps_shard_image *shard = &checkpoint->shard;
    return json_pack("{s:o, s:o, s:o, s:o, s:s, s:s, s:b, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, "
                     "s:o}",                                                  /* one pair a line below */
                     "generation", number(checkpoint->generation),            //
                     "run", number(control->run),                             //
                     "server_index", number(checkpoint->server_index),        //
                     "server_count", number(checkpoint->server_count),        //
                     "algorithm", checkpoint->algorithm,                      //
                     "settings", checkpoint->settings,                        //
                     "done", (int)shard->done,                                //
                     "seed", number(checkpoint->seed),                        //
                     "batch_size", number(checkpoint->batch_size),            //
                     "epochs", number(checkpoint->epochs),                    //
                     "samples_per_epoch", number(control->samples_per_epoch), //
                     "block_params", number(control->block_params),           //
                     "states", encode_names(checkpoint->state_names, checkpoint->state_count, complete), //
                     "worker_states",
                     encode_names(checkpoint->worker_state_names, checkpoint->worker_state_count, complete), //
                     "state_workers", encode_state_workers(checkpoint, complete),                            //
                     "layout", encode_layout(control->layout, complete),                                     //
                     "workers", encode_workers(control, complete),                                           //
                     "blocks", encode_blocks(checkpoint, complete),                                          //
                     "tickets", encode_tickets(shard, complete),                                             //
                     "training_ns", number(shard->training_ns));
}

dcps_status dcps_checkpoint_encode(const dcps_checkpoint *checkpoint, char **text)
{
    bool complete = true;
    json_t *root = encode_all(checkpoint, &complete);
    char *made = NULL;
    size_t length = root != NULL && complete ? json_dumpb(root, NULL, 0, JSON_COMPACT) : 0;
    if (length > 0) {
        made = dcps_alloc(1, length + 1u);
    }
    bool written = made != NULL && json_dumpb(root, made, length, JSON_COMPACT) == length;
    json_decref(root);
    if (!written) {
        dcps_free(made);
        return dcps_fail(DCPS_NO_MEMORY, "no memory for the text of a checkpoint");
    }
    *text = made;
    return DCPS_OK;
}
