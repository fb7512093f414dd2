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

static uint64_t histogram_total(const uint64_t *histogram, size_t buckets)
{
    uint64_t total = 0;
    for (size_t i = 0; i < buckets; i++) {
        total += histogram[i];
    }
    return total;
}

uint64_t dcps_stats_percentile(const uint64_t *histogram, size_t buckets, double share)
{
    double wanted = share * (double)histogram_total(histogram, buckets);
    uint64_t below = 0;
    for (size_t i = 0; i < buckets; i++) {
        below += histogram[i];
        if (below > 0 && (double)below >= wanted) {
            return i;
        }
    }
    return 0;
}

void dcps_stats_histogram(const uint64_t *histogram, size_t buckets, dcps_staleness_summary *summary)
{
    *summary = (dcps_staleness_summary){.mean = (double)NAN, .count = histogram_total(histogram, buckets)};
    if (summary->count == 0) {
        return;
    }
    double sum = 0.0;
    for (size_t i = 0; i < buckets; i++) {
        sum += (double)i * (double)histogram[i];
        if (histogram[i] > 0) {
            summary->max = i;
        }
    }
    summary->mean = sum / (double)summary->count;
    summary->p50 = dcps_stats_percentile(histogram, buckets, 0.50);
    summary->p99 = dcps_stats_percentile(histogram, buckets, 0.99);
}
