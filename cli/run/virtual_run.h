/* One run in virtual time, in this process: the same settings as a run of real processes, and a description of the cluster. Single-threaded but for the threads that compute gradients. */
#ifndef DCPS_CLI_VIRTUAL_RUN_H
#define DCPS_CLI_VIRTUAL_RUN_H

#include <stdbool.h>
#include <stdint.h>

#include "cli/results/results.h"
#include "cli/settings/run_spec.h"
#include "dcps/options.h"
#include "dcps/status.h"

/* Told now and then how far the run is; false ends it. */
typedef bool (*dcps_virtual_progress_fn)(void *context, uint64_t samples, uint64_t total_samples, double seconds);

typedef struct dcps_virtual_run_config {
    const dcps_options *options; /* of dcps sim */
    const dcps_run_spec *spec;
    uint64_t seed;
    dcps_virtual_progress_fn progress; /* NULL: nobody is told */
    void *progress_context;
} dcps_virtual_run_config;

/* Fills the measured parts of *run and, where a model is trained, `dataset` (capacity DCPS_RESULT_NAME_BYTES). Errors: DCPS_INVALID naming the flag, DCPS_CANCELLED (`progress` said so), those of the model. */
DCPS_MUST_CHECK dcps_status dcps_virtual_run(const dcps_virtual_run_config *config, dcps_result_run *run,
                                             char *dataset);

#endif
