#include <math.h>

#include "tensor/cpu/kernels.h"
#include "tensor/ops.h"

/* −log softmax(x)[label] of one row; where `probabilities` [classes] are wanted, softmax(x). Shifting by the maximum keeps exp within range. */
static double row_forward(size_t classes, const float *restrict x, size_t label, float *restrict probabilities)
{
    float maximum = x[0];
    for (size_t j = 1; j < classes; j++)
        maximum = x[j] > maximum ? x[j] : maximum;
    double sum = 0.0;
    for (size_t j = 0; j < classes; j++) {
        float e = expf(x[j] - maximum);
        sum += (double)e;
        if (probabilities != NULL)
            probabilities[j] = e;
    }
    float scale = (float)(1.0 / sum);
    for (size_t j = 0; probabilities != NULL && j < classes; j++)
        probabilities[j] *= scale;
    return log(sum) - (double)(x[label] - maximum);
}

/* y [] = mean over rows of −log softmax(x)[label]; saved [rows, classes] = softmax(x) */
static dcps_status forward(const dcps_call *call, float *y)
{
    const dcps_cross_entropy_attributes *attributes = call->attributes;
    size_t rows = call->x[0]->dims[0], classes = call->x[0]->dims[1];
    double total = 0.0;
    for (size_t i = 0; i < rows; i++)
        total += row_forward(classes, call->x[0]->values + i * classes, (size_t)attributes->labels[i],
                             call->saved == NULL ? NULL : call->saved + i * classes);
    y[0] = (float)(total / (double)rows);
    return DCPS_OK;
}

/* dx [rows, classes] = dy · (softmax(x) − onehot(label)) / rows */
static dcps_status backward(const dcps_call *call, const float *dy, const dcps_gradient_slot *dx)
{
    const dcps_cross_entropy_attributes *attributes = call->attributes;
    size_t rows = call->x[0]->dims[0], classes = call->x[0]->dims[1];
    float scale = dy[0] / (float)rows;
    for (size_t i = 0; i < rows; i++) {
        const float *restrict probabilities = call->saved + i * classes;
        float *restrict to = dx[0].values + i * classes;
        size_t label = (size_t)attributes->labels[i];
        if (dx[0].add)
            for (size_t j = 0; j < classes; j++)
                to[j] += scale * probabilities[j];
        else
            for (size_t j = 0; j < classes; j++)
                to[j] = scale * probabilities[j];
        to[label] -= scale;
    }
    return DCPS_OK;
}

const dcps_kernel dcps_cpu_cross_entropy = {
    .saved_count = dcps_count_of_input, .forward = forward, .backward = backward};
