#include "cli/bench/bench_stats.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

static int compare(const void *left, const void *right)
{
    const double a = *(const double *)left;
    const double b = *(const double *)right;
    return (a > b) - (a < b);
}

void dcps_samples_sort(double *values, size_t count)
{
    qsort(values, count, sizeof(*values), compare);
}

double dcps_samples_percentile(const double *sorted, size_t count, double share)
{
    assert(count > 0);
    const double rank = ceil(share * (double)count);
    if (rank < 1.0) {
        return sorted[0];
    }
    return rank >= (double)count ? sorted[count - 1] : sorted[(size_t)rank - 1];
}

double dcps_samples_median(const double *sorted, size_t count)
{
    assert(count > 0);
    return count % 2 == 1 ? sorted[count / 2] : 0.5 * (sorted[count / 2 - 1] + sorted[count / 2]);
}
