/* What each of --runs is trained with: its own settings, those of its sweep, and those of the command line that it has a use for. Of the plan alone. */
#ifndef DCPS_CLI_PLAN_ENTRIES_H
#define DCPS_CLI_PLAN_ENTRIES_H

#include "cli/compare/plan.h"

/* Reads --runs and --sweep into the plan's entries, with the points of each that differ in something that has an effect. Errors as of dcps_plan_create; an option that has no effect on any of the runs
 * is one. What was read is the plan's, also on failure. */
DCPS_MUST_CHECK dcps_status dcps_plan_entries_read(dcps_plan *plan);
void dcps_plan_entries_free(dcps_plan *plan);

/* The settings at a point of an entry, validation aside. DCPS_INVALID, DCPS_LIMIT. */
DCPS_MUST_CHECK dcps_status dcps_plan_entry_spec(const dcps_plan *plan, const dcps_plan_entry *entry,
                                                 dcps_sweep_point point, dcps_run_spec *spec);

#endif
