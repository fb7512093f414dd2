/* Small statistics of the summary tables. Pure. */
#ifndef DCPS_CLI_STATS_H
#define DCPS_CLI_STATS_H

#include <stdbool.h>
#include <stddef.h>

/* Arithmetic mean; NaN for none, and if any value is NaN. */
double dcps_stats_mean(const double *values, size_t count);
/* Sample standard deviation (divisor n − 1); 0 for one value, NaN for none. */
double dcps_stats_spread(const double *values, size_t count);

/* The mean of independent repeats and how well it is known. */
typedef struct dcps_estimate {
    double mean;           /* NaN for none, and if any value is NaN */
    double standard_error; /* standard deviation / sqrt(count); NaN below two */
    double median;         /* NaN where the mean is, as are the next */
    double least;
    double most;
    size_t count;
} dcps_estimate;

/* Sorts the values. */
dcps_estimate dcps_stats_estimate(double *values, size_t count);

/* Whether the repeats ended so far apart that their mean and its error say little, as where one of them has collapsed: the largest is more than twice the smallest of them. */
bool dcps_stats_far_apart(const dcps_estimate *estimate);

/* The t of Student's distribution, `freedom` ≥ 1, that is exceeded in either direction with probability 5 %. */
double dcps_stats_student_95(size_t freedom);

typedef enum dcps_ratio_kind {
    DCPS_RATIO_NONE = 1, /* no pair, or a value that is not finite */
    DCPS_RATIO_NO_BASE,  /* the mean of the denominators is not positive */
    DCPS_RATIO_UNCLEAR,  /* a denominator of zero is within its own 95 % interval: any ratio may be true */
    DCPS_RATIO_POINT,    /* one pair: a value without an interval */
    DCPS_RATIO_KNOWN
} dcps_ratio_kind;

typedef struct dcps_ratio {
    dcps_ratio_kind kind;
    double value; /* of the means; NaN for NONE and NO_BASE */
    double low;   /* of the 95 % interval; NaN unless KNOWN */
    double high;
    size_t count;
} dcps_ratio;

/* Ratio of the means of paired values, numerators over denominators. The interval holds every r for which a paired t test at 5 % keeps "numerator − r · denominator has mean 0":
 * Fieller (1954), Some problems in interval estimation, J. R. Statist. Soc. B 16, 175–185. Exact for pairs from a normal distribution, however few. */
dcps_ratio dcps_stats_ratio(const double *numerators, const double *denominators, size_t count);

#endif
