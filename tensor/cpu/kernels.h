/* The kernels of the CPU backend, one file each. */
#ifndef DCPS_TENSOR_CPU_KERNELS_H
#define DCPS_TENSOR_CPU_KERNELS_H

#include "tensor/backend.h"

extern const dcps_kernel dcps_cpu_matmul;
extern const dcps_kernel dcps_cpu_bias;
extern const dcps_kernel dcps_cpu_relu;
extern const dcps_kernel dcps_cpu_add;
extern const dcps_kernel dcps_cpu_sub;
extern const dcps_kernel dcps_cpu_mul;
extern const dcps_kernel dcps_cpu_scale;
extern const dcps_kernel dcps_cpu_tanh;
extern const dcps_kernel dcps_cpu_sigmoid;
extern const dcps_kernel dcps_cpu_gelu;
extern const dcps_kernel dcps_cpu_exp;
extern const dcps_kernel dcps_cpu_log;
extern const dcps_kernel dcps_cpu_reshape;
extern const dcps_kernel dcps_cpu_transpose;
extern const dcps_kernel dcps_cpu_concat;
extern const dcps_kernel dcps_cpu_slice;
extern const dcps_kernel dcps_cpu_reduce;
extern const dcps_kernel dcps_cpu_softmax;
extern const dcps_kernel dcps_cpu_log_softmax;
extern const dcps_kernel dcps_cpu_embedding;
extern const dcps_kernel dcps_cpu_dropout;
extern const dcps_kernel dcps_cpu_layer_norm;
extern const dcps_kernel dcps_cpu_lstm;
extern const dcps_kernel dcps_cpu_reorder;
extern const dcps_kernel dcps_cpu_conv2d;
extern const dcps_kernel dcps_cpu_batch_norm;
extern const dcps_kernel dcps_cpu_max_pool;
extern const dcps_kernel dcps_cpu_avg_pool;
extern const dcps_kernel dcps_cpu_global_avg_pool;
extern const dcps_kernel dcps_cpu_cross_entropy;

#endif
