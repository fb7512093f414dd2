/* Training settings of one run that go before those of the command line. Pure. */
#ifndef DCPS_CLI_OVERRIDES_H
#define DCPS_CLI_OVERRIDES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dcps/status.h"

#define DCPS_MAX_OVERRIDES 32u
#define DCPS_OVERRIDE_NAME_BYTES 32u
#define DCPS_OVERRIDE_VALUE_BYTES 96u

typedef struct dcps_override {
    char name[DCPS_OVERRIDE_NAME_BYTES]; /* of an option of dcps run: "learning-rate" */
    char value[DCPS_OVERRIDE_VALUE_BYTES];
    bool left_out; /* the option is not handed on, whatever the command line says */
} dcps_override;

/* All zero: none. */
typedef struct dcps_overrides {
    uint32_t count;
    dcps_override entries[DCPS_MAX_OVERRIDES];
} dcps_overrides;

/* What says how an algorithm treats late gradients, or whether there are any; and everything else that a run is trained with. */
#define DCPS_RULE_OPTION_NAMES                                                                                         \
    "consistency", "backup-workers", "ssp-bound", "max-staleness", "compensation", "lambda", "mean-square-decay",      \
        "mean-square", "correction-bound", "step-size", "adadelay-offset"
#define DCPS_TRAINING_OPTION_NAMES                                                                                     \
    "epochs", "batch-size", "learning-rate", "warmup-epochs", "decay-epochs", "decay-factor", DCPS_RULE_OPTION_NAMES,  \
        "optimizer", "momentum", "weight-decay"

/* Options that may differ from run to run: what a run is trained with. Ended by NULL. */
extern const char *const dcps_training_options[];
bool dcps_is_training_option(const char *name);
bool dcps_is_rule_option(const char *name);

/* Sets a value, instead of an earlier one of that name. Errors: DCPS_LIMIT (too many, or a name or value too long). */
DCPS_MUST_CHECK dcps_status dcps_overrides_set(dcps_overrides *overrides, const char *name, const char *value);
DCPS_MUST_CHECK dcps_status dcps_overrides_leave_out(dcps_overrides *overrides, const char *name);
/* NULL: there is none of that name. */
const dcps_override *dcps_overrides_find(const dcps_overrides *overrides, const char *name);

/* Reads one "OPTION=VALUE" of `length` bytes and adds it. `where` names the text it stands in. Errors: DCPS_INVALID (no such training option, named twice, no '='), DCPS_LIMIT. */
DCPS_MUST_CHECK dcps_status dcps_overrides_parse(dcps_overrides *overrides, const char *where, const char *text,
                                                 size_t length);

#endif
