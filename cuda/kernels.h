/* The kernels of the CUDA backend. One table may serve several ops. */
#ifndef DCPS_CUDA_KERNELS_H
#define DCPS_CUDA_KERNELS_H

#include "tensor/backend.h"
#include "tensor/device.h"

extern const dcps_device_ops dcps_cuda_device_ops; /* device_ops.cu */
/* One of these; see clip.cu. */
dcps_status dcps_cuda_clip(dcps_device *device, float *gradient, const dcps_device_range *trained, uint32_t count,
                           double limit, double *sums);

extern const dcps_kernel dcps_cuda_matmul;
extern const dcps_kernel dcps_cuda_bias;
extern const dcps_kernel dcps_cuda_relu;
extern const dcps_kernel dcps_cuda_add;
extern const dcps_kernel dcps_cuda_sub;
extern const dcps_kernel dcps_cuda_mul;
extern const dcps_kernel dcps_cuda_scale;
extern const dcps_kernel dcps_cuda_tanh;
extern const dcps_kernel dcps_cuda_sigmoid;
extern const dcps_kernel dcps_cuda_gelu;
extern const dcps_kernel dcps_cuda_exp;
extern const dcps_kernel dcps_cuda_log;
extern const dcps_kernel dcps_cuda_reshape;
extern const dcps_kernel dcps_cuda_transpose_op;
extern const dcps_kernel dcps_cuda_concat;
extern const dcps_kernel dcps_cuda_slice;
extern const dcps_kernel dcps_cuda_reduce_op;
extern const dcps_kernel dcps_cuda_softmax;
extern const dcps_kernel dcps_cuda_embedding;
extern const dcps_kernel dcps_cuda_dropout;
extern const dcps_kernel dcps_cuda_layer_norm;
extern const dcps_kernel dcps_cuda_lstm;
extern const dcps_kernel dcps_cuda_reorder;
extern const dcps_kernel dcps_cuda_conv2d;
extern const dcps_kernel dcps_cuda_batch_norm;
extern const dcps_kernel dcps_cuda_max_pool;
extern const dcps_kernel dcps_cuda_avg_pool;
extern const dcps_kernel dcps_cuda_global_avg_pool;
extern const dcps_kernel dcps_cuda_cross_entropy;

#endif
