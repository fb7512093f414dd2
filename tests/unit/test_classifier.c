/* Metrics, and the evaluation that image classifiers share. */
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/check_main.h"
#include "support/metric_found.h"
#include "support/tape_fixture.h"
#include "tensor/ref/ref.h"

#define COUNT 1203 /* two full batches and a part of one */
#define WRONG_EVERY 3

static uint8_t pixels[COUNT * 4];
static uint8_t labels[COUNT];

/* Pixels are one-hot of the label, but one sample in three has another label's. */
static dcps_images make_images(void)
{
    for (uint32_t i = 0; i < COUNT; i++) {
        labels[i] = (uint8_t)(i % 4);
        uint32_t lit = i % WRONG_EVERY == 0 ? (i + 1) % 4 : i % 4;
        pixels[4 * i + lit] = 255;
    }
    dcps_image_set set = {.count = COUNT, .height = 2, .width = 2, .channels = 1, .pixels = pixels, .labels = labels};
    dcps_images images = {.train = set, .test = set, .classes = 4};
    images.train.count = 4;
    return images;
}

/* Parameter 0 is [4, 4]; with 5 on its diagonal the logits are 5 · one-hot. */
static dcps_tensor *logits(void *state, dcps_tape *tape, dcps_tensor *x)
{
    (void)state;
    return dcps_tape_matmul(tape, x, dcps_tape_parameter(tape, 0));
}

static dcps_tensor *too_few_rows(void *state, dcps_tape *tape, dcps_tensor *x)
{
    (void)state, (void)x;
    return dcps_tape_parameter(tape, 0);
}

static void setup(tape_fixture *fixture, float diagonal)
{
    tape_fixture_init(fixture, "4,4", dcps_ref_backend());
    for (int i = 0; i < 16; i++) {
        fixture->weights[i] = i % 5 == 0 ? diagonal : 0.0f;
    }
}

static double metric(const dcps_metrics *metrics, const char *name)
{
    const double *value = metric_found(metrics, name);
    ck_assert_msg(value != NULL, "no metric %s", name);
    return *value;
}

START_TEST(error_and_loss_cover_the_whole_split)
{
    tape_fixture fixture;
    setup(&fixture, 5.0f);
    dcps_images images = make_images();
    dcps_metrics metrics = {0};
    ck_assert_int_eq(dcps_evaluate_classifier(fixture.evaluation, &images, DCPS_SPLIT_TEST, logits, NULL, &metrics),
                     DCPS_OK);
    double wrong = 401.0, all = 1203.0, log_sum = log(exp(5.0) + 3.0);
    ck_assert_double_eq_tol(metric(&metrics, "test_error"), wrong / all, 1e-12);
    ck_assert_double_eq_tol(metric(&metrics, "test_loss"), log_sum - 5.0 * (all - wrong) / all, 1e-5);
    ck_assert_int_eq(dcps_evaluate_classifier(fixture.evaluation, &images, DCPS_SPLIT_TRAIN, logits, NULL, &metrics),
                     DCPS_OK);
    ck_assert_double_eq_tol(metric(&metrics, "train_error"), 0.5, 1e-12); /* samples 0 and 3 */
    ck_assert_uint_eq(metrics.count, 4);
    tape_fixture_fini(&fixture);
}
END_TEST

START_TEST(what_was_held_out_is_evaluated)
{
    tape_fixture fixture;
    setup(&fixture, 5.0f);
    dcps_images images = make_images();
    dcps_metrics metrics = {0};
    images.train.count = 11;
    ck_assert_int_eq(dcps_images_hold_out(&images, 5), DCPS_OK); /* samples 6 to 10: 6 and 9 are wrong */
    ck_assert_int_eq(
        dcps_evaluate_classifier(fixture.evaluation, &images, DCPS_SPLIT_VALIDATION, logits, NULL, &metrics), DCPS_OK);
    ck_assert_double_eq_tol(metric(&metrics, "validation_error"), 0.4, 1e-12);
    ck_assert_double_eq_tol(metric(&metrics, "validation_loss"), log(exp(5.0) + 3.0) - 3.0, 1e-5);
    ck_assert_uint_eq(metrics.count, 2);
    tape_fixture_fini(&fixture);
}
END_TEST

typedef struct shape_seen {
    size_t rows;
    size_t calls;
    double sum;
    double squares;
} shape_seen;

/* Notes what it is shown; its logits are a constant row for each image. */
static dcps_tensor *logits_of_images(void *state, dcps_tape *tape, dcps_tensor *x)
{
    static const float zeros[4 * 100];
    shape_seen *seen = state;
    ck_assert_uint_eq(dcps_tensor_dim_count(x), 4);
    ck_assert_uint_eq(dcps_tensor_dim(x, 1), 1);
    ck_assert_uint_eq(dcps_tensor_dim(x, 2), 2);
    ck_assert_uint_eq(dcps_tensor_dim(x, 3), 2);
    size_t rows = dcps_tensor_dim(x, 0);
    ck_assert_uint_le(rows, 100);
    const float *values = dcps_tensor_values(tape, x);
    for (size_t i = 0; i < 4 * rows; i++) {
        seen->sum += (double)values[i];
        seen->squares += (double)values[i] * (double)values[i];
    }
    seen->rows += rows;
    seen->calls++;
    return dcps_tape_input(tape, zeros, 2, (size_t[]){rows, 4});
}

START_TEST(nets_see_normalised_images)
{
    tape_fixture fixture;
    setup(&fixture, 5.0f);
    dcps_images images = make_images();
    dcps_metrics metrics = {0};
    dcps_image_norm norm;
    shape_seen seen = {0};
    ck_assert_int_eq(dcps_image_norm_measure(&images.test, &norm), DCPS_OK);
    ck_assert_int_eq(dcps_evaluate_image_classifier(fixture.evaluation, &images, DCPS_SPLIT_TEST, &norm,
                                                    logits_of_images, &seen, &metrics),
                     DCPS_OK);
    ck_assert_uint_eq(seen.rows, COUNT);
    ck_assert_uint_eq(seen.calls, 13);
    ck_assert_double_eq_tol(seen.sum / (4.0 * COUNT), 0.0, 1e-6);
    ck_assert_double_eq_tol(seen.squares / (4.0 * COUNT), 1.0, 1e-6);
    ck_assert_double_eq_tol(metric(&metrics, "test_error"), 1.0, 1e-12); /* ties */
    ck_assert_double_eq_tol(metric(&metrics, "test_loss"), log(4.0), 1e-6);
    tape_fixture_fini(&fixture);
}
END_TEST

START_TEST(ties_and_nan_are_wrong)
{
    tape_fixture fixture;
    dcps_images images = make_images();
    const float diagonals[] = {0.0f, NAN};
    for (int i = 0; i < 2; i++) {
        dcps_metrics metrics = {0};
        setup(&fixture, diagonals[i]);
        ck_assert_int_eq(dcps_evaluate_classifier(fixture.evaluation, &images, DCPS_SPLIT_TEST, logits, NULL, &metrics),
                         DCPS_OK);
        ck_assert_double_eq(metric(&metrics, "test_error"), 1.0);
        tape_fixture_fini(&fixture);
    }
}
END_TEST

START_TEST(failures_are_passed_on)
{
    tape_fixture fixture;
    setup(&fixture, 5.0f);
    dcps_images images = make_images();
    dcps_metrics metrics = {0};
    ck_assert_int_eq(
        dcps_evaluate_classifier(fixture.evaluation, &images, DCPS_SPLIT_VALIDATION, logits, NULL, &metrics),
        DCPS_UNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(dcps_error_message(), "held out"));
    ck_assert_int_eq(dcps_evaluate_classifier(fixture.evaluation, &images, (dcps_split)9, logits, NULL, &metrics),
                     DCPS_UNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(dcps_error_message(), "9"));
    ck_assert_int_eq(
        dcps_evaluate_classifier(fixture.evaluation, &images, DCPS_SPLIT_TEST, too_few_rows, NULL, &metrics),
        DCPS_INVALID);
    ck_assert_ptr_nonnull(strstr(dcps_error_message(), "[500, classes]"));
    images.test.width = 3; /* 6 features */
    ck_assert_int_eq(dcps_evaluate_classifier(fixture.evaluation, &images, DCPS_SPLIT_TEST, logits, NULL, &metrics),
                     DCPS_INVALID);
    ck_assert_ptr_nonnull(strstr(dcps_error_message(), "matmul"));
    ck_assert_uint_eq(metrics.count, 0);
    tape_fixture_fini(&fixture);
}
END_TEST

START_TEST(metrics_keep_sixteen_names)
{
    dcps_metrics metrics = {0};
    char name[80];
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 20; i++) {
            snprintf(name, sizeof(name), "metric_%d", i);
            dcps_metrics_set(&metrics, name, i + 100.0 * round);
        }
    }
    ck_assert_uint_eq(metrics.count, 16);
    ck_assert_double_eq(metric(&metrics, "metric_15"), 115.0);
    ck_assert_ptr_null(metric_found(&metrics, "metric_16"));
    ck_assert_ptr_null(metric_found(&metrics, "metric"));
    dcps_metrics longest = {0};
    memset(name, 'n', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    dcps_metrics_set(&longest, name, 1.0);
    dcps_metrics_set(&longest, name, 2.0);
    ck_assert_uint_eq(longest.count, 1);
    name[DCPS_MAX_METRIC_NAME_BYTES - 1] = '\0';
    ck_assert_double_eq(metric(&longest, name), 2.0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("classifier");
    TCase *tests = tcase_create("classifier");
    tcase_add_test(tests, error_and_loss_cover_the_whole_split);
    tcase_add_test(tests, what_was_held_out_is_evaluated);
    tcase_add_test(tests, nets_see_normalised_images);
    tcase_add_test(tests, ties_and_nan_are_wrong);
    tcase_add_test(tests, failures_are_passed_on);
    tcase_add_test(tests, metrics_keep_sixteen_names);
    suite_add_tcase(suite, tests);
    return check_run(suite);
}
