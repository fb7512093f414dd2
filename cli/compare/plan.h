/* All that a comparison runs: for each entry of --runs the trials of its sweep, then, with the settings that these choose, one final run for each seed.
 * Who executes it takes runs that are ready and says how they ended. Single-threaded. */
#ifndef DCPS_CLI_PLAN_H
#define DCPS_CLI_PLAN_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "cli/compare/sweep.h"
#include "cli/results/results.h"
#include "cli/results/stats.h"
#include "cli/settings/model_facts.h"
#include "cli/settings/run_spec.h"
#include "dcps/options.h"
#include "dcps/status.h"

#define DCPS_PLAN_MAX_RUNS 100000u

typedef enum dcps_phase { DCPS_PHASE_TRIAL = 1, DCPS_PHASE_FINAL } dcps_phase;

typedef enum dcps_plan_state {
    DCPS_PLAN_BLOCKED = 1, /* its settings are still to be chosen */
    DCPS_PLAN_READY,
    DCPS_PLAN_RUNNING,
    DCPS_PLAN_DONE,
    DCPS_PLAN_FAILED,
    DCPS_PLAN_SKIPPED /* its settings could not be chosen */
} dcps_plan_state;

typedef struct dcps_plan_run {
    uint32_t entry;
    uint32_t point; /* among those of its entry; of a final run once it is chosen */
    dcps_phase phase;
    uint64_t seed;
    dcps_plan_state state;
    bool looked_for;     /* among the results of earlier calls */
    double epochs;       /* how long it is, as far as that is known beforehand */
    double share;        /* of it that is done while it is running */
    uint64_t started_ns; /* while it is running */
    json_t *result;      /* element of "runs", of a failed run too; NULL while there is none; owned */
} dcps_plan_run;

/* One of --runs. */
typedef struct dcps_plan_entry {
    dcps_run_spec spec; /* as typed */
    dcps_sweep sweep;   /* of options that it uses, be it not at every point, and does not set itself */
    uint32_t point_count;
    dcps_sweep_point *points; /* of the sweep: those that differ in something that has an effect */
    bool tuned;               /* there is something to choose: it has trials */
    bool chosen;              /* .point holds for its final runs */
    uint32_t point;           /* among .points */
    uint32_t first_trial;     /* its trials are runs[first_trial …], seed by seed for each point */
    uint32_t trials;
    uint32_t trials_left;
    char refusal[256]; /* why nothing could be chosen; "" otherwise */
} dcps_plan_entry;

typedef struct dcps_plan {
    const dcps_options *options; /* borrowed */
    uint32_t entry_count;
    dcps_plan_entry *entries;
    uint32_t run_count;
    dcps_plan_run *runs; /* trials, entry by entry, then final runs, seed by seed */
    uint32_t seeds;
    uint32_t tune_seeds;
    uint32_t hold_out; /* training samples held out where a run is judged on them; 0: the model has no such option */
    bool validation;   /* final runs are evaluated on the validation split */
} dcps_plan;

/* Reads the options of dcps compare and checks every run there will be. Errors: DCPS_INVALID, DCPS_NOT_FOUND, DCPS_LIMIT, with the option and what was expected; DCPS_NO_MEMORY. */
DCPS_MUST_CHECK dcps_status dcps_plan_create(const dcps_options *options, dcps_plan **plan);
/* Settles what is held out where a run is judged on held-out samples: as asked for, or a tenth of the training samples, at most DCPS_HOLD_OUT_SAMPLES; nothing where the model cannot, or its own option
 * says so. Before any dcps_plan_spec. DCPS_INVALID: asked for, and the model has no such option. */
DCPS_MUST_CHECK dcps_status dcps_plan_hold_out(dcps_plan *plan, const dcps_model_facts *facts);
void dcps_plan_destroy(dcps_plan **plan);

/* What a run that is not blocked is trained with: the settings of its entry and point, without those of the command line that its algorithm has no use for. DCPS_LIMIT. */
DCPS_MUST_CHECK dcps_status dcps_plan_spec(const dcps_plan *plan, uint32_t index, dcps_run_spec *spec);
/* "asgd@4 seed 2", "asgd@4 learning-rate=0.1 lambda=2", for people, into out[capacity]. Returns out. */
const char *dcps_plan_title(const dcps_plan *plan, uint32_t index, char *out, size_t capacity);
/* Likewise "asgd@4-seed2", "asgd@4-seed1000001-trial": the same however many seeds and values there are. */
const char *dcps_plan_label(const dcps_plan *plan, uint32_t index, char *out, size_t capacity);

/* Index of the first run that is ready, run_count when there is none now. */
uint32_t dcps_plan_next(const dcps_plan *plan);
/* Says that a run has been started. */
void dcps_plan_start(dcps_plan *plan, uint32_t index, uint64_t now_ns);
/* Takes that back for all that are running. */
void dcps_plan_stop(dcps_plan *plan);
/* Says how a run ended; the plan takes over the reference. After the last trial of an entry its final runs are ready, or skipped. */
void dcps_plan_finish(dcps_plan *plan, uint32_t index, json_t *result);
void dcps_plan_fail(dcps_plan *plan, uint32_t index, json_t *result);

uint32_t dcps_plan_count(const dcps_plan *plan, dcps_plan_state state);
/* Runs that are over, one way or another. */
uint32_t dcps_plan_ended(const dcps_plan *plan);

/* What a sweep's trials came to at one point: the mean over its seeds of the main metric; infinite where one diverged. */
typedef struct dcps_trial_score {
    char metric[DCPS_RESULT_NAME_BYTES];
    dcps_estimate error;
} dcps_trial_score;

/* DCPS_NOT_FOUND: not all trials of that point have a result. */
DCPS_MUST_CHECK dcps_status dcps_plan_score(const dcps_plan *plan, const dcps_plan_entry *entry, uint32_t point,
                                            dcps_trial_score *score);

#endif
