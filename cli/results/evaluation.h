/* What the evaluating worker prints: one JSON object a line, one line a snapshot. */
#ifndef DCPS_CLI_EVALUATION_H
#define DCPS_CLI_EVALUATION_H

#include <stddef.h>
#include <stdint.h>

#include "cli/results/results.h"
#include "dcps/status.h"

typedef struct dcps_evaluation {
    uint64_t snapshot; /* index from 0 */
    uint64_t samples;
    dcps_curve_point point;               /* .epoch is for the caller to set */
    char dataset[DCPS_RESULT_NAME_BYTES]; /* "" if the line does not say */
} dcps_evaluation;

/* Parses {"snapshot": 0, "epoch": 1.0, "samples": 60000, "seconds": 1.2, "train_loss": 0.5, "dataset": "fashion-mnist", "metrics": {"test_error": 0.2}}; null
 * where a value is not finite; epoch, seconds, train_loss and dataset may lack, unknown members may be there. Errors: DCPS_CORRUPT with the line. */
DCPS_MUST_CHECK dcps_status dcps_evaluation_parse(const char *line, dcps_evaluation *evaluation);

#endif
