/* Gradient clipping by global norm. */
#ifndef DCPS_TENSOR_CLIP_H
#define DCPS_TENSOR_CLIP_H

#include "dcps/layout.h"

/* Scales the gradients of all trained tensors in `gradient` [total params] by limit / norm where their common Euclidean norm is above `limit` (Pascanu, Mikolov and Bengio
 * 2013, algorithm 1). Averaged tensors are left alone, and so is everything where the norm is not finite, for divergence to show. Returns the norm before. The same bits
 * on every machine. */
double dcps_clip_gradient(const dcps_layout *layout, double limit, float *gradient);

#endif
