/* Shapes as text and as counts. */
#ifndef DCPS_TENSOR_SHAPE_H
#define DCPS_TENSOR_SHAPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Room for eight dims of 20 digits. */
#define DCPS_SHAPE_TEXT_BYTES 192u

/* "[128, 784]"; "[]" for a scalar. Returns `text`. */
const char *dcps_shape_format(char text[DCPS_SHAPE_TEXT_BYTES], uint32_t dim_count, const size_t *dims);

/* Product of dims. False when there are too many dims, one is 0, or the bytes of the tensor overflow. */
bool dcps_shape_count(uint32_t dim_count, const size_t *dims, size_t *count);

/* Product of the first `dim_count` dims of a shape that has passed dcps_shape_count; 1 for none. */
size_t dcps_shape_product(const size_t *dims, uint32_t dim_count);

#endif
