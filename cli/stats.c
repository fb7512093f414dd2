#include "cli/stats.h"

#include <math.h>

double dcps_stats_mean(const double *values, size_t count)
{
    double sum = 0.0;
    for (size_t i = 0; i < count; i++) {
        sum += values[i];
    }
    return count == 0 ? (double)NAN : sum / (double)count;
}

double dcps_stats_spread(const double *values, size_t count)
{
    if (count < 2) {
        return count == 0 ? (double)NAN : 0.0;
    }
    double mean = dcps_stats_mean(values, count);
    double squares = 0.0;
    for (size_t i = 0; i < count; i++) {
        squares += (values[i] - mean) * (values[i] - mean);
    }
    return sqrt(squares / (double)(count - 1));
}
