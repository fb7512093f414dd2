/* How far a plan is and how long it still takes, from what its runs have taken so far. Pure. */
#ifndef DCPS_CLI_PLAN_CLOCK_H
#define DCPS_CLI_PLAN_CLOCK_H

#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "cli/compare/plan.h"

/* What epochs have cost with one number of workers. */
typedef struct dcps_plan_pace {
    uint32_t workers;
    double epochs;
    double seconds;
} dcps_plan_pace;

/* All zero: nothing is known. */
typedef struct dcps_plan_clock {
    uint32_t count;
    dcps_plan_pace paces[DCPS_MAX_RUN_SPECS];
} dcps_plan_clock;

/* Takes in that so many epochs have taken so many seconds. */
void dcps_plan_clock_note(dcps_plan_clock *clock, uint32_t workers, double epochs, double seconds);

/* The epochs behind a result, of so many planned ones: a run that diverged may have ended before. Its curve ends where it did. */
double dcps_plan_epochs_done(json_t *result, double planned);

/* Seconds until all runs are over, `jobs` at a time; those that run now count by what they have done since they were started. NaN while nothing is known. */
double dcps_plan_clock_left(const dcps_plan_clock *clock, const dcps_plan *plan, uint32_t jobs, uint64_t now_ns);

/* "#####-----" into out[capacity], which it fills: the share of the plan that is done. Returns out. */
const char *dcps_plan_bar(const dcps_plan *plan, char *out, size_t capacity);

#endif
