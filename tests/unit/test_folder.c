#include "base/folder.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/check_main.h"
#include "support/temp_folder.h"

static temp_folder folder;

static bool is_folder(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

START_TEST(test_makes_what_lacks)
{
    char path[TEMP_PATH_BYTES];
    temp_folder_create(&folder);
    temp_path(&folder, "a/b", path);
    ck_assert_int_eq(dcps_folder_make(path), DCPS_OK);
    ck_assert(is_folder(path));
    ck_assert_int_eq(dcps_folder_make(path), DCPS_OK); /* there already */
    ck_assert_int_eq(rmdir(path), 0);
    temp_folder_delete(&folder);
}
END_TEST

START_TEST(test_failures_are_named)
{
    char path[TEMP_PATH_BYTES];
    temp_folder_create(&folder);
    temp_write(&folder, "file", "x", 1, false);
    temp_path(&folder, "file/below", path);
    ck_assert_int_eq(dcps_folder_make(path), DCPS_IO);
    ck_assert_ptr_nonnull(strstr(dcps_error_message(), path));
    char endless[8192];
    memset(endless, 'x', sizeof(endless) - 1);
    endless[sizeof(endless) - 1] = '\0';
    ck_assert_int_eq(dcps_folder_make(endless), DCPS_LIMIT);
    temp_folder_delete(&folder);
}
END_TEST

START_TEST(test_writable)
{
    char path[TEMP_PATH_BYTES];
    temp_folder_create(&folder);
    temp_path(&folder, "new/out", path);
    ck_assert_int_eq(dcps_folder_make_writable(path), DCPS_OK);
    ck_assert(is_folder(path));
    ck_assert_int_eq(rmdir(path), 0); /* nothing is left in it */
    temp_write(&folder, "file", "x", 1, false);
    temp_path(&folder, "file", path);
    ck_assert_int_eq(dcps_folder_make_writable(path), DCPS_IO);
    ck_assert_int_eq(dcps_folder_make_writable("/proc"), DCPS_IO); /* a folder where nobody can make files */
    ck_assert_ptr_nonnull(strstr(dcps_error_message(), "/proc"));
    temp_folder_delete(&folder);
}
END_TEST

/* The folder of a file is what counts, whether the file is there or not. */
START_TEST(test_sync)
{
    char path[TEMP_PATH_BYTES];
    char endless[8192];
    temp_folder_create(&folder);
    ck_assert_int_eq(dcps_folder_sync(temp_path(&folder, "file", path)), DCPS_OK);
    ck_assert_int_eq(dcps_folder_sync("file-here"), DCPS_OK);
    ck_assert_int_eq(dcps_folder_sync("/file"), DCPS_OK);
    ck_assert_int_eq(dcps_folder_sync(temp_path(&folder, "none/file", path)), DCPS_IO);
    ck_assert_ptr_nonnull(strstr(dcps_error_message(), path));
    memset(endless, 'x', sizeof(endless) - 1);
    endless[sizeof(endless) - 1] = '\0';
    ck_assert_int_eq(dcps_folder_sync(endless), DCPS_LIMIT);
    temp_folder_delete(&folder);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {test_makes_what_lacks, test_failures_are_named, test_writable, test_sync};
    return CHECK_MAIN("folder", tests);
}
