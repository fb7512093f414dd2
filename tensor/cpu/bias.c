#include <string.h>

#include "tensor/cpu/kernels.h"

/* y [rows, columns] = x [rows, columns] + bias [columns] */
static dcps_status forward(const dcps_call *call, float *restrict y)
{
    size_t columns = call->x[1]->count, rows = call->y->count / columns;
    const float *restrict bias = call->x[1]->values;
    for (size_t i = 0; i < rows; i++) {
        const float *restrict x = call->x[0]->values + i * columns;
        for (size_t j = 0; j < columns; j++)
            y[i * columns + j] = x[j] + bias[j];
    }
    return DCPS_OK;
}

static void add(size_t count, const float *restrict from, float *restrict to)
{
    for (size_t i = 0; i < count; i++)
        to[i] += from[i];
}

/* dx = dy; dbias [columns] = column sums of dy, row after row so that the loop runs along memory */
static dcps_status backward(const dcps_call *call, const float *dy, const dcps_gradient_slot *dx)
{
    size_t columns = call->x[1]->count, rows = call->y->count / columns;
    if (dx[0].values != NULL && dx[0].add)
        add(rows * columns, dy, dx[0].values);
    else if (dx[0].values != NULL)
        memcpy(dx[0].values, dy, rows * columns * sizeof *dy);
    if (dx[1].values == NULL)
        return DCPS_OK;
    if (!dx[1].add)
        memset(dx[1].values, 0, columns * sizeof *dy);
    for (size_t i = 0; i < rows; i++)
        add(columns, dy + i * columns, dx[1].values);
    return DCPS_OK;
}

const dcps_kernel dcps_cpu_bias = {.forward = forward, .backward = backward};
