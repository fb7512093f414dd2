#include <string.h>

#include "tensor/cpu/kernels.h"
#include "tensor/cpu/loops.h"

/* What rows are shared out for, forward and backward. */
typedef struct biasing {
    size_t rows, columns;
    const float *x, *bias;
    float *y;
    const float *dy;
    const dcps_gradient_slot *dbias;
} biasing;

DCPS_CPU_LOOP static void add_row(size_t columns, const float *restrict x, const float *restrict bias,
                                  float *restrict y)
{
    for (size_t j = 0; j < columns; j++) {
        y[j] = x[j] + bias[j];
    }
}

static void add_rows(void *context, size_t begin, size_t end)
{
    const biasing *self = context;
    for (size_t i = begin; i < end; i++) {
        add_row(self->columns, self->x + i * self->columns, self->bias, self->y + i * self->columns);
    }
}

/* y [rows, columns] = x [rows, columns] + bias [columns] */
static dcps_status forward(const dcps_call *call, float *y)
{
    size_t columns = call->x[1]->count;
    biasing self = {.rows = call->y->count / columns,
                    .columns = columns,
                    .x = call->x[0]->values,
                    .bias = call->x[1]->values,
                    .y = y};
    dcps_cpu_parallel(self.rows, call->y->count, add_rows, &self);
    return DCPS_OK;
}

/* Columns begin … end − 1 of dbias: column sums of dy, row after row so that the loop runs along memory */
static void sum_columns(void *context, size_t begin, size_t end)
{
    const biasing *self = context;
    if (!self->dbias->add) {
        memset(self->dbias->values + begin, 0, (end - begin) * sizeof(float));
    }
    for (size_t i = 0; i < self->rows; i++) {
        dcps_cpu_add_scaled(end - begin, 1.0f, self->dy + i * self->columns + begin, self->dbias->values + begin);
    }
}

/* dx = dy; dbias [columns] */
static dcps_status backward(const dcps_call *call, const float *dy, const dcps_gradient_slot *dx)
{
    size_t columns = call->x[1]->count;
    biasing self = {.rows = call->y->count / columns, .columns = columns, .dy = dy, .dbias = &dx[1]};
    if (dx[0].values != NULL) {
        dcps_cpu_put(&dx[0], 0, call->y->count, 1.0f, dy);
    }
    if (dx[1].values != NULL) {
        dcps_cpu_parallel(columns, call->y->count, sum_columns, &self);
    }
    return DCPS_OK;
}

const dcps_kernel dcps_cpu_bias = {.passes = 1u << 0, .forward = forward, .backward = backward};
