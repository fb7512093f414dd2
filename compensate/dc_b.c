/* Bounded delay compensation: s ← m·s + (1−m)·g⊙g, r = clamp(λ₀·g⊙(w − w_bak)/√(s+ε), −c, c), g̃ = g⊙(1 + r). Without the bound it is DC-ASGD-a (dc_a.c); with it the
 * correction is at most c times the gradient, so λ₀ may be large without divergence. Not published. */
#include <math.h>

#include "compensate/stage.h"

static const float epsilon = 1e-7f;

/* The quotient g/√(s+ε) is at most 1/√(1−m) in size, whatever g is: what overflows is then λ₀·(w − w_bak), and the clamp makes that harmless. */
DCPS_TILE_FUNCTION void dc_b_run(const dcps_coefficients *coefficients, const dcps_tile *tile)
{
    const float *restrict g = DCPS_TILE_ALIGNED(tile->gradient);
    const float *restrict w = DCPS_TILE_ALIGNED(tile->weights);
    const float *restrict pulled = DCPS_TILE_ALIGNED(tile->pulled);
    float *restrict s = DCPS_TILE_ALIGNED(tile->states[0]);
    float *restrict result = DCPS_TILE_ALIGNED(tile->result);
    const float lambda = coefficients->lambda;
    const float decay = coefficients->mean_square_decay;
    const float gain = coefficients->mean_square_gain;
    const float bound = coefficients->correction_bound;
    for (size_t i = 0; i < tile->count; i++) {
        const float mean_square = decay * s[i] + gain * (g[i] * g[i]);
        s[i] = mean_square;
        const float wanted = lambda * (g[i] / sqrtf(mean_square + epsilon)) * (w[i] - pulled[i]);
        const float below = wanted < bound ? wanted : bound;
        const float relative = below > -bound ? below : -bound;
        result[i] = g[i] + g[i] * relative;
    }
}

const dcps_stage_ops dcps_stage_dc_b = {
    .name = "dc-b",
    .formula = "s <- m*s + (1-m)*g*g; g <- g*(1 + clamp(lambda*g*(w-w_bak)/sqrt(s+1e-7), -c, c))",
    .needs_pulled = true,
    .states = {{"mean_square", DCPS_STATE_MEAN_SQUARE}},
    .run = dc_b_run};
