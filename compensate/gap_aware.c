/* Gap-aware (Barkai, Hakimi and Schuster, ICLR 2020): g̃ = g ⊘ (1 + |w − w_bak|/C) with C = η_max·(√(EMA(v²)/(1 − ρ^t)) + 1e-8), ρ = 0.999: a gradient is divided by the number of
 * average steps that its parameter has moved meanwhile, plus one.
 *
 * Checked against an open implementation for pipelines: C, its constants, the division by 1 − ρ^t and the largest learning rate in it are as there. It averages the square of the
 * momentum buffer as it was before the step, or of the raw gradient where there is no momentum; here v is the direction that was applied, whatever the optimizer. Weight
 * decay is not divided: it acts at the current weights. Before the first step there is no average, and the gradient passes unchanged. */
#include <math.h>

#include "compensate/stage.h"

static const double memory = 0.999;
static const double epsilon = 1e-8;

static void gap_aware_begin(const dcps_stage_call *call, dcps_coefficients *coefficients)
{
    coefficients->average_factor =
        call->updates == 0 ? 0.0f : (float)(1.0 / (1.0 - pow(memory, (double)call->updates)));
    coefficients->average_step = (float)call->step_size_max;
    coefficients->average_floor = (float)(call->step_size_max * epsilon);
}

DCPS_TILE_FUNCTION void divide_by_gap(const dcps_coefficients *coefficients, const dcps_tile *tile)
{
    const float *restrict g = DCPS_TILE_ALIGNED(tile->gradient);
    const float *restrict w = DCPS_TILE_ALIGNED(tile->weights);
    const float *restrict pulled = DCPS_TILE_ALIGNED(tile->pulled);
    const float *restrict average = DCPS_TILE_ALIGNED(tile->states[0]);
    float *restrict result = DCPS_TILE_ALIGNED(tile->result);
    const float factor = coefficients->average_factor;
    const float step = coefficients->average_step;
    const float floor = coefficients->average_floor;
    for (size_t i = 0; i < tile->count; i++) {
        const float usual = step * sqrtf(average[i] * factor) + floor;
        result[i] = g[i] / (1.0f + fabsf(w[i] - pulled[i]) / usual);
    }
}

static void gap_aware_run(const dcps_coefficients *coefficients, const dcps_tile *tile)
{
    if (coefficients->average_factor > 0.0f) {
        divide_by_gap(coefficients, tile);
    } else {
        memcpy(tile->result, tile->gradient, tile->count * sizeof(float));
    }
}

DCPS_TILE_FUNCTION void gap_aware_observe(const dcps_coefficients *coefficients, const dcps_tile *tile)
{
    const float *restrict v = DCPS_TILE_ALIGNED(tile->gradient);
    float *restrict average = DCPS_TILE_ALIGNED(tile->states[0]);
    const float keep = (float)memory;
    const float gain = (float)(1.0 - memory);
    (void)coefficients;
    for (size_t i = 0; i < tile->count; i++) {
        average[i] = keep * average[i] + gain * (v[i] * v[i]);
    }
}

const dcps_stage_ops dcps_stage_gap_aware = {
    .name = "gap-aware",
    .formula =
        "where t > 0: g <- g/(1 + |w-w_bak|/C), C = eta_max*(sqrt(q/(1-0.999^t)) + 1e-8); after the step of eta*v: "
        "q <- 0.999*q + 0.001*v*v",
    .needs_pulled = true,
    .states = {{"step_square", DCPS_STATE_BLOCK}},
    .begin = gap_aware_begin,
    .run = gap_aware_run,
    .observe = gap_aware_observe};
