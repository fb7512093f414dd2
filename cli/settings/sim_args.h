/* The command line of one run in virtual time. */
#ifndef DCPS_CLI_SIM_ARGS_H
#define DCPS_CLI_SIM_ARGS_H

#include <stdint.h>

#include "cli/common/args.h"
#include "cli/settings/run_spec.h"
#include "dcps/options.h"
#include "dcps/status.h"

/* Appends "sim", the algorithm and settings of the run, the simulated cluster, and --json. `options` is of dcps_compare_options. */
void dcps_sim_args_add(dcps_args *args, const dcps_options *options, const dcps_run_spec *spec, uint64_t seed);

/* The folder in a value "trace:DIR" of --step-time; NULL: it is a distribution. */
const char *dcps_step_trace(const char *step_time);

/* Threads of one simulation: --threads, or one. */
uint32_t dcps_sim_threads(const dcps_options *options);

/* Refuses options that say something of virtual time where it is not asked for, and those that belong to processes where it is: DCPS_INVALID. */
DCPS_MUST_CHECK dcps_status dcps_sim_options_check(const dcps_options *options);

#endif
