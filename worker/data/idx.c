#include "worker/data/idx.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <zlib.h>

#include "base/alloc.h"

#define TYPE_UNSIGNED_BYTE 0x08u
#define READ_CHUNK_BYTES (UINT64_C(1) << 30)
/* No deflate stream expands further (1032:1), so a small file cannot make us take much memory. */
#define MAX_EXPANSION 1032u

static dcps_status damaged(const char *path, gzFile file)
{
    int code;
    const char *text = gzerror(file, &code);
    if (code == Z_ERRNO)
        return dcps_fail(DCPS_IO, "%s: reading failed: %s", path, strerror(errno));
    return dcps_fail(code == Z_MEM_ERROR ? DCPS_NO_MEMORY : DCPS_CORRUPT, "%s: damaged gzip file: %s", path,
                     code == Z_BUF_ERROR ? "it was cut short" : text);
}

/* Reads up to `bytes`; *got is less only at the end of the file. */
static dcps_status read_up_to(const char *path, gzFile file, void *out, uint64_t bytes, uint64_t *got)
{
    uint64_t done = 0;
    while (done < bytes) {
        uint64_t left = bytes - done;
        int n = gzread(file, (uint8_t *)out + done, (unsigned)(left < READ_CHUNK_BYTES ? left : READ_CHUNK_BYTES));
        if (n < 0)
            return damaged(path, file);
        if (n == 0)
            break;
        done += (uint64_t)n;
    }
    int code;
    gzerror(file, &code);
    if (done < bytes && code != Z_OK && code != Z_STREAM_END)
        return damaged(path, file);
    *got = done;
    return DCPS_OK;
}

static uint32_t big_endian(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | (uint32_t)bytes[3];
}

static dcps_status read_head(const char *path, gzFile file, uint32_t dim_count, dcps_idx *idx)
{
    uint8_t head[4 + 4 * DCPS_IDX_MAX_DIMS];
    uint64_t head_bytes = 4 + 4 * (uint64_t)dim_count, got = 0;
    dcps_status status = read_up_to(path, file, head, head_bytes, &got);
    if (status != DCPS_OK)
        return status;
    if (got < head_bytes)
        return dcps_fail(DCPS_CORRUPT, "%s: expected an idx head of %llu bytes, the file ends after %llu", path,
                         (unsigned long long)head_bytes, (unsigned long long)got);
    if (head[0] != 0 || head[1] != 0 || head[2] != TYPE_UNSIGNED_BYTE || head[3] != dim_count)
        return dcps_fail(
            DCPS_CORRUPT,
            "%s: expected an idx file of unsigned bytes with %u dims (magic 0000%02x%02x), seen magic %08x", path,
            dim_count, TYPE_UNSIGNED_BYTE, dim_count, big_endian(head));
    uint64_t product = 1;
    for (uint32_t i = 0; i < dim_count; i++) {
        idx->dims[i] = big_endian(head + 4 + 4 * i);
        if (idx->dims[i] == 0)
            return dcps_fail(DCPS_CORRUPT, "%s: dim %u is 0: an empty idx file", path, i);
        if (__builtin_mul_overflow(product, (uint64_t)idx->dims[i], &product) || product > DCPS_IDX_MAX_BYTES)
            return dcps_fail(DCPS_LIMIT, "%s: its head claims more than the limit of %llu bytes", path,
                             (unsigned long long)DCPS_IDX_MAX_BYTES);
    }
    idx->dim_count = dim_count;
    idx->value_bytes = (size_t)product;
    return DCPS_OK;
}

static dcps_status claim_check(const char *path, gzFile file, const dcps_idx *idx)
{
    struct stat about;
    if (stat(path, &about) != 0)
        return dcps_fail(DCPS_IO, "%s: %s", path, strerror(errno));
    uint64_t most = (uint64_t)about.st_size * (gzdirect(file) ? 1 : MAX_EXPANSION);
    if (idx->value_bytes > most)
        return dcps_fail(
            DCPS_CORRUPT,
            "%s: its head claims %zu values, a file of %llu bytes cannot hold them: it was cut short or lies", path,
            idx->value_bytes, (unsigned long long)about.st_size);
    return DCPS_OK;
}

static dcps_status read_values(const char *path, gzFile file, dcps_idx *idx)
{
    dcps_status status = claim_check(path, file, idx);
    if (status != DCPS_OK)
        return status;
    idx->values = dcps_alloc(idx->value_bytes, 1);
    if (idx->values == NULL)
        return dcps_fail(DCPS_NO_MEMORY, "%s: no memory for its %zu values", path, idx->value_bytes);
    uint64_t got = 0, more = 0;
    uint8_t extra;
    status = read_up_to(path, file, idx->values, idx->value_bytes, &got);
    if (status == DCPS_OK && got < idx->value_bytes)
        return dcps_fail(DCPS_CORRUPT, "%s: its head claims %zu values, the file ends after %llu", path,
                         idx->value_bytes, (unsigned long long)got);
    if (status == DCPS_OK) /* also makes zlib check the sum at the end */
        status = read_up_to(path, file, &extra, 1, &more);
    if (status == DCPS_OK && more > 0)
        return dcps_fail(DCPS_CORRUPT, "%s: its head claims %zu values, the file goes on after them", path,
                         idx->value_bytes);
    return status;
}

dcps_status dcps_idx_read(const char *path, uint32_t dim_count, dcps_idx *idx)
{
    struct stat about;
    if (stat(path, &about) == 0 && !S_ISREG(about.st_mode))
        return dcps_fail(DCPS_IO, "%s: expected a regular file", path);
    gzFile file = gzopen(path, "rbe");
    if (file == NULL)
        return dcps_fail(errno == ENOENT   ? DCPS_NOT_FOUND
                         : errno == ENOMEM ? DCPS_NO_MEMORY
                                           : DCPS_IO,
                         "%s cannot be opened: %s", path, strerror(errno));
    dcps_idx made = {0};
    dcps_status status = read_head(path, file, dim_count, &made);
    if (status == DCPS_OK)
        status = read_values(path, file, &made);
    gzclose(file);
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
