/* Matrix products for the kernels of the CPU backend. */
#ifndef DCPS_TENSOR_CPU_GEMM_H
#define DCPS_TENSOR_CPU_GEMM_H

#include "tensor/backend.h"

/* c [m, n] = (add: +=) op(a) [m, k] · op(b) [k, n], row-major; 'T' reads an operand that lies transposed in place, 'N' as it is. Errors: DCPS_NO_MEMORY,
 * DCPS_SYSTEM. */
DCPS_MUST_CHECK dcps_status dcps_cpu_gemm(const dcps_call *call, char op_a, char op_b, size_t m, size_t n, size_t k,
                                          const float *a, const float *b, float *c, bool add);

#endif
