#include "support/coded_file.h"

#include <check.h>
#include <lzma.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#define ZLIB_CONST
#include <zlib.h>

uint8_t *coded_make(coded_form form, const void *bytes, size_t count, size_t *coded_count)
{
    size_t capacity = count + count / 8 + 1024;
    uint8_t *coded = malloc(capacity);
    ck_assert_ptr_nonnull(coded);
    *coded_count = 0;
    if (form == CODED_PLAIN) {
        if (count > 0) {
            memcpy(coded, bytes, count);
        }
        *coded_count = count;
    } else if (form == CODED_XZ) {
        ck_assert_int_eq(lzma_easy_buffer_encode(1, LZMA_CHECK_CRC64, NULL, bytes, count, coded, coded_count, capacity),
                         LZMA_OK);
    } else {
        z_stream gzip = {
            .next_in = bytes, .avail_in = (unsigned)count, .next_out = coded, .avail_out = (unsigned)capacity};
        ck_assert_int_eq(deflateInit2(&gzip, 1, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY), Z_OK);
        ck_assert_int_eq(deflate(&gzip, Z_FINISH), Z_STREAM_END);
        *coded_count = gzip.total_out;
        deflateEnd(&gzip);
    }
    return coded;
}

void coded_write(const temp_folder *folder, const char *name, coded_form form, const void *bytes, size_t count,
                 char path[TEMP_PATH_BYTES])
{
    static const char *const suffixes[CODED_FORMS] = {"", ".gz", ".xz"};
    char full[TEMP_PATH_BYTES];
    ck_assert_int_lt(snprintf(full, sizeof(full), "%s%s", name, suffixes[form]), TEMP_PATH_BYTES);
    size_t coded_count = 0;
    uint8_t *coded = coded_make(form, bytes, count, &coded_count);
    temp_write(folder, full, coded, coded_count, false);
    free(coded);
    temp_path(folder, full, path);
}

void limit_memory(size_t more_bytes)
{
    unsigned long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_eq(fscanf(file, "%lu", &pages), 1);
    (void)fclose(file);
    struct rlimit limit;
    ck_assert_int_eq(getrlimit(RLIMIT_AS, &limit), 0);
    limit.rlim_cur = pages * (size_t)sysconf(_SC_PAGESIZE) + more_bytes;
    ck_assert_int_eq(setrlimit(RLIMIT_AS, &limit), 0);
}
