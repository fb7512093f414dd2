#include <stdio.h>

#include "tensor/shape.h"
#include "tensor/tape_state.h"

/* x [any] → dims, of as many elements */
dcps_tensor *dcps_tape_reshape(dcps_tape *tape, dcps_tensor *x, uint32_t dim_count, const size_t *dims)
{
    dcps_call *call = dcps_tape_begin(tape, DCPS_OP_RESHAPE, 1, &x);
    if (call == NULL) {
        return NULL;
    }
    size_t count;
    if ((dims == NULL && dim_count > 0) || !dcps_shape_count(dim_count, dims, &count) || count != x->count) {
        char shape[DCPS_SHAPE_TEXT_BYTES], text[DCPS_SHAPE_TEXT_BYTES + 32];
        snprintf(text, sizeof(text), "as many elements as %s",
                 dims == NULL ? "[]" : dcps_shape_format(shape, dim_count, dims));
        return dcps_tape_refuse(tape, call, text);
    }
    return dcps_tape_view(tape, call, 0, dim_count, dims);
}
