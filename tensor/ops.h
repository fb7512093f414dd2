/* Attributes of ops, for their fronts and kernels. */
#ifndef DCPS_TENSOR_OPS_H
#define DCPS_TENSOR_OPS_H

#include <stdint.h>

/* DCPS_OP_CROSS_ENTROPY: x[0] logits [rows, classes]; saved: probabilities [rows, classes]. */
typedef struct dcps_cross_entropy_attributes {
    const int32_t *labels; /* [rows], each in 0 … classes − 1 */
} dcps_cross_entropy_attributes;

#endif
