/* Staleness-aware (Zhang et al., IJCAI 2016): a gradient that is τ updates late moves the weights by η/max(τ, 1). Taken as a factor of the gradient, so that with momentum it weakens
 * this gradient and not those before it. */
#include "compensate/stage.h"

static void staleness_begin(const dcps_stage_call *call, dcps_coefficients *coefficients)
{
    coefficients->staleness = call->staleness > 1 ? (float)call->staleness : 1.0f;
}

DCPS_TILE_FUNCTION void staleness_run(const dcps_coefficients *coefficients, const dcps_tile *tile)
{
    const float *restrict g = DCPS_TILE_ALIGNED(tile->gradient);
    float *restrict result = DCPS_TILE_ALIGNED(tile->result);
    const float divisor = coefficients->staleness;
    for (size_t i = 0; i < tile->count; i++) {
        result[i] = g[i] / divisor;
    }
}

const dcps_stage_ops dcps_stage_staleness = {
    .name = "staleness", .formula = "g <- g/max(tau, 1)", .begin = staleness_begin, .run = staleness_run};
