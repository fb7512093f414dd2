/* idx files, whole and damaged, and the image sets made of them. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "dcps/data.h"
#include "support/check_main.h"
#include "support/coded_file.h"
#include "worker/data/idx.h"

static temp_folder folder;

static void folder_up(void)
{
    temp_folder_create(&folder);
}

static void folder_down(void)
{
    temp_folder_delete(&folder);
}

/* Two images of 2 × 3. */
static const uint8_t whole[] = {0, 0, 8,  3,  0,  0,  0,  2,  0,  0,  0,  2,  0,  0,
                                0, 3, 10, 11, 12, 13, 14, 15, 20, 21, 22, 23, 24, 255};

static dcps_status read_bytes(const uint8_t *bytes, size_t count, coded_form form, dcps_idx *idx)
{
    char path[TEMP_PATH_BYTES];
    coded_write(&folder, "file", form, bytes, count, path);
    return dcps_idx_read(path, 3, idx);
}

static void assert_refused(const uint8_t *bytes, size_t count, dcps_status status, const char *word)
{
    for (coded_form form = 0; form < CODED_FORMS; form++) {
        dcps_idx idx = {0};
        ck_assert_int_eq(read_bytes(bytes, count, form, &idx), status);
        ck_assert_ptr_null(idx.values);
        ck_assert_ptr_nonnull(strstr(dcps_error_message(), folder.path));
        ck_assert_msg(strstr(dcps_error_message(), word) != NULL, "no \"%s\" in: %s", word, dcps_error_message());
    }
}

START_TEST(reads_every_form)
{
    dcps_idx idx = {0};
    ck_assert_int_eq(read_bytes(whole, sizeof(whole), (coded_form)_i, &idx), DCPS_OK);
    ck_assert_uint_eq(idx.dim_count, 3);
    ck_assert_uint_eq(idx.dims[0], 2);
    ck_assert_uint_eq(idx.dims[1], 2);
    ck_assert_uint_eq(idx.dims[2], 3);
    ck_assert_uint_eq(idx.value_bytes, 12);
    ck_assert_mem_eq(idx.values, whole + 16, 12);
    dcps_idx_release(&idx);
    ck_assert_ptr_null(idx.values);
}
END_TEST

START_TEST(every_truncation_is_refused)
{
    for (size_t count = 0; count < sizeof(whole); count++) {
        assert_refused(whole, count, DCPS_CORRUPT, count < 16 ? "head" : "claims");
    }
}
END_TEST

START_TEST(bytes_beyond_the_end_are_refused)
{
    uint8_t longer[sizeof(whole) + 1] = {0};
    memcpy(longer, whole, sizeof(whole));
    assert_refused(longer, sizeof(longer), DCPS_CORRUPT, "goes on");
}
END_TEST

START_TEST(other_heads_are_refused)
{
    static const struct {
        size_t at;
        uint8_t byte;
        dcps_status status;
        const char *word;
    } changes[] = {{0, 1, DCPS_CORRUPT, "magic 01000803"}, {1, 1, DCPS_CORRUPT, "magic"},
                   {2, 9, DCPS_CORRUPT, "magic 00000903"}, {3, 1, DCPS_CORRUPT, "magic"},
                   {3, 4, DCPS_CORRUPT, "3 dims"},         {7, 0, DCPS_CORRUPT, "dim 0 is 0"},
                   {7, 3, DCPS_CORRUPT, "claims 18"},      {7, 1, DCPS_CORRUPT, "goes on"},
                   {5, 16, DCPS_CORRUPT, "claims 6291468"}};
    for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
        uint8_t changed[sizeof(whole)];
        memcpy(changed, whole, sizeof(whole));
        changed[changes[i].at] = changes[i].byte;
        assert_refused(changed, sizeof(changed), changes[i].status, changes[i].word);
    }
}
END_TEST

START_TEST(huge_claims_take_no_memory)
{
    uint8_t changed[sizeof(whole)];
    memcpy(changed, whole, sizeof(whole));
    memset(changed + 4, 0xff, 12); /* overflows 64 bits */
    assert_refused(changed, sizeof(changed), DCPS_LIMIT, "limit");
    memset(changed + 12, 0, 4); /* 2^32 − 1 squared fits */
    changed[15] = 1;
    assert_refused(changed, sizeof(changed), DCPS_LIMIT, "limit");
    /* Just below the limit of 4 GiB: taken at its word, it would not get so much. */
    static const uint8_t most[] = {0, 0, 0xff, 0xff, 0, 0, 0xff, 0xff, 0, 0, 0, 1};
    memcpy(changed + 4, most, sizeof(most));
    limit_memory((size_t)512 << 20);
    assert_refused(changed, sizeof(changed), DCPS_CORRUPT, "claims 4294836225 values, the file ends after 12");
}
END_TEST

START_TEST(missing_files_and_folders_are_named)
{
    char path[TEMP_PATH_BYTES];
    dcps_idx idx = {0};
    ck_assert_int_eq(dcps_idx_read(temp_path(&folder, "absent", path), 3, &idx), DCPS_NOT_FOUND);
    ck_assert_ptr_nonnull(strstr(dcps_error_message(), path));
    ck_assert_int_eq(dcps_idx_read(folder.path, 3, &idx), DCPS_CORRUPT);
}
END_TEST

/* count images of 1 × 2 and their labels: image i has pixels 10i, 255 and label i % 10. */
static void write_set(const char *where, const char *prefix, uint8_t count, uint8_t label_count, coded_form form)
{
    uint8_t images[16 + 512] = {0, 0, 8, 3, 0, 0, 0, count, 0, 0, 0, 1, 0, 0, 0, 2},
                        labels[8 + 256] = {0, 0, 8, 1, 0, 0, 0, label_count};
    char name[TEMP_PATH_BYTES], path[TEMP_PATH_BYTES];
    for (int i = 0; i < count; i++) {
        images[16 + 2 * i] = (uint8_t)(10 * i);
        images[17 + 2 * i] = 255;
    }
    for (int i = 0; i < label_count; i++) {
        labels[8 + i] = (uint8_t)(i % 10);
    }
    snprintf(name, sizeof(name), "%s%s-images-idx3-ubyte", where, prefix);
    coded_write(&folder, name, form, images, 16 + 2 * (size_t)count, path);
    snprintf(name, sizeof(name), "%s%s-labels-idx1-ubyte", where, prefix);
    coded_write(&folder, name, form, labels, 8 + (size_t)label_count, path);
}

START_TEST(images_open_in_folder_or_subfolder)
{
    dcps_images *images = NULL;
    const char *where = _i % 2 == 0 ? "" : "mnist/";
    if (_i % 2 == 1) {
        temp_folder_add(&folder, "mnist");
    }
    write_set(where, "train", 12, 12, (coded_form)(_i / 2));
    write_set(where, "t10k", 3, 3, (coded_form)(_i / 2));
    ck_assert_int_eq(dcps_images_open("mnist", folder.path, &images), DCPS_OK);
    ck_assert_uint_eq(images->train.count, 12);
    ck_assert_uint_eq(images->test.count, 3);
    ck_assert_uint_eq(images->classes, 10);
    ck_assert_uint_eq(images->train.height, 1);
    ck_assert_uint_eq(images->train.width, 2);
    ck_assert_uint_eq(images->train.channels, 1);
    ck_assert_uint_eq(images->train.labels[11], 1);
    dcps_images_close(&images);
    ck_assert_ptr_null(images);
}
END_TEST

START_TEST(batches_are_gathered_and_scaled)
{
    dcps_images *images = NULL;
    dcps_image_batch batch = {0};
    write_set("", "train", 12, 12, CODED_PLAIN);
    write_set("", "t10k", 3, 3, CODED_PLAIN);
    ck_assert_int_eq(dcps_images_open("mnist", folder.path, &images), DCPS_OK);
    ck_assert_int_eq(dcps_image_batch_load(&batch, &images->train, (uint32_t[]){11, 5, 5}, 3), DCPS_OK);
    ck_assert_uint_eq(batch.count, 3);
    ck_assert_uint_eq(batch.features, 2);
    ck_assert_double_eq_tol((double)batch.x[0], 110.0 / 255.0, 1e-7);
    ck_assert_double_eq_tol((double)batch.x[1], 1.0, 1e-7);
    ck_assert_double_eq_tol((double)batch.x[4], 50.0 / 255.0, 1e-7);
    ck_assert_mem_eq(batch.y, ((int32_t[]){1, 5, 5}), 3 * sizeof(int32_t));
    /* A smaller batch reuses the memory. */
    uint64_t before = dcps_alloc_count();
    ck_assert_int_eq(dcps_image_batch_load(&batch, &images->train, (uint32_t[]){2}, 1), DCPS_OK);
    ck_assert_uint_eq(dcps_alloc_count(), before);
    ck_assert_uint_eq(batch.count, 1);
    /* Refusals leave it as it was. */
    ck_assert_int_eq(dcps_image_batch_load(&batch, &images->train, (uint32_t[]){3, 12}, 2), DCPS_INVALID);
    ck_assert_ptr_nonnull(strstr(dcps_error_message(), "12"));
    ck_assert_int_eq(dcps_image_batch_load(&batch, &images->train, NULL, 0), DCPS_INVALID);
    for (uint64_t n = 0; n < 2; n++) {
        dcps_alloc_fail_after(n);
        ck_assert_int_eq(dcps_image_batch_load(&batch, &images->train, (uint32_t[]){1, 2, 3, 4}, 4), DCPS_NO_MEMORY);
    }
    ck_assert_uint_eq(batch.count, 1);
    ck_assert_int_eq(batch.y[0], 2);
    dcps_image_batch_release(&batch);
    dcps_images_close(&images);
}
END_TEST

static void assert_set_refused(const char *name, dcps_status status, const char *word)
{
    dcps_images *images = NULL;
    ck_assert_int_eq(dcps_images_open(name, folder.path, &images), status);
    ck_assert_ptr_null(images);
    ck_assert_msg(strstr(dcps_error_message(), word) != NULL, "no \"%s\" in: %s", word, dcps_error_message());
}

START_TEST(unusable_sets_are_refused)
{
    assert_set_refused("cats", DCPS_INVALID, "cats");
    assert_set_refused("mnist", DCPS_NOT_FOUND, folder.path);
    write_set("", "train", 4, 4, CODED_PLAIN);
    assert_set_refused("mnist", DCPS_NOT_FOUND, "t10k-images-idx3-ubyte");
    write_set("", "t10k", 4, 3, CODED_PLAIN);
    assert_set_refused("mnist", DCPS_CORRUPT, "4 images, seen 3");
    uint8_t labels[] = {0, 0, 8, 1, 0, 0, 0, 4, 0, 9, 10, 1};
    temp_write(&folder, "t10k-labels-idx1-ubyte", labels, sizeof(labels), false);
    assert_set_refused("mnist", DCPS_CORRUPT, "label 2: expected 0 … 9, seen 10");
    labels[10] = 3;
    uint8_t taller[] = {0, 0, 8, 3, 0, 0, 0, 4, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0};
    temp_write(&folder, "t10k-labels-idx1-ubyte", labels, sizeof(labels), false);
    temp_write(&folder, "t10k-images-idx3-ubyte", taller, sizeof(taller), false);
    assert_set_refused("mnist", DCPS_CORRUPT, "test images 2 × 1");
}
END_TEST

/* A set that the system has is no excuse for a folder that is none. */
START_TEST(a_folder_that_is_named_must_be_one)
{
    char path[TEMP_PATH_BYTES];
    dcps_images *images = NULL;
    temp_path(&folder, "absent", path);
    ck_assert_int_eq(dcps_images_open("fashion-mnist", path, &images), DCPS_NOT_FOUND);
    ck_assert_ptr_nonnull(strstr(dcps_error_message(), path));
    temp_write(&folder, "file", "x", 1, false);
    temp_path(&folder, "file", path);
    ck_assert_int_eq(dcps_images_open("fashion-mnist", path, &images), DCPS_INVALID);
    ck_assert_ptr_nonnull(strstr(dcps_error_message(), "expected a folder"));
    ck_assert_ptr_null(images);
}
END_TEST

/* Nor for a folder of this very set that is not whole. */
START_TEST(a_folder_of_the_set_must_be_whole)
{
    char path[TEMP_PATH_BYTES];
    dcps_images *images = NULL;
    temp_folder_add(&folder, "fashion-mnist");
    temp_path(&folder, "fashion-mnist/train-images-idx3-ubyte", path);
    ck_assert_int_eq(dcps_images_open("fashion-mnist", folder.path, &images), DCPS_NOT_FOUND);
    ck_assert_ptr_nonnull(strstr(dcps_error_message(), path));
    ck_assert_ptr_nonnull(strstr(dcps_error_message(), "is missing"));
    ck_assert_ptr_null(images);
}
END_TEST

START_TEST(failed_allocations_are_survived)
{
    write_set("", "train", 4, 4, CODED_GZIP);
    write_set("", "t10k", 4, 4, CODED_GZIP);
    dcps_images *images = NULL;
    uint64_t n = 0;
    for (;; n++) {
        dcps_alloc_fail_after(n);
        dcps_status status = dcps_images_open("mnist", folder.path, &images);
        dcps_alloc_fail_after(UINT64_MAX);
        if (status == DCPS_OK) {
            break;
        }
        ck_assert_int_eq(status, DCPS_NO_MEMORY);
        ck_assert_ptr_null(images);
    }
    ck_assert_uint_gt(n, 8); /* four readers and what they read, the set itself */
    dcps_images_close(&images);
}
END_TEST

/* The real thing, where it is installed. */
START_TEST(fashion_mnist_is_found_without_a_folder)
{
    if (access("/usr/share/datasets/fashion-mnist", F_OK) != 0) {
        fputs("skipped: the Debian package dataset-fashion-mnist is not installed\n", stderr);
        return;
    }
    dcps_images *images = NULL;
    ck_assert_int_eq(dcps_images_open("fashion-mnist", NULL, &images), DCPS_OK);
    ck_assert_uint_eq(images->train.count, 60000);
    ck_assert_uint_eq(images->test.count, 10000);
    ck_assert_uint_eq(images->train.height * images->train.width, 784);
    uint32_t seen[10] = {0};
    for (uint32_t i = 0; i < images->train.count; i++) {
        seen[images->train.labels[i]]++;
    }
    for (int c = 0; c < 10; c++) {
        ck_assert_uint_eq(seen[c], 6000); /* as published */
    }
    dcps_images_close(&images);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("idx");
    TCase *tests = tcase_create("idx");
    tcase_set_timeout(tests, 60);
    tcase_add_checked_fixture(tests, folder_up, folder_down);
    tcase_add_loop_test(tests, reads_every_form, 0, CODED_FORMS);
    tcase_add_test(tests, every_truncation_is_refused);
    tcase_add_test(tests, bytes_beyond_the_end_are_refused);
    tcase_add_test(tests, other_heads_are_refused);
    tcase_add_test(tests, huge_claims_take_no_memory);
    tcase_add_test(tests, missing_files_and_folders_are_named);
    tcase_add_test(tests, a_folder_that_is_named_must_be_one);
    tcase_add_test(tests, a_folder_of_the_set_must_be_whole);
    tcase_add_loop_test(tests, images_open_in_folder_or_subfolder, 0, 2 * CODED_FORMS);
    tcase_add_test(tests, batches_are_gathered_and_scaled);
    tcase_add_test(tests, unusable_sets_are_refused);
    tcase_add_test(tests, failed_allocations_are_survived);
    tcase_add_test(tests, fashion_mnist_is_found_without_a_folder);
    suite_add_tcase(suite, tests);
    return check_run(suite);
}
