/* A new file is on disk under its name, or it is not there at all. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/new_file.h"
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

static void expect_content(const char *expected)
{
    char read[64] = "";
    FILE *file = fopen(path, "r");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fread(read, 1, sizeof(read) - 1, file), strlen(expected));
    ck_assert_str_eq(read, expected);
    (void)fclose(file);
}

START_TEST(file_and_name_are_forced_to_disk)
{
    dcps_new_file made;
    ck_assert_int_eq(dcps_new_file_open(&made, path), DCPS_OK);
    ck_assert_int_ge(fputs("all of it", made.file), 0);
    ck_assert_int_ne(access(path, F_OK), 0);
    ck_assert_int_eq(dcps_new_file_close(&made, true), DCPS_OK);
    ck_assert_uint_eq(files_synced, 1);
    ck_assert_uint_eq(folders_synced, 1);
    expect_content("all of it");
    ck_assert_int_ne(access(made.temporary, F_OK), 0);
}
END_TEST

/* What a crash left is written over, and nothing of it stays. */
START_TEST(large_files_leave_one_leftover_at_most)
{
    char leftover[TEMP_PATH_BYTES];
    dcps_new_file made;
    struct stat about;
    temp_write(&folder, "document.json.tmp", "left by a crash", 15, false);
    (void)temp_path(&folder, "document.json.tmp", leftover);
    ck_assert_int_eq(dcps_new_file_open_large(&made, path), DCPS_OK);
    ck_assert_str_eq(made.temporary, leftover);
    ck_assert_ptr_null(made.file);
    ck_assert_int_eq(write(made.fd, "large", 5), 5);
    ck_assert_int_eq(dcps_new_file_close(&made, true), DCPS_OK);
    ck_assert_uint_eq(files_synced, 1);
    ck_assert_uint_eq(folders_synced, 1);
    expect_content("large");
    ck_assert_int_eq(stat(path, &about), 0);
    ck_assert_uint_eq(about.st_mode & 0022, 0);
}
END_TEST

START_TEST(what_went_wrong_leaves_what_was_there)
{
    dcps_new_file made;
    temp_write(&folder, "document.json", "older", 5, false);
    ck_assert_int_eq(dcps_new_file_open(&made, path), DCPS_OK);
    ck_assert_int_eq(dcps_new_file_close(&made, false), DCPS_IO);
    ck_assert_ptr_nonnull(strstr(dcps_error_message(), path));
    ck_assert_int_ne(access(made.temporary, F_OK), 0);
    ck_assert_int_eq(dcps_new_file_open_large(&made, path), DCPS_OK);
    dcps_new_file_abandon(&made);
    ck_assert_int_ne(access(made.temporary, F_OK), 0);
    expect_content("older");
    ck_assert_uint_eq(folders_synced, 0);
}
END_TEST

/* A file larger than the limit is as good as a full disk; the stream notices only when it is flushed. */
START_TEST(a_full_disk_is_told_and_leaves_nothing)
{
    dcps_new_file made;
    char text[100];
    memset(text, 'x', sizeof(text));
    (void)signal(SIGXFSZ, SIG_IGN);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &(struct rlimit){.rlim_cur = 50, .rlim_max = RLIM_INFINITY}), 0);
    ck_assert_int_eq(dcps_new_file_open(&made, path), DCPS_OK);
    (void)fwrite(text, 1, sizeof(text), made.file);
    ck_assert_int_eq(dcps_new_file_close(&made, true), DCPS_IO);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &(struct rlimit){.rlim_cur = RLIM_INFINITY, .rlim_max = RLIM_INFINITY}),
                     0);
    ck_assert_ptr_nonnull(strstr(dcps_error_message(), "File too large"));
    ck_assert_int_ne(access(path, F_OK), 0);
    ck_assert_int_ne(access(made.temporary, F_OK), 0);
}
END_TEST

/* Nobody has a place's file written elsewhere by putting a link in its way, and a folder that is not there is named. */
START_TEST(where_nothing_can_be_made)
{
    char link[TEMP_PATH_BYTES];
    dcps_new_file made;
    (void)temp_path(&folder, "document.json.tmp", link);
    ck_assert_int_eq(symlink("/dev/null", link), 0);
    ck_assert_int_eq(dcps_new_file_open_large(&made, path), DCPS_IO);
    ck_assert_ptr_nonnull(strstr(dcps_error_message(), link));
    ck_assert_int_eq(dcps_new_file_open(&made, "/nowhere/at/all"), DCPS_IO);
    ck_assert_ptr_nonnull(strstr(dcps_error_message(), "/nowhere/at/all"));
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {file_and_name_are_forced_to_disk, large_files_leave_one_leftover_at_most,
                                  what_went_wrong_leaves_what_was_there, a_full_disk_is_told_and_leaves_nothing,
                                  where_nothing_can_be_made};
    Suite *suite = suite_create("new file");
    TCase *group = tcase_create("new file");
    tcase_add_checked_fixture(group, set_up, tear_down);
    for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
        tcase_add_test(group, tests[i]);
    }
    suite_add_tcase(suite, group);
    return check_run(suite);
}
