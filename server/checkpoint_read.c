/* Reading the arrays of a checkpoint into blocks, from however many files they lie in. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "server/checkpoint_parts.h"

/* Elements [first, end) of a tensor in an array, as one entry of one file. */
typedef struct dcps_source {
    uint32_t array;
    uint32_t tensor;
    uint64_t first;
    uint64_t end;
    const dcps_safetensors_reader *reader;
    uint64_t first_byte;
} dcps_source;

typedef struct dcps_sources {
    const dcps_safetensors_reader *example; /* one file of the set, to name it in errors */
    uint32_t count;
    dcps_source *items; /* by array, tensor, first */
} dcps_sources;

/* Splits "name[first:end]"; a name without brackets leaves *sliced false. False when malformed. */
static bool split_slice(const char *text, char *name, size_t capacity, bool *sliced, uint64_t *first, uint64_t *end)
{
    size_t length = strcspn(text, "[");
    int used = 0;
    *sliced = text[length] != '\0';
    if (length >= capacity) {
        return false;
    }
    memcpy(name, text, length);
    name[length] = '\0';
    return !*sliced || (sscanf(text + length, "[%19" SCNu64 ":%19" SCNu64 "]%n", first, end, &used) == 2 && used > 0 &&
                        text[length + (size_t)used] == '\0' && *first < *end);
}

static uint32_t find_tensor(const dcps_layout *layout, const char *name)
{
    uint32_t index = 0;
    while (index < dcps_layout_tensor_count(layout) && strcmp(dcps_layout_tensor_at(layout, index)->name, name) != 0) {
        index++;
    }
    return index;
}

/* Which array of which tensor a name means: *tensor is the number of tensors when it means none of ours. */
static void resolve_name(const dcps_checkpoint *checkpoint, const char *name, uint32_t *array, uint32_t *tensor)
{
    const dcps_layout *layout = checkpoint->control.layout;
    *array = 0;
    *tensor = find_tensor(layout, name);
    for (uint32_t i = 1; i < dcps_checkpoint_array_count(checkpoint) && *tensor == dcps_layout_tensor_count(layout);
         i++) {
        char prefix[DCPS_CHECKPOINT_PREFIX_BYTES];
        if (dcps_checkpoint_array_prefix(checkpoint, i, prefix) != DCPS_OK) {
            continue;
        }
        size_t length = strlen(prefix);
        if (strncmp(name, prefix, length) == 0) {
            *array = i;
            *tensor = find_tensor(layout, name + length);
        }
    }
}

static bool shape_fits(const dcps_layout_tensor *tensor, const dcps_safetensors_entry *entry, bool sliced,
                       uint64_t first, uint64_t end)
{
    if (sliced) {
        return entry->dim_count == 1 && end <= tensor->count_params && entry->dims[0] == end - first;
    }
    bool same = entry->dim_count == tensor->dim_count;
    for (uint32_t i = 0; same && i < entry->dim_count; i++) {
        same = entry->dims[i] == tensor->dims[i];
    }
    return same;
}

/* Whether elements [first, end) of a tensor lie in the blocks of a file. */
static bool file_holds(const dcps_checkpoint *content, const dcps_layout_tensor *tensor, uint64_t first, uint64_t end)
{
    const dcps_shard_image *shard = &content->shard;
    uint64_t block_params = content->control.block_params;
    return shard->block_count > 0 && tensor->offset_params + first >= shard->blocks[0].block * block_params &&
           tensor->offset_params + end <= (shard->blocks[shard->block_count - 1u].block + UINT64_C(1)) * block_params;
}

/* The sum does not cover names: each must be that of an array which the file says to have. */
static dcps_status check_name(const dcps_checkpoint_file *file, const char *name, const dcps_safetensors_entry *entry,
                              bool sliced, dcps_source *source)
{
    const dcps_layout *layout = file->content.control.layout;
    resolve_name(&file->content, name, &source->array, &source->tensor);
    if (source->tensor == dcps_layout_tensor_count(layout)) {
        return dcps_fail(DCPS_CORRUPT, "%s: \"%.160s\" is no array of its run",
                         dcps_safetensors_reader_path(file->reader), entry->name);
    }
    const dcps_layout_tensor *tensor = dcps_layout_tensor_at(layout, source->tensor);
    if (!shape_fits(tensor, entry, sliced, source->first, source->end)) {
        return dcps_fail(DCPS_CORRUPT, "%s: the shape of \"%.160s\" is not that of the layout",
                         dcps_safetensors_reader_path(file->reader), entry->name);
    }
    if (!sliced) {
        source->first = 0;
        source->end = tensor->count_params;
    }
    if (!file_holds(&file->content, tensor, source->first, source->end)) {
        return dcps_fail(DCPS_CORRUPT, "%s: \"%.160s\" does not lie in the blocks of this file",
                         dcps_safetensors_reader_path(file->reader), entry->name);
    }
    return DCPS_OK;
}

/* Adds what an entry holds; arrays that nobody needs are passed over. */
static dcps_status add_source(const dcps_checkpoint *checkpoint, const dcps_checkpoint_file *file,
                              const dcps_safetensors_entry *entry, dcps_sources *sources)
{
    char name[DCPS_MAX_NAME_BYTES + DCPS_CHECKPOINT_PREFIX_BYTES];
    bool sliced;
    dcps_source source = {.reader = file->reader, .first_byte = entry->first_byte};
    if (!split_slice(entry->name, name, sizeof(name), &sliced, &source.first, &source.end)) {
        return dcps_fail(DCPS_CORRUPT, "%s: the array name \"%.160s\" is malformed",
                         dcps_safetensors_reader_path(file->reader), entry->name);
    }
    dcps_status status = check_name(file, name, entry, sliced, &source);
    if (status != DCPS_OK) {
        return status;
    }
    resolve_name(checkpoint, name, &source.array, &source.tensor);
    if (source.tensor == dcps_layout_tensor_count(checkpoint->control.layout)) {
        return DCPS_OK;
    }
    sources->items[sources->count++] = source;
    return DCPS_OK;
}

static int by_place(const void *left, const void *right)
{
    const dcps_source *a = left;
    const dcps_source *b = right;
    if (a->array != b->array) {
        return a->array < b->array ? -1 : 1;
    }
    if (a->tensor != b->tensor) {
        return a->tensor < b->tensor ? -1 : 1;
    }
    return (a->first > b->first) - (a->first < b->first);
}

static dcps_status collect_sources(const dcps_checkpoint_set *set, const dcps_checkpoint *checkpoint,
                                   dcps_sources *sources)
{
    size_t capacity = 1;
    for (uint32_t i = 0; i < set->file_count; i++) {
        capacity += dcps_safetensors_reader_count(set->files[i].reader);
    }
    sources->items = dcps_alloc(capacity, sizeof(*sources->items));
    if (sources->items == NULL) {
        return dcps_fail(DCPS_NO_MEMORY, "no memory for %zu arrays of a checkpoint", capacity);
    }
    dcps_status status = DCPS_OK;
    for (uint32_t i = 0; i < set->file_count; i++) {
        const dcps_safetensors_reader *reader = set->files[i].reader;
        for (uint32_t k = 0; status == DCPS_OK && k < dcps_safetensors_reader_count(reader); k++) {
            status = add_source(checkpoint, &set->files[i], dcps_safetensors_reader_at(reader, k), sources);
        }
    }
    qsort(sources->items, sources->count, sizeof(*sources->items), by_place);
    return status;
}

/* The source of element `position`, or NULL. */
static const dcps_source *find_source(const dcps_sources *sources, uint32_t array, uint32_t tensor, uint64_t position)
{
    dcps_source key = {.array = array, .tensor = tensor, .first = position};
    uint32_t low = 0;
    uint32_t high = sources->count;
    while (low < high) { /* the last source that does not begin after the position */
        uint32_t middle = low + (high - low) / 2u;
        if (by_place(&sources->items[middle], &key) <= 0) {
            low = middle + 1u;
        } else {
            high = middle;
        }
    }
    const dcps_source *found = low > 0 ? &sources->items[low - 1u] : NULL;
    return found != NULL && found->array == array && found->tensor == tensor && position < found->end ? found : NULL;
}

/* Reads elements [first, end) of a tensor. */
static dcps_status read_elements(const dcps_sources *sources, const dcps_checkpoint *checkpoint, uint32_t array,
                                 uint32_t tensor, uint64_t first, uint64_t end, float *out)
{
    dcps_status status = DCPS_OK;
    while (status == DCPS_OK && first < end) {
        const dcps_source *source = find_source(sources, array, tensor, first);
        if (source == NULL) {
            char prefix[DCPS_CHECKPOINT_PREFIX_BYTES];
            status = dcps_checkpoint_array_prefix(checkpoint, array, prefix);
            return status != DCPS_OK
                       ? status
                       : dcps_fail(DCPS_CORRUPT, "%s and the files of its set lack element %" PRIu64 " of \"%s%s\"",
                                   dcps_safetensors_reader_path(sources->example), first, prefix,
                                   dcps_layout_tensor_at(checkpoint->control.layout, tensor)->name);
        }
        uint64_t stop = source->end < end ? source->end : end;
        status =
            dcps_safetensors_reader_read(source->reader, source->first_byte + (first - source->first) * sizeof(float),
                                         out, (size_t)(stop - first) * sizeof(float));
        out += stop - first;
        first = stop;
    }
    return status;
}

/* Fills parameters [first, end) of the flat vector; what lies between tensors stays zero. */
static dcps_status read_range(const dcps_sources *sources, const dcps_checkpoint *checkpoint, uint32_t array,
                              uint64_t first, uint64_t end, float *out)
{
    const dcps_layout *layout = checkpoint->control.layout;
    dcps_status status = DCPS_OK;
    memset(out, 0, (size_t)(end - first) * sizeof(float));
    for (uint32_t i = 0; status == DCPS_OK && i < dcps_layout_tensor_count(layout); i++) {
        const dcps_layout_tensor *tensor = dcps_layout_tensor_at(layout, i);
        uint64_t from = tensor->offset_params > first ? tensor->offset_params : first;
        uint64_t to = tensor->offset_params + tensor->count_params;
        to = to < end ? to : end;
        if (from < to) {
            status = read_elements(sources, checkpoint, array, i, from - tensor->offset_params,
                                   to - tensor->offset_params, out + (from - first));
        }
    }
    return status;
}

/* Whether any file keeps this state array at all: if none does, it starts at zero. */
static bool array_exists(const dcps_sources *sources, uint32_t array)
{
    bool found = false;
    for (uint32_t i = 0; i < sources->count && !found; i++) {
        found = sources->items[i].array == array;
    }
    return found;
}

static dcps_status fill_block(const dcps_sources *sources, const dcps_checkpoint *checkpoint, const bool *wanted,
                              dcps_pool *pool, dcps_image_block *block)
{
    uint64_t first = (uint64_t)block->block * checkpoint->control.block_params;
    uint64_t end = first + checkpoint->control.block_params;
    uint64_t total = dcps_layout_total_params(checkpoint->control.layout);
    end = end < total ? end : total;
    dcps_status status = DCPS_OK;
    for (uint32_t array = 0; status == DCPS_OK && array < dcps_checkpoint_array_count(checkpoint); array++) {
        dcps_buffer **buffer = dcps_checkpoint_array(checkpoint, block, array);
        if (!wanted[array] || buffer == NULL) {
            continue;
        }
        status = dcps_pool_take(pool, buffer);
        if (status == DCPS_OK) {
            (*buffer)->bytes = (size_t)(end - first) * sizeof(float);
            status = read_range(sources, checkpoint, array, first, end, (*buffer)->data);
        }
    }
    return status;
}

dcps_status dcps_checkpoint_fill(const dcps_checkpoint_set *set, dcps_checkpoint *checkpoint)
{
    dcps_sources sources = {.example = set->files[0].reader};
    dcps_pool *pool = NULL;
    uint32_t arrays = dcps_checkpoint_array_count(checkpoint);
    uint32_t blocks = checkpoint->shard.block_count;
    bool *wanted = dcps_alloc(arrays, sizeof(*wanted));
    dcps_status status = wanted != NULL ? collect_sources(set, checkpoint, &sources)
                                        : dcps_fail(DCPS_NO_MEMORY, "no memory for %u arrays of a checkpoint", arrays);
    if (status == DCPS_OK) {
        size_t limit = (size_t)blocks * arrays + 1u;
        status =
            dcps_pool_create("checkpoint", (size_t)checkpoint->control.block_params * sizeof(float), 0, limit, &pool);
    }
    for (uint32_t i = 0; status == DCPS_OK && i < arrays; i++) {
        wanted[i] = i == 0 || array_exists(&sources, i);
    }
    for (uint32_t i = 0; status == DCPS_OK && i < blocks; i++) {
        status = fill_block(&sources, checkpoint, wanted, pool, &checkpoint->shard.blocks[i]);
    }
    dcps_pool_destroy(&pool); /* buffers that are out keep it alive */
    dcps_free(sources.items);
    dcps_free(wanted);
    return status;
}
