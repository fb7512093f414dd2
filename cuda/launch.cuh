/* The one way kernels are launched. */
#ifndef DCPS_CUDA_LAUNCH_CUH
#define DCPS_CUDA_LAUNCH_CUH

#include <cuda_runtime.h>

#ifndef DCPS_LAUNCH /* the emulation in tests/support/cuda brings its own */
/* An expression of cudaError_t. */
#define DCPS_LAUNCH(kernel, grid, block, shared_bytes, stream, ...)                                                    \
    (kernel<<<(grid), (block), (shared_bytes), (stream)>>>(__VA_ARGS__), cudaGetLastError())
/* Shared memory whose size is the launch's shared_bytes. */
#define DCPS_DYNAMIC_SHARED(type, name) extern __shared__ type name[]
#endif

#endif
