/* Heavy ball (Polyak 1964): u ← μ·u + g, w ← w − η·u. */
#include "compensate/stage.h"

DCPS_TILE_FUNCTION void momentum_run(const dcps_coefficients *coefficients, const dcps_tile *tile)
{
    const float *restrict g = DCPS_TILE_ALIGNED(tile->gradient);
    float *restrict w = DCPS_TILE_ALIGNED(tile->weights);
    float *restrict u = DCPS_TILE_ALIGNED(tile->states[0]);
    float *restrict snapshot = DCPS_TILE_ALIGNED(tile->snapshot);
    const float momentum = coefficients->momentum;
    const float step_size = coefficients->step_size;
    for (size_t i = 0; i < tile->count; i++) {
        const float velocity = momentum * u[i] + g[i];
        const float weight = w[i] - step_size * velocity;
        u[i] = velocity;
        w[i] = weight;
        snapshot[i] = weight;
    }
}

const dcps_stage_ops dcps_stage_momentum = {.name = "momentum",
                                            .formula = "u <- mu*u + g; w <- w - eta*u",
                                            .states = {{"momentum", DCPS_STATE_BLOCK}},
                                            .direction = DCPS_DIRECTION_STATE,
                                            .run = momentum_run};
