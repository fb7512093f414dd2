#include <math.h>

#include "tensor/ops.h"
#include "tensor/ref/ref.h"

static bool shown(const dcps_softmax_attributes *is, size_t row, size_t column)
{
    return is->mask == NULL || is->mask[row / is->rows_a_mask * is->columns + column] != 0;
}

/* log Σ exp(x) over the columns shown, shifted by their maximum */
static double log_sum_exp(const dcps_softmax_attributes *is, size_t row, const float *x)
{
    double maximum = -(double)INFINITY, sum = 0.0;
    for (size_t j = 0; j < is->columns; j++) {
        if (shown(is, row, j)) {
            maximum = fmax(maximum, (double)x[j]);
        }
    }
    for (size_t j = 0; j < is->columns; j++) {
        if (shown(is, row, j)) {
            sum += exp((double)x[j] - maximum);
        }
    }
    return maximum + log(sum);
}

/* y = exp(x) / Σ exp(x), 0 where the mask hides it */
static dcps_status forward(const dcps_call *call, float *y)
{
    const dcps_softmax_attributes *is = call->attributes;
    for (size_t i = 0; i < is->rows; i++) {
        const float *x = call->x[0]->values + i * is->columns;
        double whole = log_sum_exp(is, i, x);
        for (size_t j = 0; j < is->columns; j++) {
            y[i * is->columns + j] = shown(is, i, j) ? (float)exp((double)x[j] - whole) : 0.0f;
        }
    }
    return DCPS_OK;
}

/* dx = y · (dy − Σ dy · y) */
static dcps_status backward(const dcps_call *call, const float *dy, const dcps_gradient_slot *dx)
{
    const dcps_softmax_attributes *is = call->attributes;
    for (size_t i = 0; i < is->rows; i++) {
        const float *y = call->y->values + i * is->columns;
        double sum = 0.0;
        for (size_t j = 0; j < is->columns; j++) {
            sum += (double)dy[i * is->columns + j] * (double)y[j];
        }
        for (size_t j = 0; j < is->columns; j++) {
            dcps_ref_put(&dx[0], i * is->columns + j, (double)y[j] * ((double)dy[i * is->columns + j] - sum));
        }
    }
    return DCPS_OK;
}

/* y = x − log Σ exp(x) */
static dcps_status log_forward(const dcps_call *call, float *y)
{
    const dcps_softmax_attributes *is = call->attributes;
    for (size_t i = 0; i < is->rows; i++) {
        const float *x = call->x[0]->values + i * is->columns;
        double whole = log_sum_exp(is, i, x);
        for (size_t j = 0; j < is->columns; j++) {
            y[i * is->columns + j] = (float)((double)x[j] - whole);
        }
    }
    return DCPS_OK;
}

/* dx = dy − exp(y) · Σ dy */
static dcps_status log_backward(const dcps_call *call, const float *dy, const dcps_gradient_slot *dx)
{
    const dcps_softmax_attributes *is = call->attributes;
    for (size_t i = 0; i < is->rows; i++) {
        double sum = 0.0;
        for (size_t j = 0; j < is->columns; j++) {
            sum += (double)dy[i * is->columns + j];
        }
        for (size_t k = i * is->columns; k < (i + 1) * is->columns; k++) {
            dcps_ref_put(&dx[0], k, (double)dy[k] - exp((double)call->y->values[k]) * sum);
        }
    }
    return DCPS_OK;
}

const dcps_kernel dcps_ref_softmax = {.forward = forward, .backward = backward};
const dcps_kernel dcps_ref_log_softmax = {.forward = log_forward, .backward = log_backward};
