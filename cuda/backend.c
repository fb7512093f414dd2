#include "cuda/cuda.h"
#include "cuda/kernels.h"

const dcps_backend *dcps_cuda_backend(void)
{
    static const dcps_backend backend = {.name = "cuda", .device_ops = &dcps_cuda_device_ops};
    return &backend;
}
