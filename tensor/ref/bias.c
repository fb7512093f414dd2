#include "tensor/ref/ref.h"

/* y [rows, columns] = x [rows, columns] + bias [columns] */
static dcps_status forward(const dcps_call *call, float *y)
{
    size_t columns = call->x[1]->count, rows = call->y->count / columns;
    for (size_t i = 0; i < rows; i++) {
        for (size_t j = 0; j < columns; j++) {
            y[i * columns + j] = call->x[0]->values[i * columns + j] + call->x[1]->values[j];
        }
    }
    return DCPS_OK;
}

/* dx = dy; dbias [columns] = column sums of dy */
static dcps_status backward(const dcps_call *call, const float *dy, const dcps_gradient_slot *dx)
{
    size_t columns = call->x[1]->count, rows = call->y->count / columns;
    for (size_t i = 0; dx[0].values != NULL && i < rows * columns; i++) {
        dcps_ref_put(&dx[0], i, (double)dy[i]);
    }
    for (size_t j = 0; dx[1].values != NULL && j < columns; j++) {
        double sum = 0.0;
        for (size_t i = 0; i < rows; i++) {
            sum += (double)dy[i * columns + j];
        }
        dcps_ref_put(&dx[1], j, sum);
    }
    return DCPS_OK;
}

const dcps_kernel dcps_ref_bias = {.forward = forward, .backward = backward};
