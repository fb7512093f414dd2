/* The JSON text of a checkpoint, read back. Whoever wrote it may have been wrong or hostile. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "proto/layout_util.h"
#include "server/checkpoint_parts.h"

static dcps_status bad(const char *field)
{
    return dcps_fail(DCPS_CORRUPT, "field \"%s\" of the checkpoint's description is missing or wrong", field);
}

/* A number as dcps_checkpoint_encode writes it: an integer, or decimal digits as text. */
static bool get_number(const json_t *value, uint64_t limit, uint64_t *number)
{
    uint64_t found;
    if (json_is_integer(value) && json_integer_value(value) >= 0) {
        found = (uint64_t)json_integer_value(value);
    } else if (json_is_string(value) && json_string_length(value) > 0 && json_string_length(value) <= 20 &&
               strspn(json_string_value(value), "0123456789") == json_string_length(value)) {
        found = 0;
        for (const char *digit = json_string_value(value); *digit != '\0'; digit++) {
            if (__builtin_mul_overflow(found, 10u, &found) ||
                __builtin_add_overflow(found, (uint64_t)(*digit - '0'), &found)) {
                return false;
            }
        }
    } else {
        return false;
    }
    if (found > limit) {
        return false;
    }
    *number = found;
    return true;
}

static dcps_status field_u64(const json_t *object, const char *field, uint64_t least, uint64_t limit, uint64_t *number)
{
    uint64_t found;
    if (!get_number(json_object_get(object, field), limit, &found) || found < least) {
        return bad(field);
    }
    *number = found;
    return DCPS_OK;
}

static dcps_status field_u32(const json_t *object, const char *field, uint32_t least, uint32_t limit, uint32_t *number)
{
    uint64_t found = 0;
    dcps_status status = field_u64(object, field, least, limit, &found);
    if (status == DCPS_OK) {
        *number = (uint32_t)found;
    }
    return status;
}

static dcps_status field_text(const json_t *value, const char *field, size_t capacity, char *out)
{
    size_t length = json_string_length(value);
    if (!json_is_string(value) || length == 0 || length >= capacity) {
        return bad(field);
    }
    memcpy(out, json_string_value(value), length + 1u);
    return DCPS_OK;
}

static dcps_status field_name(const json_t *value, const char *field, char out[DCPS_CHECKPOINT_NAME_BYTES])
{
    return field_text(value, field, DCPS_CHECKPOINT_NAME_BYTES, out);
}

static dcps_status parse_tensor(const json_t *json, dcps_layout *layout)
{
    const json_t *list = json_object_get(json, "dims");
    size_t dim_count = json_array_size(list);
    dcps_layout_tensor tensor = {.name = json_string_value(json_object_get(json, "name")),
                                 .dim_count = (uint32_t)dim_count,
                                 .average_rate = (float)json_number_value(json_object_get(json, "average_rate")),
                                 .init_bound = (float)json_number_value(json_object_get(json, "init_bound"))};
    uint32_t init;
    if (tensor.name == NULL || !json_is_array(list) || dim_count > DCPS_LAYOUT_MAX_DIMS) {
        return bad("layout");
    }
    for (size_t i = 0; i < dim_count; i++) {
        uint64_t dim;
        if (!get_number(json_array_get(list, i), DCPS_MAX_PARAMS, &dim)) {
            return bad("layout");
        }
        tensor.dims[i] = (size_t)dim;
    }
    dcps_status status = field_u32(json, "init", DCPS_INIT_ZERO, DCPS_INIT_UNIFORM, &init);
    if (status != DCPS_OK) {
        return status;
    }
    tensor.init = (dcps_init)init;
    return dcps_layout_append(layout, &tensor, NULL);
}

static dcps_status parse_layout(const json_t *root, dcps_control_image *control)
{
    const json_t *tensors = json_object_get(root, "layout");
    size_t count = json_array_size(tensors);
    if (count == 0 || count > DCPS_MAX_TENSORS) {
        return bad("layout");
    }
    dcps_status status = dcps_layout_create(&control->layout);
    for (size_t i = 0; status == DCPS_OK && i < count; i++) {
        status = parse_tensor(json_array_get(tensors, i), control->layout);
    }
    return status == DCPS_INVALID || status == DCPS_LIMIT ? dcps_fail(DCPS_CORRUPT, "%s", dcps_error_message())
                                                          : status;
}

/* A list [worker, incarnation, number]. */
static bool parse_triple(const json_t *json, uint32_t *worker, uint32_t *incarnation, uint64_t *last)
{
    uint64_t first;
    uint64_t second;
    if (json_array_size(json) != 3 || !get_number(json_array_get(json, 0), DCPS_MAX_WORKERS - 1u, &first) ||
        !get_number(json_array_get(json, 1), UINT32_MAX, &second) || second == 0 ||
        !get_number(json_array_get(json, 2), UINT64_MAX, last)) {
        return false;
    }
    *worker = (uint32_t)first;
    *incarnation = (uint32_t)second;
    return true;
}

static dcps_status parse_workers(const json_t *root, dcps_control_image *control)
{
    const json_t *list = json_object_get(root, "workers");
    size_t count = json_array_size(list);
    if (!json_is_array(list) || count > DCPS_MAX_WORKERS) {
        return bad("workers");
    }
    control->workers = dcps_alloc(count + 1u, sizeof(*control->workers));
    if (control->workers == NULL) {
        return dcps_fail(DCPS_NO_MEMORY, "no memory for %zu workers of a checkpoint", count);
    }
    for (size_t i = 0; i < count; i++) {
        dcps_image_worker *entry = &control->workers[i];
        if (!parse_triple(json_array_get(list, i), &entry->worker, &entry->incarnation, &entry->nonce)) {
            return bad("workers");
        }
    }
    control->worker_count = (uint32_t)count;
    return DCPS_OK;
}

static dcps_status parse_seqs(const json_t *json, dcps_image_block *block)
{
    const json_t *list = json_object_get(json, "last_requests");
    size_t count = json_array_size(list);
    if (!json_is_array(list) || count > DCPS_MAX_WORKERS) {
        return bad("last_requests");
    }
    block->seqs = dcps_alloc(count + 1u, sizeof(*block->seqs));
    if (block->seqs == NULL) {
        return dcps_fail(DCPS_NO_MEMORY, "no memory for %zu sequence numbers of a checkpoint", count);
    }
    for (size_t i = 0; i < count; i++) {
        dcps_image_seq *entry = &block->seqs[i];
        if (!parse_triple(json_array_get(list, i), &entry->worker, &entry->incarnation, &entry->seq)) {
            return bad("last_requests");
        }
    }
    block->seq_count = (uint32_t)count;
    return DCPS_OK;
}

/* A checkpoint written before these were counted has states that saw every update. */
static dcps_status parse_state_updates(const json_t *json, uint32_t state_count, dcps_image_block *block)
{
    const json_t *list = json_object_get(json, "state_updates");
    for (uint32_t i = 0; i < state_count && list == NULL; i++) {
        block->state_updates[i] = block->version;
    }
    if (list == NULL) {
        return DCPS_OK;
    }
    if (!json_is_array(list) || json_array_size(list) != state_count) {
        return bad("state_updates");
    }
    for (uint32_t i = 0; i < state_count; i++) {
        if (!get_number(json_array_get(list, i), block->version, &block->state_updates[i])) {
            return bad("state_updates");
        }
    }
    return DCPS_OK;
}

static dcps_status parse_blocks(const json_t *root, uint32_t block_limit, uint32_t state_count, dcps_shard_image *shard)
{
    const json_t *list = json_object_get(root, "blocks");
    size_t count = json_array_size(list);
    if (!json_is_array(list) || count > block_limit) {
        return bad("blocks");
    }
    shard->blocks = dcps_alloc(count + 1u, sizeof(*shard->blocks));
    if (shard->blocks == NULL) {
        return dcps_fail(DCPS_NO_MEMORY, "no memory for %zu blocks of a checkpoint", count);
    }
    dcps_status status = DCPS_OK;
    uint32_t least = 0;
    for (size_t i = 0; status == DCPS_OK && i < count; i++) {
        const json_t *json = json_array_get(list, i);
        dcps_image_block *block = &shard->blocks[shard->block_count++];
        status = field_u32(json, "block", least, block_limit - 1u, &block->block);
        if (status == DCPS_OK) {
            status = field_u64(json, "version", 0, UINT64_MAX, &block->version);
        }
        if (status == DCPS_OK) {
            status = field_u64(json, "samples", 0, UINT64_MAX, &block->samples);
        }
        if (status == DCPS_OK) {
            status = parse_seqs(json, block);
        }
        if (status == DCPS_OK) {
            status = parse_state_updates(json, state_count, block);
        }
        least = block->block + 1u;
    }
    return status;
}

static dcps_status parse_tickets(const json_t *root, dcps_shard_image *shard)
{
    const json_t *json = json_object_get(root, "tickets");
    const json_t *open = json_object_get(json, "open");
    size_t count = json_array_size(open);
    if (json_is_null(json)) {
        return DCPS_OK;
    }
    if (!json_is_array(open) || count > DCPS_MAX_BLOCKS) {
        return bad("tickets");
    }
    dcps_status status = field_u64(json, "next", 0, UINT64_MAX, &shard->ticket_next);
    if (status != DCPS_OK) {
        return status;
    }
    shard->ticket_open = dcps_alloc(count + 1u, sizeof(*shard->ticket_open));
    if (shard->ticket_open == NULL) {
        return dcps_fail(DCPS_NO_MEMORY, "no memory for %zu open mini-batches of a checkpoint", count);
    }
    for (size_t i = 0; i < count; i++) {
        if (!get_number(json_array_get(open, i), UINT64_MAX, &shard->ticket_open[i])) {
            return bad("tickets");
        }
    }
    shard->ticket_open_count = (uint32_t)count;
    shard->has_tickets = true;
    return DCPS_OK;
}

static dcps_status parse_names(const json_t *root, const char *field, uint32_t limit,
                               char (*names)[DCPS_CHECKPOINT_NAME_BYTES], uint32_t *count)
{
    const json_t *list = json_object_get(root, field);
    size_t found = json_array_size(list);
    if (!json_is_array(list) || found > limit) {
        return bad(field);
    }
    dcps_status status = DCPS_OK;
    for (size_t i = 0; status == DCPS_OK && i < found; i++) {
        status = field_name(json_array_get(list, i), field, names[i]);
    }
    *count = (uint32_t)found;
    return status;
}

static dcps_status parse_state_workers(const json_t *root, dcps_checkpoint *made)
{
    const json_t *list = json_object_get(root, "state_workers");
    size_t count = json_array_size(list);
    if (!json_is_array(list) || count > DCPS_MAX_WORKERS) {
        return bad("state_workers");
    }
    made->state_workers = dcps_alloc(count + 1u, sizeof(*made->state_workers));
    if (made->state_workers == NULL) {
        return dcps_fail(DCPS_NO_MEMORY, "no memory for %zu workers of a checkpoint", count);
    }
    uint64_t least = 0;
    for (size_t i = 0; i < count; i++) {
        uint64_t worker;
        if (!get_number(json_array_get(list, i), DCPS_MAX_WORKERS - 1u, &worker) || worker < least) {
            return bad("state_workers");
        }
        made->state_workers[made->state_worker_count++] = (uint32_t)worker;
        least = worker + 1u;
    }
    return DCPS_OK;
}

static dcps_status parse_states(const json_t *root, dcps_checkpoint *made)
{
    dcps_status status = parse_names(root, "states", DCPS_RULE_MAX_STATES, made->state_names, &made->state_count);
    if (status != DCPS_OK || json_object_get(root, "worker_states") == NULL) {
        return status; /* written before workers had states */
    }
    status = parse_names(root, "worker_states", DCPS_RULE_MAX_WORKER_STATES, made->worker_state_names,
                         &made->worker_state_count);
    return status == DCPS_OK ? parse_state_workers(root, made) : status;
}

/* Files of before these were kept lack them. */
static dcps_status parse_additions(const json_t *root, dcps_checkpoint *made)
{
    const json_t *settings = json_object_get(root, "settings");
    const json_t *done = json_object_get(root, "done");
    if (done != NULL && !json_is_boolean(done)) {
        return bad("done");
    }
    made->shard.done = json_is_true(done);
    return settings == NULL ? DCPS_OK : field_text(settings, "settings", sizeof(made->settings), made->settings);
}

static dcps_status parse_settings(const json_t *root, dcps_checkpoint *made)
{
    struct {
        const char *name;
        uint64_t least;
        uint64_t limit;
        uint64_t *out;
    } wide[] = {{"generation", 0, INT64_MAX, &made->generation},
                {"seed", 0, UINT64_MAX, &made->seed},
                {"run", 1, UINT64_MAX, &made->control.run},
                {"samples_per_epoch", 1, UINT32_MAX, &made->control.samples_per_epoch},
                {"training_ns", 0, INT64_MAX, &made->shard.training_ns}};
    struct {
        const char *name;
        uint32_t least;
        uint32_t limit;
        uint32_t *out;
    } narrow[] = {{"server_count", 1, DCPS_MAX_SERVERS, &made->server_count},
                  {"server_index", 0, DCPS_MAX_SERVERS - 1u, &made->server_index},
                  {"batch_size", 1, UINT32_MAX, &made->batch_size},
                  {"epochs", 1, UINT32_MAX, &made->epochs},
                  {"block_params", DCPS_LAYOUT_ALIGN_PARAMS, DCPS_MAX_BLOCK_PARAMS, &made->control.block_params}};
    dcps_status status = field_name(json_object_get(root, "algorithm"), "algorithm", made->algorithm);
    if (status == DCPS_OK) {
        status = parse_additions(root, made);
    }
    for (size_t i = 0; status == DCPS_OK && i < sizeof(wide) / sizeof(wide[0]); i++) {
        status = field_u64(root, wide[i].name, wide[i].least, wide[i].limit, wide[i].out);
    }
    for (size_t i = 0; status == DCPS_OK && i < sizeof(narrow) / sizeof(narrow[0]); i++) {
        status = field_u32(root, narrow[i].name, narrow[i].least, narrow[i].limit, narrow[i].out);
    }
    return status;
}

static dcps_status parse_all(const json_t *root, dcps_checkpoint *made)
{
    dcps_status status = parse_settings(root, made);
    if (status == DCPS_OK) {
        status = parse_states(root, made);
    }
    if (status == DCPS_OK) {
        status = parse_layout(root, &made->control);
    }
    if (status == DCPS_OK) {
        status = parse_workers(root, &made->control);
    }
    dcps_partition partition = {0};
    if (status == DCPS_OK) {
        status = dcps_partition_init(&partition, dcps_layout_total_params(made->control.layout),
                                     made->control.block_params, 1, 1);
        status = status == DCPS_OK ? DCPS_OK : bad("block_params");
    }
    if (status == DCPS_OK) {
        status = parse_blocks(root, partition.block_count, made->state_count, &made->shard);
    }
    return status == DCPS_OK ? parse_tickets(root, &made->shard) : status;
}

dcps_status dcps_checkpoint_decode(const char *text, dcps_checkpoint *checkpoint)
{
    json_error_t error;
    json_t *root = json_loads(text, JSON_REJECT_DUPLICATES, &error);
    if (root == NULL) {
        return dcps_fail(DCPS_CORRUPT, "the checkpoint's description is not JSON: %s (at byte %d)", error.text,
                         error.position);
    }
    dcps_checkpoint made = {0};
    dcps_status status = parse_all(root, &made);
    json_decref(root);
    if (status != DCPS_OK) {
        dcps_checkpoint_fini(&made);
        return status;
    }
    *checkpoint = made;
    return DCPS_OK;
}
