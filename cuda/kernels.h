/* The kernels of the CUDA backend. */
#ifndef DCPS_CUDA_KERNELS_H
#define DCPS_CUDA_KERNELS_H

#include "tensor/backend.h"

#endif
