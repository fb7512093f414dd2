#include "tensor/cpu/kernels.h"
#include "tensor/cpu/loops.h"
#include "tensor/ops.h"

/* y [outer, inner] = factor · Σ over the middle of x [outer, count, inner], row after row so that loops run along memory */
static dcps_status forward(const dcps_call *call, float *y)
{
    const dcps_reduce_attributes *is = call->attributes;
    const float *x = call->x[0]->values;
    for (size_t o = 0; o < is->outer; o++, x += is->count * is->inner) {
        if (is->inner == 1) {
            y[o] = (float)((double)is->factor * dcps_cpu_sum(is->count, x));
            continue;
        }
        dcps_cpu_set_scaled(is->inner, is->factor, x, y + o * is->inner);
        for (size_t j = 1; j < is->count; j++) {
            dcps_cpu_add_scaled(is->inner, is->factor, x + j * is->inner, y + o * is->inner);
        }
    }
    return DCPS_OK;
}

/* values [count] (+)= value */
DCPS_CPU_LOOP static void spread(size_t count, bool add, float value, float *values)
{
    if (add) {
        for (size_t i = 0; i < count; i++) {
            values[i] += value;
        }
    } else {
        for (size_t i = 0; i < count; i++) {
            values[i] = value;
        }
    }
}

/* dx [outer, count, inner] = factor · dy [outer, inner] */
static dcps_status backward(const dcps_call *call, const float *dy, const dcps_gradient_slot *dx)
{
    const dcps_reduce_attributes *is = call->attributes;
    for (size_t o = 0; o < is->outer; o++) {
        if (is->inner == 1) {
            spread(is->count, dx[0].add, is->factor * dy[o], dx[0].values + o * is->count);
        } else {
            for (size_t j = 0; j < is->count; j++) {
                dcps_cpu_put(&dx[0], (o * is->count + j) * is->inner, is->inner, is->factor, dy + o * is->inner);
            }
        }
    }
    return DCPS_OK;
}

const dcps_kernel dcps_cpu_reduce = {.forward = forward, .backward = backward};
