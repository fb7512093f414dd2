#include <string.h>

#include "tensor/cpu/kernels.h"
#include "tensor/cpu/loops.h"
#include "tensor/ops.h"

typedef struct lookup {
    const dcps_call *call;
    float *y;
    const float *dy;
    const dcps_gradient_slot *dx;
} lookup;

static void read_rows(void *context, size_t begin, size_t end)
{
    const lookup *self = context;
    const dcps_embedding_attributes *is = self->call->attributes;
    size_t width = self->call->x[0]->dims[1];
    for (size_t i = begin; i < end; i++) {
        memcpy(self->y + i * width, self->call->x[0]->values + (size_t)is->indices[i] * width, width * sizeof(float));
    }
}

/* y [count, width] = rows of the table [rows, width] */
static dcps_status forward(const dcps_call *call, float *y)
{
    const dcps_embedding_attributes *is = call->attributes;
    lookup self = {.call = call, .y = y};
    dcps_cpu_parallel(is->count, call->y->count, read_rows, &self);
    return DCPS_OK;
}

/* Rows begin … end − 1 of dx */
static void add_rows(void *context, size_t begin, size_t end)
{
    const lookup *self = context;
    const dcps_embedding_attributes *is = self->call->attributes;
    size_t width = self->call->x[0]->dims[1];
    if (!self->dx->add) {
        memset(self->dx->values + begin * width, 0, (end - begin) * width * sizeof(float));
    }
    for (size_t i = 0; i < is->count; i++) {
        size_t row = (size_t)is->indices[i];
        if (row >= begin && row < end) {
            dcps_cpu_add_scaled(width, 1.0f, self->dy + i * width, self->dx->values + row * width);
        }
    }
}

/* dx [rows, width]: each row of dy is added to the row it shows, in the order of indices */
static dcps_status backward(const dcps_call *call, const float *dy, const dcps_gradient_slot *dx)
{
    lookup self = {.call = call, .dy = dy, .dx = &dx[0]};
    dcps_cpu_parallel(call->x[0]->dims[0], call->x[0]->count, add_rows, &self);
    return DCPS_OK;
}

const dcps_kernel dcps_cpu_embedding = {.forward = forward, .backward = backward};
