#include "tensor/ops.h"
#include "tensor/ref/ref.h"

/* y [count, width] = rows of the table [rows, width] */
static dcps_status forward(const dcps_call *call, float *y)
{
    const dcps_embedding_attributes *is = call->attributes;
    size_t width = call->x[0]->dims[1];
    for (size_t i = 0; i < is->count; i++) {
        for (size_t j = 0; j < width; j++) {
            y[i * width + j] = call->x[0]->values[(size_t)is->indices[i] * width + j];
        }
    }
    return DCPS_OK;
}

/* dx [rows, width]: row r is the sum of dy over all places that show row r */
static dcps_status backward(const dcps_call *call, const float *dy, const dcps_gradient_slot *dx)
{
    const dcps_embedding_attributes *is = call->attributes;
    size_t count = call->x[0]->count, width = call->x[0]->dims[1];
    double *sums = dcps_call_scratch(call, count, sizeof(*sums));
    if (sums == NULL) {
        return DCPS_NO_MEMORY;
    }
    for (size_t i = 0; i < count; i++) {
        sums[i] = 0.0;
    }
    for (size_t i = 0; i < is->count; i++) {
        for (size_t j = 0; j < width; j++) {
            sums[(size_t)is->indices[i] * width + j] += (double)dy[i * width + j];
        }
    }
    for (size_t i = 0; i < count; i++) {
        dcps_ref_put(&dx[0], i, sums[i]);
    }
    return DCPS_OK;
}

const dcps_kernel dcps_ref_embedding = {.forward = forward, .backward = backward};
