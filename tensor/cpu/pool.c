/* Pooling of images read as planes of [pixels, channels], one for each image and block of channels: the innermost loops run over the channels of one pixel. */
#include <math.h>
#include <string.h>

#include "tensor/cpu/kernels.h"
#include "tensor/cpu/loops.h"
#include "tensor/cpu/order.h"
#include "tensor/ops.h"

/* The part of a window that lies inside the image. */
typedef struct window {
    size_t top, bottom, left, right; /* bottom and right are the first outside */
} window;

static void range(size_t place, const dcps_pool_attributes *is, size_t size, size_t *from, size_t *to)
{
    size_t begin = place * is->stride, end = begin + is->kernel - is->padding;
    *from = begin < is->padding ? 0 : begin - is->padding;
    *to = end < size ? end : size;
}

/* The window behind place i, counted over planes, height and width of y; *image is the first element of its plane. */
static window window_of(const dcps_call *call, size_t i, size_t *image)
{
    const size_t *y = call->y->dims, *x = call->x[0]->dims;
    window found;
    range(i / y[3] % y[2], call->attributes, x[2], &found.top, &found.bottom);
    range(i % y[3], call->attributes, x[3], &found.left, &found.right);
    *image = i / (y[3] * y[2]) * dcps_cpu_lanes(call->x[0]) * x[2] * x[3];
    return found;
}

/* best = max(best, x) and where it was; a NaN is larger than anything, and the first of equals stays */
DCPS_CPU_LOOP static void keep_larger(size_t channels, uint32_t pixel, const float *restrict x, float *restrict best,
                                      uint32_t *restrict where)
{
    for (size_t c = 0; c < channels; c++) {
        float seen = x[c], held = best[c];
        bool larger = (seen > held) | (isnan((double)seen) & !isnan((double)held));
        best[c] = larger ? seen : held;
        where[c] = larger ? pixel : where[c];
    }
}

/* saved [count of y] holds, as whole numbers, the pixel in which each maximum was. */
static dcps_status max_forward(const dcps_call *call, float *y)
{
    size_t channels = dcps_cpu_lanes(call->x[0]), width = call->x[0]->dims[3], places = call->y->count / channels,
           image;
    uint32_t *scratch = call->saved != NULL ? NULL : dcps_call_scratch(call, channels, sizeof *scratch);
    if (call->saved == NULL && scratch == NULL)
        return DCPS_NO_MEMORY;
    for (size_t i = 0; i < places; i++, y += channels) {
        window in = window_of(call, i, &image);
        uint32_t *where = scratch != NULL ? scratch : (uint32_t *)(void *)call->saved + i * channels;
        const float *x = call->x[0]->values + image;
        size_t first = in.top * width + in.left;
        memcpy(y, x + first * channels, channels * sizeof *y);
        for (size_t c = 0; c < channels; c++)
            where[c] = (uint32_t)first;
        for (size_t row = in.top; row < in.bottom; row++)
            for (size_t column = in.left; column < in.right; column++)
                keep_larger(channels, (uint32_t)(row * width + column), x + (row * width + column) * channels, y,
                            where);
    }
    return DCPS_OK;
}

static dcps_status max_backward(const dcps_call *call, const float *dy, const dcps_gradient_slot *dx)
{
    size_t channels = dcps_cpu_lanes(call->x[0]), places = call->y->count / channels, image;
    const uint32_t *where = (const uint32_t *)(const void *)call->saved;
    if (!dx[0].add)
        memset(dx[0].values, 0, call->x[0]->count * sizeof *dy);
    for (size_t i = 0; i < places; i++, where += channels, dy += channels) {
        (void)window_of(call, i, &image);
        for (size_t c = 0; c < channels; c++)
            dx[0].values[image + where[c] * channels + c] += dy[c];
    }
    return DCPS_OK;
}

static float share(const window *in)
{
    return 1.0f / (float)((in->bottom - in->top) * (in->right - in->left));
}

static dcps_status avg_forward(const dcps_call *call, float *y)
{
    size_t channels = dcps_cpu_lanes(call->x[0]), width = call->x[0]->dims[3], places = call->y->count / channels,
           image;
    memset(y, 0, call->y->count * sizeof *y);
    for (size_t i = 0; i < places; i++, y += channels) {
        window in = window_of(call, i, &image);
        for (size_t row = in.top; row < in.bottom; row++)
            for (size_t column = in.left; column < in.right; column++)
                dcps_cpu_add_scaled(channels, share(&in),
                                    call->x[0]->values + image + (row * width + column) * channels, y);
    }
    return DCPS_OK;
}

static dcps_status avg_backward(const dcps_call *call, const float *dy, const dcps_gradient_slot *dx)
{
    size_t channels = dcps_cpu_lanes(call->x[0]), width = call->x[0]->dims[3], places = call->y->count / channels,
           image;
    if (!dx[0].add)
        memset(dx[0].values, 0, call->x[0]->count * sizeof *dy);
    for (size_t i = 0; i < places; i++, dy += channels) {
        window in = window_of(call, i, &image);
        for (size_t row = in.top; row < in.bottom; row++)
            for (size_t column = in.left; column < in.right; column++)
                dcps_cpu_add_scaled(channels, share(&in), dy, dx[0].values + image + (row * width + column) * channels);
    }
    return DCPS_OK;
}

/* y [planes, channels] = mean over the pixels of x [planes, pixels, channels] */
static dcps_status global_forward(const dcps_call *call, float *y)
{
    size_t channels = dcps_cpu_lanes(call->x[0]), pixels = call->x[0]->dims[2] * call->x[0]->dims[3];
    memset(y, 0, call->y->count * sizeof *y);
    for (size_t i = 0; i < call->x[0]->count / channels; i++)
        dcps_cpu_add_scaled(channels, 1.0f / (float)pixels, call->x[0]->values + i * channels,
                            y + i / pixels * channels);
    return DCPS_OK;
}

static dcps_status global_backward(const dcps_call *call, const float *dy, const dcps_gradient_slot *dx)
{
    size_t channels = dcps_cpu_lanes(call->x[0]), pixels = call->x[0]->dims[2] * call->x[0]->dims[3];
    for (size_t i = 0; i < call->x[0]->count / channels; i++)
        dcps_cpu_put(&dx[0], i * channels, channels, 1.0f / (float)pixels, dy + i / pixels * channels);
    return DCPS_OK;
}

const dcps_kernel dcps_cpu_max_pool = {.takes = DCPS_TAKES_CHOSEN,
                                       .choose = dcps_cpu_choose_image,
                                       .saved_count = dcps_count_of_result,
                                       .forward = max_forward,
                                       .backward = max_backward};
const dcps_kernel dcps_cpu_avg_pool = {
    .takes = DCPS_TAKES_CHOSEN, .choose = dcps_cpu_choose_image, .forward = avg_forward, .backward = avg_backward};
const dcps_kernel dcps_cpu_global_avg_pool = {.takes = DCPS_TAKES_CHOSEN,
                                              .choose = dcps_cpu_choose_image,
                                              .forward = global_forward,
                                              .backward = global_backward};
