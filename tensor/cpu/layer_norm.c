#include <math.h>
#include <string.h>

#include "tensor/cpu/kernels.h"
#include "tensor/cpu/loops.h"
#include "tensor/ops.h"

/* saved [rows, columns] = x̂, then [rows] = 1 / √(variance + epsilon) */
static size_t saved_count(const dcps_call *call)
{
    return call->x[0]->count + call->x[0]->count / call->x[1]->count;
}

DCPS_CPU_LOOP static void centre(size_t count, float mean, const float *restrict x, float *restrict centred)
{
    for (size_t j = 0; j < count; j++) {
        centred[j] = x[j] - mean;
    }
}

/* normal = centred · inverse, in place; y = scale · normal + shift */
DCPS_CPU_LOOP static void finish(size_t count, float inverse, const float *restrict scale, const float *restrict shift,
                                 float *restrict normal, float *restrict y)
{
    for (size_t j = 0; j < count; j++) {
        normal[j] *= inverse;
        y[j] = scale[j] * normal[j] + shift[j];
    }
}

static dcps_status forward(const dcps_call *call, float *y)
{
    const dcps_layer_norm_attributes *is = call->attributes;
    size_t columns = is->columns;
    float *row = call->saved != NULL ? NULL : dcps_call_scratch(call, columns, sizeof(*row));
    if (call->saved == NULL && row == NULL) {
        return DCPS_NO_MEMORY;
    }
    for (size_t i = 0; i < is->rows; i++) {
        const float *x = call->x[0]->values + i * columns;
        float *normal = row != NULL ? row : call->saved + i * columns;
        centre(columns, (float)(dcps_cpu_sum(columns, x) / (double)columns), x, normal);
        double variance = dcps_cpu_dot(columns, normal, normal) / (double)columns;
        float inverse = (float)(1.0 / sqrt(variance + (double)is->epsilon));
        finish(columns, inverse, call->x[1]->values, call->x[2]->values, normal, y + i * columns);
        if (call->saved != NULL) {
            call->saved[is->rows * columns + i] = inverse;
        }
    }
    return DCPS_OK;
}

DCPS_CPU_LOOP static void multiply(size_t count, const float *restrict a, const float *restrict b, float *restrict y)
{
    for (size_t j = 0; j < count; j++) {
        y[j] = a[j] * b[j];
    }
}

DCPS_CPU_LOOP static void multiply_add(size_t count, const float *restrict a, const float *restrict b,
                                       float *restrict y)
{
    for (size_t j = 0; j < count; j++) {
        y[j] += a[j] * b[j];
    }
}

/* dx (+)= (g − mean − normal · product) · inverse */
DCPS_CPU_LOOP static void chain(size_t count, bool add, float mean, float product, float inverse,
                                const float *restrict g, const float *restrict normal, float *restrict dx)
{
    if (add) {
        for (size_t j = 0; j < count; j++) {
            dx[j] += (g[j] - mean - normal[j] * product) * inverse;
        }
    } else {
        for (size_t j = 0; j < count; j++) {
            dx[j] = (g[j] - mean - normal[j] * product) * inverse;
        }
    }
}

/* The formulas are ref's. */
static dcps_status backward(const dcps_call *call, const float *dy, const dcps_gradient_slot *dx)
{
    const dcps_layer_norm_attributes *is = call->attributes;
    size_t columns = is->columns;
    float *g = dcps_call_scratch(call, columns, sizeof(*g));
    if (g == NULL) {
        return DCPS_NO_MEMORY;
    }
    for (int input = 1; input < 3; input++) {
        if (dx[input].values != NULL && !dx[input].add) {
            memset(dx[input].values, 0, columns * sizeof(*g));
        }
    }
    for (size_t i = 0; i < is->rows; i++) {
        const float *row = dy + i * columns, *normal = call->saved + i * columns;
        multiply(columns, call->x[1]->values, row, g);
        if (dx[0].values != NULL) {
            chain(columns, dx[0].add, (float)(dcps_cpu_sum(columns, g) / (double)columns),
                  (float)(dcps_cpu_dot(columns, g, normal) / (double)columns), call->saved[is->rows * columns + i], g,
                  normal, dx[0].values + i * columns);
        }
        if (dx[1].values != NULL) {
            multiply_add(columns, row, normal, dx[1].values);
        }
        if (dx[2].values != NULL) {
            dcps_cpu_add_scaled(columns, 1.0f, row, dx[2].values);
        }
    }
    return DCPS_OK;
}

const dcps_kernel dcps_cpu_layer_norm = {.saved_count = saved_count, .forward = forward, .backward = backward};
