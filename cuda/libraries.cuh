/* cuBLAS and cuDNN, loaded when the first device is opened: half a gigabyte that a process which computes on the CPU never maps, and that a machine without a
 * GPU need not have. Their functions are called as dcps_library.cublasCreate(…). */
#ifndef DCPS_CUDA_LIBRARIES_CUH
#define DCPS_CUDA_LIBRARIES_CUH

#include <cublas_v2.h>
#include <cudnn.h>

#include "cuda/room.cuh"

/* All functions that the room calls. */
#define DCPS_CUBLAS_MAP(X)                                                                                             \
    X(cublasGetStatusString)                                                                                           \
    X(cublasCreate)                                                                                                    \
    X(cublasDestroy)                                                                                                   \
    X(cublasSetStream)                                                                                                 \
    X(cublasSetWorkspace)                                                                                              \
    X(cublasSetMathMode)                                                                                               \
    X(cublasSgemm)                                                                                                     \
    X(cublasSgemmStridedBatched)
#define DCPS_CUDNN_MAP(X)                                                                                              \
    X(cudnnGetErrorString)                                                                                             \
    X(cudnnCreate)                                                                                                     \
    X(cudnnDestroy)                                                                                                    \
    X(cudnnSetStream)                                                                                                  \
    X(cudnnCreateTensorDescriptor)                                                                                     \
    X(cudnnDestroyTensorDescriptor)                                                                                    \
    X(cudnnSetTensor4dDescriptor)                                                                                      \
    X(cudnnCreateFilterDescriptor)                                                                                     \
    X(cudnnDestroyFilterDescriptor)                                                                                    \
    X(cudnnSetFilter4dDescriptor)                                                                                      \
    X(cudnnCreateConvolutionDescriptor)                                                                                \
    X(cudnnDestroyConvolutionDescriptor)                                                                               \
    X(cudnnSetConvolution2dDescriptor)                                                                                 \
    X(cudnnSetConvolutionMathType)                                                                                     \
    X(cudnnGetConvolutionForwardAlgorithm_v7)                                                                          \
    X(cudnnGetConvolutionForwardWorkspaceSize)                                                                         \
    X(cudnnGetConvolutionBackwardDataAlgorithm_v7)                                                                     \
    X(cudnnGetConvolutionBackwardDataWorkspaceSize)                                                                    \
    X(cudnnGetConvolutionBackwardFilterAlgorithm_v7)                                                                   \
    X(cudnnGetConvolutionBackwardFilterWorkspaceSize)                                                                  \
    X(cudnnConvolutionForward)                                                                                         \
    X(cudnnConvolutionBackwardData)                                                                                    \
    X(cudnnConvolutionBackwardFilter)

/* Headers rename some functions by macros, so names pass through one more macro before they are used. */
#define DCPS_LIBRARY_MEMBER(name) decltype(&::name) name;
struct dcps_libraries {
    DCPS_CUBLAS_MAP(DCPS_LIBRARY_MEMBER)
    DCPS_CUDNN_MAP(DCPS_LIBRARY_MEMBER)
};
#undef DCPS_LIBRARY_MEMBER

/* Set by dcps_cuda_load. */
extern dcps_libraries dcps_library;

/* Loads both, once in a process. `who` is named in errors: DCPS_NOT_FOUND. */
DCPS_MUST_CHECK dcps_status dcps_cuda_load(const char *who);

#endif
