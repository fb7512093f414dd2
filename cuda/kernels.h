/* The kernels of the CUDA backend. */
#ifndef DCPS_CUDA_KERNELS_H
#define DCPS_CUDA_KERNELS_H

#include "tensor/backend.h"
#include "tensor/device.h"

extern const dcps_device_ops dcps_cuda_device_ops; /* device_ops.cu */

#endif
