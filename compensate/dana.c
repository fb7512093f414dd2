/* DANA-Zero (Hakimi, Barkai, Gabel and Schuster, "Taming momentum in a distributed asynchronous environment", 2019): each worker i has a velocity of its own, v_i ← γ·v_i + g, w ← w − η·v_i,
 * and is sent where the weights will be once every worker has pushed once more with its present velocity: w − η·γ·Σ_j v_j, with the η that is to come. DANA-DC is this after dc-c, whose w_bak is then what the
 * worker was sent. With one worker it is Nesterov's momentum.
 *
 * Checked against an open simulator of DANA-DC that looks like the authors' own: order of the steps, the sum kept up by the difference of one worker's velocity, the factor η·γ, weight decay at the
 * server's weights after compensation, λ = 2 and γ = 0.9 as defaults. */
#include "compensate/stage.h"

DCPS_TILE_FUNCTION void dana_run(const dcps_coefficients *coefficients, const dcps_tile *tile)
{
    const float *restrict g = DCPS_TILE_ALIGNED(tile->gradient);
    float *restrict w = DCPS_TILE_ALIGNED(tile->weights);
    float *restrict sum = DCPS_TILE_ALIGNED(tile->states[0]);
    float *restrict v = DCPS_TILE_ALIGNED(tile->states[1]);
    float *restrict snapshot = DCPS_TILE_ALIGNED(tile->snapshot);
    const float momentum = coefficients->momentum;
    const float step_size = coefficients->step_size;
    const float ahead = coefficients->step_size_next * momentum;
    for (size_t i = 0; i < tile->count; i++) {
        const float velocity = momentum * v[i] + g[i];
        const float total = sum[i] + (velocity - v[i]);
        const float weight = w[i] - step_size * velocity;
        v[i] = velocity;
        sum[i] = total;
        w[i] = weight;
        snapshot[i] = weight - ahead * total;
    }
}

DCPS_TILE_FUNCTION void dana_show(const dcps_coefficients *coefficients, const dcps_tile *tile)
{
    const float *restrict w = DCPS_TILE_ALIGNED(tile->weights);
    const float *restrict sum = DCPS_TILE_ALIGNED(tile->states[0]);
    float *restrict snapshot = DCPS_TILE_ALIGNED(tile->snapshot);
    const float ahead = coefficients->step_size_next * coefficients->momentum;
    for (size_t i = 0; i < tile->count; i++) {
        snapshot[i] = w[i] - ahead * sum[i];
    }
}

/* Nobody looks ahead to the pushes of one who is gone. */
DCPS_TILE_FUNCTION void dana_forget(const dcps_tile *tile)
{
    float *restrict sum = DCPS_TILE_ALIGNED(tile->states[0]);
    const float *restrict v = DCPS_TILE_ALIGNED(tile->states[1]);
    for (size_t i = 0; i < tile->count; i++) {
        sum[i] -= v[i];
    }
}

const dcps_stage_ops dcps_stage_dana = {
    .name = "dana",
    .formula = "v_i <- mu*v_i + g; w <- w - eta*v_i; replies show w - eta*mu*(sum of all v), eta that to come",
    .states = {{"momentum_sum", DCPS_STATE_BLOCK}, {"momentum", DCPS_STATE_WORKER}},
    .direction = DCPS_DIRECTION_STATE,
    .run = dana_run,
    .show = dana_show,
    .forget = dana_forget};
