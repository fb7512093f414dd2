/* A comparison while it is made: the plan, what is kept of it, and who executes it. Single-threaded. */
#ifndef DCPS_CLI_COMPARISON_H
#define DCPS_CLI_COMPARISON_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "cli/compare/plan.h"
#include "cli/compare/plan_clock.h"
#include "cli/compare/run_store.h"
#include "cli/results/overview.h"
#include "cli/run/job.h"
#include "dcps/status.h"

#define DCPS_TITLE_BYTES 512u

typedef struct dcps_comparison {
    dcps_job job;
    dcps_groups groups; /* of slower workers, in runs with more than one */
    dcps_plan *plan;
    char version[64]; /* of the programs that make results */
    dcps_args inputs; /* what all runs read, beside their arguments */
    dcps_run_store store;
    dcps_plan_clock clock;
    uint32_t jobs; /* runs at the same time */
    bool virtual_time;
    bool has_target;
    dcps_target target;
    uint32_t recalled; /* runs that were there already */
    uint32_t failed;   /* in this call */
} dcps_comparison;

/* Executes all that is left of the plan, real processes one run after another. A run that fails does not stop the others. Errors: DCPS_CANCELLED (a person asked to stop; what is finished is
 * kept), DCPS_INVALID (a program refused its flags), or why the first run came to nothing: what it lacked, the others lack, too. */
DCPS_MUST_CHECK dcps_status dcps_comparison_run_real(dcps_comparison *comparison);
/* The same in virtual time: children "dcps sim", several at once. `program_dir` is where dcps lies. */
DCPS_MUST_CHECK dcps_status dcps_comparison_run_virtual(dcps_comparison *comparison);

/* For those two: ends runs that are ready and whose results are kept from an earlier call. */
DCPS_MUST_CHECK dcps_status dcps_comparison_recall(dcps_comparison *comparison);
/* What a run is started with. The caller frees *args; DCPS_NO_MEMORY, DCPS_LIMIT. */
DCPS_MUST_CHECK dcps_status dcps_comparison_arguments(dcps_comparison *comparison, uint32_t index, dcps_args *args);
/* A run ended well after `seconds`: keeps it, says so, takes over stored->run and frees the rest. */
void dcps_comparison_finish(dcps_comparison *comparison, uint32_t index, dcps_stored_run *stored, double seconds);
/* A run failed: takes over `result`, what it came to, NULL: nothing. `why` is shown with the results. */
void dcps_comparison_fail(dcps_comparison *comparison, uint32_t index, json_t *result, const char *why);
/* Whether any run has come to something. */
bool dcps_comparison_has_results(const dcps_comparison *comparison);

/* The live line over the whole plan. */
void dcps_comparison_show(dcps_comparison *comparison);
/* Prints the tables, writes results.json, runs.csv, curves.csv, summary.csv and report.html, and prints their paths. */
DCPS_MUST_CHECK dcps_status dcps_comparison_conclude(dcps_comparison *comparison);

#endif
