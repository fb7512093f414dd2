/* Small statistics of the summary tables. Pure. */
#ifndef DCPS_CLI_STATS_H
#define DCPS_CLI_STATS_H

#include <stddef.h>
#include <stdint.h>

/* Arithmetic mean; NaN for none, and if any value is NaN. */
double dcps_stats_mean(const double *values, size_t count);
/* Sample standard deviation (divisor n − 1); 0 for one value, NaN for none. */
double dcps_stats_spread(const double *values, size_t count);

/* Of a histogram: index τ, the last entry standing for that many or more. */
typedef struct dcps_staleness_summary {
    double mean; /* NaN when nothing was counted */
    uint64_t p50;
    uint64_t p99;
    uint64_t max;
    uint64_t count;
} dcps_staleness_summary;

void dcps_stats_histogram(const uint64_t *histogram, size_t buckets, dcps_staleness_summary *summary);
/* Smallest index at which at least `share` (0 … 1) of the counts are reached; 0 for an empty histogram. */
uint64_t dcps_stats_percentile(const uint64_t *histogram, size_t buckets, double share);

#endif
