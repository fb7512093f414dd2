#include "tensor/cpu/softmax.h"

#include <math.h>

#include "tensor/cpu/kernels.h"
#include "tensor/cpu/loops.h"
#include "tensor/cpu/vector_math.h"
#include "tensor/ops.h"

#define LANES 16

DCPS_CPU_LOOP static float largest(size_t count, const float *restrict x)
{
    float lanes[LANES], maximum = x[0];
    size_t whole = count / LANES * LANES;
    for (size_t j = 0; j < LANES; j++) {
        lanes[j] = x[0];
    }
    for (size_t i = 0; i < whole; i += LANES) {
        for (size_t j = 0; j < LANES; j++) {
            lanes[j] = x[i + j] > lanes[j] ? x[i + j] : lanes[j];
        }
    }
    for (size_t j = 0; j < LANES; j++) {
        maximum = lanes[j] > maximum ? lanes[j] : maximum;
    }
    for (size_t i = whole; i < count; i++) {
        maximum = x[i] > maximum ? x[i] : maximum;
    }
    return maximum;
}

DCPS_CPU_LOOP static void exponentials(size_t count, const float *restrict x, float maximum, float *restrict y)
{
    for (size_t i = 0; i < count; i++) {
        y[i] = dcps_lane_exp(x[i] - maximum);
    }
}

double dcps_cpu_exponentials(size_t count, const float *x, float *y, float *maximum)
{
    *maximum = largest(count, x);
    exponentials(count, x, *maximum, y);
    return dcps_cpu_sum(count, y);
}

/* Σ of exp(x − maximum) over at most EXPONENTIAL_CHUNK elements, in lanes of their own */
#define EXPONENTIAL_CHUNK 1024u
DCPS_CPU_LOOP static float sum_exponentials(size_t count, const float *restrict x, float maximum)
{
    float lanes[4 * LANES] = {0.0f}, sum = 0.0f;
    size_t whole = count / (4 * LANES) * (4 * LANES);
    for (size_t i = 0; i < whole; i += 4 * LANES) {
        for (size_t j = 0; j < 4 * LANES; j++) {
            lanes[j] += dcps_lane_exp(x[i + j] - maximum);
        }
    }
    for (size_t i = whole; i < count; i++) {
        lanes[i - whole] += dcps_lane_exp(x[i] - maximum);
    }
    for (size_t j = 0; j < 4 * LANES; j++) {
        sum += lanes[j];
    }
    return sum;
}

double dcps_cpu_exponential_sum(size_t count, const float *x, float *maximum)
{
    double sum = 0.0;
    *maximum = largest(count, x);
    for (size_t i = 0; i < count; i += EXPONENTIAL_CHUNK) {
        sum += (double)sum_exponentials(count - i < EXPONENTIAL_CHUNK ? count - i : EXPONENTIAL_CHUNK, x + i, *maximum);
    }
    return sum;
}

/* x where the mask shows it; elsewhere what no maximum is and whose exponential is dropped below. */
static void hide(size_t count, const uint8_t *mask, const float *x, float *shown)
{
    for (size_t i = 0; i < count; i++) {
        shown[i] = mask[i] != 0 ? x[i] : -INFINITY;
    }
}

static void drop(size_t count, const uint8_t *mask, float *y)
{
    for (size_t i = 0; i < count; i++) {
        y[i] = mask[i] != 0 ? y[i] : 0.0f;
    }
}

static dcps_status forward(const dcps_call *call, float *y)
{
    const dcps_softmax_attributes *is = call->attributes;
    const float *x = call->x[0]->values;
    float *shown = is->mask == NULL ? NULL : dcps_call_scratch(call, is->columns, sizeof(*shown)), maximum;
    if (is->mask != NULL && shown == NULL) {
        return DCPS_NO_MEMORY;
    }
    for (size_t i = 0; i < is->rows; i++, x += is->columns, y += is->columns) {
        double sum;
        if (is->mask == NULL) {
            sum = dcps_cpu_exponentials(is->columns, x, y, &maximum);
        } else {
            const uint8_t *mask = is->mask + i / is->rows_a_mask * is->columns;
            hide(is->columns, mask, x, shown);
            dcps_cpu_exponentials(is->columns, shown, y, &maximum);
            drop(is->columns, mask, y);
            sum = dcps_cpu_sum(is->columns, y);
        }
        dcps_cpu_scale_in_place(is->columns, (float)(1.0 / sum), y);
    }
    return DCPS_OK;
}

/* dx (+)= y · (dy − sum) */
DCPS_CPU_LOOP static void chain(size_t count, bool add, double sum, const float *restrict y, const float *restrict dy,
                                float *restrict dx)
{
    float common = (float)sum;
    if (add) {
        for (size_t i = 0; i < count; i++) {
            dx[i] += y[i] * (dy[i] - common);
        }
    } else {
        for (size_t i = 0; i < count; i++) {
            dx[i] = y[i] * (dy[i] - common);
        }
    }
}

static dcps_status backward(const dcps_call *call, const float *dy, const dcps_gradient_slot *dx)
{
    const dcps_softmax_attributes *is = call->attributes;
    for (size_t i = 0; i < is->rows * is->columns; i += is->columns) {
        const float *y = call->y->values + i;
        chain(is->columns, dx[0].add, dcps_cpu_dot(is->columns, dy + i, y), y, dy + i, dx[0].values + i);
    }
    return DCPS_OK;
}

DCPS_CPU_LOOP static void subtract(size_t count, const float *restrict x, float maximum, float rest, float *restrict y)
{
    for (size_t i = 0; i < count; i++) {
        y[i] = x[i] - maximum - rest;
    }
}

/* y = x − maximum − log Σ exp(x − maximum) */
static dcps_status log_forward(const dcps_call *call, float *y)
{
    const dcps_softmax_attributes *is = call->attributes;
    const float *x = call->x[0]->values;
    for (size_t i = 0; i < is->rows; i++, x += is->columns, y += is->columns) {
        float maximum;
        double sum = dcps_cpu_exponentials(is->columns, x, y, &maximum);
        subtract(is->columns, x, maximum, (float)log(sum), y);
    }
    return DCPS_OK;
}

/* dx (+)= dy − exp(y) · sum */
DCPS_CPU_LOOP static void log_chain(size_t count, bool add, float sum, const float *restrict y,
                                    const float *restrict dy, float *restrict dx)
{
    if (add) {
        for (size_t i = 0; i < count; i++) {
            dx[i] += dy[i] - dcps_lane_exp(y[i]) * sum;
        }
    } else {
        for (size_t i = 0; i < count; i++) {
            dx[i] = dy[i] - dcps_lane_exp(y[i]) * sum;
        }
    }
}

static dcps_status log_backward(const dcps_call *call, const float *dy, const dcps_gradient_slot *dx)
{
    const dcps_softmax_attributes *is = call->attributes;
    for (size_t i = 0; i < is->rows * is->columns; i += is->columns) {
        log_chain(is->columns, dx[0].add, (float)dcps_cpu_sum(is->columns, dy + i), call->y->values + i, dy + i,
                  dx[0].values + i);
    }
    return DCPS_OK;
}

const dcps_kernel dcps_cpu_softmax = {.forward = forward, .backward = backward};
const dcps_kernel dcps_cpu_log_softmax = {.forward = log_forward, .backward = log_backward};
