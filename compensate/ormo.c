/* OrMo, ordered momentum (Shi, Yang and Li, NeurIPS 2024): heavy ball over buckets of K gradients in the order in which they were issued, whatever the order in which they arrive.
 * A gradient computed at weights of t' updates belongs to bucket ⌈t'/K⌉; when the update numbered t (from 0) arrives the current bucket is ⌈t/K⌉. Where that begins a new one, first
 * w ← w − β·u, u ← β·u; then, lag being the number of buckets that the gradient is behind: u ← u + β^lag·η·g, w ← w − η·g·(1 + β + … + β^lag).
 *
 * Checked: the abstract (order by iteration index), and by derivation that the weights are those of heavy ball on the sums of the buckets once all have arrived, in any order, and
 * those of heavy ball after every update where K = 1; which of the first K gradients, all issued at t' = 0, arrives first does not matter. The bucket may not begin earlier than
 * at the arrival: one worker would then be shown a point ahead of the weights. */
#include <math.h>

#include "compensate/stage.h"

/* ⌈index/workers⌉ */
static uint64_t bucket_of(uint64_t index, uint32_t workers)
{
    return index / workers + (index % workers != 0 ? 1u : 0u);
}

static void ormo_begin(const dcps_stage_call *call, dcps_coefficients *coefficients)
{
    const uint64_t now = call->updates;
    const uint64_t issued = now > call->staleness ? now - call->staleness : 0;
    const uint64_t bucket = bucket_of(now, call->workers);
    const bool begins = now > 0 && bucket > bucket_of(now - 1u, call->workers);
    const double kept = pow(call->momentum, (double)(bucket - bucket_of(issued, call->workers)));
    coefficients->bucket_keep = begins ? (float)call->momentum : 1.0f;
    coefficients->bucket_step = begins ? (float)call->momentum : 0.0f;
    coefficients->lag_gain = (float)(call->step_size * kept);
    coefficients->lag_step = (float)(call->step_size * (1.0 - kept * call->momentum) / (1.0 - call->momentum));
}

DCPS_TILE_FUNCTION void ormo_run(const dcps_coefficients *coefficients, const dcps_tile *tile)
{
    const float *restrict g = DCPS_TILE_ALIGNED(tile->gradient);
    float *restrict w = DCPS_TILE_ALIGNED(tile->weights);
    float *restrict u = DCPS_TILE_ALIGNED(tile->states[0]);
    float *restrict direction = DCPS_TILE_ALIGNED(tile->result);
    float *restrict snapshot = DCPS_TILE_ALIGNED(tile->snapshot);
    const float keep = coefficients->bucket_keep;
    const float carry = coefficients->bucket_step;
    const float gain = coefficients->lag_gain;
    const float step = coefficients->lag_step;
    const float step_size = coefficients->step_size;
    for (size_t i = 0; i < tile->count; i++) {
        const float move = carry * u[i] + step * g[i];
        const float weight = w[i] - move;
        u[i] = keep * u[i] + gain * g[i];
        direction[i] = move / step_size;
        w[i] = weight;
        snapshot[i] = weight;
    }
}

const dcps_stage_ops dcps_stage_ormo = {
    .name = "ormo",
    .formula = "every M updates a new bucket: w <- w - mu*u, u <- mu*u; u <- u + mu^lag*eta*g; w <- w - "
               "eta*g*(1-mu^(lag+1))/(1-mu), lag: buckets since g was issued",
    .states = {{"ordered_momentum", DCPS_STATE_BLOCK}},
    .begin = ormo_begin,
    .run = ormo_run};
