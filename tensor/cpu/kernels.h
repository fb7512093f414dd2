/* The kernels of the CPU backend, one file each. */
#ifndef DCPS_TENSOR_CPU_KERNELS_H
#define DCPS_TENSOR_CPU_KERNELS_H

#include "tensor/backend.h"

extern const dcps_kernel dcps_cpu_matmul;
extern const dcps_kernel dcps_cpu_bias;
extern const dcps_kernel dcps_cpu_relu;
extern const dcps_kernel dcps_cpu_cross_entropy;

#endif
