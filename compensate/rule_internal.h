/* A rule as the files that make up rules see it: rule.c and rule_apply.c. */
#ifndef DCPS_COMPENSATE_RULE_INTERNAL_H
#define DCPS_COMPENSATE_RULE_INTERNAL_H

#include "compensate/stage.h"

#define DCPS_RULE_MAX_STAGES 5u /* two compensations, weight decay, step size, optimizer */

/* Which array of the block, or of the pushing worker, is a stage's. */
typedef struct dcps_state_place {
    bool of_worker;
    uint32_t index;
} dcps_state_place;

/* A stage and which states are its own. */
typedef struct dcps_rule_stage {
    const dcps_stage_ops *ops;
    uint32_t state_count;
    dcps_state_place states[DCPS_STAGE_MAX_STATES];
} dcps_rule_stage;

struct dcps_rule {
    dcps_rule_stage stages[DCPS_RULE_MAX_STAGES]; /* the last is the optimizer */
    uint32_t stage_count;
    uint32_t observer_count; /* stages that look at the step taken */
    bool mean_square_each_worker;
    const char *state_names[DCPS_RULE_MAX_STATES];
    uint32_t state_count;
    const char *worker_state_names[DCPS_RULE_MAX_WORKER_STATES];
    uint32_t worker_state_count;
    bool needs_pulled;
    double momentum;                /* as configured, for what is derived from it in double precision */
    dcps_coefficients coefficients; /* those of the rule; the rest is set for each update */
};

#endif
