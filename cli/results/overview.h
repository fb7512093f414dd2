/* What several runs say together: means over the seeds of each name and number of workers, differences paired by seed, and how they are shown. Single-threaded. */
#ifndef DCPS_CLI_OVERVIEW_H
#define DCPS_CLI_OVERVIEW_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include <jansson.h>

#include "cli/results/results.h"
#include "cli/results/stats.h"
#include "dcps/status.h"

/* A value of a metric to be reached, smaller being better. */
typedef struct dcps_target {
    char metric[DCPS_RESULT_NAME_BYTES]; /* "": the main one */
    double value;
} dcps_target;

/* Parses "0.12" or "test_error=0.12". DCPS_INVALID. */
DCPS_MUST_CHECK dcps_status dcps_target_parse(const char *text, dcps_target *target);

/* Figures every run has. */
typedef enum dcps_figure {
    DCPS_FIGURE_TRAIN_LOSS,
    DCPS_FIGURE_SECONDS,
    DCPS_FIGURE_SAMPLES_PER_SECOND,
    DCPS_FIGURE_SPEEDUP,
    DCPS_FIGURE_STALENESS,
    DCPS_FIGURE_STALENESS_P99,
    DCPS_FIGURE_COUNT
} dcps_figure;

/* "samples_per_second": the name in files. */
const char *dcps_figure_name(dcps_figure figure);

/* The runs of one name and number of workers: those that succeeded, or all where none did. */
typedef struct dcps_overview_row {
    const dcps_result_run **runs; /* [run_count] */
    uint32_t run_count;
    uint32_t all; /* that there are */
    uint32_t failed;
    uint32_t diverged;
    dcps_estimate figures[DCPS_FIGURE_COUNT];
    uint32_t metric_count;
    const char *metric_names[DCPS_RESULT_MAX_METRICS];
    dcps_estimate metrics[DCPS_RESULT_MAX_METRICS];
    /* Of the main metric, paired by seed: this minus asgd with as many workers, minus sgd@1; count 0: there is none. */
    dcps_estimate over_asgd;
    dcps_estimate over_sgd;
    dcps_ratio gap;                  /* (asgd − this) / (asgd − sgd@1); NONE for those two themselves */
    uint32_t reached;                /* runs that reached the target */
    dcps_estimate seconds_to_target; /* where all did: a mean over some would make a rule that fails look quick */
    double seconds_short_of_target;  /* training time of the longest run that did not; NaN where all did */
} dcps_overview_row;

typedef struct dcps_overview {
    const dcps_results *results; /* borrowed */
    const char *metric;          /* the main one; NULL: nothing was evaluated */
    bool has_target;
    dcps_target target;
    uint32_t row_count;
    dcps_overview_row *rows; /* in the order in which their names first appear */
} dcps_overview;

/* `results` must outlive the overview; target NULL: none. A rule is held against asgd and sgd with the same settings of their own (dcps_run_base_name), where there are such runs, else against the plain ones. DCPS_NO_MEMORY. */
DCPS_MUST_CHECK dcps_status dcps_overview_create(const dcps_results *results, const dcps_target *target,
                                                 dcps_overview **overview);
void dcps_overview_destroy(dcps_overview **overview);

/* The row of a run as named; NULL: there is none. */
const dcps_overview_row *dcps_overview_find(const dcps_overview *overview, const char *name, uint32_t workers);

/* Of a row, the main metric; NULL: it was not measured. */
const dcps_estimate *dcps_overview_main(const dcps_overview *overview, const dcps_overview_row *row);

/* Prints one row for each name and number of workers; below it what the table cannot say. Errors: DCPS_IO, DCPS_NO_MEMORY. */
DCPS_MUST_CHECK dcps_status dcps_overview_print(const dcps_overview *overview, FILE *out);

/* The member "summary" of results.json: an array. The caller owns one reference. NULL when out of memory. */
json_t *dcps_overview_json(const dcps_overview *overview);

#endif
