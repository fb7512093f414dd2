/* Functions of one element and their derivatives, in double. */
#include <math.h>

#include "tensor/ops.h"
#include "tensor/ref/ref.h"

static double sigmoid(double x)
{
    return 1.0 / (1.0 + exp(-x));
}

static double sigmoid_slope(double x)
{
    return sigmoid(x) * (1.0 - sigmoid(x));
}

static double tanh_slope(double x)
{
    return 1.0 - tanh(x) * tanh(x);
}

#define GELU_SCALE 0.79788456080286536 /* √(2/π) */
#define GELU_CUBIC 0.044715

static double gelu(double x)
{
    return 0.5 * x * (1.0 + tanh(GELU_SCALE * (x + GELU_CUBIC * x * x * x)));
}

static double gelu_slope(double x)
{
    double t = tanh(GELU_SCALE * (x + GELU_CUBIC * x * x * x));
    return 0.5 * (1.0 + t) + 0.5 * x * (1.0 - t * t) * GELU_SCALE * (1.0 + 3.0 * GELU_CUBIC * x * x);
}

static double log_slope(double x)
{
    return 1.0 / x;
}

/* y = f(x) */
static dcps_status apply(const dcps_call *call, double (*f)(double), float *y)
{
    for (size_t i = 0; i < call->y->count; i++) {
        y[i] = (float)f((double)call->x[0]->values[i]);
    }
    return DCPS_OK;
}

/* dx = dy · f'(x) */
static dcps_status chain(const dcps_call *call, double (*slope)(double), const float *dy, const dcps_gradient_slot *dx)
{
    for (size_t i = 0; i < call->y->count; i++) {
        dcps_ref_put(&dx[0], i, (double)dy[i] * slope((double)call->x[0]->values[i]));
    }
    return DCPS_OK;
}

#define KERNEL(name, function, derivative)                                                                             \
    static dcps_status name##_forward(const dcps_call *call, float *y)                                                 \
    {                                                                                                                  \
        return apply(call, function, y);                                                                               \
    }                                                                                                                  \
    static dcps_status name##_backward(const dcps_call *call, const float *dy, const dcps_gradient_slot *dx)           \
    {                                                                                                                  \
        return chain(call, derivative, dy, dx);                                                                        \
    }                                                                                                                  \
    const dcps_kernel dcps_ref_##name = {.forward = name##_forward, .backward = name##_backward};

KERNEL(tanh, tanh, tanh_slope)
KERNEL(sigmoid, sigmoid, sigmoid_slope)
KERNEL(gelu, gelu, gelu_slope)
KERNEL(exp, exp, exp)
KERNEL(log, log, log_slope)

/* y = factor · x */
static dcps_status scale_forward(const dcps_call *call, float *y)
{
    const dcps_scale_attributes *attributes = call->attributes;
    for (size_t i = 0; i < call->y->count; i++) {
        y[i] = (float)((double)attributes->factor * (double)call->x[0]->values[i]);
    }
    return DCPS_OK;
}

/* dx = factor · dy */
static dcps_status scale_backward(const dcps_call *call, const float *dy, const dcps_gradient_slot *dx)
{
    const dcps_scale_attributes *attributes = call->attributes;
    for (size_t i = 0; i < call->y->count; i++) {
        dcps_ref_put(&dx[0], i, (double)attributes->factor * (double)dy[i]);
    }
    return DCPS_OK;
}

const dcps_kernel dcps_ref_scale = {.forward = scale_forward, .backward = scale_backward};
