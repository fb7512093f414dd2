/* DC-ASGD-c (Zheng et al., ICML 2017, eq. 10): g̃ = g + λ₀·g⊙g⊙(w − w_bak). */
#include "compensate/stage.h"

/* The product is taken as (λ₀·g)·(g·(w − w_bak)), so that g·g is never formed: where w = w_bak it would turn a large g into infinity times zero. */
DCPS_TILE_FUNCTION void dc_c_run(const dcps_coefficients *coefficients, const dcps_tile *tile)
{
    const float *restrict g = DCPS_TILE_ALIGNED(tile->gradient);
    const float *restrict w = DCPS_TILE_ALIGNED(tile->weights);
    const float *restrict pulled = DCPS_TILE_ALIGNED(tile->pulled);
    float *restrict result = DCPS_TILE_ALIGNED(tile->result);
    const float lambda = coefficients->lambda;
    for (size_t i = 0; i < tile->count; i++) {
        result[i] = g[i] + (lambda * g[i]) * (g[i] * (w[i] - pulled[i]));
    }
}

const dcps_stage_ops dcps_stage_dc_c = {
    .name = "dc-c", .formula = "g <- g + lambda*g*g*(w-w_bak)", .needs_pulled = true, .run = dc_c_run};
