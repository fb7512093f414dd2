#include <string.h>

#include "tensor/cpu/kernels.h"
#include "tensor/cpu/loops.h"
#include "tensor/ops.h"

/* y [count, width] = rows of the table [rows, width] */
static dcps_status forward(const dcps_call *call, float *y)
{
    const dcps_embedding_attributes *is = call->attributes;
    size_t width = call->x[0]->dims[1];
    for (size_t i = 0; i < is->count; i++)
        memcpy(y + i * width, call->x[0]->values + (size_t)is->indices[i] * width, width * sizeof *y);
    return DCPS_OK;
}

/* dx [rows, width]: each row of dy is added to the row it shows, in the order of indices */
static dcps_status backward(const dcps_call *call, const float *dy, const dcps_gradient_slot *dx)
{
    const dcps_embedding_attributes *is = call->attributes;
    size_t width = call->x[0]->dims[1];
    if (!dx[0].add)
        memset(dx[0].values, 0, call->x[0]->count * sizeof *dy);
    for (size_t i = 0; i < is->count; i++)
        dcps_cpu_add_scaled(width, 1.0f, dy + i * width, dx[0].values + (size_t)is->indices[i] * width);
    return DCPS_OK;
}

const dcps_kernel dcps_cpu_embedding = {.forward = forward, .backward = backward};
