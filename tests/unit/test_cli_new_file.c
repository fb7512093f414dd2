/* A new file is on disk under its name, or it is not there at all. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cli/new_file.h"
#include "support/check_main.h"
#include "support/temp_folder.h"

static temp_folder folder;
static char path[TEMP_PATH_BYTES];
static unsigned files_synced;
static unsigned folders_synced; /* after the name was there */

/* In the place of the C library's. */
int fsync(int fd)
{
    struct stat about;
    ck_assert_int_eq(fstat(fd, &about), 0);
    files_synced += S_ISREG(about.st_mode);
    folders_synced += S_ISDIR(about.st_mode) && access(path, F_OK) == 0;
    return (int)syscall(SYS_fsync, fd);
}

static void set_up(void)
{
    temp_folder_create(&folder);
    (void)temp_path(&folder, "document.json", path);
    files_synced = folders_synced = 0;
}

static void tear_down(void)
{
    temp_folder_delete(&folder);
}

START_TEST(file_and_name_are_forced_to_disk)
{
    json_t *document = json_pack("{s:i}", "answer", 42);
    ck_assert_int_eq(dcps_document_write(document, path), DCPS_OK);
    ck_assert_uint_eq(files_synced, 1);
    ck_assert_uint_eq(folders_synced, 1);
    json_t *back = json_load_file(path, 0, NULL);
    ck_assert(json_equal(document, back));
    json_decref(back);
    json_decref(document);
}
END_TEST

START_TEST(what_went_wrong_leaves_nothing)
{
    dcps_new_file made;
    ck_assert_int_eq(dcps_new_file_open(&made, path), DCPS_OK);
    ck_assert_int_eq(dcps_new_file_close(&made, false), DCPS_IO);
    ck_assert_ptr_nonnull(strstr(dcps_error_message(), path));
    ck_assert_int_ne(access(path, F_OK), 0);
    ck_assert_int_ne(access(made.temporary, F_OK), 0);
    ck_assert_uint_eq(folders_synced, 0);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {file_and_name_are_forced_to_disk, what_went_wrong_leaves_nothing};
    Suite *suite = suite_create("cli new file");
    TCase *group = tcase_create("new file");
    tcase_add_checked_fixture(group, set_up, tear_down);
    for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
        tcase_add_test(group, tests[i]);
    }
    suite_add_tcase(suite, group);
    return check_run(suite);
}
