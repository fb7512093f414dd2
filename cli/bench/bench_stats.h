/* Medians and percentiles of measured durations. Pure. */
#ifndef DCPS_CLI_BENCH_STATS_H
#define DCPS_CLI_BENCH_STATS_H

#include <stddef.h>

/* Sorts `values` [count] ascending. None may be NaN. */
void dcps_samples_sort(double *values, size_t count);

/* The value that a share (0 … 1) of all `sorted` values do not exceed, by the nearest rank; the median of an even number of values is the mean of
 * the middle two. count > 0 (asserted). */
double dcps_samples_percentile(const double *sorted, size_t count, double share);
double dcps_samples_median(const double *sorted, size_t count);

#endif
