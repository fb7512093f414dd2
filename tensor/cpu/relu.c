#include "tensor/cpu/kernels.h"

/* y = max(x, 0); a NaN stays one, so that divergence shows in the loss */
static dcps_status forward(const dcps_call *call, float *restrict y)
{
    const float *restrict x = call->x[0]->values;
    size_t count = call->y->count;
    for (size_t i = 0; i < count; i++)
        y[i] = x[i] < 0.0f ? 0.0f : x[i];
    return DCPS_OK;
}

/* dx = dy where x > 0, else 0 */
static dcps_status backward(const dcps_call *call, const float *restrict dy, const dcps_gradient_slot *dx)
{
    const float *restrict x = call->x[0]->values;
    float *restrict to = dx[0].values;
    size_t count = call->y->count;
    /* dy is read whether needed or not: a choice between two values becomes a mask, a conditional read a branch. */
    if (dx[0].add)
        for (size_t i = 0; i < count; i++) {
            float slope = dy[i];
            to[i] += x[i] > 0.0f ? slope : 0.0f;
        }
    else
        for (size_t i = 0; i < count; i++) {
            float slope = dy[i];
            to[i] = x[i] > 0.0f ? slope : 0.0f;
        }
    return DCPS_OK;
}

const dcps_kernel dcps_cpu_relu = {.forward = forward, .backward = backward};
