/* An instrument that tells what delay compensation does: it holds what rules make of a late gradient against what the gradient would have been at the servers' weights.
 *
 * A worker pulled w_b and comes back with g = ∇f(w_b); the servers have w by now, δ = w − w_b. With the gradient of the same mini-batch at w, the change a compensation should find is Δ = ∇f(w) − g, of which
 * curvature explains H(w_b)·δ. Each candidate is a correction c: of a rule, g̃ − g; of a reference, an array that a rule might use in its place. All that is to be said of c follows from its inner products with g,
 * Δ and Hδ: its cosine with Δ, the share 1 − ‖c − Δ‖²/‖Δ‖² that it recovers, and the share that it would recover at the best scale.
 *
 * Rules are the project's own, with a state (mean square, average step) that sees every push: that of the run, with plain SGD in the place of what follows the compensation, and one mean square for all workers. */
#ifndef DCPS_SIM_PROBE_H
#define DCPS_SIM_PROBE_H

#include <stdint.h>

#include "compensate/rule.h"
#include "dcps/layout.h"
#include "sim/probe_sums.h"
#include "sim/world.h"

#define DCPS_PROBE_NAME_BYTES 128u

/* As dcps_gradients_again. */
typedef dcps_status (*dcps_probe_gradient_fn)(void *context, uint32_t process, uint32_t first, uint32_t count,
                                              const float *weights, float *gradient);

/* A compensation under examination. Of the rule, only compensations and their coefficients count. */
typedef struct dcps_probe_rule {
    char name[DCPS_PROBE_NAME_BYTES];
    dcps_rule_config config;
} dcps_probe_rule;

/* One finding: a candidate at one push, over all trained tensors or over one. */
typedef struct dcps_probe_row {
    const dcps_world_push *push;
    const char *candidate;
    const char *tensor; /* NULL: all */
    const dcps_probe_sums *sums;
} dcps_probe_row;

typedef struct dcps_probe_config {
    const dcps_layout *layout;    /* the caller's */
    const dcps_probe_rule *rules; /* [rule_count], the caller's */
    uint32_t rule_count;
    uint64_t every;       /* pushes from one probe to the next, > 0 */
    uint32_t vectors;     /* of random signs, for the diagonal of the Hessian; fewer than two leave it out */
    bool each_sample;     /* also gradients of single samples, for their mean square */
    uint64_t seed;        /* of the random signs */
    double step_size_max; /* η_max of gap-aware */
    dcps_probe_gradient_fn gradient;
    void *gradient_context;
    void (*found)(void *context, const dcps_probe_row *row); /* the row is good during the call only */
    void *found_context;
} dcps_probe_config;

typedef struct dcps_probe dcps_probe;

/* Errors: those of dcps_rule_create, DCPS_NO_MEMORY. */
DCPS_MUST_CHECK dcps_status dcps_probe_create(const dcps_probe_config *config, dcps_probe **probe);
void dcps_probe_destroy(dcps_probe **probe);

/* For dcps_world_config.watch, `context` being the probe: to be shown every push. A gradient that is not late is passed over as far as findings go. Errors are those of the gradient. */
DCPS_MUST_CHECK dcps_status dcps_probe_watch(void *context, const dcps_world_push *push);

#endif
