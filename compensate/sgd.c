/* Gradient descent: w ← w − η·g. */
#include "compensate/stage.h"

DCPS_TILE_FUNCTION void sgd_run(const dcps_coefficients *coefficients, const dcps_tile *tile)
{
    const float *restrict g = DCPS_TILE_ALIGNED(tile->gradient);
    float *restrict w = DCPS_TILE_ALIGNED(tile->weights);
    float *restrict snapshot = DCPS_TILE_ALIGNED(tile->snapshot);
    const float step_size = coefficients->step_size;
    for (size_t i = 0; i < tile->count; i++) {
        const float weight = w[i] - step_size * g[i];
        w[i] = weight;
        snapshot[i] = weight;
    }
}

const dcps_stage_ops dcps_stage_sgd = {
    .name = "sgd", .formula = "w <- w - eta*g", .direction = DCPS_DIRECTION_GRADIENT, .run = sgd_run};
