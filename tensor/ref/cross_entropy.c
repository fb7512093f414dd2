#include <math.h>

#include "tensor/ops.h"
#include "tensor/ref/ref.h"

/* y [] = mean over rows of log Σ_j exp(x_j) − x_label, both shifted by the row's maximum; saved [rows, classes] = softmax(x) */
static dcps_status forward(const dcps_call *call, float *y)
{
    const dcps_cross_entropy_attributes *attributes = call->attributes;
    size_t rows = call->x[0]->dims[0], classes = call->x[0]->dims[1];
    double total = 0.0;
    for (size_t i = 0; i < rows; i++) {
        const float *x = call->x[0]->values + i * classes;
        double maximum = (double)x[0], sum = 0.0;
        for (size_t j = 1; j < classes; j++)
            maximum = fmax(maximum, (double)x[j]);
        for (size_t j = 0; j < classes; j++)
            sum += exp((double)x[j] - maximum);
        total += log(sum) - ((double)x[attributes->labels[i]] - maximum);
        for (size_t j = 0; call->saved != NULL && j < classes; j++)
            call->saved[i * classes + j] = (float)(exp((double)x[j] - maximum) / sum);
    }
    y[0] = (float)(total / (double)rows);
    return DCPS_OK;
}

/* dx [rows, classes] = dy · (softmax(x) − onehot(label)) / rows */
static dcps_status backward(const dcps_call *call, const float *dy, const dcps_gradient_slot *dx)
{
    const dcps_cross_entropy_attributes *attributes = call->attributes;
    size_t rows = call->x[0]->dims[0], classes = call->x[0]->dims[1];
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < classes; j++) {
            double target = (size_t)attributes->labels[i] == j ? 1.0 : 0.0;
            dcps_ref_put(&dx[0], i * classes + j,
                         (double)dy[0] * ((double)call->saved[i * classes + j] - target) / (double)rows);
        }
    return DCPS_OK;
}

const dcps_kernel dcps_ref_cross_entropy = {
    .saved_count = dcps_count_of_input, .forward = forward, .backward = backward};
