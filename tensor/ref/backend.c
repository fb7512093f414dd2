#include "tensor/ref/ref.h"

const dcps_backend *dcps_ref_backend(void)
{
    static const dcps_backend backend = {
        .name = "ref",
        .kernels = {[DCPS_OP_MATMUL] = &dcps_ref_matmul,
                    [DCPS_OP_BIAS] = &dcps_ref_bias,
                    [DCPS_OP_RELU] = &dcps_ref_relu,
                    [DCPS_OP_CROSS_ENTROPY] = &dcps_ref_cross_entropy},
    };
    return &backend;
}
