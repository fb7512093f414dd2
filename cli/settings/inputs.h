/* What runs read that their arguments only name: files, which may hold something else the next time. */
#ifndef DCPS_CLI_INPUTS_H
#define DCPS_CLI_INPUTS_H

#include "cli/common/args.h"
#include "cli/settings/model_facts.h"
#include "dcps/options.h"
#include "dcps/status.h"

/* Appends a name and a digest for each of them: "data-files", of the names, sizes and times of change of the model's data files, and "step-times", of the recorded steps behind --step-time trace:DIR.
 * `facts` are NULL where nothing is computed. Errors: those of dcps_trace_read_times, DCPS_NO_MEMORY. */
DCPS_MUST_CHECK dcps_status dcps_inputs_add(dcps_args *args, const dcps_options *options,
                                            const dcps_model_facts *facts);

#endif
