/* The results of runs: collected while they happen, written as results.json and shown as a table. Single-threaded. */
#ifndef DCPS_CLI_RESULTS_H
#define DCPS_CLI_RESULTS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include <jansson.h>

#include "base/histogram.h"
#include "cli/results_details.h"
#include "dcps/status.h"
#include "worker/metrics.h"

#define DCPS_RESULT_MAX_METRICS DCPS_MAX_METRICS
#define DCPS_RESULT_NAME_BYTES 64u

/* The servers' weights at one moment, evaluated. */
typedef struct dcps_curve_point {
    double epoch;   /* samples / samples per epoch */
    double seconds; /* of training */
    double train_loss;
    uint32_t metric_count;
    dcps_metric metrics[DCPS_RESULT_MAX_METRICS];
} dcps_curve_point;

/* One run. Values that are not known are NaN. */
typedef struct dcps_result_run {
    char algorithm[DCPS_RESULT_NAME_BYTES];
    uint32_t workers;
    uint64_t seed;
    bool measured; /* the three below are known */
    uint32_t epochs;
    uint64_t updates;
    uint64_t samples;
    double seconds;
    double samples_per_second;
    double speedup;    /* over one worker */
    bool loss_known;   /* the next is, be it finite or not */
    double train_loss; /* at the end of the training; what counts where nothing was evaluated */
    dcps_summary staleness;
    bool details_known;
    dcps_result_details details;
    bool weights_final;      /* the next is known */
    uint64_t weights_digest; /* of the weights at the end of the training */
    uint32_t restarts;       /* of workers and servers */
    bool failed;
    char failure[512]; /* why */
    uint32_t point_count;
    uint32_t point_capacity;
    dcps_curve_point *points;
} dcps_result_run;

/* What a command ran. */
typedef struct dcps_results {
    char model[256];
    char dataset[DCPS_RESULT_NAME_BYTES]; /* "" while unknown */
    bool virtual_time;
    uint32_t run_count;
    uint32_t run_capacity;
    dcps_result_run *runs;
} dcps_results;

void dcps_results_fini(dcps_results *results);
/* Appends an empty run; the pointer is good until the next call. */
DCPS_MUST_CHECK dcps_status dcps_results_add(dcps_results *results, dcps_result_run **run);
DCPS_MUST_CHECK dcps_status dcps_result_add_point(dcps_result_run *run, const dcps_curve_point *point);
/* NaN where the run has no such metric. NULL run or no points: NaN. */
double dcps_result_metric(const dcps_result_run *run, const char *name);
/* Of the last point; without points that of the end of the training. */
double dcps_result_train_loss(const dcps_result_run *run);
/* Whether it was trained until its weights were no numbers any more. */
bool dcps_result_diverged(const dcps_result_run *run);
/* The metric that stands for quality in tables: "test_error" where there is one, else the first that any run has; NULL when none has any. */
const char *dcps_results_main_metric(const dcps_results *results);

/* Sets `speedup` of every run to the ratio of its samples/s to the mean of those with one worker ("sgd" ones if there are any); NaN without such a run. */
void dcps_results_fill_speedups(dcps_results *results);

/* The document of schema dcps-results/1. What is unknown or not finite is null; a run whose workers have all said goodbye has "weights_digest"; a failed run has "failure", the reason, and whatever it came to. Borrow or decref as jansson has it: the caller owns
 * one reference. NULL when out of memory. */
json_t *dcps_results_json(const dcps_results *results);
/* Writes it to `path` (by way of a temporary name). Errors: DCPS_IO with path and reason, DCPS_NO_MEMORY. */
DCPS_MUST_CHECK dcps_status dcps_results_write(const dcps_results *results, const char *path);

/* Prints one row for each algorithm and number of workers, over those of its seeds that succeeded, or over all where none did; below the table, a line for
 * each run that failed or diverged. */
DCPS_MUST_CHECK dcps_status dcps_results_print(const dcps_results *results, FILE *out);
/* Prints the workers and the shards of the latest run, where they are known. DCPS_IO, DCPS_NO_MEMORY. */
DCPS_MUST_CHECK dcps_status dcps_results_print_details(const dcps_results *results, FILE *out);

#endif
