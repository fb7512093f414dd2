/* Weight decay: g ← g + wd·w at the current weights. It runs after compensation, because its curvature is known exactly and needs no estimate. */
#include "compensate/stage.h"

DCPS_TILE_FUNCTION void weight_decay_run(const dcps_coefficients *coefficients, const dcps_tile *tile)
{
    const float *restrict g = DCPS_TILE_ALIGNED(tile->gradient);
    const float *restrict w = DCPS_TILE_ALIGNED(tile->weights);
    float *restrict result = DCPS_TILE_ALIGNED(tile->result);
    const float decay = coefficients->weight_decay;
    for (size_t i = 0; i < tile->count; i++) {
        result[i] = g[i] + decay * w[i];
    }
}

const dcps_stage_ops dcps_stage_weight_decay = {
    .name = "weight-decay", .formula = "g <- g + wd*w", .run = weight_decay_run};
