#include "tensor/clip.h"

#include <math.h>
#include <stdbool.h>

/* Sums side by side, so that they fit vector registers; their order is fixed. */
#define LANES 8u

static double sum_of_squares(const float *values, uint64_t count)
{
    double sums[LANES] = {0.0};
    uint64_t whole = count / LANES * LANES;
    for (uint64_t i = 0; i < whole; i += LANES) {
        for (uint64_t lane = 0; lane < LANES; lane++) {
            sums[lane] += (double)values[i + lane] * (double)values[i + lane];
        }
    }
    double sum = 0.0;
    for (uint64_t lane = 0; lane < LANES; lane++) {
        sum += sums[lane];
    }
    for (uint64_t i = whole; i < count; i++) {
        sum += (double)values[i] * (double)values[i];
    }
    return sum;
}

static bool is_trained(const dcps_layout_tensor *tensor)
{
    return tensor->average_rate == 0.0F;
}

double dcps_clip_gradient(const dcps_layout *layout, double limit, float *gradient)
{
    double sum = 0.0;
    for (uint32_t i = 0; i < dcps_layout_tensor_count(layout); i++) {
        const dcps_layout_tensor *tensor = dcps_layout_tensor_at(layout, i);
        sum += is_trained(tensor) ? sum_of_squares(gradient + tensor->offset_params, tensor->count_params) : 0.0;
    }
    double norm = sqrt(sum);
    if (!(norm > limit) || !isfinite(norm)) {
        return norm;
    }
    float factor = (float)(limit / norm);
    for (uint32_t i = 0; i < dcps_layout_tensor_count(layout); i++) {
        const dcps_layout_tensor *tensor = dcps_layout_tensor_at(layout, i);
        float *values = gradient + tensor->offset_params;
        for (uint64_t k = 0; is_trained(tensor) && k < tensor->count_params; k++) {
            values[k] *= factor;
        }
    }
    return norm;
}
