/* What there is to know of a model and its data before anything is trained. */
#ifndef DCPS_CLI_MODEL_FACTS_H
#define DCPS_CLI_MODEL_FACTS_H

#include <stdbool.h>
#include <stdint.h>

#include "dcps/options.h"
#include "dcps/status.h"

typedef struct dcps_model_facts {
    uint64_t train_samples; /* with nothing held out but what its own options say */
    bool holds_out;         /* it has the option DCPS_HOLD_OUT_OPTION */
    bool has_files;         /* it read data files through libdcps */
    uint64_t files_digest;  /* then: other names, sizes or times of change give another */
} dcps_model_facts;

/* Opens the model that --model, --model-opt and --data name, as every process of a run does, and closes it again. Errors: those of dcps_loaded_model_open, DCPS_INVALID,
 * DCPS_NO_MEMORY. */
DCPS_MUST_CHECK dcps_status dcps_model_facts_read(const dcps_options *options, dcps_model_facts *facts);

#endif
