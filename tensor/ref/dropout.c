#include "tensor/ops.h"
#include "tensor/philox.h"
#include "tensor/ref/ref.h"

/* What element i is multiplied by: 0 or 1 / (1 − rate). */
static double factor(const dcps_dropout_attributes *is, size_t i)
{
    uint32_t words[4];
    dcps_philox_block(is->key->seed, is->key->number, is->index, (uint32_t)(i / 4), words);
    return words[i % 4] < dcps_philox_threshold(is->rate) ? 0.0 : 1.0 / (1.0 - (double)is->rate);
}

static dcps_status forward(const dcps_call *call, float *y)
{
    for (size_t i = 0; i < call->y->count; i++) {
        y[i] = (float)((double)call->x[0]->values[i] * factor(call->attributes, i));
    }
    return DCPS_OK;
}

static dcps_status backward(const dcps_call *call, const float *dy, const dcps_gradient_slot *dx)
{
    for (size_t i = 0; i < call->y->count; i++) {
        dcps_ref_put(&dx[0], i, (double)dy[i] * factor(call->attributes, i));
    }
    return DCPS_OK;
}

const dcps_kernel dcps_ref_dropout = {.forward = forward, .backward = backward};
