#include <math.h>

#include "tensor/ops.h"
#include "tensor/ref/ref.h"

/* log Σ_j exp(x_j), shifted by the maximum */
static double log_sum_exp(const float *x, size_t classes)
{
    double maximum = (double)x[0], sum = 0.0;
    for (size_t j = 1; j < classes; j++) {
        maximum = fmax(maximum, (double)x[j]);
    }
    for (size_t j = 0; j < classes; j++) {
        sum += exp((double)x[j] - maximum);
    }
    return maximum + log(sum);
}

/* What the probability of class j in row i should be. */
static double target(const dcps_cross_entropy_attributes *is, size_t i, size_t j, size_t classes)
{
    double smoothing = (double)is->smoothing;
    return smoothing / (double)classes + ((size_t)is->labels[i] == j ? 1.0 - smoothing : 0.0);
}

/* y [] = mean over rows that count of Σ_j target_j · (log Σ exp(x) − x_j) */
static dcps_status forward(const dcps_call *call, float *y)
{
    const dcps_cross_entropy_attributes *is = call->attributes;
    size_t rows = call->x[0]->dims[0], classes = call->x[0]->dims[1];
    double total = 0.0;
    for (size_t i = 0; i < rows; i++) {
        const float *x = call->x[0]->values + i * classes;
        double whole = log_sum_exp(x, classes);
        for (size_t j = 0; dcps_cross_entropy_counts(is, i) && j < classes; j++) {
            if (target(is, i, j, classes) > 0.0) { /* 0 · ∞ is 0 here */
                total += target(is, i, j, classes) * (whole - (double)x[j]);
            }
        }
    }
    y[0] = *is->counted == 0 ? 0.0f : (float)(total / (double)*is->counted);
    return DCPS_OK;
}

/* dx [rows, classes] = dy · (softmax(x) − target) / rows that count */
static dcps_status backward(const dcps_call *call, const float *dy, const dcps_gradient_slot *dx)
{
    const dcps_cross_entropy_attributes *is = call->attributes;
    size_t rows = call->x[0]->dims[0], classes = call->x[0]->dims[1];
    for (size_t i = 0; i < rows; i++) {
        const float *x = call->x[0]->values + i * classes;
        double whole = log_sum_exp(x, classes);
        for (size_t j = 0; j < classes; j++) {
            double slope = exp((double)x[j] - whole) - target(is, i, j, classes);
            dcps_ref_put(&dx[0], i * classes + j,
                         dcps_cross_entropy_counts(is, i) ? (double)dy[0] * slope / (double)*is->counted : 0.0);
        }
    }
    return DCPS_OK;
}

const dcps_kernel dcps_ref_cross_entropy = {.forward = forward, .backward = backward};
