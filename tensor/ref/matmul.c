#include "tensor/ops.h"
#include "tensor/ref/ref.h"

/* A matrix of the batch, perhaps read with its dims exchanged: element (i, j) is at i · row + j · column. */
typedef struct matrix {
    const float *values;
    size_t row, column;
} matrix;

static double at(matrix x, size_t i, size_t j)
{
    return (double)x.values[i * x.row + j * x.column];
}

static matrix matrix_of(const float *values, size_t b, size_t rows, size_t columns, bool transposed)
{
    return (matrix){values + b * rows * columns, transposed ? 1 : columns, transposed ? rows : 1};
}

static matrix a_of(const dcps_call *call, const dcps_matmul_attributes *is, size_t b)
{
    return matrix_of(call->x[0]->values, b, is->m, is->k, is->transpose_a);
}

static matrix b_of(const dcps_call *call, const dcps_matmul_attributes *is, size_t b)
{
    return matrix_of(call->x[1]->values, b, is->k, is->n, is->transpose_b);
}

/* y [m, n] = a [m, k] · b [k, n], for each of the batch */
static dcps_status forward(const dcps_call *call, float *y)
{
    const dcps_matmul_attributes *is = call->attributes;
    for (size_t p = 0; p < is->batch; p++) {
        matrix a = a_of(call, is, p), b = b_of(call, is, p);
        for (size_t i = 0; i < is->m; i++) {
            for (size_t j = 0; j < is->n; j++) {
                double sum = 0.0;
                for (size_t l = 0; l < is->k; l++) {
                    sum += at(a, i, l) * at(b, l, j);
                }
                y[(p * is->m + i) * is->n + j] = (float)sum;
            }
        }
    }
    return DCPS_OK;
}

/* da [m, k] = dy [m, n] · bᵀ [n, k] */
static void backward_a(const dcps_matmul_attributes *is, size_t p, matrix b, matrix dy, const dcps_gradient_slot *da)
{
    for (size_t i = 0; i < is->m; i++) {
        for (size_t l = 0; l < is->k; l++) {
            double sum = 0.0;
            for (size_t j = 0; j < is->n; j++) {
                sum += at(dy, i, j) * at(b, l, j);
            }
            dcps_ref_put(da, p * is->m * is->k + (is->transpose_a ? l * is->m + i : i * is->k + l), sum);
        }
    }
}

/* db [k, n] = aᵀ [k, m] · dy [m, n] */
static void backward_b(const dcps_matmul_attributes *is, size_t p, matrix a, matrix dy, const dcps_gradient_slot *db)
{
    for (size_t l = 0; l < is->k; l++) {
        for (size_t j = 0; j < is->n; j++) {
            double sum = 0.0;
            for (size_t i = 0; i < is->m; i++) {
                sum += at(a, i, l) * at(dy, i, j);
            }
            dcps_ref_put(db, p * is->k * is->n + (is->transpose_b ? j * is->k + l : l * is->n + j), sum);
        }
    }
}

static dcps_status backward(const dcps_call *call, const float *dy, const dcps_gradient_slot *dx)
{
    const dcps_matmul_attributes *is = call->attributes;
    for (size_t p = 0; p < is->batch && dx[0].values != NULL; p++) {
        backward_a(is, p, b_of(call, is, p), matrix_of(dy, p, is->m, is->n, false), &dx[0]);
    }
    for (size_t p = 0; p < is->batch && dx[1].values != NULL; p++) {
        backward_b(is, p, a_of(call, is, p), matrix_of(dy, p, is->m, is->n, false), &dx[1]);
    }
    return DCPS_OK;
}

const dcps_kernel dcps_ref_matmul = {.forward = forward, .backward = backward};
