/* The update pipeline over one block: compensate, step size, optimizer, in one pass over cache-sized tiles. Pure maths: no I/O, no clock, no threads.
 *
 * One update of a block of n parameters. w: current weights; b: those that the pushing worker was sent (W_bak); g: the pushed gradient; η: the learning rate; τ: updates between
 * pull and push; t: updates before this one. Each step works on the result of the one before:
 *   1. compensation, one or two of
 *      dc-c       g ← g + λ·g⊙g⊙(w − b)                              Zheng et al., ICML 2017, eq. 10
 *      dc-a       s ← m·s + (1−m)·g⊙g, then dc-c with λ/√(s+ε)        ibid., eq. 14, ε = 1e-7
 *      dc-b       g ← g⊙(1 + clamp(λ·g⊙(w − b)/√(s+ε), −c, c))        dc-a with the relative correction bounded
 *      dc-i       g ← g + clamp(λ·(w − b), −c·|g|, c·|g|)             the identity in the place of g⊙g, bounded likewise
 *      gap-aware  g ← g ⊘ (1 + |w − b|/C)                             Barkai et al., ICLR 2020
 *   2. weight decay  g ← g + wd·w: exact at the current weights, never part of g⊙g
 *   3. step size
 *      staleness  g ← g/max(τ, 1)                                     Zhang et al., IJCAI 2016
 *      adadelay   g ← g ⊘ (L + c√(t+1+τ))                             Sra et al., AISTATS 2016
 *   4. optimizer
 *      sgd        w ← w − η·g
 *      momentum   u ← μ·u + g, w ← w − η·u
 *      nesterov   u ← μ·u + g, w ← w − η·(g + μ·u)
 *      dana       v_i ← μ·v_i + g, w ← w − η·v_i; replies show w − η·μ·Σ_j v_j, η that to come      Hakimi et al. 2019
 *      ormo       ordered momentum                                    Shi et al., NeurIPS 2024
 * The new weights go to the block, and what replies show to a snapshot, in the same pass. The file of each stage says more. */
#ifndef DCPS_COMPENSATE_RULE_H
#define DCPS_COMPENSATE_RULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dcps/status.h"

typedef enum dcps_compensation {
    DCPS_COMPENSATE_NONE = 1,
    DCPS_COMPENSATE_DC_C,
    DCPS_COMPENSATE_DC_A,
    DCPS_COMPENSATE_DC_B,
    DCPS_COMPENSATE_GAP_AWARE,
    DCPS_COMPENSATE_DC_I
} dcps_compensation;
typedef enum dcps_step_size { DCPS_STEP_CONSTANT = 0, DCPS_STEP_STALENESS, DCPS_STEP_ADADELAY } dcps_step_size;
typedef enum dcps_optimizer {
    DCPS_OPTIMIZER_SGD = 1,
    DCPS_OPTIMIZER_MOMENTUM,
    DCPS_OPTIMIZER_NESTEROV,
    DCPS_OPTIMIZER_DANA,
    DCPS_OPTIMIZER_ORMO
} dcps_optimizer;

/* What is done to a gradient. Zero-initialise, then set. */
typedef struct dcps_rule_config {
    dcps_compensation compensation;
    dcps_compensation then; /* acts on the result of the first; 0: nothing. At most one of a chain is a dc-… */
    double lambda; /* λ₀ ≥ 0 of dc-…; 0 leaves that compensation out, so that λ = 0 is plain ASGD to the bit */
    double mean_square_decay;     /* m in [0, 1) of dc-a, dc-b */
    bool mean_square_each_worker; /* s of dc-a, dc-b: one for each worker instead of one for all */
    double correction_bound;      /* c ≥ 0 of dc-b and dc-i; 0 leaves it out */
    dcps_step_size step_size;
    double adadelay_offset; /* L > 0 of adadelay */
    dcps_optimizer optimizer;
    double momentum;     /* μ in [0, 1) */
    double weight_decay; /* wd ≥ 0 */
} dcps_rule_config;

typedef struct dcps_rule dcps_rule;

/* State arrays a rule keeps besides the weights: of a block, and of each worker at a block. */
#define DCPS_RULE_MAX_STATES 4u
#define DCPS_RULE_MAX_WORKER_STATES 2u

/* Errors: DCPS_INVALID naming the value out of range or the stages that do not go together, DCPS_NO_MEMORY. */
DCPS_MUST_CHECK dcps_status dcps_rule_create(const dcps_rule_config *config, dcps_rule **rule);
void dcps_rule_destroy(dcps_rule **rule);

/* Number of float32 state arrays a block needs under this rule, and the name of each ("momentum", "mean_square"); names are also those of the checkpoint. */
uint32_t dcps_rule_state_count(const dcps_rule *rule);
const char *dcps_rule_state_name(const dcps_rule *rule, uint32_t index);
/* Likewise the arrays that each worker has at a block ("worker_momentum"). */
uint32_t dcps_rule_worker_state_count(const dcps_rule *rule);
const char *dcps_rule_worker_state_name(const dcps_rule *rule, uint32_t index);
/* Whether apply reads the weights that the worker pulled. */
int dcps_rule_needs_pulled_weights(const dcps_rule *rule);
/* Whether replies show something else than the weights: then a snapshot is not what to evaluate or to save. */
int dcps_rule_looks_ahead(const dcps_rule *rule);
/* The stages in the order they run, as `dcps algorithms` shows them: formula of stage `index`, NULL beyond the last. */
const char *dcps_rule_stage_formula(const dcps_rule *rule, uint32_t index);

/* One block's arrays, float32[n] each, 64-byte aligned, not overlapping. */
typedef struct dcps_rule_block {
    float *weights;                               /* read and written */
    float *states[DCPS_RULE_MAX_STATES];          /* read and written, zero before the first update */
    uint64_t state_updates[DCPS_RULE_MAX_STATES]; /* updates that each state has seen before; counted by the caller */
    size_t count;                                 /* n */
} dcps_rule_block;

/* One push. */
typedef struct dcps_rule_push {
    const float *gradient;                             /* [n], at any address, as a received message */
    const float *pulled;                               /* W_bak, [n]; read only where dcps_rule_needs_pulled_weights */
    float *worker_states[DCPS_RULE_MAX_WORKER_STATES]; /* of this worker, [n], 64-byte aligned, zero before its first */
    float step_size;                                   /* η, already scheduled */
    float step_size_next;                              /* that of the update after this one; of dana */
    float step_size_max;                               /* largest η of the schedule; of gap-aware */
    uint64_t staleness;                                /* τ */
    uint32_t workers; /* that push in turn, ≥ 1; of ormo. 1 where one gradient stands for all of them */
} dcps_rule_push;

/* Applies one push. `snapshot` receives what replies show: the new weights, unless dcps_rule_looks_ahead. Never fails. */
void dcps_rule_apply(const dcps_rule *rule, const dcps_rule_block *block, const dcps_rule_push *push, float *snapshot);

/* What replies show of a block as it is, when the next update has learning rate η. */
void dcps_rule_show(const dcps_rule *rule, const dcps_rule_block *block, float step_size, float *snapshot);

/* A worker is gone for good: what it has in the states of the block is taken out, and its own are zero afterwards. */
void dcps_rule_forget_worker(const dcps_rule *rule, const dcps_rule_block *block,
                             float *const worker_states[DCPS_RULE_MAX_WORKER_STATES]);

/* For parameters that are averaged, not trained: w ← w + rate·(v − w) over weights[count], written to snapshot[count] too. Any alignment; the arrays do not overlap. */
void dcps_rule_average(float *weights, const float *values, float rate, size_t count, float *snapshot);

/* mean[n] = (gradients[0] + gradients[1] + … in this order) / count; with count 1 a plain copy. `mean` may be
 * gradients[0]; gradients may lie at any address, `mean` is 64-byte aligned. */
void dcps_rule_mean(const float *const *gradients, size_t gradient_count, size_t count, float *mean);

#endif
