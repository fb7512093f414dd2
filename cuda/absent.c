/* The room in a build without the CUDA toolkit. */
#include "cuda/cuda.h"

dcps_status dcps_cuda_count(uint32_t *count)
{
    (void)count;
    return dcps_fail(DCPS_UNSUPPORTED, "this build of dcps has no CUDA");
}

dcps_status dcps_cuda_describe(uint32_t index, char *text, size_t capacity)
{
    (void)index;
    (void)text;
    (void)capacity;
    return dcps_fail(DCPS_UNSUPPORTED, "this build of dcps has no CUDA");
}

dcps_status dcps_cuda_open(uint32_t index, dcps_device **device)
{
    (void)device;
    return dcps_fail(DCPS_UNSUPPORTED,
                     "device cuda:%u: this build of dcps has no CUDA: install the CUDA toolkit 12 or later with cuBLAS "
                     "and cuDNN, configure anew and build, or use --device cpu",
                     index);
}

void dcps_cuda_close(dcps_device **device)
{
    *device = NULL;
}

void dcps_cuda_set_tf32(dcps_device *device, bool allowed)
{
    (void)device;
    (void)allowed;
}

const dcps_backend *dcps_cuda_backend(void)
{
    static const dcps_backend backend = {.name = "cuda"};
    return &backend;
}
