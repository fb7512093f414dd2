/* Counts of values in a fixed number of buckets, and what is read from them. Pure; a zeroed histogram is an empty one.
 *
 * Values below 16 have a bucket each. Above, each power of two is cut into 8 equal buckets, so that a bucket is at most an eighth as wide as its values are
 * large: bucket 8(k − 2) + j holds [(8 + j)·2^(k−3), (9 + j)·2^(k−3)) for k ≥ 3, j = 0 … 7. The last one holds everything from 15·2^37 on: as nanoseconds, 34 minutes. */
#ifndef DCPS_BASE_HISTOGRAM_H
#define DCPS_BASE_HISTOGRAM_H

#include <stdint.h>

#define DCPS_HISTOGRAM_BUCKETS 312u

typedef struct dcps_histogram {
    uint64_t count;
    uint64_t sum; /* of the values; wraps around, for nanoseconds after five centuries */
    uint64_t max;
    uint64_t buckets[DCPS_HISTOGRAM_BUCKETS];
} dcps_histogram;

/* What a table shows of it. */
typedef struct dcps_summary {
    double mean; /* exact; NaN when nothing was counted */
    uint64_t p50;
    uint64_t p99;
    uint64_t max; /* exact */
    uint64_t count;
} dcps_summary;

/* The bucket of a value, and its first and last value. */
uint32_t dcps_histogram_bucket(uint64_t value);
uint64_t dcps_histogram_first(uint32_t bucket);
uint64_t dcps_histogram_last(uint32_t bucket);

void dcps_histogram_add(dcps_histogram *histogram, uint64_t value);
void dcps_histogram_merge(dcps_histogram *into, const dcps_histogram *from);

/* The last value of the bucket in which at least `share` (0 … 1) of the counts are reached, and never more than the maximum: too large by an eighth at most. 0 for none. */
uint64_t dcps_histogram_percentile(const dcps_histogram *histogram, double share);
void dcps_histogram_summarise(const dcps_histogram *histogram, dcps_summary *summary);

/* Counts of small whole numbers, each with a bucket of its own; a zeroed one is empty. */
#define DCPS_COUNTS_BUCKETS 1025u /* 0, 1, …, 1023, and 1024 or more */

typedef struct dcps_counts {
    uint64_t sum; /* of the values */
    uint64_t max;
    uint64_t of[DCPS_COUNTS_BUCKETS];
} dcps_counts;

void dcps_counts_add(dcps_counts *counts, uint64_t value);
void dcps_counts_merge(dcps_counts *into, const dcps_counts *from);
/* Up to the last that is not empty. */
uint32_t dcps_counts_used(const dcps_counts *counts);
/* The same as a histogram, in which 1024 stands for more, too. */
void dcps_counts_histogram(const dcps_counts *counts, dcps_histogram *histogram);
/* Exact, but percentiles of 1024 may be more. */
void dcps_counts_summarise(const dcps_counts *counts, dcps_summary *summary);

#endif
