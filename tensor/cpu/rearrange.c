/* Ops that move elements and compute nothing, in runs that are as long as the shapes allow. */
#include <string.h>

#include "tensor/cpu/kernels.h"
#include "tensor/cpu/loops.h"
#include "tensor/ops.h"

static dcps_status reshape_backward(const dcps_call *call, const float *dy, const dcps_gradient_slot *dx)
{
    dcps_cpu_put(&dx[0], 0, call->y->count, 1.0f, dy);
    return DCPS_OK;
}

/* to [outer, b, middle, a, inner] (+)= from [outer, a, middle, b, inner] */
static void exchange(const dcps_transpose_attributes *is, const float *from, float *to, bool add)
{
    size_t block = is->a * is->middle * is->b * is->inner;
    for (size_t o = 0; o < is->outer; o++, from += block, to += block)
        for (size_t m = 0; m < is->middle; m++) {
            if (is->inner == 1) {
                dcps_cpu_transpose_matrix(is->a, is->b, from + m * is->b, is->middle * is->b, to + m * is->a,
                                          is->middle * is->a, add);
                continue;
            }
            for (size_t a = 0; a < is->a; a++)
                for (size_t b = 0; b < is->b; b++)
                    dcps_cpu_put(&(dcps_gradient_slot){.values = to, .add = add},
                                 ((b * is->middle + m) * is->a + a) * is->inner, is->inner, 1.0f,
                                 from + ((a * is->middle + m) * is->b + b) * is->inner);
        }
}

static dcps_status transpose_forward(const dcps_call *call, float *y)
{
    exchange(call->attributes, call->x[0]->values, y, false);
    return DCPS_OK;
}

/* The same exchange with the roles of a and b swapped. */
static dcps_status transpose_backward(const dcps_call *call, const float *dy, const dcps_gradient_slot *dx)
{
    dcps_transpose_attributes is = *(const dcps_transpose_attributes *)call->attributes;
    size_t a = is.a;
    is.a = is.b;
    is.b = a;
    exchange(&is, dy, dx[0].values, dx[0].add);
    return DCPS_OK;
}

static dcps_status concat_forward(const dcps_call *call, float *y)
{
    const dcps_concat_attributes *is = call->attributes;
    for (size_t o = 0; o < is->outer; o++)
        for (uint32_t input = 0; input < call->input_count; input++) {
            size_t piece = call->x[input]->dims[is->dim] * is->inner;
            memcpy(y, call->x[input]->values + o * piece, piece * sizeof *y);
            y += piece;
        }
    return DCPS_OK;
}

static dcps_status concat_backward(const dcps_call *call, const float *dy, const dcps_gradient_slot *dx)
{
    const dcps_concat_attributes *is = call->attributes;
    for (size_t o = 0; o < is->outer; o++)
        for (uint32_t input = 0; input < call->input_count; input++) {
            size_t piece = call->x[input]->dims[is->dim] * is->inner;
            if (dx[input].values != NULL)
                dcps_cpu_put(&dx[input], o * piece, piece, 1.0f, dy);
            dy += piece;
        }
    return DCPS_OK;
}

static dcps_status slice_forward(const dcps_call *call, float *y)
{
    const dcps_slice_attributes *is = call->attributes;
    size_t piece = is->count * is->inner;
    for (size_t o = 0; o < is->outer; o++)
        memcpy(y + o * piece, call->x[0]->values + (o * is->whole + is->first) * is->inner, piece * sizeof *y);
    return DCPS_OK;
}

static dcps_status slice_backward(const dcps_call *call, const float *dy, const dcps_gradient_slot *dx)
{
    const dcps_slice_attributes *is = call->attributes;
    size_t piece = is->count * is->inner;
    if (!dx[0].add)
        memset(dx[0].values, 0, call->x[0]->count * sizeof *dy);
    for (size_t o = 0; o < is->outer; o++)
        dcps_cpu_put(&dx[0], (o * is->whole + is->first) * is->inner, piece, 1.0f, dy + o * piece);
    return DCPS_OK;
}

/* Each image [channels, pixels] ↔ [pixels, channels]. */
static void reorder(const dcps_tensor *x, bool to_channels_last, const float *from, float *to, bool add)
{
    size_t pixels = x->dims[2] * x->dims[3], channels = x->dims[1], image = pixels * channels;
    size_t rows = to_channels_last ? channels : pixels;
    for (size_t n = 0; n < x->dims[0]; n++)
        dcps_cpu_transpose_matrix(rows, image / rows, from + n * image, image / rows, to + n * image, rows, add);
}

static dcps_status reorder_forward(const dcps_call *call, float *y)
{
    reorder(call->y, call->y->order == DCPS_CHANNELS_LAST, call->x[0]->values, y, false);
    return DCPS_OK;
}

static dcps_status reorder_backward(const dcps_call *call, const float *dy, const dcps_gradient_slot *dx)
{
    reorder(call->y, call->y->order == DCPS_ROW_MAJOR, dy, dx[0].values, dx[0].add);
    return DCPS_OK;
}

const dcps_kernel dcps_cpu_reorder = {.forward = reorder_forward, .backward = reorder_backward};
const dcps_kernel dcps_cpu_reshape = {.backward = reshape_backward};
const dcps_kernel dcps_cpu_transpose = {.forward = transpose_forward, .backward = transpose_backward};
const dcps_kernel dcps_cpu_concat = {.forward = concat_forward, .backward = concat_backward};
const dcps_kernel dcps_cpu_slice = {.forward = slice_forward, .backward = slice_backward};
