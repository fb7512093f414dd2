/* Small statistics of the summary tables. Pure. */
#ifndef DCPS_CLI_STATS_H
#define DCPS_CLI_STATS_H

#include <stddef.h>

/* Arithmetic mean; NaN for none, and if any value is NaN. */
double dcps_stats_mean(const double *values, size_t count);
/* Sample standard deviation (divisor n − 1); 0 for one value, NaN for none. */
double dcps_stats_spread(const double *values, size_t count);

#endif
