#include "tensor/ref/ref.h"

/* y = a + b */
static dcps_status add_forward(const dcps_call *call, float *y)
{
    for (size_t i = 0; i < call->y->count; i++) {
        y[i] = (float)((double)call->x[0]->values[i] + (double)call->x[1]->values[i]);
    }
    return DCPS_OK;
}

/* da = dy; db = dy */
static dcps_status add_backward(const dcps_call *call, const float *dy, const dcps_gradient_slot *dx)
{
    for (int input = 0; input < 2; input++) {
        for (size_t i = 0; dx[input].values != NULL && i < call->y->count; i++) {
            dcps_ref_put(&dx[input], i, (double)dy[i]);
        }
    }
    return DCPS_OK;
}

/* y = a − b */
static dcps_status sub_forward(const dcps_call *call, float *y)
{
    for (size_t i = 0; i < call->y->count; i++) {
        y[i] = (float)((double)call->x[0]->values[i] - (double)call->x[1]->values[i]);
    }
    return DCPS_OK;
}

/* da = dy; db = −dy */
static dcps_status sub_backward(const dcps_call *call, const float *dy, const dcps_gradient_slot *dx)
{
    for (int input = 0; input < 2; input++) {
        for (size_t i = 0; dx[input].values != NULL && i < call->y->count; i++) {
            dcps_ref_put(&dx[input], i, input == 0 ? (double)dy[i] : -(double)dy[i]);
        }
    }
    return DCPS_OK;
}

/* y = a · b */
static dcps_status mul_forward(const dcps_call *call, float *y)
{
    for (size_t i = 0; i < call->y->count; i++) {
        y[i] = (float)((double)call->x[0]->values[i] * (double)call->x[1]->values[i]);
    }
    return DCPS_OK;
}

/* da = dy · b; db = dy · a */
static dcps_status mul_backward(const dcps_call *call, const float *dy, const dcps_gradient_slot *dx)
{
    for (int input = 0; input < 2; input++) {
        for (size_t i = 0; dx[input].values != NULL && i < call->y->count; i++) {
            dcps_ref_put(&dx[input], i, (double)dy[i] * (double)call->x[1 - input]->values[i]);
        }
    }
    return DCPS_OK;
}

const dcps_kernel dcps_ref_add = {.forward = add_forward, .backward = add_backward};
const dcps_kernel dcps_ref_sub = {.forward = sub_forward, .backward = sub_backward};
const dcps_kernel dcps_ref_mul = {.forward = mul_forward, .backward = mul_backward};
