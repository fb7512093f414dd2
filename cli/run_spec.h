/* Names of runs: "ALGORITHM@WORKERS", and comma-separated lists of them. */
#ifndef DCPS_CLI_RUN_SPEC_H
#define DCPS_CLI_RUN_SPEC_H

#include <stddef.h>
#include <stdint.h>

#include "dcps/status.h"

#define DCPS_RUN_NAME_BYTES 64u
#define DCPS_MAX_RUN_SPECS 64u

typedef struct dcps_run_spec {
    char algorithm[DCPS_RUN_NAME_BYTES];
    uint32_t workers;
} dcps_run_spec;

/* Parses "sgd@1,ssgd@4": known algorithms, 1 … DCPS_MAX_WORKERS workers, no run twice, at least one and at most `capacity`.
 * Errors: DCPS_INVALID (the entry named, with what was expected), DCPS_NOT_FOUND (unknown algorithm, known ones listed), DCPS_LIMIT. */
DCPS_MUST_CHECK dcps_status dcps_run_specs_parse(const char *text, dcps_run_spec *specs, size_t capacity,
                                                 size_t *count);

#endif
