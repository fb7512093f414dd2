#include "tensor/cpu/kernels.h"
#include "tensor/cpu/loops.h"

/* y = a + sign · b */
DCPS_CPU_LOOP static void sum(size_t count, bool add, float sign, const float *restrict a, const float *restrict b,
                              float *restrict y)
{
    (void)add;
    for (size_t i = 0; i < count; i++) {
        y[i] = a[i] + sign * b[i];
    }
}

/* y (+)= a · b */
DCPS_CPU_LOOP static void product(size_t count, bool add, float factor, const float *restrict a,
                                  const float *restrict b, float *restrict y)
{
    (void)factor;
    if (add) {
        for (size_t i = 0; i < count; i++) {
            y[i] += a[i] * b[i];
        }
    } else {
        for (size_t i = 0; i < count; i++) {
            y[i] = a[i] * b[i];
        }
    }
}

static dcps_status add_forward(const dcps_call *call, float *y)
{
    dcps_cpu_elements(sum, call->y->count, false, 1.0f, call->x[0]->values, call->x[1]->values, y);
    return DCPS_OK;
}

static dcps_status sub_forward(const dcps_call *call, float *y)
{
    dcps_cpu_elements(sum, call->y->count, false, -1.0f, call->x[0]->values, call->x[1]->values, y);
    return DCPS_OK;
}

/* da = dy; db = sign · dy */
static dcps_status sum_backward(const dcps_call *call, float sign, const float *dy, const dcps_gradient_slot *dx)
{
    if (dx[0].values != NULL) {
        dcps_cpu_put(&dx[0], 0, call->y->count, 1.0f, dy);
    }
    if (dx[1].values != NULL) {
        dcps_cpu_put(&dx[1], 0, call->y->count, sign, dy);
    }
    return DCPS_OK;
}

static dcps_status add_backward(const dcps_call *call, const float *dy, const dcps_gradient_slot *dx)
{
    return sum_backward(call, 1.0f, dy, dx);
}

static dcps_status sub_backward(const dcps_call *call, const float *dy, const dcps_gradient_slot *dx)
{
    return sum_backward(call, -1.0f, dy, dx);
}

static dcps_status mul_forward(const dcps_call *call, float *y)
{
    dcps_cpu_elements(product, call->y->count, false, 1.0f, call->x[0]->values, call->x[1]->values, y);
    return DCPS_OK;
}

/* da = dy · b; db = dy · a */
static dcps_status mul_backward(const dcps_call *call, const float *dy, const dcps_gradient_slot *dx)
{
    for (int input = 0; input < 2; input++) {
        const float *other = call->x[1 - input]->values;
        if (dx[input].values != NULL) {
            dcps_cpu_elements(product, call->y->count, dx[input].add, 1.0f, dy, other, dx[input].values);
        }
    }
    return DCPS_OK;
}

const dcps_kernel dcps_cpu_add = {
    .takes = DCPS_TAKES_EITHER, .passes = 1u << 0 | 1u << 1, .forward = add_forward, .backward = add_backward};
const dcps_kernel dcps_cpu_sub = {.takes = DCPS_TAKES_EITHER, .forward = sub_forward, .backward = sub_backward};
const dcps_kernel dcps_cpu_mul = {.takes = DCPS_TAKES_EITHER, .forward = mul_forward, .backward = mul_backward};
