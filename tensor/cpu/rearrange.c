/* Ops that move elements and compute nothing, in runs that are as long as the shapes allow. */
#include <string.h>

#include "tensor/cpu/kernels.h"
#include "tensor/cpu/loops.h"
#include "tensor/cpu/order.h"
#include "tensor/ops.h"

static dcps_status reshape_backward(const dcps_call *call, const float *dy, const dcps_gradient_slot *dx)
{
    if (dx[0].values != NULL) {
        dcps_cpu_put(&dx[0], 0, call->y->count, 1.0f, dy);
    }
    return DCPS_OK;
}

/* to [outer, b, middle, a, inner] (+)= from [outer, a, middle, b, inner] */
static void exchange(const dcps_transpose_attributes *is, const float *from, float *to, bool add)
{
    size_t block = is->a * is->middle * is->b * is->inner;
    for (size_t o = 0; o < is->outer; o++, from += block, to += block) {
        for (size_t m = 0; m < is->middle; m++) {
            if (is->inner == 1) {
                dcps_cpu_transpose_matrix(is->a, is->b, from + m * is->b, is->middle * is->b, to + m * is->a,
                                          is->middle * is->a, add);
                continue;
            }
            for (size_t a = 0; a < is->a; a++) {
                for (size_t b = 0; b < is->b; b++) {
                    dcps_cpu_put(&(dcps_gradient_slot){.values = to, .add = add},
                                 ((b * is->middle + m) * is->a + a) * is->inner, is->inner, 1.0f,
                                 from + ((a * is->middle + m) * is->b + b) * is->inner);
                }
            }
        }
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
    for (size_t o = 0; o < is->outer; o++) {
        for (uint32_t input = 0; input < call->input_count; input++) {
            size_t piece = call->x[input]->dims[is->dim] * is->inner;
            memcpy(y, call->x[input]->values + o * piece, piece * sizeof(*y));
            y += piece;
        }
    }
    return DCPS_OK;
}

static dcps_status concat_backward(const dcps_call *call, const float *dy, const dcps_gradient_slot *dx)
{
    const dcps_concat_attributes *is = call->attributes;
    for (size_t o = 0; o < is->outer; o++) {
        for (uint32_t input = 0; input < call->input_count; input++) {
            size_t piece = call->x[input]->dims[is->dim] * is->inner;
            if (dx[input].values != NULL) {
                dcps_cpu_put(&dx[input], o * piece, piece, 1.0f, dy);
            }
            dy += piece;
        }
    }
    return DCPS_OK;
}

/* In blocks, images one after the other and channels one after the other are what they are row-major: runs of memory. */
static dcps_order concat_choose(const dcps_call *call, const size_t *y_dims, uint32_t input)
{
    const dcps_concat_attributes *is = call->attributes;
    (void)y_dims;
    (void)input;
    bool blocked = false;
    for (uint32_t i = 0; i < call->input_count; i++) {
        const dcps_tensor *x = call->x[i];
        if (x->dim_count != 4 || is->dim > 1 || x->dims[1] % dcps_cpu_channel_block() != 0) {
            return DCPS_ROW_MAJOR;
        }
        blocked = blocked || x->order == DCPS_CHANNELS_BLOCKED;
    }
    return blocked ? DCPS_CHANNELS_BLOCKED : DCPS_ROW_MAJOR;
}

static dcps_status slice_forward(const dcps_call *call, float *y)
{
    const dcps_slice_attributes *is = call->attributes;
    size_t piece = is->count * is->inner;
    for (size_t o = 0; o < is->outer; o++) {
        memcpy(y + o * piece, call->x[0]->values + (o * is->whole + is->first) * is->inner, piece * sizeof(*y));
    }
    return DCPS_OK;
}

static dcps_status slice_backward(const dcps_call *call, const float *dy, const dcps_gradient_slot *dx)
{
    const dcps_slice_attributes *is = call->attributes;
    size_t piece = is->count * is->inner;
    if (!dx[0].add) {
        memset(dx[0].values, 0, call->x[0]->count * sizeof(*dy));
    }
    for (size_t o = 0; o < is->outer; o++) {
        dcps_cpu_put(&dx[0], (o * is->whole + is->first) * is->inner, piece, 1.0f, dy + o * piece);
    }
    return DCPS_OK;
}

/* Where pixel 0 of a channel lies in an image, and how far apart its pixels are. */
typedef struct place {
    size_t first, step;
} place;

static place place_of(dcps_order order, size_t channel, size_t channels, size_t pixels, size_t block)
{
    if (order == DCPS_CHANNELS_BLOCKED) {
        return (place){channel / block * block * pixels + channel % block, block};
    }
    return order == DCPS_CHANNELS_LAST ? (place){channel, channels} : (place){channel * pixels, 1};
}

/* Images of one channel after the other, in runs of channels that lie side by side, or as far as they do, in both orders. */
static void reorder(const dcps_call *call, dcps_order from_order, const float *from, dcps_order to_order, float *to,
                    bool add)
{
    const dcps_reorder_attributes *is = call->attributes;
    const size_t *dims = call->y->dims;
    size_t channels = dims[1], pixels = dims[2] * dims[3], image = channels * pixels;
    size_t run =
        from_order == DCPS_CHANNELS_BLOCKED || to_order == DCPS_CHANNELS_BLOCKED ? is->channel_block : channels;
    for (size_t n = 0; n < dims[0]; n++) {
        for (size_t c = 0; c < channels; c += run) {
            place in = place_of(from_order, c, channels, pixels, is->channel_block);
            place out = place_of(to_order, c, channels, pixels, is->channel_block);
            const float *source = from + n * image + in.first;
            float *target = to + n * image + out.first;
            if (in.step == 1) {
                dcps_cpu_transpose_matrix(run, pixels, source, pixels, target, out.step, add);
            } else if (out.step == 1) {
                dcps_cpu_transpose_matrix(pixels, run, source, in.step, target, pixels, add);
            } else {
                for (size_t p = 0; p < pixels; p++) {
                    dcps_cpu_put(&(dcps_gradient_slot){.values = target, .add = add}, p * out.step, run, 1.0f,
                                 source + p * in.step);
                }
            }
        }
    }
}

static dcps_status reorder_forward(const dcps_call *call, float *y)
{
    reorder(call, call->x[0]->order, call->x[0]->values, call->y->order, y, false);
    return DCPS_OK;
}

static dcps_status reorder_backward(const dcps_call *call, const float *dy, const dcps_gradient_slot *dx)
{
    reorder(call, call->y->order, dy, call->x[0]->order, dx[0].values, dx[0].add);
    return DCPS_OK;
}

const dcps_kernel dcps_cpu_reorder = {.forward = reorder_forward, .backward = reorder_backward};
const dcps_kernel dcps_cpu_reshape = {.passes = 1u << 0, .backward = reshape_backward};
const dcps_kernel dcps_cpu_transpose = {.forward = transpose_forward, .backward = transpose_backward};
const dcps_kernel dcps_cpu_concat = {
    .takes = DCPS_TAKES_CHOSEN, .choose = concat_choose, .forward = concat_forward, .backward = concat_backward};
const dcps_kernel dcps_cpu_slice = {.forward = slice_forward, .backward = slice_backward};
