#include "tensor/cpu/cpu.h"

#include "tensor/cpu/kernels.h"

/* Of OpenMP, which oneDNN runs on. Declared here because only GCC ships <omp.h>. */
extern void omp_set_num_threads(int count);

const dcps_backend *dcps_cpu_backend(void)
{
    static const dcps_backend backend = {
        .name = "cpu",
        .kernels = {[DCPS_OP_MATMUL] = &dcps_cpu_matmul,
                    [DCPS_OP_BIAS] = &dcps_cpu_bias,
                    [DCPS_OP_RELU] = &dcps_cpu_relu,
                    [DCPS_OP_CROSS_ENTROPY] = &dcps_cpu_cross_entropy},
    };
    return &backend;
}

void dcps_cpu_set_threads(uint32_t threads)
{
    omp_set_num_threads(threads == 0 ? 1 : threads > 1024 ? 1024 : (int)threads);
}
