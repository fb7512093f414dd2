/* The results of runs: collected while they happen, written as results.json and shown as a table. Single-threaded. */
#ifndef DCPS_CLI_RESULTS_H
#define DCPS_CLI_RESULTS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include <jansson.h>

#include "base/histogram.h"
#include "cli/results/results_details.h"
#include "cli/settings/run_spec.h"
#include "dcps/status.h"
#include "worker/metrics.h"

#define DCPS_RESULT_MAX_METRICS DCPS_MAX_METRICS
#define DCPS_RESULT_NAME_BYTES 64u
#define DCPS_RESULT_FAILURE_BYTES 512u

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
    char name[DCPS_RUN_LABEL_BYTES]; /* as --runs has it; "" where that is the algorithm's */
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
    uint32_t workers_lost;   /* died too often, so that it went on without them or failed */
    bool failed;
    char failure[DCPS_RESULT_FAILURE_BYTES]; /* why */
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
/* Whether it was trained until its weights were no numbers any more: what it came to last, loss or metric, is not finite. */
bool dcps_result_diverged(const dcps_result_run *run);
/* Of the last point. NaN where the run has no such metric, and where it diverged: weights that are no numbers may still have an error, that of guessing. */
double dcps_result_metric(const dcps_result_run *run, const char *name);
/* Of the last point; without points that of the end of the training. NaN where the run diverged. */
double dcps_result_train_loss(const dcps_result_run *run);
/* Seconds until a metric was first at `target` or below, linear between evaluations; those of the first evaluation if it was so then. NaN: never, or no such metric. */
double dcps_result_seconds_to(const dcps_result_run *run, const char *metric, double target);
/* The name under which it appears. */
const char *dcps_result_name(const dcps_result_run *run);

/* The metric that stands for quality in tables, smaller being better: "test_error" where there is one, else an error, else the first that any run has; NULL when none has any. */
const char *dcps_results_main_metric(const dcps_results *results);

/* Sets `speedup` of every run to the ratio of its samples/s to the mean of those with one worker ("sgd" ones if there are any); NaN without such a run. */
void dcps_results_fill_speedups(dcps_results *results);

/* One run, as an element of "runs" of dcps-results/1. What is unknown or not finite is null; "restarts" are of processes that died, "workers_lost" those that it went on without; "metrics" are those of the last point, whether it "diverged" or not; a run whose workers have all said goodbye has "weights_digest"; a failed run has "failure", the reason, and whatever it came to. The caller owns one reference; NULL when out of memory. */
json_t *dcps_result_json(const dcps_result_run *run);
/* Reads such an element, from wherever it came, into *run, whose points the caller frees with dcps_result_fini. DCPS_CORRUPT names what is wrong, DCPS_NO_MEMORY; nothing is kept then. */
DCPS_MUST_CHECK dcps_status dcps_result_parse(json_t *object, dcps_result_run *run);
void dcps_result_fini(dcps_result_run *run);

/* The document of schema dcps-results/1. Borrow or decref as jansson has it: the caller owns one reference. NULL when out of memory. */
json_t *dcps_results_json(const dcps_results *results);

/* Prints the workers and the shards of the latest run, where they are known. DCPS_IO, DCPS_NO_MEMORY. */
DCPS_MUST_CHECK dcps_status dcps_results_print_details(const dcps_results *results, FILE *out);

#endif
