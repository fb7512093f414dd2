/* Nesterov's momentum in the form of Sutskever et al. (ICML 2013) that keeps the point at which gradients are taken: u ← μ·u + g, w ← w − η·(g + μ·u). */
#include "compensate/stage.h"

DCPS_TILE_FUNCTION void nesterov_run(const dcps_coefficients *coefficients, const dcps_tile *tile)
{
    const float *restrict g = DCPS_TILE_ALIGNED(tile->gradient);
    float *restrict w = DCPS_TILE_ALIGNED(tile->weights);
    float *restrict u = DCPS_TILE_ALIGNED(tile->states[0]);
    float *restrict direction = DCPS_TILE_ALIGNED(tile->result);
    float *restrict snapshot = DCPS_TILE_ALIGNED(tile->snapshot);
    const float momentum = coefficients->momentum;
    const float step_size = coefficients->step_size;
    for (size_t i = 0; i < tile->count; i++) {
        const float velocity = momentum * u[i] + g[i];
        const float ahead = g[i] + momentum * velocity;
        const float weight = w[i] - step_size * ahead;
        u[i] = velocity;
        direction[i] = ahead;
        w[i] = weight;
        snapshot[i] = weight;
    }
}

const dcps_stage_ops dcps_stage_nesterov = {.name = "nesterov",
                                            .formula = "u <- mu*u + g; w <- w - eta*(g + mu*u)",
                                            .states = {{"momentum", DCPS_STATE_BLOCK}},
                                            .run = nesterov_run};
