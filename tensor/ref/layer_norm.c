#include <math.h>

#include "tensor/ops.h"
#include "tensor/ref/ref.h"

/* Mean of a row and 1 / √(variance + epsilon). */
static void moments(const dcps_layer_norm_attributes *is, const float *x, double *mean, double *inverse)
{
    double sum = 0.0, squares = 0.0;
    for (size_t j = 0; j < is->columns; j++) {
        sum += (double)x[j];
    }
    *mean = sum / (double)is->columns;
    for (size_t j = 0; j < is->columns; j++) {
        squares += ((double)x[j] - *mean) * ((double)x[j] - *mean);
    }
    *inverse = 1.0 / sqrt(squares / (double)is->columns + (double)is->epsilon);
}

/* y = scale · x̂ + shift, x̂ = (x − mean) / √(variance + epsilon) */
static dcps_status forward(const dcps_call *call, float *y)
{
    const dcps_layer_norm_attributes *is = call->attributes;
    for (size_t i = 0; i < is->rows; i++) {
        const float *x = call->x[0]->values + i * is->columns;
        double mean, inverse;
        moments(is, x, &mean, &inverse);
        for (size_t j = 0; j < is->columns; j++) {
            y[i * is->columns + j] = (float)((double)call->x[1]->values[j] * ((double)x[j] - mean) * inverse +
                                             (double)call->x[2]->values[j]);
        }
    }
    return DCPS_OK;
}

/* With g = scale · dy: dx = (g − mean(g) − x̂ · mean(g x̂)) / √(variance + epsilon) */
static void backward_x(const dcps_call *call, const float *dy, const dcps_gradient_slot *dx)
{
    const dcps_layer_norm_attributes *is = call->attributes;
    for (size_t i = 0; i < is->rows; i++) {
        const float *x = call->x[0]->values + i * is->columns, *row = dy + i * is->columns;
        double mean, inverse, sum = 0.0, product = 0.0;
        moments(is, x, &mean, &inverse);
        for (size_t j = 0; j < is->columns; j++) {
            double g = (double)call->x[1]->values[j] * (double)row[j];
            sum += g / (double)is->columns;
            product += g * ((double)x[j] - mean) * inverse / (double)is->columns;
        }
        for (size_t j = 0; j < is->columns; j++) {
            double g = (double)call->x[1]->values[j] * (double)row[j];
            dcps_ref_put(&dx[0], i * is->columns + j, (g - sum - ((double)x[j] - mean) * inverse * product) * inverse);
        }
    }
}

/* dscale = Σ over rows of dy · x̂; dshift = Σ over rows of dy */
static dcps_status backward(const dcps_call *call, const float *dy, const dcps_gradient_slot *dx)
{
    const dcps_layer_norm_attributes *is = call->attributes;
    if (dx[0].values != NULL) {
        backward_x(call, dy, dx);
    }
    for (size_t j = 0; j < is->columns; j++) {
        double dscale = 0.0, dshift = 0.0;
        for (size_t i = 0; i < is->rows; i++) {
            double mean, inverse, slope = (double)dy[i * is->columns + j];
            moments(is, call->x[0]->values + i * is->columns, &mean, &inverse);
            dscale += slope * ((double)call->x[0]->values[i * is->columns + j] - mean) * inverse;
            dshift += slope;
        }
        if (dx[1].values != NULL) {
            dcps_ref_put(&dx[1], j, dscale);
        }
        if (dx[2].values != NULL) {
            dcps_ref_put(&dx[2], j, dshift);
        }
    }
    return DCPS_OK;
}

const dcps_kernel dcps_ref_layer_norm = {.forward = forward, .backward = backward};
