#include "cli/results/stats.h"

#include <math.h>
#include <stdlib.h>

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

static int compare_reals(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

dcps_estimate dcps_stats_estimate(double *values, size_t count)
{
    double mean = dcps_stats_mean(values, count);
    double spread = dcps_stats_spread(values, count);
    dcps_estimate estimate = {.mean = mean,
                              .standard_error = count > 1 ? spread / sqrt((double)count) : (double)NAN,
                              .median = (double)NAN,
                              .least = (double)NAN,
                              .most = (double)NAN,
                              .count = count};
    if (!isnan(mean)) {
        qsort(values, count, sizeof(*values), compare_reals);
        estimate.median = (values[(count - 1) / 2] + values[count / 2]) / 2.0;
        estimate.least = values[0];
        estimate.most = values[count - 1];
    }
    return estimate;
}

bool dcps_stats_far_apart(const dcps_estimate *estimate)
{
    return estimate->count > 1 && estimate->least >= 0.0 && estimate->most > 2.0 * estimate->least;
}

double dcps_stats_student_95(size_t freedom)
{
    static const double few[] = {12.7062047362, 4.30265272975, 3.18244630528, 2.7764451052,  2.57058183564,
                                 2.44691185114, 2.36462425159, 2.30600413520, 2.26215716280, 2.22813885198};
    if (freedom >= 1 && freedom <= sizeof(few) / sizeof(few[0])) {
        return few[freedom - 1];
    }
    /* The expansion about the normal quantile, Abramowitz and Stegun (1964) 26.7.5. */
    const double z = 1.95996398454;
    double z2 = z * z;
    double n = (double)freedom;
    double g1 = (z2 + 1.0) * z / 4.0;
    double g2 = ((5.0 * z2 + 16.0) * z2 + 3.0) * z / 96.0;
    double g3 = (((3.0 * z2 + 19.0) * z2 + 17.0) * z2 - 15.0) * z / 384.0;
    double g4 = ((((79.0 * z2 + 776.0) * z2 + 1482.0) * z2 - 1920.0) * z2 - 945.0) * z / 92160.0;
    return freedom == 0 ? (double)INFINITY : z + (g1 + (g2 + (g3 + g4 / n) / n) / n) / n;
}

/* Estimated (co)variance of the means of paired values. */
static double mean_covariance(const double *a, const double *b, size_t count)
{
    double mean_a = dcps_stats_mean(a, count);
    double mean_b = dcps_stats_mean(b, count);
    double sum = 0.0;
    for (size_t i = 0; i < count; i++) {
        sum += (a[i] - mean_a) * (b[i] - mean_b);
    }
    return sum / (double)(count - 1) / (double)count;
}

/* The r between which (mean n − r mean d)² ≤ t² var(mean n − r mean d): between the roots of a r² − 2 b r + c. */
static void bound_ratio(const double *numerators, const double *denominators, size_t count, dcps_ratio *ratio)
{
    double t = dcps_stats_student_95(count - 1);
    double n = dcps_stats_mean(numerators, count);
    double d = dcps_stats_mean(denominators, count);
    double a = d * d - t * t * mean_covariance(denominators, denominators, count);
    double b = n * d - t * t * mean_covariance(numerators, denominators, count);
    double c = n * n - t * t * mean_covariance(numerators, numerators, count);
    if (!(a > 0.0)) {
        ratio->kind = DCPS_RATIO_UNCLEAR;
        return;
    }
    /* The ratio itself is always within, so that only rounding makes this negative. */
    double root = sqrt(fmax(b * b - a * c, 0.0));
    ratio->kind = DCPS_RATIO_KNOWN;
    ratio->low = (b - root) / a;
    ratio->high = (b + root) / a;
}

dcps_ratio dcps_stats_ratio(const double *numerators, const double *denominators, size_t count)
{
    dcps_ratio ratio = {
        .kind = DCPS_RATIO_NONE, .value = (double)NAN, .low = (double)NAN, .high = (double)NAN, .count = count};
    double numerator = dcps_stats_mean(numerators, count);
    double denominator = dcps_stats_mean(denominators, count);
    if (!isfinite(numerator) || !isfinite(denominator)) {
        return ratio;
    }
    if (!(denominator > 0.0)) {
        ratio.kind = DCPS_RATIO_NO_BASE;
        return ratio;
    }
    ratio.value = numerator / denominator;
    ratio.kind = DCPS_RATIO_POINT;
    if (count > 1) {
        bound_ratio(numerators, denominators, count, &ratio);
    }
    return ratio;
}
