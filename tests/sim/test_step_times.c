/* Distributions of step times against their theory; shared cores against times worked out by hand; hostile texts. */
#include <check.h>
#include <math.h>
#include <string.h>

#include "sim/cores.h"
#include "sim/step_times.h"
#include "support/check_main.h"

#define DRAWS 20000u

static dcps_step_times parse(const char *text)
{
    dcps_step_times times;
    ck_assert_msg(dcps_step_times_parse("--step-time", text, &times) == DCPS_OK, "%s", dcps_error_message());
    return times;
}

/* Mean and variance of DRAWS draws, in milliseconds. */
static void moments(const char *text, double factor, double *mean, double *variance)
{
    dcps_step_times times = parse(text);
    double sum = 0.0;
    double squares = 0.0;
    for (uint64_t step = 0; step < DRAWS; step++) {
        double ms = (double)dcps_step_times_draw(&times, 7, (uint32_t)(step % 5), step, factor) / 1e6;
        sum += ms;
        squares += ms * ms;
    }
    *mean = sum / DRAWS;
    *variance = squares / DRAWS - *mean * *mean;
}

/* Six standard errors of the mean; the variance's own error is bounded by kurtosis 9 of the exponential. */
static void check_moments(const char *text, double factor, double mean, double variance)
{
    double seen_mean;
    double seen_variance;
    moments(text, factor, &seen_mean, &seen_variance);
    ck_assert_msg(fabs(seen_mean - mean) <= 6.0 * sqrt(variance / DRAWS) + 1e-5, "%s: mean %g, expected %g", text,
                  seen_mean, mean);
    ck_assert_msg(fabs(seen_variance - variance) <= 6.0 * variance * sqrt(8.0 / DRAWS) + 1e-9,
                  "%s: variance %g, expected %g", text, seen_variance, variance);
}

START_TEST(test_moments)
{
    check_moments("constant:100ms", 1.0, 100.0, 0.0);
    check_moments("constant:100ms", 4.0, 400.0, 0.0);
    check_moments("gamma:100ms", 1.0, 100.0, 100.0);
    check_moments("gamma:100ms:4", 1.0, 100.0, 2500.0);
    check_moments("gamma:0.1s:0.5", 1.0, 100.0, 20000.0);
    check_moments("gamma:100ms", 3.0, 300.0, 900.0);
    check_moments("exponential:20ms", 1.0, 20.0, 400.0);
    check_moments("uniform:10ms:40ms", 1.0, 25.0, 75.0);
}
END_TEST

/* A draw depends on seed, worker and step, on each of them, and on nothing else. */
START_TEST(test_draws_are_a_function)
{
    dcps_step_times times = parse("gamma:100ms");
    uint64_t first = dcps_step_times_draw(&times, 1, 2, 3, 1.0);
    (void)dcps_step_times_draw(&times, 9, 9, 9, 1.0);
    ck_assert_uint_eq(first, dcps_step_times_draw(&times, 1, 2, 3, 1.0));
    ck_assert_uint_ne(first, dcps_step_times_draw(&times, 2, 2, 3, 1.0));
    ck_assert_uint_ne(first, dcps_step_times_draw(&times, 1, 3, 3, 1.0));
    ck_assert_uint_ne(first, dcps_step_times_draw(&times, 1, 2, 4, 1.0));
}
END_TEST

START_TEST(test_recorded)
{
    const uint64_t first[] = {10, 20, 30};
    const uint64_t second[] = {5};
    const dcps_recorded_steps recorded[] = {{first, 3}, {second, 1}};
    dcps_step_times times = {.distribution = DCPS_STEP_RECORDED, .recorded = recorded, .recorded_count = 2};
    ck_assert_uint_eq(dcps_step_times_draw(&times, 1, 0, 1, 1.0), 20);
    ck_assert_uint_eq(dcps_step_times_draw(&times, 1, 0, 5, 1.0), 30);
    ck_assert_uint_eq(dcps_step_times_draw(&times, 1, 3, 7, 1.0), 5);
    ck_assert_uint_eq(dcps_step_times_draw(&times, 1, 2, 0, 2.5), 25);
}
END_TEST

START_TEST(test_hostile)
{
    const char *const texts[] = {
        "",
        ":",
        "gamma",
        "gamma:",
        "gamma:100",
        "gamma:100ms:",
        "gamma:100ms:0",
        "gamma:100ms:-1",
        "gamma:100ms:5:6",
        "gamma:-1ms",
        "gamma:nanms",
        "gamma:1e400s",
        "gamma:2e9s",
        "constant:1ms:2",
        "constant:ms",
        "uniform:5ms",
        "uniform:5ms:4ms",
        "poisson:1ms",
        "exponential:1 ms",
        "exponential:1msx",
        "gamma:100000000000000000000000000000000000000000000000000000000000000000000000000000ms"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        dcps_step_times times;
        ck_assert_msg(dcps_step_times_parse("--step-time", texts[i], &times) == DCPS_INVALID, "'%s' was taken",
                      texts[i]);
        ck_assert_ptr_nonnull(strstr(dcps_error_message(), "--step-time"));
    }
}
END_TEST

static uint64_t next_done(const dcps_cores *cores, uint32_t expected_place)
{
    uint32_t place = UINT32_MAX;
    uint64_t done_ns = 0;
    ck_assert(dcps_cores_next(cores, &place, &done_ns));
    ck_assert_uint_eq(place, expected_place);
    return done_ns;
}

/* One core: A needs 100, B comes at 50 and needs 30. From 50 on each has half: B is done at 110, A, which then has 20 left, at 130. */
START_TEST(test_one_core_for_two)
{
    dcps_cores *cores;
    uint32_t place;
    uint64_t done_ns;
    ck_assert_int_eq(dcps_cores_create(3, 1, &cores), DCPS_OK);
    ck_assert(!dcps_cores_next(cores, &place, &done_ns));
    dcps_cores_begin(cores, 0, 100, 0);
    ck_assert_uint_eq(next_done(cores, 0), 100);
    dcps_cores_begin(cores, 1, 30, 50);
    ck_assert_uint_eq(next_done(cores, 1), 110);
    dcps_cores_end(cores, 1, 110);
    ck_assert_uint_eq(next_done(cores, 0), 130);
    dcps_cores_end(cores, 0, 130);
    ck_assert(!dcps_cores_next(cores, &place, &done_ns));
    dcps_cores_destroy(&cores);
}
END_TEST

/* Two cores for three that need 60 each: two thirds of a core each, so all are done at 90. With two of them nobody waits. */
START_TEST(test_two_cores)
{
    dcps_cores *cores;
    ck_assert_int_eq(dcps_cores_create(3, 2, &cores), DCPS_OK);
    dcps_cores_begin(cores, 2, 60, 10);
    dcps_cores_begin(cores, 1, 60, 10);
    ck_assert_uint_eq(next_done(cores, 1), 70);
    dcps_cores_begin(cores, 0, 60, 10);
    ck_assert_uint_eq(next_done(cores, 0), 100);
    dcps_cores_end(cores, 0, 40); /* gives up */
    ck_assert_uint_eq(next_done(cores, 1), 80);
    dcps_cores_destroy(&cores);
}
END_TEST

/* Eight times the longest step is longer than a clock of 64 bits. */
START_TEST(test_core_for_ever)
{
    const uint64_t longest_ns = UINT64_C(4000000000000000000);
    dcps_cores *cores;
    ck_assert_int_eq(dcps_cores_create(8, 1, &cores), DCPS_OK);
    for (uint32_t i = 0; i < 8; i++) {
        dcps_cores_begin(cores, i, longest_ns, 0);
    }
    ck_assert_uint_gt(next_done(cores, 0), longest_ns);
    dcps_cores_destroy(&cores);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("step times");
    const TTest *const tests[] = {test_moments,      test_draws_are_a_function, test_recorded,
                                  test_hostile,      test_one_core_for_two,     test_two_cores,
                                  test_core_for_ever};
    TCase *all = tcase_create("all");
    for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
        tcase_add_test(all, tests[i]);
    }
    suite_add_tcase(suite, all);
    return check_run(suite);
}
