/* A probe in a run of dcps sim: what --probe and the options beside it bring about. Single-threaded. */
#ifndef DCPS_CLI_PROBE_RUN_H
#define DCPS_CLI_PROBE_RUN_H

#include "cli/run/probe_files.h"
#include "cli/run/probe_rules.h"
#include "dcps/options.h"
#include "dcps/status.h"
#include "sim/gradients.h"
#include "sim/probe.h"
#include "sim/world.h"

/* Zeroed: there is none. */
typedef struct dcps_probe_run {
    dcps_probe_rule rules[DCPS_MAX_PROBE_RULES + 1]; /* the last is that of the run, if it compensates */
    dcps_probe *probe;
    dcps_probe_files files;
} dcps_probe_run;

/* Where --probe is given, has the world watched; `run` stays where it is until it is closed. `world` knows its layout and all that the servers go by. Errors: those of dcps_probe_rules_parse, dcps_probe_create
 * and dcps_probe_files_open. */
DCPS_MUST_CHECK dcps_status dcps_probe_run_open(const dcps_options *options, dcps_gradients *gradients,
                                                dcps_world_config *world, dcps_probe_run *run);
/* Errors: those of dcps_probe_files_close. */
DCPS_MUST_CHECK dcps_status dcps_probe_run_close(dcps_probe_run *run);

#endif
