/* The reference backend: every op as its formula reads, in plain loops with sums in double. The specification for tests; slow. */
#ifndef DCPS_TENSOR_REF_REF_H
#define DCPS_TENSOR_REF_REF_H

#include "tensor/backend.h"

const dcps_backend *dcps_ref_backend(void);

/* Kernels, one file each. */
extern const dcps_kernel dcps_ref_matmul;
extern const dcps_kernel dcps_ref_bias;
extern const dcps_kernel dcps_ref_relu;
extern const dcps_kernel dcps_ref_cross_entropy;

/* slot[index] = or += value. */
static inline void dcps_ref_put(const dcps_gradient_slot *slot, size_t index, double value)
{
    slot->values[index] = (float)(slot->add ? (double)slot->values[index] + value : value);
}

#endif
