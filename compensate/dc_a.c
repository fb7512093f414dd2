/* DC-ASGD-a (Zheng et al., ICML 2017, eq. 14): s ← m·s + (1−m)·g⊙g, then g̃ = g + λ₀/√(s+ε)·g⊙g⊙(w − w_bak) with the new s. */
#include <math.h>

#include "compensate/stage.h"

static const float epsilon = 1e-7f;

/* The product is taken as (λ₀·g/√(s+ε))·(g·(w − w_bak)): the first factor is at most λ₀/√(1−m) in size, whatever g is. */
DCPS_TILE_FUNCTION void dc_a_run(const dcps_coefficients *coefficients, const dcps_tile *tile)
{
    const float *restrict g = DCPS_TILE_ALIGNED(tile->gradient);
    const float *restrict w = DCPS_TILE_ALIGNED(tile->weights);
    const float *restrict pulled = DCPS_TILE_ALIGNED(tile->pulled);
    float *restrict s = DCPS_TILE_ALIGNED(tile->states[0]);
    float *restrict result = DCPS_TILE_ALIGNED(tile->result);
    const float lambda = coefficients->lambda;
    const float decay = coefficients->mean_square_decay;
    const float gain = coefficients->mean_square_gain;
    for (size_t i = 0; i < tile->count; i++) {
        const float mean_square = decay * s[i] + gain * (g[i] * g[i]);
        s[i] = mean_square;
        result[i] = g[i] + (lambda * g[i] / sqrtf(mean_square + epsilon)) * (g[i] * (w[i] - pulled[i]));
    }
}

const dcps_stage_ops dcps_stage_dc_a = {.name = "dc-a",
                                        .formula = "s <- m*s + (1-m)*g*g; g <- g + lambda/sqrt(s+1e-7)*g*g*(w-w_bak)",
                                        .needs_pulled = true,
                                        .states = {{"mean_square", DCPS_STATE_MEAN_SQUARE}},
                                        .run = dc_a_run};
