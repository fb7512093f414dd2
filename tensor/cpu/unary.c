/* Functions of one element. oneDNN has the transcendental ones; most derivatives follow from the result in a plain loop. */
#include "tensor/cpu/kernels.h"
#include "tensor/cpu/loops.h"
#include "tensor/cpu/primitive.h"
#include "tensor/ops.h"

/* numbers: algorithm, count, whether backward */
static dnnl_status_t make(const dcps_primitive_key *key, dnnl_engine_t engine, const_dnnl_primitive_attr_t attr,
                          dnnl_primitive_desc_t *desc)
{
    dnnl_memory_desc_t layout;
    dnnl_eltwise_desc_t eltwise;
    dnnl_alg_kind_t algorithm = (dnnl_alg_kind_t)key->numbers[0];
    dnnl_status_t result = dnnl_memory_desc_init_by_tag(&layout, 1, &key->numbers[1], dnnl_f32, dnnl_a);
    if (result != dnnl_success) {
        return result;
    }
    result = dnnl_eltwise_forward_desc_init(&eltwise, dnnl_forward_training, algorithm, &layout, 0.0f, 0.0f);
    if (result == dnnl_success) {
        result = dnnl_primitive_desc_create(desc, &eltwise, attr, engine, NULL);
    }
    if (result != dnnl_success || key->numbers[2] == 0) {
        return result;
    }
    dnnl_primitive_desc_t hint = *desc;
    result = dnnl_eltwise_backward_desc_init(&eltwise, algorithm, &layout, &layout, 0.0f, 0.0f);
    if (result == dnnl_success) {
        result = dnnl_primitive_desc_create(desc, &eltwise, attr, engine, hint);
    }
    if (result != dnnl_success) {
        *desc = NULL;
    }
    dnnl_primitive_desc_destroy(hint);
    return result;
}

/* y = f(x) */
static dcps_status apply(const dcps_call *call, dnnl_alg_kind_t algorithm, float *y)
{
    dcps_primitive_key key = {.make = make, .numbers = {(int64_t)algorithm, (int64_t)call->y->count, 0}};
    return dcps_primitive_call(call, &key, 2,
                               (dcps_primitive_argument[]){{DNNL_ARG_SRC, call->x[0]->values}, {DNNL_ARG_DST, y}});
}

/* y = max(x, 0); a NaN stays one, so that divergence shows in the loss */
DCPS_CPU_LOOP static void rectify(size_t count, bool add, float factor, const float *restrict x,
                                  const float *restrict unused, float *restrict y)
{
    (void)add, (void)factor, (void)unused;
    for (size_t i = 0; i < count; i++) {
        y[i] = x[i] < 0.0f ? 0.0f : x[i];
    }
}

static dcps_status relu_forward(const dcps_call *call, float *y)
{
    dcps_cpu_elements(rectify, call->y->count, false, 1.0f, call->x[0]->values, NULL, y);
    return DCPS_OK;
}

static dcps_status tanh_forward(const dcps_call *call, float *y)
{
    return apply(call, dnnl_eltwise_tanh, y);
}

static dcps_status sigmoid_forward(const dcps_call *call, float *y)
{
    return apply(call, dnnl_eltwise_logistic, y);
}

static dcps_status gelu_forward(const dcps_call *call, float *y)
{
    return apply(call, dnnl_eltwise_gelu_tanh, y);
}

static dcps_status exp_forward(const dcps_call *call, float *y)
{
    return apply(call, dnnl_eltwise_exp, y);
}

static dcps_status log_forward(const dcps_call *call, float *y)
{
    return apply(call, dnnl_eltwise_log, y);
}

/* dx (+)= dy · slope of element i. dy is read whether needed or not: a choice between two values becomes a mask, a conditional read a branch. */
#define BACKWARD(name, of, slope)                                                                                      \
    DCPS_CPU_LOOP static void name##_loop(size_t count, bool add, float factor, const float *restrict v,               \
                                          const float *restrict dy, float *restrict dx)                                \
    {                                                                                                                  \
        (void)factor;                                                                                                  \
        if (add)                                                                                                       \
            for (size_t i = 0; i < count; i++) {                                                                       \
                float d = dy[i];                                                                                       \
                dx[i] += (slope);                                                                                      \
            }                                                                                                          \
        else                                                                                                           \
            for (size_t i = 0; i < count; i++) {                                                                       \
                float d = dy[i];                                                                                       \
                dx[i] = (slope);                                                                                       \
            }                                                                                                          \
    }                                                                                                                  \
    static dcps_status name##_backward(const dcps_call *call, const float *dy, const dcps_gradient_slot *dx)           \
    {                                                                                                                  \
        dcps_cpu_elements(name##_loop, call->y->count, dx[0].add, 1.0f, (of)->values, dy, dx[0].values);               \
        return DCPS_OK;                                                                                                \
    }

BACKWARD(relu, call->x[0], v[i] > 0.0f ? d : 0.0f)
BACKWARD(tanh, call->y, d *(1.0f - v[i]) * (1.0f + v[i]))
BACKWARD(sigmoid, call->y, d *v[i] * (1.0f - v[i]))
BACKWARD(exp, call->y, d *v[i])
BACKWARD(log, call->x[0], d / v[i])

/* By oneDNN, which overwrites: what is to be added goes through scratch memory. */
static dcps_status gelu_backward(const dcps_call *call, const float *dy, const dcps_gradient_slot *dx)
{
    size_t count = call->y->count;
    float *to = dx[0].add ? dcps_call_scratch(call, count, sizeof(*to)) : dx[0].values;
    if (to == NULL) {
        return DCPS_NO_MEMORY;
    }
    dcps_primitive_key key = {.make = make, .numbers = {(int64_t)dnnl_eltwise_gelu_tanh, (int64_t)count, 1}};
    dcps_status status =
        dcps_primitive_call(call, &key, 3,
                            (dcps_primitive_argument[]){
                                {DNNL_ARG_SRC, call->x[0]->values}, {DNNL_ARG_DIFF_DST, dy}, {DNNL_ARG_DIFF_SRC, to}});
    if (status == DCPS_OK && dx[0].add) {
        dcps_cpu_put(&dx[0], 0, count, 1.0f, to);
    }
    return status;
}

static dcps_status scale_forward(const dcps_call *call, float *y)
{
    const dcps_scale_attributes *attributes = call->attributes;
    dcps_cpu_put(&(dcps_gradient_slot){.values = y}, 0, call->y->count, attributes->factor, call->x[0]->values);
    return DCPS_OK;
}

static dcps_status scale_backward(const dcps_call *call, const float *dy, const dcps_gradient_slot *dx)
{
    const dcps_scale_attributes *attributes = call->attributes;
    dcps_cpu_put(&dx[0], 0, call->y->count, attributes->factor, dy);
    return DCPS_OK;
}

const dcps_kernel dcps_cpu_relu = {.takes = DCPS_TAKES_EITHER, .forward = relu_forward, .backward = relu_backward};
const dcps_kernel dcps_cpu_tanh = {.takes = DCPS_TAKES_EITHER, .forward = tanh_forward, .backward = tanh_backward};
const dcps_kernel dcps_cpu_sigmoid = {
    .takes = DCPS_TAKES_EITHER, .forward = sigmoid_forward, .backward = sigmoid_backward};
const dcps_kernel dcps_cpu_gelu = {.takes = DCPS_TAKES_EITHER, .forward = gelu_forward, .backward = gelu_backward};
const dcps_kernel dcps_cpu_exp = {.takes = DCPS_TAKES_EITHER, .forward = exp_forward, .backward = exp_backward};
const dcps_kernel dcps_cpu_log = {.takes = DCPS_TAKES_EITHER, .forward = log_forward, .backward = log_backward};
const dcps_kernel dcps_cpu_scale = {.takes = DCPS_TAKES_EITHER, .forward = scale_forward, .backward = scale_backward};
