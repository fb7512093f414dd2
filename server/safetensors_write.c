/* Writing of safetensors files: never a half-written file under the final name. */
#include <assert.h>
#include <errno.h>
#include <jansson.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/new_file.h"
#include "server/safetensors.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "values are written as they lie in memory");

#define METADATA_KEY "__metadata__"
#define LENGTH_BYTES 8u
#define FILE_MODE 0644 /* whatever the umask: others may read a model */

struct dcps_safetensors_header {
    json_t *root;
    json_t *metadata; /* inside root */
    uint64_t data_bytes;
};

struct dcps_safetensors_writer {
    dcps_new_file file;
    uint64_t expected_bytes; /* of the data part */
    uint64_t written_bytes;
};

dcps_status dcps_safetensors_header_create(dcps_safetensors_header **header)
{
    dcps_safetensors_header *made = dcps_alloc(1, sizeof(*made));
    if (made == NULL) {
        return dcps_fail(DCPS_NO_MEMORY, "no memory for a safetensors header");
    }
    made->root = json_object();
    made->metadata = json_object();
    if (json_object_set(made->root, METADATA_KEY, made->metadata) != 0) {
        dcps_safetensors_header_destroy(&made);
        return dcps_fail(DCPS_NO_MEMORY, "no memory for a safetensors header");
    }
    *header = made;
    return DCPS_OK;
}

void dcps_safetensors_header_destroy(dcps_safetensors_header **header)
{
    if (*header == NULL) {
        return;
    }
    json_decref((*header)->metadata);
    json_decref((*header)->root);
    dcps_free(*header);
    *header = NULL;
}

static json_t *shape_of(uint32_t dim_count, const uint64_t *dims)
{
    json_t *shape = json_array();
    for (uint32_t i = 0; i < dim_count; i++) {
        if (json_array_append_new(shape, json_integer((json_int_t)dims[i])) != 0) {
            json_decref(shape);
            return NULL;
        }
    }
    return shape;
}

dcps_status dcps_safetensors_header_add(dcps_safetensors_header *header, const char *name, uint32_t dim_count,
                                        const uint64_t *dims)
{
    assert(dim_count <= DCPS_MAX_DIMS);
    if (json_object_get(header->root, name) != NULL) {
        return dcps_fail(DCPS_UNSUPPORTED,
                         "two arrays of a checkpoint would both be called \"%s\": give that tensor another name", name);
    }
    uint64_t bytes = sizeof(float);
    for (uint32_t i = 0; i < dim_count; i++) {
        if (__builtin_mul_overflow(bytes, dims[i], &bytes)) {
            return dcps_fail(DCPS_LIMIT, "tensor \"%s\" is too large for a file", name);
        }
    }
    if (bytes > (uint64_t)INT64_MAX - header->data_bytes) {
        return dcps_fail(DCPS_LIMIT, "tensor \"%s\" makes the file too large", name);
    }
    json_t *entry = json_pack("{s:s, s:o, s:[I, I]}", "dtype", "F32", "shape", shape_of(dim_count, dims),
                              "data_offsets", (json_int_t)header->data_bytes, (json_int_t)(header->data_bytes + bytes));
    if (json_object_set_new(header->root, name, entry) != 0) {
        return dcps_fail(DCPS_NO_MEMORY, "no memory for the safetensors header entry of \"%s\"", name);
    }
    header->data_bytes += bytes;
    return DCPS_OK;
}

dcps_status dcps_safetensors_header_set_metadata(dcps_safetensors_header *header, const char *key, const char *value)
{
    if (json_object_set_new(header->metadata, key, json_string(value)) != 0) {
        return dcps_fail(DCPS_NO_MEMORY, "no memory for the safetensors metadata \"%s\"", key);
    }
    return DCPS_OK;
}

static dcps_status write_all(dcps_safetensors_writer *writer, const void *data, size_t bytes)
{
    const char *next = data;
    while (bytes > 0) {
        ssize_t written = write(writer->file.fd, next, bytes);
        if (written < 0 && errno != EINTR) {
            return dcps_fail(DCPS_IO, "cannot write %s: %s (after %llu of %llu bytes)", writer->file.temporary,
                             strerror(errno), (unsigned long long)writer->written_bytes,
                             (unsigned long long)writer->expected_bytes);
        }
        if (written > 0) {
            next += written;
            bytes -= (size_t)written;
        }
    }
    return DCPS_OK;
}

/* The JSON text, padded with spaces so that the data part is aligned for readers that map the file. */
static dcps_status write_header(dcps_safetensors_writer *writer, const dcps_safetensors_header *header)
{
    size_t length = json_dumpb(header->root, NULL, 0, JSON_COMPACT);
    size_t padded = (length + 7u) / 8u * 8u;
    if (length == 0 || padded > DCPS_SAFETENSORS_MAX_HEADER_BYTES) {
        return dcps_fail(DCPS_LIMIT, "the header of %s takes %zu bytes, a safetensors file may have 1 to %llu",
                         writer->file.path, padded, (unsigned long long)DCPS_SAFETENSORS_MAX_HEADER_BYTES);
    }
    char *text = dcps_alloc(1, LENGTH_BYTES + padded);
    if (text == NULL) {
        return dcps_fail(DCPS_NO_MEMORY, "no memory for the header of %s (%zu bytes)", writer->file.path, padded);
    }
    uint64_t stated = padded;
    memcpy(text, &stated, LENGTH_BYTES);
    memset(text + LENGTH_BYTES, ' ', padded);
    dcps_status status = DCPS_OK;
    if (json_dumpb(header->root, text + LENGTH_BYTES, length, JSON_COMPACT) != length) {
        status = dcps_fail(DCPS_NO_MEMORY, "no memory to write the header of %s", writer->file.path);
    }
    if (status == DCPS_OK) {
        status = write_all(writer, text, LENGTH_BYTES + padded);
    }
    dcps_free(text);
    return status;
}

dcps_status dcps_safetensors_writer_create(const dcps_safetensors_header *header, const char *path,
                                           dcps_safetensors_writer **writer)
{
    dcps_safetensors_writer *made = dcps_alloc(1, sizeof(*made));
    if (made == NULL) {
        return dcps_fail(DCPS_NO_MEMORY, "no memory to write %s", path);
    }
    made->expected_bytes = header->data_bytes;
    dcps_status status = dcps_new_file_open_large(&made->file, path);
    if (status != DCPS_OK) {
        dcps_free(made);
        return status;
    }
    status = write_header(made, header);
    if (status != DCPS_OK) {
        dcps_safetensors_writer_abandon(&made);
        return status;
    }
    *writer = made;
    return DCPS_OK;
}

dcps_status dcps_safetensors_writer_append(dcps_safetensors_writer *writer, const void *data, size_t bytes)
{
    assert(bytes <= writer->expected_bytes - writer->written_bytes);
    dcps_status status = write_all(writer, data, bytes);
    if (status == DCPS_OK) {
        writer->written_bytes += bytes;
    }
    return status;
}

dcps_status dcps_safetensors_writer_commit(dcps_safetensors_writer **writer)
{
    dcps_safetensors_writer *made = *writer;
    assert(made->written_bytes == made->expected_bytes);
    if (fchmod(made->file.fd, FILE_MODE) != 0) {
        dcps_status status =
            dcps_fail(DCPS_IO, "cannot give %s the mode %o: %s", made->file.temporary, FILE_MODE, strerror(errno));
        dcps_safetensors_writer_abandon(writer);
        return status;
    }
    dcps_status status = dcps_new_file_close(&made->file, true);
    dcps_free(made);
    *writer = NULL;
    return status;
}

void dcps_safetensors_writer_abandon(dcps_safetensors_writer **writer)
{
    if (*writer == NULL) {
        return;
    }
    dcps_new_file_abandon(&(*writer)->file);
    dcps_free(*writer);
    *writer = NULL;
}
