/* How images lie between the ops of the CPU backend: in blocks of as many channels as a vector register holds, which is what oneDNN is fastest with, and
 * channels last where the channels do not come out even. */
#ifndef DCPS_TENSOR_CPU_ORDER_H
#define DCPS_TENSOR_CPU_ORDER_H

#include "tensor/backend.h"

/* Of this processor. */
size_t dcps_cpu_channel_block(void);

/* For images whose order does not matter, dims [4]: that of x, or, for a row-major x, the one they should have from here on. Row-major for
 * anything else than four dims. */
dcps_order dcps_cpu_image_order(const dcps_tensor *x, const size_t *dims);

/* Channels that lie side by side in x: those of a block, or all. */
size_t dcps_cpu_lanes(const dcps_tensor *x);

/* For `choose` of kernels with one input of images, whose result lies as the input does. */
dcps_order dcps_cpu_choose_image(const dcps_call *call, const size_t *y_dims, uint32_t input);

#endif
