/* One or more runs with the same options: what `dcps run` and `dcps compare` share. Single-threaded. */
#ifndef DCPS_CLI_JOB_H
#define DCPS_CLI_JOB_H

#include <limits.h>
#include <stdbool.h>

#include "cli/results/results.h"
#include "cli/run/cluster.h"
#include "cli/settings/run_spec.h"
#include "dcps/options.h"
#include "dcps/status.h"

typedef struct dcps_job {
    const dcps_options *options; /* borrowed */
    const char *out;             /* folder of the results, NULL: none wanted; borrowed */
    uint32_t most_workers;       /* of any run: every worker gets the threads that it would have in the largest */
    dcps_groups groups;          /* of slower workers */
    bool evaluate;
    bool single_run;   /* `options` has those of checkpoints and traces */
    bool show_details; /* tables of the workers and shards of the last run, beside that of the runs */
    char *command;     /* as typed */
    char program_dir[PATH_MAX];
    dcps_screen screen;
    dcps_supervisor *supervisor;
    dcps_results results;
    void (*overall)(void *context, double seconds_left, char *out, size_t capacity); /* as in dcps_cluster_config */
    void *overall_context;
} dcps_job;

/* The value of --groups, which every one of the runs must have the workers for. DCPS_INVALID. */
DCPS_MUST_CHECK dcps_status dcps_job_groups(const dcps_options *options, const dcps_run_spec *specs, size_t count,
                                            dcps_groups *groups);

/* Makes everything ready, the folder of --out too; argv is quoted for the report. */
DCPS_MUST_CHECK dcps_status dcps_job_init(dcps_job *job, const dcps_options *options, bool evaluate, bool single_run,
                                          int argc, char **argv);
void dcps_job_fini(dcps_job *job);

/* Deadlines of one run; `single_run`: `options` has those of checkpoints. */
dcps_cluster_limits dcps_job_limits(const dcps_options *options, bool single_run);

/* Runs one cluster to its end and appends its result, failed or not. Errors as of dcps_cluster_run; once there is a result, the reason is printed. */
DCPS_MUST_CHECK dcps_status dcps_job_run(dcps_job *job, const dcps_run_spec *spec, uint64_t seed, const char *title);

/* What such a run is started with, to tell it from others: of two runs with the same arguments only one is needed. The caller frees *args. Errors: DCPS_NO_MEMORY. */
DCPS_MUST_CHECK dcps_status dcps_job_arguments(const dcps_job *job, const dcps_run_spec *spec, uint64_t seed,
                                               dcps_args *args);
/* Takes the latest run away from the results, as an element of "runs": the caller owns one reference. NULL: there is none, or no memory. */
json_t *dcps_job_take_result(dcps_job *job);

/* Whether a run succeeded or came far enough to have something to show. */
bool dcps_job_has_results(const dcps_job *job);

/* Prints the table on stdout; then, where there is --out, writes results.json and report.html into it and prints their paths. */
DCPS_MUST_CHECK dcps_status dcps_job_conclude(dcps_job *job);

/* Writes a document as results.json, and report.html with `settings`, into the folder of --out, and prints their paths. NULL for either: DCPS_NO_MEMORY. */
DCPS_MUST_CHECK dcps_status dcps_job_write(const dcps_job *job, json_t *document, json_t *settings);

#endif
