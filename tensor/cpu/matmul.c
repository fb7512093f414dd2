#include <oneapi/dnnl/dnnl.h>

#include "tensor/cpu/kernels.h"

/* c [m, n] = (or +=) op(a) [m, k] · op(b) [k, n]; transposed operands are read in place. */
static dcps_status product(char op_a, char op_b, size_t m, size_t n, size_t k, const float *a, const float *b, float *c,
                           bool add)
{
    dnnl_dim_t lda = (dnnl_dim_t)(op_a == 'N' ? k : m), ldb = (dnnl_dim_t)(op_b == 'N' ? n : k);
    dnnl_status_t result = dnnl_sgemm(op_a, op_b, (dnnl_dim_t)m, (dnnl_dim_t)n, (dnnl_dim_t)k, 1.0f, a, lda, b, ldb,
                                      add ? 1.0f : 0.0f, c, (dnnl_dim_t)n);
    if (result == dnnl_success)
        return DCPS_OK;
    return dcps_fail(result == dnnl_out_of_memory ? DCPS_NO_MEMORY : DCPS_SYSTEM,
                     "matmul [%zu, %zu] · [%zu, %zu]: dnnl_sgemm of backend cpu failed with status %d", m, k, k, n,
                     (int)result);
}

/* y [m, n] = a [m, k] · b [k, n] */
static dcps_status forward(const dcps_call *call, float *y)
{
    const dcps_tensor *a = call->x[0], *b = call->x[1];
    return product('N', 'N', a->dims[0], b->dims[1], a->dims[1], a->values, b->values, y, false);
}

/* da [m, k] = dy [m, n] · bᵀ [n, k]; db [k, n] = aᵀ [k, m] · dy [m, n] */
static dcps_status backward(const dcps_call *call, const float *dy, const dcps_gradient_slot *dx)
{
    size_t m = call->x[0]->dims[0], k = call->x[0]->dims[1], n = call->x[1]->dims[1];
    dcps_status status = DCPS_OK;
    if (dx[0].values != NULL)
        status = product('N', 'T', m, k, n, dy, call->x[1]->values, dx[0].values, dx[0].add);
    if (status == DCPS_OK && dx[1].values != NULL)
        status = product('T', 'N', k, n, m, call->x[0]->values, dy, dx[1].values, dx[1].add);
    return status;
}

const dcps_kernel dcps_cpu_matmul = {.forward = forward, .backward = backward};
