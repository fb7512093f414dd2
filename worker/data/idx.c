#include "worker/data/idx.h"

#include "base/alloc.h"
#include "worker/data/file_reader.h"

#define TYPE_UNSIGNED_BYTE 0x08u

static uint32_t big_endian(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | (uint32_t)bytes[3];
}

static dcps_status read_head(const char *path, dcps_file_reader *file, uint32_t dim_count, dcps_idx *idx)
{
    uint8_t head[4 + 4 * DCPS_IDX_MAX_DIMS];
    size_t head_bytes = 4 + 4 * (size_t)dim_count, got = 0;
    dcps_status status = dcps_file_reader_read(file, head, head_bytes, &got);
    if (status != DCPS_OK) {
        return status;
    }
    if (got < head_bytes) {
        return dcps_fail(DCPS_CORRUPT, "%s: expected an idx head of %zu bytes, the file ends after %zu", path,
                         head_bytes, got);
    }
    if (head[0] != 0 || head[1] != 0 || head[2] != TYPE_UNSIGNED_BYTE || head[3] != dim_count) {
        return dcps_fail(
            DCPS_CORRUPT,
            "%s: expected an idx file of unsigned bytes with %u dims (magic 0000%02x%02x), seen magic %08x", path,
            dim_count, TYPE_UNSIGNED_BYTE, dim_count, big_endian(head));
    }
    uint64_t product = 1;
    for (uint32_t i = 0; i < dim_count; i++) {
        idx->dims[i] = big_endian(head + 4 + 4 * i);
        if (idx->dims[i] == 0) {
            return dcps_fail(DCPS_CORRUPT, "%s: dim %u is 0: an empty idx file", path, i);
        }
        if (__builtin_mul_overflow(product, (uint64_t)idx->dims[i], &product) || product > DCPS_IDX_MAX_BYTES) {
            return dcps_fail(DCPS_LIMIT, "%s: its head claims more than the limit of %llu bytes", path,
                             (unsigned long long)DCPS_IDX_MAX_BYTES);
        }
    }
    idx->dim_count = dim_count;
    idx->value_bytes = (size_t)product;
    return DCPS_OK;
}

static dcps_status read_values(const char *path, dcps_file_reader *file, dcps_idx *idx)
{
    size_t got = 0;
    bool at_end = false;
    dcps_status status = dcps_file_reader_read_grown(file, idx->value_bytes, &idx->values, &got);
    if (status != DCPS_OK) {
        return status;
    }
    if (got < idx->value_bytes) {
        return dcps_fail(DCPS_CORRUPT, "%s: its head claims %zu values, the file ends after %zu", path,
                         idx->value_bytes, got);
    }
    status = dcps_file_reader_at_end(file, &at_end);
    if (status == DCPS_OK && !at_end) {
        return dcps_fail(DCPS_CORRUPT, "%s: its head claims %zu values, the file goes on after them", path,
                         idx->value_bytes);
    }
    return status;
}

dcps_status dcps_idx_read(const char *path, uint32_t dim_count, dcps_idx *idx)
{
    dcps_file_reader *file = NULL;
    dcps_idx made = {0};
    dcps_status status = dcps_file_reader_open(path, &file);
    if (status == DCPS_OK) {
        status = read_head(path, file, dim_count, &made);
    }
    if (status == DCPS_OK) {
        status = read_values(path, file, &made);
    }
    dcps_file_reader_close(&file);
    if (status != DCPS_OK) {
        dcps_idx_release(&made);
        return status;
    }
    *idx = made;
    return DCPS_OK;
}

void dcps_idx_release(dcps_idx *idx)
{
    dcps_free(idx->values);
    *idx = (dcps_idx){0};
}
