/* Clipping by the norm of the whole gradient, on the device. The order of the sum depends on the layout alone. */
#include <cfloat>

#include "cuda/check.cuh"
#include "cuda/context.cuh"
#include "cuda/kernel.cuh"
#include "cuda/kernels.h"

#define VALUES_A_THREAD 16u

namespace
{
/* The sum over the threads of a block of DCPS_BLOCK; thread 0 gets it. */
__device__ double block_sum(double value)
{
    __shared__ double sums[DCPS_BLOCK];
    sums[threadIdx.x] = value;
    for (unsigned half = DCPS_BLOCK / 2; half > 0; half /= 2) {
        __syncthreads();
        if (threadIdx.x < half) {
            sums[threadIdx.x] += sums[threadIdx.x + half];
        }
    }
    return threadIdx.x == 0 ? sums[0] : 0.0;
}

/* sums [blocks] = Σ values², a share each */
__global__ void sum_squares(size_t count, const float *values, double *sums)
{
    size_t stride = size_t{blockDim.x} * gridDim.x;
    double sum = 0.0;
    for (size_t i = size_t{blockIdx.x} * blockDim.x + threadIdx.x; i < count; i += stride) {
        sum += (double)values[i] * (double)values[i];
    }
    sum = block_sum(sum);
    if (threadIdx.x == 0) {
        sums[blockIdx.x] = sum;
    }
}

/* factor = limit / norm, 1 where the norm is not above `limit` or not finite; one block */
__global__ void find_factor(unsigned count, const double *sums, double limit, double *factor)
{
    double sum = 0.0;
    for (unsigned i = threadIdx.x; i < count; i += blockDim.x) {
        sum += sums[i];
    }
    double norm = sqrt(block_sum(sum));
    if (threadIdx.x == 0) {
        *factor = norm > limit && norm <= DBL_MAX ? limit / norm : 1.0;
    }
}

__global__ void scale_by(size_t count, const double *factor, float *values)
{
    float by = (float)*factor;
    size_t stride = size_t{blockDim.x} * gridDim.x;
    if (by == 1.0f) {
        return;
    }
    for (size_t i = size_t{blockIdx.x} * blockDim.x + threadIdx.x; i < count; i += stride) {
        values[i] *= by;
    }
}

/* Blocks for `count` values: as many as have enough to do. */
unsigned blocks_for(uint64_t count)
{
    size_t wanted = dcps_round_up_divide(count, size_t{DCPS_BLOCK} * VALUES_A_THREAD);
    return wanted < DCPS_CLIP_SUMS ? (unsigned)wanted : DCPS_CLIP_SUMS;
}
} // namespace

dcps_status dcps_cuda_clip(dcps_device *device, float *gradient, const dcps_device_range *trained, uint32_t count,
                           double limit, double *sums)
{
    double *factor = sums + size_t{count} * DCPS_CLIP_SUMS;
    unsigned used = 0;
    dcps_status status = DCPS_OK;
    for (uint32_t i = 0; i < count && status == DCPS_OK; i++) {
        unsigned blocks = blocks_for(trained[i].count);
        status = DCPS_CUDA_CHECK(device->name,
                                 DCPS_LAUNCH(sum_squares, dim3(blocks), dim3(DCPS_BLOCK), 0, device->stream,
                                             (size_t)trained[i].count, gradient + trained[i].first, sums + used));
        used += blocks;
    }
    if (status == DCPS_OK && count > 0) {
        status = DCPS_CUDA_CHECK(device->name, DCPS_LAUNCH(find_factor, dim3(1), dim3(DCPS_BLOCK), 0, device->stream,
                                                           used, sums, limit, factor));
    }
    for (uint32_t i = 0; i < count && status == DCPS_OK; i++) {
        status = DCPS_CUDA_CHECK(
            device->name, DCPS_LAUNCH(scale_by, dim3(blocks_for(trained[i].count)), dim3(DCPS_BLOCK), 0, device->stream,
                                      (size_t)trained[i].count, factor, gradient + trained[i].first));
    }
    return status;
}
