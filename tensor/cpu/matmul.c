#include "tensor/cpu/gemm.h"
#include "tensor/cpu/kernels.h"
#include "tensor/ops.h"

/* y [m, n] = a [m, k] · b [k, n], for each of the batch */
static dcps_status forward(const dcps_call *call, float *y)
{
    const dcps_matmul_attributes *is = call->attributes;
    size_t m = is->m, n = is->n, k = is->k;
    dcps_status status = DCPS_OK;
    for (size_t p = 0; p < is->batch && status == DCPS_OK; p++) {
        status = dcps_cpu_gemm(call, is->transpose_a ? 'T' : 'N', is->transpose_b ? 'T' : 'N', m, n, k,
                               call->x[0]->values + p * m * k, call->x[1]->values + p * k * n, y + p * m * n, false);
    }
    return status;
}

/* da [m, k] = dy [m, n] · bᵀ [n, k]; a transposed a gets the transpose, [k, m] = b [k, n] · dyᵀ [n, m] */
static dcps_status backward_a(const dcps_call *call, const float *b, const float *dy, float *da, bool add)
{
    const dcps_matmul_attributes *is = call->attributes;
    if (is->transpose_a) {
        return dcps_cpu_gemm(call, is->transpose_b ? 'T' : 'N', 'T', is->k, is->m, is->n, b, dy, da, add);
    }
    return dcps_cpu_gemm(call, 'N', is->transpose_b ? 'N' : 'T', is->m, is->k, is->n, dy, b, da, add);
}

/* db [k, n] = aᵀ [k, m] · dy [m, n]; a transposed b gets the transpose, [n, k] = dyᵀ [n, m] · a [m, k] */
static dcps_status backward_b(const dcps_call *call, const float *a, const float *dy, float *db, bool add)
{
    const dcps_matmul_attributes *is = call->attributes;
    if (is->transpose_b) {
        return dcps_cpu_gemm(call, 'T', is->transpose_a ? 'T' : 'N', is->n, is->k, is->m, dy, a, db, add);
    }
    return dcps_cpu_gemm(call, is->transpose_a ? 'N' : 'T', 'N', is->k, is->n, is->m, a, dy, db, add);
}

static dcps_status backward(const dcps_call *call, const float *dy, const dcps_gradient_slot *dx)
{
    const dcps_matmul_attributes *is = call->attributes;
    size_t a_count = is->m * is->k, b_count = is->k * is->n, y_count = is->m * is->n;
    dcps_status status = DCPS_OK;
    for (size_t p = 0; p < is->batch && dx[0].values != NULL && status == DCPS_OK; p++) {
        status =
            backward_a(call, call->x[1]->values + p * b_count, dy + p * y_count, dx[0].values + p * a_count, dx[0].add);
    }
    for (size_t p = 0; p < is->batch && dx[1].values != NULL && status == DCPS_OK; p++) {
        status =
            backward_b(call, call->x[0]->values + p * a_count, dy + p * y_count, dx[1].values + p * b_count, dx[1].add);
    }
    return status;
}

const dcps_kernel dcps_cpu_matmul = {.forward = forward, .backward = backward};
