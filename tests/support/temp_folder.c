#include "support/temp_folder.h"

#include <check.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

void temp_folder_create(temp_folder *folder)
{
    const char *base = getenv("TMPDIR");
    snprintf(folder->path, sizeof(folder->path), "%.180s/dcps-test-XXXXXX", base == NULL ? "/tmp" : base);
    ck_assert_ptr_nonnull(mkdtemp(folder->path));
}

static int delete_one(const char *path, const struct stat *about, int kind, struct FTW *walk)
{
    (void)about, (void)kind, (void)walk;
    return remove(path);
}

void temp_folder_delete(temp_folder *folder)
{
    ck_assert_int_eq(nftw(folder->path, delete_one, 8, FTW_DEPTH | FTW_PHYS), 0);
}

const char *temp_path(const temp_folder *folder, const char *name, char path[TEMP_PATH_BYTES])
{
    ck_assert_int_lt(snprintf(path, TEMP_PATH_BYTES, "%s/%s", folder->path, name), TEMP_PATH_BYTES);
    return path;
}

void temp_folder_add(const temp_folder *folder, const char *name)
{
    char path[TEMP_PATH_BYTES];
    ck_assert_int_eq(mkdir(temp_path(folder, name, path), 0700), 0);
}

void temp_write(const temp_folder *folder, const char *name, const void *bytes, size_t count, bool gzip)
{
    char path[TEMP_PATH_BYTES];
    /* "T": no compression header at all. */
    gzFile file = gzopen(temp_path(folder, name, path), gzip ? "wb9" : "wbT");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_eq(count == 0 ? 0 : gzwrite(file, bytes, (unsigned)count), (int)count);
    ck_assert_int_eq(gzclose(file), Z_OK);
}
