/* The binary version of CIFAR-10: small sets of the same form, and one of the published size. */
#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "support/check_main.h"
#include "support/coded_file.h"
#include "worker/data/image_files.h"

#define RECORDS 3
#define FILE_BYTES ((size_t)RECORDS * DCPS_CIFAR_RECORD_BYTES)

static temp_folder folder;
static uint8_t bytes[FILE_BYTES + 1];
static uint8_t pixels[RECORDS * DCPS_CIFAR_IMAGE_BYTES];
static uint8_t labels[RECORDS];

static const char *const names[] = {"data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin",
                                    "data_batch_4.bin", "data_batch_5.bin", "test_batch.bin"};

static void folder_up(void)
{
    temp_folder_create(&folder);
}

static void folder_down(void)
{
    temp_folder_delete(&folder);
}

static uint8_t pixel(uint32_t file, uint32_t record, uint32_t at)
{
    return (uint8_t)(17 * file + 5 * record + at / 32);
}

static uint8_t label(uint32_t file, uint32_t record)
{
    return (uint8_t)((3 * file + record) % 10);
}

static void fill(uint32_t file)
{
    for (uint32_t r = 0; r < RECORDS; r++) {
        uint8_t *record = bytes + (size_t)r * DCPS_CIFAR_RECORD_BYTES;
        record[0] = label(file, r);
        for (uint32_t i = 0; i < DCPS_CIFAR_IMAGE_BYTES; i++) {
            record[1 + i] = pixel(file, r, i);
        }
    }
}

static void write_files(coded_form form)
{
    char path[TEMP_PATH_BYTES];
    for (uint32_t file = 0; file < 6; file++) {
        fill(file);
        coded_write(&folder, names[file], form, bytes, FILE_BYTES, path);
    }
}

static void check_set(const dcps_image_set *set, uint32_t first_file, uint32_t file_count)
{
    ck_assert_uint_eq(set->count, RECORDS * file_count);
    ck_assert_uint_eq(set->channels, 3);
    ck_assert_uint_eq(set->height, 32);
    ck_assert_uint_eq(set->width, 32);
    for (uint32_t i = 0; i < set->count; i++) {
        uint32_t file = first_file + i / RECORDS, record = i % RECORDS;
        ck_assert_uint_eq(set->labels[i], label(file, record));
        for (uint32_t at = 0; at < DCPS_CIFAR_IMAGE_BYTES; at++) {
            ck_assert_uint_eq(set->pixels[(size_t)i * DCPS_CIFAR_IMAGE_BYTES + at], pixel(file, record, at));
        }
    }
}

START_TEST(six_files_make_two_sets)
{
    dcps_image_files files = {0};
    write_files((coded_form)_i);
    ck_assert_int_eq(dcps_cifar_read(folder.path, RECORDS, &files), DCPS_OK);
    check_set(&files.train, 0, 5);
    check_set(&files.test, 5, 1);
    dcps_image_files_release(&files);
    ck_assert_ptr_null(files.train.pixels);
}
END_TEST

static void assert_file_refused(size_t count, const char *word)
{
    for (coded_form form = 0; form < CODED_FORMS; form++) {
        char path[TEMP_PATH_BYTES];
        coded_write(&folder, "data_batch_1.bin", form, bytes, count, path);
        ck_assert_int_eq(dcps_cifar_read_file(path, RECORDS, pixels, labels), DCPS_CORRUPT);
        ck_assert_ptr_nonnull(strstr(dcps_error_message(), path));
        ck_assert_msg(strstr(dcps_error_message(), word) != NULL, "no \"%s\" in: %s", word, dcps_error_message());
    }
}

START_TEST(other_lengths_are_refused)
{
    static const size_t record = DCPS_CIFAR_RECORD_BYTES;
    const size_t counts[] = {0, 1, record - 1, record, record + 1, 2 * record, FILE_BYTES - 1};
    char word[64];
    fill(0);
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        snprintf(word, sizeof(word), "expected 3 records of 3073 bytes, the file ends after %zu bytes", counts[i]);
        assert_file_refused(counts[i], word);
    }
    assert_file_refused(FILE_BYTES + 1, "goes on");
}
END_TEST

START_TEST(labels_beyond_nine_are_refused)
{
    fill(0);
    bytes[0] = 9; /* the last one */
    char path[TEMP_PATH_BYTES];
    coded_write(&folder, "data_batch_1.bin", CODED_PLAIN, bytes, FILE_BYTES, path);
    ck_assert_int_eq(dcps_cifar_read_file(path, RECORDS, pixels, labels), DCPS_OK);
    bytes[2 * DCPS_CIFAR_RECORD_BYTES] = 10;
    assert_file_refused(FILE_BYTES, "label 2: expected 0 … 9, seen 10");
    bytes[0] = 255;
    assert_file_refused(FILE_BYTES, "label 0: expected 0 … 9, seen 255");
}
END_TEST

START_TEST(each_missing_file_is_named)
{
    dcps_image_files files = {0};
    char path[TEMP_PATH_BYTES];
    write_files(CODED_GZIP);
    snprintf(path, sizeof(path), "%.200s/%s.gz", folder.path, names[_i]);
    ck_assert_int_eq(remove(path), 0);
    ck_assert_int_eq(dcps_cifar_read(folder.path, RECORDS, &files), DCPS_NOT_FOUND);
    ck_assert_ptr_nonnull(strstr(dcps_error_message(), names[_i]));
    ck_assert_ptr_nonnull(strstr(dcps_error_message(), folder.path));
    ck_assert_ptr_null(files.train.pixels);
}
END_TEST

START_TEST(a_bad_file_is_named)
{
    dcps_image_files files = {0};
    char path[TEMP_PATH_BYTES];
    write_files(CODED_PLAIN);
    coded_write(&folder, names[_i], CODED_PLAIN, bytes, FILE_BYTES - 1, path);
    ck_assert_int_eq(dcps_cifar_read(folder.path, RECORDS, &files), DCPS_CORRUPT);
    ck_assert_ptr_nonnull(strstr(dcps_error_message(), path));
    dcps_image_files_release(&files);
}
END_TEST

START_TEST(failed_allocations_are_survived)
{
    write_files(CODED_PLAIN);
    for (uint64_t n = 0;; n++) {
        dcps_image_files files = {0};
        dcps_alloc_fail_after(n);
        dcps_status status = dcps_cifar_read(folder.path, RECORDS, &files);
        dcps_alloc_fail_after(UINT64_MAX);
        dcps_image_files_release(&files);
        if (status == DCPS_OK) {
            ck_assert_uint_eq(n, 10); /* pixels and labels of two sets, six readers */
            break;
        }
        ck_assert_int_eq(status, DCPS_NO_MEMORY);
    }
}
END_TEST

/* Files of the published size are mostly holes; the last byte of each is not. */
static void write_published_size(const char *where)
{
    for (uint32_t file = 0; file < 6; file++) {
        char path[TEMP_PATH_BYTES];
        snprintf(path, sizeof(path), "%.200s/%s%s", folder.path, where, names[file]);
        int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
        ck_assert_int_ge(fd, 0);
        uint8_t last = (uint8_t)(file + 1);
        ck_assert_int_eq(pwrite(fd, &last, 1, 10000 * 3073 - 1), 1);
        close(fd);
    }
}

START_TEST(a_set_of_the_published_size_opens_in_each_place)
{
    static const char *const places[] = {"", "cifar10/", "cifar-10-batches-bin/"};
    dcps_images *images = NULL;
    if (_i > 0) {
        temp_folder_add(&folder, places[_i]);
    }
    write_published_size(places[_i]);
    ck_assert_int_eq(dcps_images_open("cifar10", folder.path, &images), DCPS_OK);
    ck_assert_uint_eq(images->classes, 10);
    ck_assert_uint_eq(images->train.count, 50000);
    ck_assert_uint_eq(images->test.count, 10000);
    for (uint32_t file = 0; file < 5; file++) {
        ck_assert_uint_eq(images->train.pixels[(file + 1) * 10000ul * 3072 - 1], file + 1);
    }
    ck_assert_uint_eq(images->test.pixels[10000ul * 3072 - 1], 6);
    dcps_images_close(&images);
    ck_assert_ptr_null(images);
}
END_TEST

START_TEST(what_is_not_the_published_set_is_refused)
{
    dcps_images *images = NULL;
    ck_assert_int_eq(dcps_images_open("cifar10", NULL, &images), DCPS_NOT_FOUND);
    ck_assert_ptr_nonnull(strstr(dcps_error_message(), "none was given"));
    ck_assert_int_eq(dcps_images_open("cifar10", folder.path, &images), DCPS_NOT_FOUND);
    char looked[2 * TEMP_PATH_BYTES];
    snprintf(looked, sizeof(looked),
             "no data_batch_1.bin[.gz|.xz] in %.200s/cifar10, %.200s/cifar-10-batches-bin or %.40s", folder.path,
             folder.path, folder.path);
    ck_assert_msg(strstr(dcps_error_message(), looked) != NULL, "%s", dcps_error_message());
    write_files(CODED_XZ);
    ck_assert_int_eq(dcps_images_open("cifar10", folder.path, &images), DCPS_CORRUPT);
    ck_assert_ptr_nonnull(strstr(dcps_error_message(), "data_batch_1.bin.xz: expected 10000 records"));
    ck_assert_ptr_null(images);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("cifar");
    TCase *tests = tcase_create("cifar");
    tcase_set_timeout(tests, 60);
    tcase_add_checked_fixture(tests, folder_up, folder_down);
    tcase_add_loop_test(tests, six_files_make_two_sets, 0, CODED_FORMS);
    tcase_add_test(tests, other_lengths_are_refused);
    tcase_add_test(tests, labels_beyond_nine_are_refused);
    tcase_add_loop_test(tests, each_missing_file_is_named, 0, 6);
    tcase_add_loop_test(tests, a_bad_file_is_named, 0, 6);
    tcase_add_test(tests, failed_allocations_are_survived);
    tcase_add_loop_test(tests, a_set_of_the_published_size_opens_in_each_place, 0, 3);
    tcase_add_test(tests, what_is_not_the_published_set_is_refused);
    suite_add_tcase(suite, tests);
    return check_run(suite);
}
