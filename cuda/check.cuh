/* The one way to look at what a CUDA, cuBLAS or cuDNN call returned: as a dcps_status whose message names who called what. */
#ifndef DCPS_CUDA_CHECK_CUH
#define DCPS_CUDA_CHECK_CUH

#include <cuda_runtime.h>

#include "cuda/libraries.cuh"

static inline dcps_status dcps_cuda_check(cudaError_t error, const char *who, const char *what)
{
    if (error == cudaSuccess) {
        return DCPS_OK;
    }
    return dcps_fail(error == cudaErrorMemoryAllocation ? DCPS_NO_MEMORY : DCPS_SYSTEM, "%s: CUDA: %s: %s", who, what,
                     cudaGetErrorString(error));
}

static inline dcps_status dcps_cuda_check(cublasStatus_t error, const char *who, const char *what)
{
    if (error == CUBLAS_STATUS_SUCCESS) {
        return DCPS_OK;
    }
    return dcps_fail(error == CUBLAS_STATUS_ALLOC_FAILED ? DCPS_NO_MEMORY : DCPS_SYSTEM, "%s: cuBLAS: %s: %s", who,
                     what, dcps_library.cublasGetStatusString(error));
}

static inline dcps_status dcps_cuda_check(cudnnStatus_t error, const char *who, const char *what)
{
    if (error == CUDNN_STATUS_SUCCESS) {
        return DCPS_OK;
    }
    return dcps_fail(DCPS_SYSTEM, "%s: cuDNN: %s: %s", who, what, dcps_library.cudnnGetErrorString(error));
}

/* `who` is an op or a device; the expression is the call. */
#define DCPS_CUDA_CHECK(who, expression) dcps_cuda_check((expression), (who), #expression)

#endif
