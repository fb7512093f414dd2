/* Writing a checkpoint: arrays stream out of the blocks, tensor by tensor, once for the sum in the header and once for the file; no buffer of the size of the model
 * is made. */
#include <assert.h>
#include <string.h>

#include "base/alloc.h"
#include "server/checkpoint_parts.h"

#define ARRAY_NAME_BYTES (DCPS_MAX_NAME_BYTES + DCPS_CHECKPOINT_NAME_BYTES + 64u)

/* Elements [first, end) of one tensor in one array (0: weights). */
typedef struct dcps_piece {
    uint32_t array;
    const dcps_layout_tensor *tensor;
    uint64_t first;
    uint64_t end;
} dcps_piece;

typedef dcps_status (*dcps_piece_fn)(void *context, const dcps_checkpoint *checkpoint, const dcps_piece *piece);
typedef dcps_status (*dcps_run_fn)(void *context, const void *data, size_t bytes);

/* The part of the flat vector that the blocks hold. */
static void held_range(const dcps_checkpoint *checkpoint, uint64_t *first, uint64_t *end)
{
    const dcps_shard_image *shard = &checkpoint->shard;
    uint64_t block_params = checkpoint->control.block_params;
    uint64_t total = dcps_layout_total_params(checkpoint->control.layout);
    *first = shard->block_count == 0 ? 0 : shard->blocks[0].block * block_params;
    *end = *first + shard->block_count * block_params;
    *end = *end < total ? *end : total;
}

/* All pieces in the order of the file: weights tensor by tensor, then each state array likewise. */
static dcps_status each_piece(const dcps_checkpoint *checkpoint, dcps_piece_fn visit, void *context)
{
    uint64_t held_first;
    uint64_t held_end;
    held_range(checkpoint, &held_first, &held_end);
    dcps_status status = DCPS_OK;
    for (uint32_t array = 0; array < dcps_checkpoint_array_count(checkpoint); array++) {
        for (uint32_t i = 0; status == DCPS_OK && i < dcps_layout_tensor_count(checkpoint->control.layout); i++) {
            const dcps_layout_tensor *tensor = dcps_layout_tensor_at(checkpoint->control.layout, i);
            uint64_t first = tensor->offset_params > held_first ? tensor->offset_params : held_first;
            uint64_t end = tensor->offset_params + tensor->count_params;
            end = end < held_end ? end : held_end;
            if (first < end) {
                dcps_piece piece = {.array = array,
                                    .tensor = tensor,
                                    .first = first - tensor->offset_params,
                                    .end = end - tensor->offset_params};
                status = visit(context, checkpoint, &piece);
            }
        }
    }
    return status;
}

static dcps_status add_to_header(void *context, const dcps_checkpoint *checkpoint, const dcps_piece *piece)
{
    char name[ARRAY_NAME_BYTES];
    const dcps_layout_tensor *tensor = piece->tensor;
    dcps_status status =
        dcps_checkpoint_array_name(checkpoint, piece->array, tensor, piece->first, piece->end, name, sizeof(name));
    if (status != DCPS_OK) {
        return status;
    }
    uint64_t dims[DCPS_MAX_DIMS] = {piece->end - piece->first};
    uint32_t dim_count = 1;
    if (piece->end - piece->first == tensor->count_params) {
        dim_count = tensor->dim_count;
        for (uint32_t i = 0; i < dim_count; i++) {
            dims[i] = tensor->dims[i];
        }
    }
    return dcps_safetensors_header_add(context, name, dim_count, dims);
}

#define ZERO_PARAMS 1024u
static const float zeros[ZERO_PARAMS];

/* Hands over the values of a piece, run by run: a piece may lie in several blocks. */
static dcps_status each_run(const dcps_checkpoint *checkpoint, const dcps_piece *piece, dcps_run_fn visit,
                            void *context)
{
    const dcps_shard_image *shard = &checkpoint->shard;
    uint64_t block_params = checkpoint->control.block_params;
    uint64_t position = piece->tensor->offset_params + piece->first;
    uint64_t end = piece->tensor->offset_params + piece->end;
    dcps_status status = DCPS_OK;
    while (status == DCPS_OK && position < end) {
        const dcps_image_block *block = &shard->blocks[position / block_params - shard->blocks[0].block];
        uint64_t block_end = (block->block + UINT64_C(1)) * block_params;
        uint64_t count = (end < block_end ? end : block_end) - position;
        uint64_t inside = position - block->block * block_params;
        dcps_buffer *const *buffer = dcps_checkpoint_array(checkpoint, block, piece->array);
        if (buffer == NULL) { /* this worker has nothing here yet */
            count = count < ZERO_PARAMS ? count : ZERO_PARAMS;
            status = visit(context, zeros, (size_t)count * sizeof(float));
        } else {
            assert(*buffer != NULL && (inside + count) * sizeof(float) <= (*buffer)->bytes);
            status = visit(context, (const float *)(*buffer)->data + inside, (size_t)count * sizeof(float));
        }
        position += count;
    }
    return status;
}

static dcps_status append_run(void *context, const void *data, size_t bytes)
{
    return dcps_safetensors_writer_append(context, data, bytes);
}

static dcps_status write_values(void *context, const dcps_checkpoint *checkpoint, const dcps_piece *piece)
{
    return each_run(checkpoint, piece, append_run, context);
}

static dcps_status sum_run(void *context, const void *data, size_t bytes)
{
    uint32_t *sum = context;
    *sum = dcps_checkpoint_sum(*sum, data, bytes);
    return DCPS_OK;
}

static dcps_status sum_values(void *context, const dcps_checkpoint *checkpoint, const dcps_piece *piece)
{
    return each_run(checkpoint, piece, sum_run, context);
}

static dcps_status set_sum(const dcps_checkpoint *checkpoint, const char *text, dcps_safetensors_header *header)
{
    char digits[DCPS_CHECKPOINT_SUM_BYTES];
    uint32_t sum = dcps_checkpoint_sum(0, text, strlen(text));
    dcps_status status = each_piece(checkpoint, sum_values, &sum);
    if (status != DCPS_OK) {
        return status;
    }
    dcps_checkpoint_sum_print(sum, digits);
    return dcps_safetensors_header_set_metadata(header, "crc32", digits);
}

static dcps_status make_header(const dcps_checkpoint *checkpoint, dcps_safetensors_header **header)
{
    char *text = NULL;
    dcps_safetensors_header *made = NULL;
    dcps_status status = dcps_checkpoint_encode(checkpoint, &text);
    if (status == DCPS_OK) {
        status = dcps_safetensors_header_create(&made);
    }
    if (status == DCPS_OK) {
        status = dcps_safetensors_header_set_metadata(made, "format", DCPS_CHECKPOINT_FORMAT);
    }
    if (status == DCPS_OK) {
        status = dcps_safetensors_header_set_metadata(made, "dcps", text);
    }
    if (status == DCPS_OK) {
        status = each_piece(checkpoint, add_to_header, made);
    }
    if (status == DCPS_OK) {
        status = set_sum(checkpoint, text, made);
    }
    dcps_free(text);
    if (status != DCPS_OK) {
        dcps_safetensors_header_destroy(&made);
        return status;
    }
    *header = made;
    return DCPS_OK;
}

static void check_run(const dcps_shard_image *shard)
{
    for (uint32_t i = 1; i < shard->block_count; i++) {
        assert(shard->blocks[i].block == shard->blocks[0].block + i);
    }
}

dcps_status dcps_checkpoint_write(const dcps_checkpoint *checkpoint, const char *dir, char path[PATH_MAX])
{
    check_run(&checkpoint->shard);
    dcps_status status = dcps_checkpoint_path(dir, checkpoint->server_index, checkpoint->server_count, path);
    if (status != DCPS_OK) {
        return status;
    }
    dcps_safetensors_header *header;
    status = make_header(checkpoint, &header);
    if (status != DCPS_OK) {
        return status;
    }
    dcps_safetensors_writer *writer = NULL;
    status = dcps_safetensors_writer_create(header, path, &writer);
    dcps_safetensors_header_destroy(&header);
    if (status == DCPS_OK) {
        status = each_piece(checkpoint, write_values, writer);
    }
    if (status != DCPS_OK) {
        dcps_safetensors_writer_abandon(&writer);
        return status;
    }
    return dcps_safetensors_writer_commit(&writer);
}
