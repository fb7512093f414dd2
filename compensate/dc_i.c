/* Delay compensation with λ times the identity in the place of the Hessian: d = clamp(λ·(w − w_bak), −c·|g|, c·|g|), g̃ = g + d. Needs no curvature of the parameters, hence no state; the bound keeps the
 * correction from outweighing small gradients, which belong to directions without curvature. Not published; docs/results/why-it-works says what it comes from. */
#include <math.h>

#include "compensate/stage.h"

DCPS_TILE_FUNCTION void dc_i_run(const dcps_coefficients *coefficients, const dcps_tile *tile)
{
    const float *restrict g = DCPS_TILE_ALIGNED(tile->gradient);
    const float *restrict w = DCPS_TILE_ALIGNED(tile->weights);
    const float *restrict pulled = DCPS_TILE_ALIGNED(tile->pulled);
    float *restrict result = DCPS_TILE_ALIGNED(tile->result);
    const float lambda = coefficients->lambda;
    const float bound = coefficients->correction_bound;
    for (size_t i = 0; i < tile->count; i++) {
        const float wanted = lambda * (w[i] - pulled[i]);
        const float most = bound * fabsf(g[i]);
        const float below = wanted < most ? wanted : most;
        const float correction = below > -most ? below : -most;
        result[i] = g[i] + correction;
    }
}

const dcps_stage_ops dcps_stage_dc_i = {.name = "dc-i",
                                        .formula = "g <- g + clamp(lambda*(w-w_bak), -c*|g|, c*|g|)",
                                        .needs_pulled = true,
                                        .run = dc_i_run};
