#include "tensor/ops.h"
#include "tensor/ref/ref.h"

/* Sizes of a call, and for each product x · w of the convolution where its three parts lie. */
typedef struct sizes {
    size_t batch, channels, height, width, filters, kernel_height, kernel_width, y_height, y_width, stride, padding;
} sizes;

static sizes sizes_of(const dcps_call *call)
{
    const dcps_conv2d_attributes *attributes = call->attributes;
    const size_t *x = call->x[0]->dims, *w = call->x[1]->dims, *y = call->y->dims;
    return (sizes){x[0], x[1], x[2], x[3], w[0], w[2], w[3], y[2], y[3], attributes->stride, attributes->padding};
}

/* Index in x of element (n, c) under kernel element (kh, kw) at place (h, w) of the result; false in the padding. */
static bool x_index(const sizes *is, size_t n, size_t c, size_t h, size_t w, size_t kh, size_t kw, size_t *index)
{
    size_t row = h * is->stride + kh, column = w * is->stride + kw;
    if (row < is->padding || row - is->padding >= is->height || column < is->padding ||
        column - is->padding >= is->width) {
        return false;
    }
    *index = ((n * is->channels + c) * is->height + row - is->padding) * is->width + column - is->padding;
    return true;
}

static size_t w_index(const sizes *is, size_t f, size_t c, size_t kh, size_t kw)
{
    return ((f * is->channels + c) * is->kernel_height + kh) * is->kernel_width + kw;
}

static double place(const dcps_call *call, const sizes *is, size_t n, size_t f, size_t h, size_t w)
{
    double sum = 0.0;
    size_t index;
    for (size_t c = 0; c < is->channels; c++) {
        for (size_t kh = 0; kh < is->kernel_height; kh++) {
            for (size_t kw = 0; kw < is->kernel_width; kw++) {
                if (x_index(is, n, c, h, w, kh, kw, &index)) {
                    sum += (double)call->x[0]->values[index] * (double)call->x[1]->values[w_index(is, f, c, kh, kw)];
                }
            }
        }
    }
    return sum;
}

/* y [n, f, h, w] = Σ over c, kh, kw of x [n, c, h · stride + kh − padding, w · stride + kw − padding] · w [f, c, kh, kw] */
static dcps_status forward(const dcps_call *call, float *y)
{
    sizes is = sizes_of(call);
    size_t at = 0;
    for (size_t n = 0; n < is.batch; n++) {
        for (size_t f = 0; f < is.filters; f++) {
            for (size_t h = 0; h < is.y_height; h++) {
                for (size_t w = 0; w < is.y_width; w++) {
                    y[at++] = (float)place(call, &is, n, f, h, w);
                }
            }
        }
    }
    return DCPS_OK;
}

/* Adds what the result's element (n, f, h, w), of gradient dy, contributes to dx or dw in double. */
static void scatter(const dcps_call *call, const sizes *is, const size_t at[4], double dy, double *dx, double *dw)
{
    size_t n = at[0], f = at[1], index;
    for (size_t c = 0; c < is->channels; c++) {
        for (size_t kh = 0; kh < is->kernel_height; kh++) {
            for (size_t kw = 0; kw < is->kernel_width; kw++) {
                if (!x_index(is, n, c, at[2], at[3], kh, kw, &index)) {
                    continue;
                }
                if (dx != NULL) {
                    dx[index] += dy * (double)call->x[1]->values[w_index(is, f, c, kh, kw)];
                }
                if (dw != NULL) {
                    dw[w_index(is, f, c, kh, kw)] += dy * (double)call->x[0]->values[index];
                }
            }
        }
    }
}

/* Zeroed sums for one input; NULL, with the failure recorded, when there is no memory. */
static double *sums(const dcps_call *call, size_t count)
{
    double *values = dcps_call_scratch(call, count, sizeof(*values));
    for (size_t i = 0; values != NULL && i < count; i++) {
        values[i] = 0.0;
    }
    return values;
}

static dcps_status backward(const dcps_call *call, const float *dy, const dcps_gradient_slot *dx)
{
    sizes is = sizes_of(call);
    double *parts[2] = {NULL, NULL};
    for (int input = 0; input < 2; input++) {
        if (dx[input].values == NULL) {
            continue;
        }
        parts[input] = sums(call, call->x[input]->count);
        if (parts[input] == NULL) {
            return DCPS_NO_MEMORY;
        }
    }
    for (size_t i = 0; i < call->y->count; i++) {
        size_t w = i % is.y_width, h = i / is.y_width % is.y_height, f = i / (is.y_width * is.y_height) % is.filters;
        size_t n = i / (is.y_width * is.y_height * is.filters);
        scatter(call, &is, (size_t[]){n, f, h, w}, (double)dy[i], parts[0], parts[1]);
    }
    for (int input = 0; input < 2; input++) {
        for (size_t i = 0; parts[input] != NULL && i < call->x[input]->count; i++) {
            dcps_ref_put(&dx[input], i, parts[input][i]);
        }
    }
    return DCPS_OK;
}

const dcps_kernel dcps_ref_conv2d = {.forward = forward, .backward = backward};
