/* Files in the safetensors format: an 8-byte little-endian length, a JSON header of that length, then the tensors back to back without holes.
 * Format: https://github.com/huggingface/safetensors. Only float32 tensors ("F32") are written or accepted.
 *
 * Blocking file access: on a thread that may wait. A reader or writer belongs to one thread at a time. */
#ifndef DCPS_SERVER_SAFETENSORS_H
#define DCPS_SERVER_SAFETENSORS_H

#include <stddef.h>
#include <stdint.h>

#include "dcps/status.h"
#include "proto/limits.h"

/* What the format's own library accepts at most. */
#define DCPS_SAFETENSORS_MAX_HEADER_BYTES UINT64_C(100000000)

typedef struct dcps_safetensors_entry {
    const char *name;
    uint32_t dim_count;
    uint64_t dims[DCPS_MAX_DIMS];
    uint64_t first_byte; /* counted from the first byte after the header */
    uint64_t bytes;      /* 4 * product of dims */
} dcps_safetensors_entry;

/* ---- writing ---- */

/* The header of a file to be: tensors in the order in which their values will be written, and metadata. */
typedef struct dcps_safetensors_header dcps_safetensors_header;

DCPS_MUST_CHECK dcps_status dcps_safetensors_header_create(dcps_safetensors_header **header);
void dcps_safetensors_header_destroy(dcps_safetensors_header **header);
/* Appends a tensor. Errors: DCPS_UNSUPPORTED (name used twice or reserved), DCPS_LIMIT, DCPS_NO_MEMORY. */
DCPS_MUST_CHECK dcps_status dcps_safetensors_header_add(dcps_safetensors_header *header, const char *name,
                                                        uint32_t dim_count, const uint64_t *dims);
DCPS_MUST_CHECK dcps_status dcps_safetensors_header_set_metadata(dcps_safetensors_header *header, const char *key,
                                                                 const char *value);

/* A file being written under "<path>.tmp". Whatever was at `path` stays there until the new file is complete and on disk. */
typedef struct dcps_safetensors_writer dcps_safetensors_writer;

/* Errors, here and below, name the file: DCPS_IO, DCPS_LIMIT (header too long), DCPS_NO_MEMORY. */
DCPS_MUST_CHECK dcps_status dcps_safetensors_writer_create(const dcps_safetensors_header *header, const char *path,
                                                           dcps_safetensors_writer **writer);
/* Appends values; all calls together must make up exactly the tensors of the header (asserted at commit). */
DCPS_MUST_CHECK dcps_status dcps_safetensors_writer_append(dcps_safetensors_writer *writer, const void *data,
                                                           size_t bytes);
/* Forces the file to disk, gives it its name with mode 0644 and forces the directory to disk. Consumes the writer; on failure the temporary file is gone. */
DCPS_MUST_CHECK dcps_status dcps_safetensors_writer_commit(dcps_safetensors_writer **writer);
/* Removes the temporary file. Accepts NULL inside. */
void dcps_safetensors_writer_abandon(dcps_safetensors_writer **writer);

/* ---- reading ---- */

typedef struct dcps_safetensors_reader dcps_safetensors_reader;

/* Opens a file and checks its whole header: every tensor lies inside the file, none overlaps another, nothing is left over. Errors name
 * the file and what is wrong: DCPS_NOT_FOUND, DCPS_IO, DCPS_CORRUPT, DCPS_UNSUPPORTED (other element type), DCPS_NO_MEMORY. */
DCPS_MUST_CHECK dcps_status dcps_safetensors_reader_open(const char *path, dcps_safetensors_reader **reader);
void dcps_safetensors_reader_close(dcps_safetensors_reader **reader);

const char *dcps_safetensors_reader_path(const dcps_safetensors_reader *reader);
uint32_t dcps_safetensors_reader_count(const dcps_safetensors_reader *reader);
/* Of all tensors together. */
uint64_t dcps_safetensors_reader_data_bytes(const dcps_safetensors_reader *reader);
/* In the order of the data; index < count (asserted). Belongs to the reader. */
const dcps_safetensors_entry *dcps_safetensors_reader_at(const dcps_safetensors_reader *reader, uint32_t index);
/* NULL when there is no such metadata. Belongs to the reader. */
const char *dcps_safetensors_reader_metadata(const dcps_safetensors_reader *reader, const char *key);
/* Copies bytes [first_byte, first_byte + bytes) of the data part, in which the range must lie (asserted). */
DCPS_MUST_CHECK dcps_status dcps_safetensors_reader_read(const dcps_safetensors_reader *reader, uint64_t first_byte,
                                                         void *data, size_t bytes);

#endif
