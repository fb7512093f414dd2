/* Reading of safetensors files, every byte of which may be wrong. */
#include <assert.h>
#include <errno.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/regular_file.h"
#include "server/safetensors.h"

#define METADATA_KEY "__metadata__"
#define LENGTH_BYTES 8u

struct dcps_safetensors_reader {
    int fd;
    char *path;
    json_t *root;
    uint64_t data_start;
    uint64_t data_bytes;
    uint32_t count;
    dcps_safetensors_entry *entries; /* names point into root */
};

static dcps_status read_at(const dcps_safetensors_reader *reader, uint64_t offset, void *data, size_t bytes)
{
    char *next = data;
    while (bytes > 0) {
        ssize_t got = pread(reader->fd, next, bytes, (off_t)offset);
        if (got < 0 && errno != EINTR) {
            return dcps_fail(DCPS_IO, "cannot read %s: %s", reader->path, strerror(errno));
        }
        if (got == 0) {
            return dcps_fail(DCPS_CORRUPT, "%s ends at byte %llu, %zu more were expected", reader->path,
                             (unsigned long long)offset, bytes);
        }
        if (got > 0) {
            next += got;
            offset += (uint64_t)got;
            bytes -= (size_t)got;
        }
    }
    return DCPS_OK;
}

/* Reads length and JSON text. */
static dcps_status read_header(dcps_safetensors_reader *reader, uint64_t file_bytes)
{
    uint64_t length = 0;
    if (file_bytes < LENGTH_BYTES) {
        return dcps_fail(DCPS_CORRUPT, "%s has %llu bytes, a safetensors file begins with 8 bytes of header length",
                         reader->path, (unsigned long long)file_bytes);
    }
    dcps_status status = read_at(reader, 0, &length, LENGTH_BYTES);
    if (status != DCPS_OK) {
        return status;
    }
    if (length > file_bytes - LENGTH_BYTES || length > DCPS_SAFETENSORS_MAX_HEADER_BYTES) {
        return dcps_fail(DCPS_CORRUPT,
                         "%s states a header of %llu bytes, but has only %llu after the length (limit %llu)",
                         reader->path, (unsigned long long)length, (unsigned long long)(file_bytes - LENGTH_BYTES),
                         (unsigned long long)DCPS_SAFETENSORS_MAX_HEADER_BYTES);
    }
    char *text = dcps_alloc(1, (size_t)length + 1u);
    if (text == NULL) {
        return dcps_fail(DCPS_NO_MEMORY, "no memory for the header of %s (%llu bytes)", reader->path,
                         (unsigned long long)length);
    }
    status = read_at(reader, LENGTH_BYTES, text, (size_t)length);
    json_error_t error;
    if (status == DCPS_OK) {
        reader->root = json_loadb(text, (size_t)length, JSON_REJECT_DUPLICATES, &error);
        if (!json_is_object(reader->root)) {
            status =
                dcps_fail(DCPS_CORRUPT, "%s: the header is not a JSON object: %s (at byte %d)", reader->path,
                          reader->root == NULL ? error.text : "other JSON", reader->root == NULL ? error.position : 0);
        }
    }
    dcps_free(text);
    reader->data_start = LENGTH_BYTES + length;
    reader->data_bytes = file_bytes - reader->data_start;
    return status;
}

static bool get_u64(const json_t *value, uint64_t *number)
{
    if (!json_is_integer(value) || json_integer_value(value) < 0) {
        return false;
    }
    *number = (uint64_t)json_integer_value(value);
    return true;
}

/* Fills dims and the number of bytes they make. */
static dcps_status read_shape(const dcps_safetensors_reader *reader, const json_t *shape, dcps_safetensors_entry *entry)
{
    if (!json_is_array(shape) || json_array_size(shape) > DCPS_MAX_DIMS) {
        return dcps_fail(DCPS_CORRUPT, "%s: tensor \"%.128s\": \"shape\" is not a list of at most %u numbers",
                         reader->path, entry->name, DCPS_MAX_DIMS);
    }
    entry->dim_count = (uint32_t)json_array_size(shape);
    entry->bytes = sizeof(float);
    for (uint32_t i = 0; i < entry->dim_count; i++) {
        if (!get_u64(json_array_get(shape, i), &entry->dims[i]) ||
            __builtin_mul_overflow(entry->bytes, entry->dims[i], &entry->bytes)) {
            return dcps_fail(DCPS_CORRUPT, "%s: tensor \"%.128s\": dimension %u of \"shape\" is impossible",
                             reader->path, entry->name, i);
        }
    }
    return DCPS_OK;
}

static dcps_status read_entry(const dcps_safetensors_reader *reader, const json_t *json, dcps_safetensors_entry *entry)
{
    const char *dtype = json_string_value(json_object_get(json, "dtype"));
    if (dtype == NULL) {
        return dcps_fail(DCPS_CORRUPT, "%s: tensor \"%.128s\" has no \"dtype\"", reader->path, entry->name);
    }
    if (strcmp(dtype, "F32") != 0) {
        return dcps_fail(DCPS_UNSUPPORTED, "%s: tensor \"%.128s\" has elements of type %.32s, only F32 is supported",
                         reader->path, entry->name, dtype);
    }
    dcps_status status = read_shape(reader, json_object_get(json, "shape"), entry);
    if (status != DCPS_OK) {
        return status;
    }
    const json_t *offsets = json_object_get(json, "data_offsets");
    uint64_t begin;
    uint64_t end;
    if (!json_is_array(offsets) || json_array_size(offsets) != 2 || !get_u64(json_array_get(offsets, 0), &begin) ||
        !get_u64(json_array_get(offsets, 1), &end) || begin > end || end > reader->data_bytes) {
        return dcps_fail(DCPS_CORRUPT,
                         "%s: tensor \"%.128s\": \"data_offsets\" do not lie within the %llu bytes of data",
                         reader->path, entry->name, (unsigned long long)reader->data_bytes);
    }
    if (end - begin != entry->bytes) {
        return dcps_fail(DCPS_CORRUPT, "%s: tensor \"%.128s\" has %llu bytes of data, its shape needs %llu",
                         reader->path, entry->name, (unsigned long long)(end - begin),
                         (unsigned long long)entry->bytes);
    }
    entry->first_byte = begin;
    return DCPS_OK;
}

static int by_position(const void *left, const void *right)
{
    const dcps_safetensors_entry *a = left;
    const dcps_safetensors_entry *b = right;
    if (a->first_byte != b->first_byte) {
        return a->first_byte < b->first_byte ? -1 : 1;
    }
    return (a->bytes > b->bytes) - (a->bytes < b->bytes);
}

/* Tensors must tile the data part: an overlap or a hole means that the header lies. */
static dcps_status check_tiling(const dcps_safetensors_reader *reader)
{
    uint64_t position = 0;
    for (uint32_t i = 0; i < reader->count; i++) {
        const dcps_safetensors_entry *entry = &reader->entries[i];
        if (entry->first_byte != position) {
            return dcps_fail(
                DCPS_CORRUPT,
                "%s: tensor \"%.128s\" begins at byte %llu, expected %llu: tensors overlap or leave a hole",
                reader->path, entry->name, (unsigned long long)entry->first_byte, (unsigned long long)position);
        }
        position += entry->bytes;
    }
    if (position != reader->data_bytes) {
        return dcps_fail(DCPS_CORRUPT, "%s: the tensors take %llu bytes, the file holds %llu", reader->path,
                         (unsigned long long)position, (unsigned long long)reader->data_bytes);
    }
    return DCPS_OK;
}

static dcps_status check_metadata(const dcps_safetensors_reader *reader, json_t *metadata)
{
    const char *key;
    json_t *value;
    if (!json_is_object(metadata)) {
        return dcps_fail(DCPS_CORRUPT, "%s: \"" METADATA_KEY "\" is not an object", reader->path);
    }
    json_object_foreach(metadata, key, value)
    {
        if (!json_is_string(value)) {
            return dcps_fail(DCPS_CORRUPT, "%s: metadata \"%.128s\" is not a text", reader->path, key);
        }
    }
    return DCPS_OK;
}

static dcps_status read_entries(dcps_safetensors_reader *reader)
{
    reader->entries = dcps_alloc(json_object_size(reader->root) + 1u, sizeof(*reader->entries));
    if (reader->entries == NULL) {
        return dcps_fail(DCPS_NO_MEMORY, "no memory for the %zu tensors of %s", json_object_size(reader->root),
                         reader->path);
    }
    const char *key;
    json_t *value;
    json_object_foreach(reader->root, key, value)
    {
        dcps_status status;
        if (strcmp(key, METADATA_KEY) == 0) {
            status = check_metadata(reader, value);
        } else {
            reader->entries[reader->count].name = key;
            status = read_entry(reader, value, &reader->entries[reader->count]);
            reader->count++;
        }
        if (status != DCPS_OK) {
            return status;
        }
    }
    qsort(reader->entries, reader->count, sizeof(*reader->entries), by_position);
    return check_tiling(reader);
}

static dcps_status open_file(dcps_safetensors_reader *reader, uint64_t *file_bytes)
{
    reader->fd = -1; /* whatever comes of it, the reader can be closed */
    dcps_status status = dcps_regular_file_open(reader->path, &reader->fd);
    if (status != DCPS_OK) {
        return status;
    }
    struct stat info;
    if (fstat(reader->fd, &info) != 0) {
        return dcps_fail(DCPS_IO, "cannot look at %s: %s", reader->path, strerror(errno));
    }
    *file_bytes = (uint64_t)info.st_size;
    return DCPS_OK;
}

dcps_status dcps_safetensors_reader_open(const char *path, dcps_safetensors_reader **reader)
{
    dcps_safetensors_reader *made = dcps_alloc(1, sizeof(*made));
    char *copy = dcps_strdup(path);
    if (made == NULL || copy == NULL) {
        dcps_free(made);
        dcps_free(copy);
        return dcps_fail(DCPS_NO_MEMORY, "no memory to open %s", path);
    }
    made->path = copy;
    uint64_t file_bytes = 0;
    dcps_status status = open_file(made, &file_bytes);
    if (status == DCPS_OK) {
        status = read_header(made, file_bytes);
    }
    if (status == DCPS_OK) {
        status = read_entries(made);
    }
    if (status != DCPS_OK) {
        dcps_safetensors_reader_close(&made);
        return status;
    }
    *reader = made;
    return DCPS_OK;
}

void dcps_safetensors_reader_close(dcps_safetensors_reader **reader)
{
    dcps_safetensors_reader *old = *reader;
    if (old == NULL) {
        return;
    }
    if (old->fd >= 0) {
        close(old->fd);
    }
    json_decref(old->root);
    dcps_free(old->entries);
    dcps_free(old->path);
    dcps_free(old);
    *reader = NULL;
}

const char *dcps_safetensors_reader_path(const dcps_safetensors_reader *reader)
{
    return reader->path;
}

uint32_t dcps_safetensors_reader_count(const dcps_safetensors_reader *reader)
{
    return reader->count;
}

uint64_t dcps_safetensors_reader_data_bytes(const dcps_safetensors_reader *reader)
{
    return reader->data_bytes;
}

const dcps_safetensors_entry *dcps_safetensors_reader_at(const dcps_safetensors_reader *reader, uint32_t index)
{
    assert(index < reader->count);
    return &reader->entries[index];
}

const char *dcps_safetensors_reader_metadata(const dcps_safetensors_reader *reader, const char *key)
{
    return json_string_value(json_object_get(json_object_get(reader->root, METADATA_KEY), key));
}

dcps_status dcps_safetensors_reader_read(const dcps_safetensors_reader *reader, uint64_t first_byte, void *data,
                                         size_t bytes)
{
    assert(first_byte <= reader->data_bytes && bytes <= reader->data_bytes - first_byte);
    return read_at(reader, reader->data_start + first_byte, data, bytes);
}
