/* Windows that slide over a padded image, for the fronts of convolution and pooling. */
#ifndef DCPS_TENSOR_OPS_WINDOW_H
#define DCPS_TENSOR_OPS_WINDOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How many places a window of `kernel` has along a dim of `size`. False when there is none, or sizes are beyond what backends count in. */
static inline bool dcps_window_places(size_t size, size_t kernel, size_t stride, size_t padding, size_t *places)
{
    if (stride < 1 || stride > INT32_MAX || padding > INT32_MAX || size > INT32_MAX || size + 2 * padding < kernel) {
        return false;
    }
    *places = (size + 2 * padding - kernel) / stride + 1;
    return true;
}

#endif
