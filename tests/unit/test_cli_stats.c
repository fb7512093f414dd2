/* Mean, spread and percentiles, against values worked out by hand. */
#include <math.h>

#include "cli/stats.h"
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

START_TEST(test_histogram)
{
    /* Values 0 ×1, 2 ×4, 3 ×94, 9 ×1: the 99th of 100 is a 3. */
    uint64_t histogram[10] = {1, 0, 4, 94, 0, 0, 0, 0, 0, 1};
    dcps_staleness_summary summary;
    dcps_stats_histogram(histogram, 10, &summary);
    ck_assert_double_eq_tol(summary.mean, (8.0 + 282.0 + 9.0) / 100.0, 1e-12);
    ck_assert_uint_eq(summary.p50, 3);
    ck_assert_uint_eq(summary.p99, 3);
    ck_assert_uint_eq(summary.max, 9);
    ck_assert_uint_eq(summary.count, 100);
    histogram[9] = 2; /* now the 99th percentile of 101 needs 99.99 counts: the first 9 */
    dcps_stats_histogram(histogram, 10, &summary);
    ck_assert_uint_eq(summary.p99, 9);
}
END_TEST

START_TEST(test_percentile_edges)
{
    const uint64_t halves[] = {0, 1, 1, 0};
    ck_assert_uint_eq(dcps_stats_percentile(halves, 4, 0.0), 1);
    ck_assert_uint_eq(dcps_stats_percentile(halves, 4, 0.5), 1);
    ck_assert_uint_eq(dcps_stats_percentile(halves, 4, 0.51), 2);
    ck_assert_uint_eq(dcps_stats_percentile(halves, 4, 1.0), 2);
    const uint64_t none[] = {0, 0};
    dcps_staleness_summary summary;
    dcps_stats_histogram(none, 2, &summary);
    ck_assert(isnan(summary.mean));
    ck_assert_uint_eq(summary.p99, 0);
    ck_assert_uint_eq(summary.max, 0);
    ck_assert_uint_eq(summary.count, 0);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {test_mean_and_spread, test_histogram, test_percentile_edges};
    return CHECK_MAIN("cli stats", tests);
}
