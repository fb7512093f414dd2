/* The update rules in double precision, one parameter at a time, written from the formulas of the papers and not from the code under test.
 * With each value goes a bound on what single precision may differ from it. It also knows the mistakes that others made. */
#ifndef DCPS_TESTS_RULE_REFERENCE_H
#define DCPS_TESTS_RULE_REFERENCE_H

#include <stddef.h>

#include "compensate/rule.h"

typedef enum rule_mistake {
    MISTAKE_NONE,
    MISTAKE_NO_COMPENSATION,        /* an alias or a w_bak taken at the push: w − w_bak is always zero */
    MISTAKE_LAMBDA_ONE,             /* λ₀ fixed at 1 */
    MISTAKE_NO_ROOT,                /* dc-a: λ₀/(s+ε) */
    MISTAKE_STATE_AFTER_USE,        /* dc-a: λ from the mean square before this gradient */
    MISTAKE_DECAY_IN_SQUARE,        /* weight decay added before g⊙g */
    MISTAKE_DECAY_AT_PULLED,        /* weight decay at the weights that were pulled */
    MISTAKE_COMPENSATED_SQUARE,     /* dc-a: the mean square of g̃ instead of g */
    MISTAKE_SIGN,                   /* w_bak − w */
    MISTAKE_DECAY_OUTSIDE_VELOCITY, /* weight decay left out of the velocity */
    MISTAKE_RAW_VELOCITY,           /* the velocity of g instead of g̃ */
} rule_mistake;

/* One parameter with its state; error_…: how far single precision may be off by now. */
typedef struct reference_parameter {
    double weight;
    double velocity;
    double mean_square;
    double error_weight;
    double error_velocity;
} reference_parameter;

/* One update of one parameter. */
void reference_update(const dcps_rule_config *config, rule_mistake mistake, reference_parameter *parameter,
                      double gradient, double pulled, double step_size);

/* Restarts `parameter` from values of single precision, which are then exact. A state that the rule has not is 0. */
void reference_restart(reference_parameter *parameter, double weight, double velocity, double mean_square);

typedef struct named_rule {
    const char *name;
    dcps_rule_config config;
} named_rule;

/* Every compensation with every optimizer, with and without weight decay. */
extern const named_rule reference_rules[];
extern const size_t reference_rule_count;

#endif
