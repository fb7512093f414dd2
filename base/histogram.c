#include "base/histogram.h"

#include <assert.h>
#include <math.h>

#define SUB_BITS 3u /* 8 buckets to a power of two */
#define SUB_COUNT (1u << SUB_BITS)

uint32_t dcps_histogram_bucket(uint64_t value)
{
    if (value < SUB_COUNT) {
        return (uint32_t)value;
    }
    uint32_t power = 63u - (uint32_t)__builtin_clzll(value);
    uint32_t shift = power - SUB_BITS;
    uint32_t bucket = SUB_COUNT * shift + (uint32_t)(value >> shift); /* the latter is 8 … 15 */
    return bucket < DCPS_HISTOGRAM_BUCKETS ? bucket : DCPS_HISTOGRAM_BUCKETS - 1u;
}

uint64_t dcps_histogram_first(uint32_t bucket)
{
    assert(bucket < DCPS_HISTOGRAM_BUCKETS);
    if (bucket < SUB_COUNT) {
        return bucket;
    }
    uint32_t shift = bucket / SUB_COUNT - 1u;
    return (uint64_t)(bucket - SUB_COUNT * shift) << shift;
}

uint64_t dcps_histogram_last(uint32_t bucket)
{
    return bucket + 1u < DCPS_HISTOGRAM_BUCKETS ? dcps_histogram_first(bucket + 1u) - 1u : UINT64_MAX;
}

void dcps_histogram_add(dcps_histogram *histogram, uint64_t value)
{
    histogram->count++;
    histogram->sum += value;
    histogram->max = value > histogram->max ? value : histogram->max;
    histogram->buckets[dcps_histogram_bucket(value)]++;
}

void dcps_histogram_merge(dcps_histogram *into, const dcps_histogram *from)
{
    into->count += from->count;
    into->sum += from->sum;
    into->max = from->max > into->max ? from->max : into->max;
    for (uint32_t i = 0; i < DCPS_HISTOGRAM_BUCKETS; i++) {
        into->buckets[i] += from->buckets[i];
    }
}

uint64_t dcps_histogram_percentile(const dcps_histogram *histogram, double share)
{
    double wanted = share * (double)histogram->count;
    uint64_t below = 0;
    for (uint32_t i = 0; i < DCPS_HISTOGRAM_BUCKETS; i++) {
        below += histogram->buckets[i];
        if (below > 0 && (double)below >= wanted) {
            uint64_t last = dcps_histogram_last(i);
            return last < histogram->max ? last : histogram->max;
        }
    }
    return 0;
}

void dcps_histogram_summarise(const dcps_histogram *histogram, dcps_summary *summary)
{
    double count = (double)histogram->count;
    *summary = (dcps_summary){.mean = histogram->count > 0 ? (double)histogram->sum / count : (double)NAN,
                              .p50 = dcps_histogram_percentile(histogram, 0.50),
                              .p99 = dcps_histogram_percentile(histogram, 0.99),
                              .max = histogram->max,
                              .count = histogram->count};
}

void dcps_counts_add(dcps_counts *counts, uint64_t value)
{
    counts->sum += value;
    counts->max = value > counts->max ? value : counts->max;
    counts->of[value < DCPS_COUNTS_BUCKETS ? value : DCPS_COUNTS_BUCKETS - 1u]++;
}

void dcps_counts_merge(dcps_counts *into, const dcps_counts *from)
{
    into->sum += from->sum;
    into->max = from->max > into->max ? from->max : into->max;
    for (uint32_t i = 0; i < DCPS_COUNTS_BUCKETS; i++) {
        into->of[i] += from->of[i];
    }
}

uint32_t dcps_counts_used(const dcps_counts *counts)
{
    uint32_t used = DCPS_COUNTS_BUCKETS;
    while (used > 0 && counts->of[used - 1u] == 0) {
        used--;
    }
    return used;
}

void dcps_counts_histogram(const dcps_counts *counts, dcps_histogram *histogram)
{
    *histogram = (dcps_histogram){.count = 0};
    for (uint32_t i = 0; i < DCPS_COUNTS_BUCKETS; i++) {
        histogram->count += counts->of[i];
        histogram->sum += counts->of[i] * i;
        histogram->max = counts->of[i] > 0 ? i : histogram->max;
        histogram->buckets[dcps_histogram_bucket(i)] += counts->of[i];
    }
}

/* Smallest value at which at least `share` of `total` counts are reached. */
static uint64_t counts_percentile(const dcps_counts *counts, uint64_t total, double share)
{
    uint64_t below = 0;
    for (uint32_t i = 0; i < DCPS_COUNTS_BUCKETS; i++) {
        below += counts->of[i];
        if (below > 0 && (double)below >= share * (double)total) {
            return i;
        }
    }
    return 0;
}

void dcps_counts_summarise(const dcps_counts *counts, dcps_summary *summary)
{
    uint64_t total = 0;
    for (uint32_t i = 0; i < DCPS_COUNTS_BUCKETS; i++) {
        total += counts->of[i];
    }
    *summary = (dcps_summary){.mean = total > 0 ? (double)counts->sum / (double)total : (double)NAN,
                              .p50 = counts_percentile(counts, total, 0.50),
                              .p99 = counts_percentile(counts, total, 0.99),
                              .max = counts->max,
                              .count = total};
}
