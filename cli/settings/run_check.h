/* Whether a run can be trained as it is asked for, before anything is started. */
#ifndef DCPS_CLI_RUN_CHECK_H
#define DCPS_CLI_RUN_CHECK_H

#include <stdbool.h>
#include <stdint.h>

#include "cli/settings/run_spec.h"
#include "dcps/options.h"
#include "dcps/status.h"
#include "server/config.h"

/* The settings that servers of this run would be given on their command line, read as dcps-server reads them, but for its environment. `config` points into the options, which are the caller's to destroy, also
 * after an error. DCPS_INVALID, DCPS_LIMIT, DCPS_NO_MEMORY. */
DCPS_MUST_CHECK dcps_status dcps_run_server_config(const dcps_options *options, const dcps_run_spec *spec,
                                                   uint64_t seed, dcps_options **server_options,
                                                   dcps_server_config *config);

/* Checks the training settings of a run as its servers would. DCPS_INVALID names the run and what is wrong, DCPS_NO_MEMORY. */
DCPS_MUST_CHECK dcps_status dcps_run_check(const dcps_options *options, const dcps_run_spec *spec, uint64_t seed);

/* Warns where the learning rate is what the model recommends, for steps without momentum, and this run has momentum: the same steps are reached at a smaller one. */
void dcps_run_warn_of_momentum(const dcps_options *options, const dcps_run_spec *spec);

/* Whether an option has an effect on every algorithm, or on the parts that this run is made of. DCPS_INVALID: a part has no such name. */
DCPS_MUST_CHECK dcps_status dcps_run_uses(const dcps_options *options, const dcps_run_spec *spec, const char *name,
                                          bool *used);

/* Leaves those options of the command line out of the run that have no effect on it. Errors: as above, DCPS_LIMIT. */
DCPS_MUST_CHECK dcps_status dcps_run_leave_out_unused(const dcps_options *options, dcps_run_spec *spec);

#endif
