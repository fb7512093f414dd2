/* AdaDelay (Sra, Yu, Li and Smola, AISTATS 2016): parameter j moves by g_j/(L + c_j·√(t+τ)), c_j² = 1/t·Σ_{s ≤ t} s/(s+τ_s)·g_j(s)², with t = 1 at the first update and g(s) the
 * gradients as they were pushed. η multiplies that step; the paper's is η = 1.
 *
 * Checked: abstract and introduction of the paper, for the dependence on the delay of each update; the weights s/(s+τ_s) are recalled. The mean follows from the one before it by
 * c² ← (t−1)/t·c² + g²/(t+τ), because s/(s+τ_s)/t at s = t is 1/(t+τ). */
#include <math.h>

#include "compensate/stage.h"

static void adadelay_begin(const dcps_stage_call *call, dcps_coefficients *coefficients)
{
    const double t = (double)call->updates + 1.0;
    const double late = t + (double)call->staleness;
    coefficients->sum_keep = (float)((t - 1.0) / t);
    coefficients->sum_gain = (float)(1.0 / late);
    coefficients->sum_root = (float)sqrt(late);
}

DCPS_TILE_FUNCTION void adadelay_run(const dcps_coefficients *coefficients, const dcps_tile *tile)
{
    const float *restrict g = DCPS_TILE_ALIGNED(tile->gradient);
    const float *restrict pushed = DCPS_TILE_ALIGNED(tile->pushed);
    float *restrict square = DCPS_TILE_ALIGNED(tile->states[0]);
    float *restrict result = DCPS_TILE_ALIGNED(tile->result);
    const float keep = coefficients->sum_keep;
    const float gain = coefficients->sum_gain;
    const float root = coefficients->sum_root;
    const float offset = coefficients->adadelay_offset;
    for (size_t i = 0; i < tile->count; i++) {
        const float mean = keep * square[i] + gain * (pushed[i] * pushed[i]);
        square[i] = mean;
        result[i] = g[i] / (offset + sqrtf(mean) * root);
    }
}

const dcps_stage_ops dcps_stage_adadelay = {
    .name = "adadelay",
    .formula = "q <- q*t/(t+1) + p*p/(t+1+tau), p: g as pushed; g <- g/(L + sqrt(q*(t+1+tau)))",
    .states = {{"delayed_square", DCPS_STATE_BLOCK}},
    .begin = adadelay_begin,
    .run = adadelay_run};
