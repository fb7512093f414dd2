/* Names of runs: "ALGORITHM@WORKERS" or "ALGORITHM+OPTION=VALUE…@WORKERS", and comma-separated lists of them. */
#ifndef DCPS_CLI_RUN_SPEC_H
#define DCPS_CLI_RUN_SPEC_H

#include <stddef.h>
#include <stdint.h>

#include "cli/settings/overrides.h"
#include "dcps/status.h"

#define DCPS_RUN_NAME_BYTES 64u
#define DCPS_RUN_LABEL_BYTES 192u
#define DCPS_MAX_RUN_SPECS 256u
#define DCPS_MAX_SEEDS 1000u /* of each run */

typedef struct dcps_run_spec {
    char name[DCPS_RUN_LABEL_BYTES]; /* as typed, without the workers: "asgd+optimizer=momentum" */
    char algorithm[DCPS_RUN_NAME_BYTES];
    uint32_t workers;
    dcps_overrides overrides;
    bool validation;   /* evaluated on the validation split, not on the test split */
    uint32_t hold_out; /* training samples that the model holds out for it; 0: as it is told otherwise */
} dcps_run_spec;

/* Parses "sgd@1,ssgd@4,asgd+decay-epochs=7,9@8": known algorithms, settings that are training options, 1 … DCPS_MAX_WORKERS workers, no run twice, at least one and at
 * most `capacity`. A '+' begins a setting where a lower-case letter follows, so 1e+3 is a value.
 * Errors: DCPS_INVALID (the entry named, with what was expected), DCPS_NOT_FOUND (unknown algorithm, known ones listed), DCPS_LIMIT. */
DCPS_MUST_CHECK dcps_status dcps_run_specs_parse(const char *text, dcps_run_spec *specs, size_t capacity,
                                                 size_t *count);

/* The name of the run that a rule is held against: `algorithm`, with those settings of `name` that it can share. Of "asgd+compensation=dc-c+lambda=1+momentum=0.9" and "sgd" it makes
 * "sgd+momentum=0.9". Errors: DCPS_LIMIT. */
DCPS_MUST_CHECK dcps_status dcps_run_base_name(const char *name, const char *algorithm, char *base, size_t bytes);

#endif
