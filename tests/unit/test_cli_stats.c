/* Mean, spread and percentiles, against values worked out by hand. */
#include <math.h>
#include <string.h>

#include "cli/results/stats.h"
#include "support/check_main.h"

START_TEST(test_mean_and_spread)
{
    const double values[] = {2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0};
    ck_assert_double_eq_tol(dcps_stats_mean(values, 8), 5.0, 1e-12);
    /* Sum of squares 32, divided by 7. */
    ck_assert_double_eq_tol(dcps_stats_spread(values, 8), 2.138089935299395, 1e-12);
    ck_assert_double_eq_tol(dcps_stats_spread(values, 2), sqrt(2.0), 1e-12);
    ck_assert_double_eq(dcps_stats_spread(values, 1), 0.0);
    ck_assert(isnan(dcps_stats_mean(values, 0)));
    ck_assert(isnan(dcps_stats_spread(values, 0)));
    const double with_nan[] = {1.0, (double)NAN};
    ck_assert(isnan(dcps_stats_mean(with_nan, 2)));
}
END_TEST

START_TEST(test_estimate)
{
    double values[] = {4.0, 2.0, 5.0, 4.0, 9.0, 5.0, 4.0, 7.0};
    dcps_estimate estimate = dcps_stats_estimate(values, 8);
    ck_assert_double_eq_tol(estimate.mean, 5.0, 1e-12);
    ck_assert_double_eq_tol(estimate.standard_error, 0.7559289460184544, 1e-12); /* sqrt(32 / 7 / 8) */
    ck_assert_uint_eq(estimate.count, 8);
    ck_assert(isnan(dcps_stats_estimate(values, 1).standard_error));
    ck_assert(isnan(dcps_stats_estimate(values, 0).mean) && isnan(dcps_stats_estimate(values, 0).median));
    ck_assert_double_eq_tol(estimate.median, 4.5, 1e-12);
    ck_assert_double_eq(estimate.least, 2.0);
    ck_assert_double_eq(estimate.most, 9.0);
    ck_assert_double_eq(dcps_stats_estimate(values, 7).median, 4.0); /* now in order: 2 4 4 4 5 5 7 */
    double with_nan[] = {1.0, (double)NAN, 3.0};
    ck_assert(isnan(dcps_stats_estimate(with_nan, 3).median) && isnan(dcps_stats_estimate(with_nan, 3).most));
}
END_TEST

/* One seed on ten classes that is no better than chance stands out among good ones, and so do good ones among such; seeds as they usually are do not. */
START_TEST(test_far_apart)
{
    static const struct {
        double values[3];
        size_t count;
        bool apart;
    } cases[] = {{{0.10, 0.90, 0.11}, 3, true}, {{0.90, 0.10, 0.90}, 3, true}, {{0.10, 0.13, 0.19}, 3, false},
                 {{0.10, 0.90, 0.0}, 1, false}, {{0.0, 0.0, 0.0}, 3, false},   {{0.10, (double)NAN, 0.90}, 3, false}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        double values[3];
        memcpy(values, cases[i].values, sizeof(values));
        dcps_estimate estimate = dcps_stats_estimate(values, cases[i].count);
        ck_assert_msg(dcps_stats_far_apart(&estimate) == cases[i].apart, "case %zu", i);
    }
}
END_TEST

/* As in printed tables of the t distribution, two-sided 5 %. */
START_TEST(test_student)
{
    const struct {
        size_t freedom;
        double t;
    } known[] = {{1, 12.706}, {2, 4.303},  {3, 3.182},  {4, 2.776},   {5, 2.571},      {6, 2.447},
                 {7, 2.365},  {8, 2.306},  {9, 2.262},  {10, 2.228},  {11, 2.201},     {12, 2.179},
                 {20, 2.086}, {30, 2.042}, {60, 2.000}, {120, 1.980}, {1000000, 1.960}};
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        ck_assert_double_eq_tol(dcps_stats_student_95(known[i].freedom), known[i].t, 5e-4);
    }
}
END_TEST

static void check_ratio(const double *numerators, const double *denominators, size_t count, double value, double low,
                        double high)
{
    dcps_ratio ratio = dcps_stats_ratio(numerators, denominators, count);
    ck_assert_int_eq(ratio.kind, DCPS_RATIO_KNOWN);
    ck_assert_uint_eq(ratio.count, count);
    ck_assert_double_eq_tol(ratio.value, value, 1e-10);
    ck_assert_double_eq_tol(ratio.low, low, 1e-8);
    ck_assert_double_eq_tol(ratio.high, high, 1e-8);
}

/* The bounds were found by bisection for the r at which a paired t test of n − r d against 0 has p = 0.05, p by the continued fraction of the incomplete beta function. */
START_TEST(test_ratio)
{
    const double three[2][3] = {{1.2, 0.8, 1.1}, {2.9, 2.5, 3.1}};
    const double five[2][5] = {{0.9, 1.6, 0.4, 1.3, 1.1}, {2.1, 2.8, 1.7, 2.2, 3.0}};
    const double two[2][2] = {{1.0, 1.1}, {2.0, 2.1}};
    const double over[2][3] = {{3.1, 3.4, 2.7}, {2.0, 2.2, 1.9}};
    check_ratio(three[0], three[1], 3, 0.3647058823529412, 0.22954186885874991, 0.46791453677057276);
    check_ratio(five[0], five[1], 5, 0.4491525423728814, 0.25861410528092926, 0.6106242326562281);
    check_ratio(two[0], two[1], 2, 0.5121951219512195, 0.2931312390752058, 0.6276035497528154);
    check_ratio(over[0], over[1], 3, 1.5081967213114753, 1.3025904046822565, 1.6628470707755667);
    /* The same everywhere: known exactly. */
    const double same[2][3] = {{0.5, 0.5, 0.5}, {2.0, 2.0, 2.0}};
    check_ratio(same[0], same[1], 3, 0.25, 0.25, 0.25);
}
END_TEST

START_TEST(test_ratio_without_interval)
{
    const double numerators[] = {0.2, -0.3, 0.5};
    const double denominators[] = {0.4, -0.5, 0.6};
    dcps_ratio ratio = dcps_stats_ratio(numerators, denominators, 3); /* the same search finds no bound */
    ck_assert_int_eq(ratio.kind, DCPS_RATIO_UNCLEAR);
    ck_assert_double_eq_tol(ratio.value, 0.8, 1e-12);
    ck_assert(isnan(ratio.low) && isnan(ratio.high));
    ck_assert_int_eq(dcps_stats_ratio(numerators, denominators, 1).kind, DCPS_RATIO_POINT);
    ck_assert_int_eq(dcps_stats_ratio(numerators + 1, denominators + 1, 1).kind, DCPS_RATIO_NO_BASE);
    ck_assert_int_eq(dcps_stats_ratio(numerators, denominators, 0).kind, DCPS_RATIO_NONE);
    const double broken[] = {(double)NAN, 1.0, 1.0};
    ck_assert_int_eq(dcps_stats_ratio(broken, denominators, 3).kind, DCPS_RATIO_NONE);
    const double zero[] = {0.0, 0.0};
    ck_assert_int_eq(dcps_stats_ratio(numerators, zero, 2).kind, DCPS_RATIO_NO_BASE);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {test_mean_and_spread, test_estimate, test_far_apart,
                                  test_student,         test_ratio,    test_ratio_without_interval};
    return CHECK_MAIN("cli stats", tests);
}
