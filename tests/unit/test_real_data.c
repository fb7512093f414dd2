/* A published data set itself, named on the command line, where there is a folder with it: DCPS_TEST_DATA or DCPS_DATA. Counts are those that their authors and users publish. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dcps/corpus.h"
#include "dcps/data.h"
#include "support/check_main.h"

enum { SKIPPED = 77 };

static const char *data;
static bool absent;

/* False, and said, when the set is not there; any other failure fails the test. */
static bool is_there(dcps_status status)
{
    if (status == DCPS_NOT_FOUND) {
        printf("skipped: %s\n", dcps_error_message());
        absent = true;
        return false;
    }
    ck_assert_msg(status == DCPS_OK, "%s", dcps_error_message());
    return true;
}

static void check_labels(const dcps_image_set *set, const uint32_t *expected)
{
    uint32_t seen[10] = {0};
    for (uint32_t i = 0; i < set->count; i++) {
        seen[set->labels[i]]++;
    }
    for (int c = 0; c < 10; c++) {
        ck_assert_uint_eq(seen[c], expected[c]);
    }
}

START_TEST(cifar10_is_as_published)
{
    static const uint32_t train[] = {5000, 5000, 5000, 5000, 5000, 5000, 5000, 5000, 5000, 5000},
                          test[] = {1000, 1000, 1000, 1000, 1000, 1000, 1000, 1000, 1000, 1000};
    static const uint8_t first_train[] = {6, 9, 9, 4, 1, 1, 2, 7, 8, 3}, first_test[] = {3, 8, 8, 0, 6, 6, 1, 6, 3, 1};
    static const double means[] = {0.4914, 0.4822, 0.4465}, deviations[] = {0.2470, 0.2435, 0.2616};
    dcps_images *images = NULL;
    dcps_image_norm norm;
    if (!is_there(dcps_images_open("cifar10", data, &images))) {
        return;
    }
    ck_assert_uint_eq(images->train.count, 50000);
    ck_assert_uint_eq(images->test.count, 10000);
    check_labels(&images->train, train);
    check_labels(&images->test, test);
    ck_assert_mem_eq(images->train.labels, first_train, 10);
    ck_assert_mem_eq(images->test.labels, first_test, 10);
    ck_assert_int_eq(dcps_image_norm_measure(&images->train, &norm), DCPS_OK);
    for (int c = 0; c < 3; c++) {
        ck_assert_double_eq_tol((double)norm.mean[c], means[c], 5.1e-5);
        ck_assert_double_eq_tol((double)norm.deviation[c], deviations[c], 5.1e-5);
    }
    ck_assert_int_eq(dcps_images_hold_out(images, DCPS_HOLD_OUT_SAMPLES), DCPS_OK);
    ck_assert_uint_eq(images->train.count, 45000);
    dcps_images_close(&images);
}
END_TEST

START_TEST(mnist_is_as_published)
{
    static const uint32_t train[] = {5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949},
                          test[] = {980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009};
    dcps_images *images = NULL;
    if (!is_there(dcps_images_open("mnist", data, &images))) {
        return;
    }
    ck_assert_uint_eq(images->train.count, 60000);
    ck_assert_uint_eq(images->test.count, 10000);
    check_labels(&images->train, train);
    check_labels(&images->test, test);
    dcps_images_close(&images);
}
END_TEST

START_TEST(ptb_is_as_published)
{
    static const char *const first[] = {"the", "<unk>", "<eos>", "N"};
    static const uint32_t occurrences[] = {50770, 45020, 42068, 32481};
    dcps_corpus *corpus = NULL;
    if (!is_there(dcps_corpus_open("ptb", data, &corpus))) {
        return;
    }
    ck_assert_uint_eq(corpus->train.count, 929589);
    ck_assert_uint_eq(corpus->validation.count, 73760);
    ck_assert_uint_eq(corpus->test.count, 82430);
    ck_assert_uint_eq(corpus->vocabulary_count, 10000);
    for (int w = 0; w < 4; w++) {
        uint32_t seen = 0;
        for (size_t i = 0; i < corpus->train.count; i++) {
            seen += corpus->train.words[i] == w;
        }
        ck_assert_str_eq(corpus->vocabulary[w], first[w]);
        ck_assert_uint_eq(seen, occurrences[w]);
    }
    ck_assert_str_eq(corpus->vocabulary[corpus->train.words[0]], "aer");
    ck_assert_uint_eq(dcps_token_batch_count(&corpus->train, 20, 35), 1328); /* 46,479 words in each stream */
    dcps_corpus_close(&corpus);
}
END_TEST

int main(int argc, char **argv)
{
    const struct {
        const char *name;
        const TTest *test;
    } sets[] = {{"cifar10", cifar10_is_as_published}, {"mnist", mnist_is_as_published}, {"ptb", ptb_is_as_published}};
    data = getenv("DCPS_TEST_DATA");
    if (data == NULL) {
        data = getenv("DCPS_DATA");
    }
    if (data == NULL) {
        puts("skipped: neither DCPS_TEST_DATA nor DCPS_DATA names a folder with data sets");
        return SKIPPED;
    }
    setenv("CK_FORK", "no", 1); /* so that `absent` is seen here */
    for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]); i++) {
        if (argc == 2 && strcmp(argv[1], sets[i].name) == 0) {
            int code = check_main("real_data", &sets[i].test, 1, 60);
            return code == EXIT_SUCCESS && absent ? SKIPPED : code;
        }
    }
    fputs("usage: test_real_data cifar10|mnist|ptb\n", stderr);
    return EXIT_FAILURE;
}
