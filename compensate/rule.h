/* The update pipeline over one block: compensate, step size, optimizer, in one pass over cache-sized tiles. Pure maths: no I/O, no clock, no threads.
 *
 * One update of a block of n parameters, gradient g computed at the weights w_bak that the worker pulled:
 *   1. g ← g + λ·g⊙g⊙(w − w_bak)          compensation dc-c (Zheng et al., ICML 2017, eq. 10), λ = λ₀
 *      s ← m·s + (1−m)·g⊙g, λ = λ₀/√(s+ε)  compensation dc-a (ibid., eq. 14), ε = 1e-7, g the gradient as pushed
 *   2. g ← g + wd·w                        weight decay: exact at the current weights, never part of g⊙g
 *   3. w ← w − η·g                         optimizer sgd
 *      u ← μ·u + g, w ← w − η·u            optimizer momentum (heavy ball)
 * The new weights go to the block and to a snapshot in the same pass. */
#ifndef DCPS_COMPENSATE_RULE_H
#define DCPS_COMPENSATE_RULE_H

#include <stddef.h>
#include <stdint.h>

#include "dcps/status.h"

typedef enum dcps_compensation {
    DCPS_COMPENSATE_NONE = 1,
    DCPS_COMPENSATE_DC_C,
    DCPS_COMPENSATE_DC_A
} dcps_compensation;
typedef enum dcps_optimizer { DCPS_OPTIMIZER_SGD = 1, DCPS_OPTIMIZER_MOMENTUM } dcps_optimizer;

/* What is done to a gradient. Zero-initialise, then set. */
typedef struct dcps_rule_config {
    dcps_compensation compensation;
    double lambda; /* λ₀ ≥ 0; 0 makes the compensation `none`, so that λ = 0 is plain ASGD to the bit */
    double mean_square_decay; /* m in [0, 1) of dc-a */
    dcps_optimizer optimizer;
    double momentum;     /* μ in [0, 1) */
    double weight_decay; /* wd ≥ 0 */
} dcps_rule_config;

typedef struct dcps_rule dcps_rule;

/* Per-parameter state arrays a rule keeps besides the weights. */
#define DCPS_RULE_MAX_STATES 2u

/* Errors: DCPS_INVALID naming the value out of range, DCPS_NO_MEMORY. */
DCPS_MUST_CHECK dcps_status dcps_rule_create(const dcps_rule_config *config, dcps_rule **rule);
void dcps_rule_destroy(dcps_rule **rule);

/* Number of float32 state arrays a block needs under this rule, and the name of each ("momentum", "mean_square"); names are also those of the checkpoint. */
uint32_t dcps_rule_state_count(const dcps_rule *rule);
const char *dcps_rule_state_name(const dcps_rule *rule, uint32_t index);
/* Whether apply reads the weights that the worker pulled. */
int dcps_rule_needs_pulled_weights(const dcps_rule *rule);

/* One block's arrays, float32[n] each, 64-byte aligned, not overlapping. */
typedef struct dcps_rule_block {
    float *weights;                      /* read and written */
    float *states[DCPS_RULE_MAX_STATES]; /* read and written, zero before the first update */
    size_t count;                        /* n */
} dcps_rule_block;

/* Applies one gradient, which may lie at any address, as a received message does. `pulled` (w_bak) is read only where
 * dcps_rule_needs_pulled_weights; `snapshot` receives the new weights. step_size is η, already scheduled. Never fails. */
void dcps_rule_apply(const dcps_rule *rule, const dcps_rule_block *block, const float *gradient, const float *pulled,
                     float step_size, float *snapshot);

/* For parameters that are averaged, not trained: w ← w + rate·(v − w) over weights[count], written to snapshot[count] too. Any alignment; the arrays do not overlap. */
void dcps_rule_average(float *weights, const float *values, float rate, size_t count, float *snapshot);

/* mean[n] = (gradients[0] + gradients[1] + … in this order) / count; with count 1 a plain copy. `mean` may be
 * gradients[0]; gradients may lie at any address, `mean` is 64-byte aligned. */
void dcps_rule_mean(const float *const *gradients, size_t gradient_count, size_t count, float *mean);

#endif
