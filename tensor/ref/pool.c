#include <math.h>

#include "tensor/ops.h"
#include "tensor/ref/ref.h"

/* The part of a window that lies inside an image of one channel. */
typedef struct window {
    const float *image;
    size_t top, bottom, left, right; /* bottom and right are the first outside */
    size_t width;                    /* of the image */
    size_t first;                    /* index of the image's first element in x */
} window;

static void range(size_t place, const dcps_pool_attributes *is, size_t size, size_t *from, size_t *to)
{
    size_t begin = place * is->stride, end = begin + is->kernel;
    *from = begin < is->padding ? 0 : begin - is->padding;
    *to = end - is->padding < size ? end - is->padding : size; /* padding < kernel: no wrap */
}

/* The window behind element i of y. */
static window window_of(const dcps_call *call, size_t i)
{
    const size_t *y = call->y->dims, *x = call->x[0]->dims;
    size_t column = i % y[3], row = i / y[3] % y[2], plane = i / (y[3] * y[2]);
    window found = {.width = x[3], .first = plane * x[2] * x[3]};
    found.image = call->x[0]->values + found.first;
    range(row, call->attributes, x[2], &found.top, &found.bottom);
    range(column, call->attributes, x[3], &found.left, &found.right);
    return found;
}

/* Index within the image of the first largest element; a NaN is larger than anything. */
static size_t largest(const window *in)
{
    size_t best = in->top * in->width + in->left;
    for (size_t r = in->top; r < in->bottom; r++) {
        for (size_t c = in->left; c < in->right; c++) {
            float seen = in->image[r * in->width + c];
            if (seen > in->image[best] || (isnan((double)seen) && !isnan((double)in->image[best]))) {
                best = r * in->width + c;
            }
        }
    }
    return best;
}

static dcps_status max_forward(const dcps_call *call, float *y)
{
    for (size_t i = 0; i < call->y->count; i++) {
        window in = window_of(call, i);
        y[i] = in.image[largest(&in)];
    }
    return DCPS_OK;
}

static void clear(const dcps_call *call, const dcps_gradient_slot *dx)
{
    for (size_t i = 0; !dx[0].add && i < call->x[0]->count; i++) {
        dx[0].values[i] = 0.0f;
    }
}

/* dx = dy where the maximum was, summed over the windows that share it */
static dcps_status max_backward(const dcps_call *call, const float *dy, const dcps_gradient_slot *dx)
{
    clear(call, dx);
    dcps_gradient_slot to = {.values = dx[0].values, .add = true};
    for (size_t i = 0; i < call->y->count; i++) {
        window in = window_of(call, i);
        dcps_ref_put(&to, in.first + largest(&in), (double)dy[i]);
    }
    return DCPS_OK;
}

static double area(const window *in)
{
    return (double)((in->bottom - in->top) * (in->right - in->left));
}

static dcps_status avg_forward(const dcps_call *call, float *y)
{
    for (size_t i = 0; i < call->y->count; i++) {
        window in = window_of(call, i);
        double sum = 0.0;
        for (size_t r = in.top; r < in.bottom; r++) {
            for (size_t c = in.left; c < in.right; c++) {
                sum += (double)in.image[r * in.width + c];
            }
        }
        y[i] = (float)(sum / area(&in));
    }
    return DCPS_OK;
}

/* dx = Σ dy / elements in the window, over the windows that hold it */
static dcps_status avg_backward(const dcps_call *call, const float *dy, const dcps_gradient_slot *dx)
{
    clear(call, dx);
    dcps_gradient_slot to = {.values = dx[0].values, .add = true};
    for (size_t i = 0; i < call->y->count; i++) {
        window in = window_of(call, i);
        for (size_t r = in.top; r < in.bottom; r++) {
            for (size_t c = in.left; c < in.right; c++) {
                dcps_ref_put(&to, in.first + r * in.width + c, (double)dy[i] / area(&in));
            }
        }
    }
    return DCPS_OK;
}

/* y [batch, channels] = mean over height and width */
static dcps_status global_forward(const dcps_call *call, float *y)
{
    size_t pixels = call->x[0]->dims[2] * call->x[0]->dims[3];
    for (size_t i = 0; i < call->y->count; i++) {
        double sum = 0.0;
        for (size_t p = 0; p < pixels; p++) {
            sum += (double)call->x[0]->values[i * pixels + p];
        }
        y[i] = (float)(sum / (double)pixels);
    }
    return DCPS_OK;
}

static dcps_status global_backward(const dcps_call *call, const float *dy, const dcps_gradient_slot *dx)
{
    size_t pixels = call->x[0]->dims[2] * call->x[0]->dims[3];
    for (size_t i = 0; i < call->x[0]->count; i++) {
        dcps_ref_put(&dx[0], i, (double)dy[i / pixels] / (double)pixels);
    }
    return DCPS_OK;
}

const dcps_kernel dcps_ref_max_pool = {.forward = max_forward, .backward = max_backward};
const dcps_kernel dcps_ref_avg_pool = {.forward = avg_forward, .backward = avg_backward};
const dcps_kernel dcps_ref_global_avg_pool = {.forward = global_forward, .backward = global_backward};
