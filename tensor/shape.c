#include "tensor/shape.h"

#include <stdio.h>

#include "dcps/layout.h"

const char *dcps_shape_format(char text[DCPS_SHAPE_TEXT_BYTES], uint32_t dim_count, const size_t *dims)
{
    size_t used = 0;
    text[used++] = '[';
    for (uint32_t i = 0; i < dim_count && i < DCPS_LAYOUT_MAX_DIMS; i++) {
        used += (size_t)snprintf(text + used, DCPS_SHAPE_TEXT_BYTES - used, i == 0 ? "%zu" : ", %zu", dims[i]);
    }
    snprintf(text + used, DCPS_SHAPE_TEXT_BYTES - used, dim_count > DCPS_LAYOUT_MAX_DIMS ? ", …]" : "]");
    return text;
}

bool dcps_shape_count(uint32_t dim_count, const size_t *dims, size_t *count)
{
    if (dim_count > DCPS_LAYOUT_MAX_DIMS) {
        return false;
    }
    size_t product = 1;
    for (uint32_t i = 0; i < dim_count; i++) {
        if (dims[i] == 0 || __builtin_mul_overflow(product, dims[i], &product)) {
            return false;
        }
    }
    if (product > SIZE_MAX / sizeof(float) / 2) {
        return false;
    }
    *count = product;
    return true;
}

size_t dcps_shape_product(const size_t *dims, uint32_t dim_count)
{
    size_t product = 1;
    for (uint32_t i = 0; i < dim_count; i++) {
        product *= dims[i];
    }
    return product;
}
