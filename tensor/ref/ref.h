/* The reference backend: every op as its formula reads, in plain loops with sums in double. The specification for tests; slow. */
#ifndef DCPS_TENSOR_REF_REF_H
#define DCPS_TENSOR_REF_REF_H

#include "tensor/backend.h"

const dcps_backend *dcps_ref_backend(void);

/* Kernels, one file each. */
extern const dcps_kernel dcps_ref_matmul;
extern const dcps_kernel dcps_ref_bias;
extern const dcps_kernel dcps_ref_relu;
extern const dcps_kernel dcps_ref_add;
extern const dcps_kernel dcps_ref_sub;
extern const dcps_kernel dcps_ref_mul;
extern const dcps_kernel dcps_ref_scale;
extern const dcps_kernel dcps_ref_tanh;
extern const dcps_kernel dcps_ref_sigmoid;
extern const dcps_kernel dcps_ref_gelu;
extern const dcps_kernel dcps_ref_exp;
extern const dcps_kernel dcps_ref_log;
extern const dcps_kernel dcps_ref_reshape;
extern const dcps_kernel dcps_ref_transpose;
extern const dcps_kernel dcps_ref_concat;
extern const dcps_kernel dcps_ref_slice;
extern const dcps_kernel dcps_ref_reduce;
extern const dcps_kernel dcps_ref_softmax;
extern const dcps_kernel dcps_ref_log_softmax;
extern const dcps_kernel dcps_ref_embedding;
extern const dcps_kernel dcps_ref_dropout;
extern const dcps_kernel dcps_ref_layer_norm;
extern const dcps_kernel dcps_ref_lstm;
extern const dcps_kernel dcps_ref_conv2d;
extern const dcps_kernel dcps_ref_batch_norm;
extern const dcps_kernel dcps_ref_batch_norm_relu;
extern const dcps_kernel dcps_ref_max_pool;
extern const dcps_kernel dcps_ref_avg_pool;
extern const dcps_kernel dcps_ref_global_avg_pool;
extern const dcps_kernel dcps_ref_cross_entropy;

/* slot[index] = or += value. */
static inline void dcps_ref_put(const dcps_gradient_slot *slot, size_t index, double value)
{
    slot->values[index] = (float)(slot->add ? (double)slot->values[index] + value : value);
}

#endif
