#include "tensor/cpu/gemm.h"

#include <oneapi/dnnl/dnnl.h>

dcps_status dcps_cpu_gemm(const dcps_call *call, char op_a, char op_b, size_t m, size_t n, size_t k, const float *a,
                          const float *b, float *c, bool add)
{
    dnnl_dim_t lda = (dnnl_dim_t)(op_a == 'N' ? k : m), ldb = (dnnl_dim_t)(op_b == 'N' ? n : k);
    dnnl_status_t result = dnnl_sgemm(op_a, op_b, (dnnl_dim_t)m, (dnnl_dim_t)n, (dnnl_dim_t)k, 1.0f, a, lda, b, ldb,
                                      add ? 1.0f : 0.0f, c, (dnnl_dim_t)n);
    if (result == dnnl_success) {
        return DCPS_OK;
    }
    return dcps_fail(result == dnnl_out_of_memory ? DCPS_NO_MEMORY : DCPS_SYSTEM,
                     "%s, product [%zu, %zu] · [%zu, %zu]: dnnl_sgemm of backend cpu failed with status %d",
                     dcps_op_name(call->op), m, k, k, n, (int)result);
}
