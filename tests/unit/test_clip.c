/* Gradient clipping by global norm. */
#include "tensor/clip.h"

#include <check.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "base/alloc.h"
#include "base/rng.h"
#include "support/check_main.h"

#define TOTAL 160u

static dcps_layout *layout;
static float gradient[TOTAL], before[TOTAL];

static void set_up(void)
{
    dcps_rng rng;
    dcps_rng_seed(&rng, 8);
    ck_assert_int_eq(dcps_layout_create(&layout), DCPS_OK);
    ck_assert_int_eq(dcps_layout_add(layout, "a", DCPS_INIT_ZERO, 1, (size_t[]){37}, NULL), DCPS_OK);
    ck_assert_int_eq(dcps_layout_add_average(layout, "b", DCPS_INIT_ZERO, 0.1f, 1, (size_t[]){5}, NULL), DCPS_OK);
    ck_assert_int_eq(dcps_layout_add(layout, "c", DCPS_INIT_ZERO, 2, (size_t[]){9, 10}, NULL), DCPS_OK);
    ck_assert_uint_eq(dcps_layout_total_params(layout), TOTAL);
    for (uint32_t i = 0; i < TOTAL; i++) {
        before[i] = (float)dcps_rng_normal(&rng);
    }
    memcpy(gradient, before, sizeof(gradient));
}

static void tear_down(void)
{
    dcps_layout_destroy(&layout);
}

/* 0 … 36 and 64 … 153 are trained. */
static bool is_trained(uint32_t i)
{
    return i < 37 || (i >= 64 && i < 154);
}

static double norm_of(const float *values)
{
    double sum = 0.0;
    for (uint32_t i = 0; i < TOTAL; i++) {
        sum += is_trained(i) ? pow((double)values[i], 2.0) : 0.0;
    }
    return sqrt(sum);
}

START_TEST(long_gradients_are_scaled)
{
    double norm = norm_of(before);
    ck_assert_double_eq_tol(dcps_clip_gradient(layout, 2.0, gradient), norm, 1e-12 * norm);
    ck_assert_double_eq_tol(norm_of(gradient), 2.0, 1e-6);
    for (uint32_t i = 0; i < TOTAL; i++) {
        if (is_trained(i)) {
            ck_assert_double_eq_tol((double)gradient[i], (double)before[i] * 2.0 / norm, 1e-6);
        } else {
            ck_assert(gradient[i] == before[i]);
        }
    }
}
END_TEST

START_TEST(short_gradients_are_left_alone)
{
    double norm = norm_of(before);
    ck_assert_double_gt(norm, 5.0);
    (void)dcps_clip_gradient(layout, norm * 1.001, gradient);
    ck_assert_mem_eq(gradient, before, sizeof(gradient));
}
END_TEST

START_TEST(divergence_stays_visible)
{
    const float bad[] = {INFINITY, NAN};
    gradient[70] = before[70] = bad[_i];
    ck_assert(!isfinite(dcps_clip_gradient(layout, 1.0, gradient)));
    ck_assert_mem_eq(gradient, before, sizeof(gradient));
}
END_TEST

START_TEST(averages_do_not_count)
{
    double norm = norm_of(before);
    gradient[50] = 1e30f;
    ck_assert_double_eq_tol(dcps_clip_gradient(layout, 1.0, gradient), norm, 1e-12 * norm);
    ck_assert(gradient[50] == 1e30f);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("clip");
    TCase *tests = tcase_create("clip");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, long_gradients_are_scaled);
    tcase_add_test(tests, short_gradients_are_left_alone);
    tcase_add_loop_test(tests, divergence_stays_visible, 0, 2);
    tcase_add_test(tests, averages_do_not_count);
    suite_add_tcase(suite, tests);
    return check_run(suite);
}
