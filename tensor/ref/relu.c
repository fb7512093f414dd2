#include "tensor/ref/ref.h"

/* y = max(x, 0); a NaN stays one, so that divergence shows in the loss */
static dcps_status forward(const dcps_call *call, float *y)
{
    for (size_t i = 0; i < call->y->count; i++) {
        y[i] = call->x[0]->values[i] < 0.0f ? 0.0f : call->x[0]->values[i];
    }
    return DCPS_OK;
}

/* dx = dy where x > 0, else 0 */
static dcps_status backward(const dcps_call *call, const float *dy, const dcps_gradient_slot *dx)
{
    for (size_t i = 0; i < call->y->count; i++) {
        dcps_ref_put(&dx[0], i, call->x[0]->values[i] > 0.0f ? (double)dy[i] : 0.0);
    }
    return DCPS_OK;
}

const dcps_kernel dcps_ref_relu = {.forward = forward, .backward = backward};
