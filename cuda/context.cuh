/* A device as kernels see it. */
#ifndef DCPS_CUDA_CONTEXT_CUH
#define DCPS_CUDA_CONTEXT_CUH

#include <cublas_v2.h>
#include <cuda_runtime.h>
#include <cudnn.h>

#include "cuda/room.cuh"

struct dcps_device {
    uint32_t index;
    int multiprocessors;
    bool tf32;
    cudaStream_t stream; /* all kernels and library calls of a tape */
    cublasHandle_t blas; /* on that stream */
    cudnnHandle_t dnn;   /* on that stream */
    void *blas_workspace;
    struct dcps_conv_plan *plans; /* of convolutions seen so far, see ops/conv2d.cu */
    char name[24];                /* "device cuda:0", for errors */
    cudaStream_t copies;          /* downloads, beside the computation */
    cudaEvent_t computed;         /* what the next download waits for */
};

/* Forgets the plans of convolutions, before the device's cuDNN handle goes. See ops/conv2d.cu. */
void dcps_cuda_plans_free(dcps_device *device);

#endif
