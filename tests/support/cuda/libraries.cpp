/* Stands in for cuda/libraries.cu: nothing needs to be loaded. */
#include "cuda/libraries.cuh"

#define FUNCTION(name) &name,
dcps_libraries dcps_library = {DCPS_CUBLAS_MAP(FUNCTION) DCPS_CUDNN_MAP(FUNCTION)};

dcps_status dcps_cuda_load(const char *)
{
    return DCPS_OK;
}
