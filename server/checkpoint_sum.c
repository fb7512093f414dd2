/* The sum that tells a damaged checkpoint from a sound one. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <zlib.h>

#include "base/alloc.h"
#include "server/checkpoint_parts.h"

#define CHUNK_BYTES ((size_t)1 << 20)

uint32_t dcps_checkpoint_sum(uint32_t sum, const void *data, size_t bytes)
{
    return (uint32_t)crc32_z(sum, data, bytes);
}

void dcps_checkpoint_sum_print(uint32_t sum, char text[DCPS_CHECKPOINT_SUM_BYTES])
{
    snprintf(text, DCPS_CHECKPOINT_SUM_BYTES, "%08" PRIx32, sum);
}

/* Reads the whole data part once. */
static dcps_status sum_data(const dcps_safetensors_reader *reader, uint32_t *sum)
{
    unsigned char *chunk = dcps_alloc(1, CHUNK_BYTES);
    if (chunk == NULL) {
        return dcps_fail(DCPS_NO_MEMORY, "no memory to check %s", dcps_safetensors_reader_path(reader));
    }
    uint64_t total = dcps_safetensors_reader_data_bytes(reader);
    dcps_status status = DCPS_OK;
    for (uint64_t done = 0; status == DCPS_OK && done < total;) {
        size_t bytes = total - done < CHUNK_BYTES ? (size_t)(total - done) : CHUNK_BYTES;
        status = dcps_safetensors_reader_read(reader, done, chunk, bytes);
        if (status == DCPS_OK) {
            *sum = dcps_checkpoint_sum(*sum, chunk, bytes);
        }
        done += bytes;
    }
    dcps_free(chunk);
    return status;
}

dcps_status dcps_checkpoint_sum_check(const dcps_safetensors_reader *reader, const char *text, const char *stated)
{
    char seen[DCPS_CHECKPOINT_SUM_BYTES];
    uint32_t sum = dcps_checkpoint_sum(0, text, strlen(text));
    dcps_status status = sum_data(reader, &sum);
    if (status != DCPS_OK) {
        return status;
    }
    dcps_checkpoint_sum_print(sum, seen);
    if (strcmp(seen, stated) != 0) {
        return dcps_fail(DCPS_CORRUPT, "%s is damaged: its content has the sum %s, \"crc32\" inside says %.16s",
                         dcps_safetensors_reader_path(reader), seen, stated);
    }
    return DCPS_OK;
}
