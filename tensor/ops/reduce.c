#include <string.h>

#include "tensor/ops.h"
#include "tensor/shape.h"
#include "tensor/tape_state.h"

/* x [any] → [] */
static dcps_tensor *reduce_all(dcps_tape *tape, dcps_op op, dcps_tensor *x)
{
    dcps_call *call = dcps_tape_begin(tape, op, 1, &x);
    if (call == NULL) {
        return NULL;
    }
    dcps_reduce_attributes attributes = {
        .outer = 1, .count = x->count, .inner = 1, .factor = op == DCPS_OP_MEAN ? 1.0f / (float)x->count : 1.0f};
    if (!dcps_tape_attach(tape, call, &attributes, sizeof(attributes))) {
        return NULL;
    }
    return dcps_tape_run(tape, call, 0, NULL);
}

/* x [outer…, count, inner…] → [outer…, inner…] */
static dcps_tensor *reduce_dim(dcps_tape *tape, dcps_op op, dcps_tensor *x, uint32_t dim)
{
    dcps_call *call = dcps_tape_begin(tape, op, 1, &x);
    if (call == NULL) {
        return NULL;
    }
    if (dim >= x->dim_count) {
        return dcps_tape_refuse(tape, call, "a tensor that has the dim to reduce");
    }
    uint32_t behind = x->dim_count - dim - 1;
    dcps_reduce_attributes attributes = {.outer = dcps_shape_product(x->dims, dim),
                                         .count = x->dims[dim],
                                         .inner = dcps_shape_product(x->dims + dim + 1, behind),
                                         .factor = op == DCPS_OP_MEAN ? 1.0f / (float)x->dims[dim] : 1.0f};
    size_t dims[DCPS_LAYOUT_MAX_DIMS];
    memcpy(dims, x->dims, dim * sizeof(dims[0]));
    memcpy(dims + dim, x->dims + dim + 1, behind * sizeof(dims[0]));
    if (!dcps_tape_attach(tape, call, &attributes, sizeof(attributes))) {
        return NULL;
    }
    return dcps_tape_run(tape, call, x->dim_count - 1, dims);
}

dcps_tensor *dcps_tape_sum(dcps_tape *tape, dcps_tensor *x)
{
    return reduce_all(tape, DCPS_OP_SUM, x);
}

dcps_tensor *dcps_tape_mean(dcps_tape *tape, dcps_tensor *x)
{
    return reduce_all(tape, DCPS_OP_MEAN, x);
}

dcps_tensor *dcps_tape_sum_over(dcps_tape *tape, dcps_tensor *x, uint32_t dim)
{
    return reduce_dim(tape, DCPS_OP_SUM, x, dim);
}

dcps_tensor *dcps_tape_mean_over(dcps_tape *tape, dcps_tensor *x, uint32_t dim)
{
    return reduce_dim(tape, DCPS_OP_MEAN, x, dim);
}
