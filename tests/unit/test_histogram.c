#include "base/histogram.h"

#include <math.h>
#include <string.h>

#include "support/check_main.h"

START_TEST(buckets_follow_each_other_without_a_gap)
{
    ck_assert_uint_eq(dcps_histogram_first(0), 0);
    for (uint32_t i = 0; i < DCPS_HISTOGRAM_BUCKETS; i++) {
        uint64_t first = dcps_histogram_first(i);
        uint64_t last = dcps_histogram_last(i);
        ck_assert_uint_le(first, last);
        ck_assert_uint_eq(dcps_histogram_bucket(first), i);
        ck_assert_uint_eq(dcps_histogram_bucket(last), i);
        if (i + 1u < DCPS_HISTOGRAM_BUCKETS) {
            ck_assert_uint_eq(last + 1u, dcps_histogram_first(i + 1u));
            ck_assert_uint_le(last - first, first / 8u);
        }
    }
    ck_assert_uint_eq(dcps_histogram_last(DCPS_HISTOGRAM_BUCKETS - 1u), UINT64_MAX);
}
END_TEST

/* As the header words it. */
START_TEST(edges_are_those_of_the_formula)
{
    for (uint64_t value = 0; value < 16; value++) {
        ck_assert_uint_eq(dcps_histogram_bucket(value), value);
    }
    ck_assert_uint_eq(dcps_histogram_bucket(16), 16);
    ck_assert_uint_eq(dcps_histogram_bucket(17), 16);
    ck_assert_uint_eq(dcps_histogram_bucket(18), 17);
    ck_assert_uint_eq(dcps_histogram_bucket(1u << 20), 8 * 18);
    ck_assert_uint_eq(dcps_histogram_first(8 * 18 + 5), 13u << 17);
    ck_assert_uint_eq(dcps_histogram_first(DCPS_HISTOGRAM_BUCKETS - 1u), UINT64_C(15) << 37);
}
END_TEST

START_TEST(small_values_are_exact)
{
    static dcps_histogram histogram;
    dcps_summary summary;
    for (uint64_t i = 0; i < 100; i++) {
        dcps_histogram_add(&histogram, i < 90 ? 3 : 12);
    }
    dcps_histogram_summarise(&histogram, &summary);
    ck_assert_uint_eq(summary.count, 100);
    ck_assert_double_eq_tol(summary.mean, 3.9, 1e-12);
    ck_assert_uint_eq(summary.p50, 3);
    ck_assert_uint_eq(summary.p99, 12);
    ck_assert_uint_eq(summary.max, 12);
    ck_assert_uint_eq(dcps_histogram_percentile(&histogram, 0.90), 3);
    ck_assert_uint_eq(dcps_histogram_percentile(&histogram, 0.91), 12);
}
END_TEST

/* 1 … 100,000: percentiles are known, and may be an eighth too large. */
START_TEST(large_values_are_an_eighth_too_large_at_most)
{
    static dcps_histogram histogram;
    dcps_summary summary;
    for (uint64_t i = 1; i <= 100000; i++) {
        dcps_histogram_add(&histogram, i * 1000);
    }
    dcps_histogram_summarise(&histogram, &summary);
    ck_assert_double_eq_tol(summary.mean, 50000500.0, 1e-3);
    ck_assert_uint_ge(summary.p50, 50000000);
    ck_assert_uint_le(summary.p50, 50000000 / 8 * 9);
    ck_assert_uint_ge(summary.p99, 99000000);
    ck_assert_uint_le(summary.p99, 100000000); /* never beyond the maximum */
    ck_assert_uint_eq(summary.max, 100000000);
}
END_TEST

START_TEST(merging_is_counting_together)
{
    static dcps_histogram one;
    static dcps_histogram other;
    static dcps_histogram both;
    for (uint64_t i = 0; i < 1000; i++) {
        dcps_histogram_add(i % 3 == 0 ? &one : &other, i * i * i);
        dcps_histogram_add(&both, i * i * i);
    }
    dcps_histogram_merge(&one, &other);
    ck_assert_mem_eq(&one, &both, sizeof(one));
}
END_TEST

START_TEST(nothing_counted_has_no_mean)
{
    static const dcps_histogram empty;
    static const dcps_counts zeros;
    dcps_summary summary;
    dcps_histogram_summarise(&empty, &summary);
    ck_assert(isnan(summary.mean));
    ck_assert_uint_eq(summary.count + summary.p50 + summary.p99 + summary.max, 0);
    dcps_counts_summarise(&zeros, &summary);
    ck_assert(isnan(summary.mean));
    ck_assert_uint_eq(summary.count + summary.p50 + summary.p99 + summary.max, 0);
}
END_TEST

START_TEST(the_largest_value_has_a_place)
{
    static dcps_histogram histogram;
    dcps_histogram_add(&histogram, UINT64_MAX);
    ck_assert_uint_eq(histogram.buckets[DCPS_HISTOGRAM_BUCKETS - 1u], 1);
    ck_assert_uint_eq(dcps_histogram_percentile(&histogram, 0.5), UINT64_MAX);
}
END_TEST

static void add_many(dcps_counts *counts, uint64_t value, uint32_t times)
{
    for (uint32_t i = 0; i < times; i++) {
        dcps_counts_add(counts, value);
    }
}

START_TEST(counts_are_exact)
{
    static dcps_counts counts;
    dcps_summary summary;
    add_many(&counts, 0, 50);
    add_many(&counts, 1, 45);
    add_many(&counts, 2, 4);
    add_many(&counts, 7, 1);
    dcps_counts_summarise(&counts, &summary);
    ck_assert_double_eq_tol(summary.mean, 0.6, 1e-15);
    ck_assert_uint_eq(summary.count, 100);
    ck_assert_uint_eq(summary.p50, 0);
    ck_assert_uint_eq(summary.p99, 2);
    ck_assert_uint_eq(summary.max, 7);
    ck_assert_uint_eq(dcps_counts_used(&counts), 8);
}
END_TEST

/* 15 and below in buckets of their own, 1024 for all above it. */
START_TEST(counts_become_a_histogram)
{
    static dcps_counts counts;
    static dcps_histogram histogram = {.count = 99, .buckets = {[3] = 99}};
    static dcps_histogram expected;
    const uint64_t values[] = {0, 0, 1, 15, 16, 17, 1023, 1024, 1151, 1152, 5000};
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        dcps_counts_add(&counts, values[i]);
        dcps_histogram_add(&expected, values[i] > 1024 ? 1024 : values[i]);
    }
    dcps_counts_histogram(&counts, &histogram);
    ck_assert_mem_eq(&histogram, &expected, sizeof(expected));
    counts = (dcps_counts){.sum = 0};
    expected = (dcps_histogram){.count = 0};
    dcps_counts_histogram(&counts, &histogram);
    ck_assert_mem_eq(&histogram, &expected, sizeof(expected));
}
END_TEST

/* Values 0 ×1, 2 ×4, 3 ×94, 9 ×1: the 99th of 100 is a 3; of 101 with another 9 the first 9. */
START_TEST(percentiles_of_counts_at_their_edges)
{
    static dcps_counts counts;
    dcps_summary summary;
    add_many(&counts, 0, 1);
    add_many(&counts, 2, 4);
    add_many(&counts, 3, 94);
    add_many(&counts, 9, 1);
    dcps_counts_summarise(&counts, &summary);
    ck_assert_double_eq_tol(summary.mean, (8.0 + 282.0 + 9.0) / 100.0, 1e-12);
    ck_assert_uint_eq(summary.p50, 3);
    ck_assert_uint_eq(summary.p99, 3);
    ck_assert_uint_eq(summary.max, 9);
    dcps_counts_add(&counts, 9);
    dcps_counts_summarise(&counts, &summary);
    ck_assert_uint_eq(summary.p99, 9);
}
END_TEST

/* Beyond the buckets, mean and maximum stay exact, also of counts that were put together. */
START_TEST(counts_of_large_values)
{
    static dcps_counts counts, others;
    dcps_summary summary;
    add_many(&counts, 1023, 2);
    dcps_counts_add(&counts, 1024);
    add_many(&others, 9000, 5);
    dcps_counts_merge(&counts, &others);
    dcps_counts_summarise(&counts, &summary);
    ck_assert_double_eq_tol(summary.mean, (2 * 1023.0 + 1024.0 + 5 * 9000.0) / 8.0, 1e-9);
    ck_assert_uint_eq(summary.count, 8);
    ck_assert_uint_eq(summary.p50, 1024); /* or more */
    ck_assert_uint_eq(summary.max, 9000);
    ck_assert_uint_eq(counts.of[1023], 2);
    ck_assert_uint_eq(counts.of[DCPS_COUNTS_BUCKETS - 1], 6);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {buckets_follow_each_other_without_a_gap,
                                  edges_are_those_of_the_formula,
                                  small_values_are_exact,
                                  large_values_are_an_eighth_too_large_at_most,
                                  merging_is_counting_together,
                                  nothing_counted_has_no_mean,
                                  the_largest_value_has_a_place,
                                  counts_are_exact,
                                  counts_become_a_histogram,
                                  percentiles_of_counts_at_their_edges,
                                  counts_of_large_values};
    return CHECK_MAIN("histogram", tests);
}
