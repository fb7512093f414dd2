#include "tensor/ops.h"
#include "tensor/ref/ref.h"

/* y [outer, inner] = factor · Σ over the middle of x [outer, count, inner] */
static dcps_status forward(const dcps_call *call, float *y)
{
    const dcps_reduce_attributes *is = call->attributes;
    for (size_t o = 0; o < is->outer; o++) {
        for (size_t i = 0; i < is->inner; i++) {
            double sum = 0.0;
            for (size_t j = 0; j < is->count; j++) {
                sum += (double)call->x[0]->values[(o * is->count + j) * is->inner + i];
            }
            y[o * is->inner + i] = (float)((double)is->factor * sum);
        }
    }
    return DCPS_OK;
}

/* dx [outer, count, inner] = factor · dy [outer, inner] */
static dcps_status backward(const dcps_call *call, const float *dy, const dcps_gradient_slot *dx)
{
    const dcps_reduce_attributes *is = call->attributes;
    for (size_t o = 0; o < is->outer; o++) {
        for (size_t j = 0; j < is->count; j++) {
            for (size_t i = 0; i < is->inner; i++) {
                dcps_ref_put(&dx[0], (o * is->count + j) * is->inner + i,
                             (double)is->factor * (double)dy[o * is->inner + i]);
            }
        }
    }
    return DCPS_OK;
}

const dcps_kernel dcps_ref_reduce = {.forward = forward, .backward = backward};
