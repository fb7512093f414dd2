/* Ops that move elements and compute nothing: backward moves gradients the other way. */
#include "tensor/ops.h"
#include "tensor/ref/ref.h"

/* The result shares its values with x. */
/* dx = dy */
static dcps_status reshape_backward(const dcps_call *call, const float *dy, const dcps_gradient_slot *dx)
{
    for (size_t i = 0; i < call->y->count; i++) {
        dcps_ref_put(&dx[0], i, (double)dy[i]);
    }
    return DCPS_OK;
}

/* Where element i of y, of shape [outer, b, middle, a, inner], comes from in x [outer, a, middle, b, inner]. */
static size_t transpose_source(const dcps_transpose_attributes *is, size_t i)
{
    size_t inner = i % is->inner, a = i / is->inner % is->a, middle = i / (is->inner * is->a) % is->middle;
    size_t b = i / (is->inner * is->a * is->middle) % is->b, outer = i / (is->inner * is->a * is->middle * is->b);
    return (((outer * is->a + a) * is->middle + middle) * is->b + b) * is->inner + inner;
}

static dcps_status transpose_forward(const dcps_call *call, float *y)
{
    for (size_t i = 0; i < call->y->count; i++) {
        y[i] = call->x[0]->values[transpose_source(call->attributes, i)];
    }
    return DCPS_OK;
}

static dcps_status transpose_backward(const dcps_call *call, const float *dy, const dcps_gradient_slot *dx)
{
    for (size_t i = 0; i < call->y->count; i++) {
        dcps_ref_put(&dx[0], transpose_source(call->attributes, i), (double)dy[i]);
    }
    return DCPS_OK;
}

/* y [outer, Σ n, inner]: the inputs [outer, n, inner] back to back */
static dcps_status concat_forward(const dcps_call *call, float *y)
{
    const dcps_concat_attributes *is = call->attributes;
    size_t at = 0;
    for (size_t o = 0; o < is->outer; o++) {
        for (uint32_t input = 0; input < call->input_count; input++) {
            size_t piece = call->x[input]->dims[is->dim] * is->inner;
            for (size_t i = 0; i < piece; i++) {
                y[at++] = call->x[input]->values[o * piece + i];
            }
        }
    }
    return DCPS_OK;
}

static dcps_status concat_backward(const dcps_call *call, const float *dy, const dcps_gradient_slot *dx)
{
    const dcps_concat_attributes *is = call->attributes;
    size_t at = 0;
    for (size_t o = 0; o < is->outer; o++) {
        for (uint32_t input = 0; input < call->input_count; input++) {
            size_t piece = call->x[input]->dims[is->dim] * is->inner;
            for (size_t i = 0; i < piece; i++, at++) {
                if (dx[input].values != NULL) {
                    dcps_ref_put(&dx[input], o * piece + i, (double)dy[at]);
                }
            }
        }
    }
    return DCPS_OK;
}

/* y [outer, count, inner] = x [outer, whole, inner] from `first` on */
static dcps_status slice_forward(const dcps_call *call, float *y)
{
    const dcps_slice_attributes *is = call->attributes;
    size_t at = 0;
    for (size_t o = 0; o < is->outer; o++) {
        for (size_t i = 0; i < is->count * is->inner; i++) {
            y[at++] = call->x[0]->values[(o * is->whole + is->first) * is->inner + i];
        }
    }
    return DCPS_OK;
}

/* dx = dy within the range and 0 outside */
static dcps_status slice_backward(const dcps_call *call, const float *dy, const dcps_gradient_slot *dx)
{
    const dcps_slice_attributes *is = call->attributes;
    for (size_t o = 0; o < is->outer; o++) {
        for (size_t j = 0; j < is->whole; j++) {
            for (size_t i = 0; i < is->inner; i++) {
                bool inside = j >= is->first && j < is->first + is->count;
                double value = inside ? (double)dy[(o * is->count + j - is->first) * is->inner + i] : 0.0;
                dcps_ref_put(&dx[0], (o * is->whole + j) * is->inner + i, value);
            }
        }
    }
    return DCPS_OK;
}

const dcps_kernel dcps_ref_reshape = {.backward = reshape_backward};
const dcps_kernel dcps_ref_transpose = {.forward = transpose_forward, .backward = transpose_backward};
const dcps_kernel dcps_ref_concat = {.forward = concat_forward, .backward = concat_backward};
const dcps_kernel dcps_ref_slice = {.forward = slice_forward, .backward = slice_backward};
