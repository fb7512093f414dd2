/* How much arithmetic an op is, for benchmarks. What counts are the multiplications and additions of products: of matrices, of convolutions (at every place of the kernel,
 * the zeros around the image too) and of LSTM layers. Everything else, whose cost is its memory traffic, counts for nothing; an algorithm that needs fewer (Winograd's) does not count for less. Pure. */
#ifndef DCPS_TENSOR_FLOPS_H
#define DCPS_TENSOR_FLOPS_H

#include "tensor/backend.h"

typedef enum dcps_pass { DCPS_PASS_FORWARD = 0, DCPS_PASS_BACKWARD, DCPS_PASS_COUNT } dcps_pass;

/* Floating-point operations of one pass of `call`, two for each multiply-add. Backward counts one product for each input that is differentiated. */
double dcps_call_flops(const dcps_call *call, dcps_pass pass);

#endif
