/* The options of `dcps run` and `dcps compare`, and what becomes of them on the command lines of servers and workers. */
#ifndef DCPS_CLI_RUN_OPTIONS_H
#define DCPS_CLI_RUN_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "cli/common/args.h"
#include "cli/settings/run_spec.h"
#include "dcps/options.h"
#include "dcps/status.h"

extern const dcps_option dcps_run_options[];     /* of dcps run */
extern const dcps_option dcps_compare_options[]; /* of dcps compare */
extern const dcps_option dcps_sim_options[];     /* of dcps sim */

/* The algorithm and the number of workers of dcps run and dcps sim, without settings of its own; and the device, which workers would refuse. Errors: DCPS_NOT_FOUND (unknown
 * algorithm, known ones listed), those of dcps_device_check. */
DCPS_MUST_CHECK dcps_status dcps_run_spec_read(const dcps_options *options, dcps_run_spec *spec);

/* Names of options that are handed to dcps-server or dcps-worker as they are, where set; ended by NULL. */
extern const char *const dcps_server_pass_through[];
extern const char *const dcps_worker_pass_through[];

/* For dcps_program.recommend: the settings that suit the model. Errors: those of dcps_plugin_open and dcps_options_recommend. */
DCPS_MUST_CHECK dcps_status dcps_run_recommend(dcps_options *options);

/* Appends the flags of every server of one run, without those of addresses. `options` is of either table; `single_run`: of that of dcps run, which has
 * checkpoints and traces. */
void dcps_server_args_add(dcps_args *args, const dcps_options *options, const dcps_run_spec *spec, uint64_t seed,
                          bool single_run);
/* Appends the flags of a worker with `threads` threads, without --servers. */
void dcps_worker_args_add(dcps_args *args, const dcps_options *options, const dcps_run_spec *spec, uint32_t threads);
/* Appends the options of the model, with what is held out. */
void dcps_model_args_add(dcps_args *args, const dcps_options *options, const dcps_run_spec *spec);

/* The option by which models hold out training samples for validation. */
#define DCPS_HOLD_OUT_OPTION "validation"

/* A text option of a run: its own, or that of the command line; NULL: unset, or left out. Borrowed from either. */
const char *dcps_run_setting(const dcps_options *options, const dcps_overrides *overrides, const char *name);

/* Array of [name, value] texts for the report. NULL when out of memory. */
json_t *dcps_run_settings_json(const dcps_options *options);

#endif
