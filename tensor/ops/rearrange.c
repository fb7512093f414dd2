/* Ops that move elements along dims: transpose, concat, slice. */
#include <string.h>

#include "tensor/ops.h"
#include "tensor/shape.h"
#include "tensor/tape_state.h"

/* x [outer…, a, middle…, b, inner…] → [outer…, b, middle…, a, inner…] */
dcps_tensor *dcps_tape_transpose(dcps_tape *tape, dcps_tensor *x, uint32_t dim_a, uint32_t dim_b)
{
    dcps_call *call = dcps_tape_begin(tape, DCPS_OP_TRANSPOSE, 1, &x);
    if (call == NULL) {
        return NULL;
    }
    if (dim_a >= x->dim_count || dim_b >= x->dim_count || dim_a == dim_b) {
        return dcps_tape_refuse(tape, call, "two different dims of x");
    }
    uint32_t low = dim_a < dim_b ? dim_a : dim_b, high = dim_a < dim_b ? dim_b : dim_a;
    dcps_transpose_attributes attributes = {
        .outer = dcps_shape_product(x->dims, low),
        .a = x->dims[low],
        .middle = dcps_shape_product(x->dims + low + 1, high - low - 1),
        .b = x->dims[high],
        .inner = dcps_shape_product(x->dims + high + 1, x->dim_count - high - 1),
    };
    size_t dims[DCPS_LAYOUT_MAX_DIMS];
    memcpy(dims, x->dims, sizeof(dims));
    dims[low] = attributes.b;
    dims[high] = attributes.a;
    if (!dcps_tape_attach(tape, call, &attributes, sizeof(attributes))) {
        return NULL;
    }
    return dcps_tape_run(tape, call, x->dim_count, dims);
}

/* Whether the shapes differ along `dim` at most. */
static bool alike(const dcps_tensor *a, const dcps_tensor *b, uint32_t dim)
{
    if (a->dim_count != b->dim_count) {
        return false;
    }
    for (uint32_t i = 0; i < a->dim_count; i++) {
        if (i != dim && a->dims[i] != b->dims[i]) {
            return false;
        }
    }
    return true;
}

/* x[i] [outer…, n_i, inner…] → [outer…, Σ n_i, inner…] */
dcps_tensor *dcps_tape_concat(dcps_tape *tape, uint32_t count, dcps_tensor *const *x, uint32_t dim)
{
    if (dcps_tape_status(tape) != DCPS_OK) {
        return NULL;
    }
    if (count < 1 || count > DCPS_OP_MAX_INPUTS || x == NULL) {
        return dcps_tape_fail(tape, dcps_fail(DCPS_INVALID, "concat: expected 1 to %u tensors, seen %u (backend %s)",
                                              DCPS_OP_MAX_INPUTS, x == NULL ? 0 : count, tape->config.backend->name));
    }
    dcps_call *call = dcps_tape_begin(tape, DCPS_OP_CONCAT, count, x);
    if (call == NULL) {
        return NULL;
    }
    size_t dims[DCPS_LAYOUT_MAX_DIMS], sum = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (dim >= x[0]->dim_count || !alike(x[0], x[i], dim) || __builtin_add_overflow(sum, x[i]->dims[dim], &sum)) {
            return dcps_tape_refuse(tape, call, "tensors that have the dim to join, and all others equal");
        }
    }
    memcpy(dims, x[0]->dims, sizeof(dims));
    dims[dim] = sum;
    dcps_concat_attributes attributes = {.dim = dim,
                                         .outer = dcps_shape_product(dims, dim),
                                         .inner = dcps_shape_product(dims + dim + 1, x[0]->dim_count - dim - 1)};
    if (!dcps_tape_attach(tape, call, &attributes, sizeof(attributes))) {
        return NULL;
    }
    return dcps_tape_run(tape, call, x[0]->dim_count, dims);
}

/* x [outer…, whole, inner…] → [outer…, count, inner…] */
dcps_tensor *dcps_tape_slice(dcps_tape *tape, dcps_tensor *x, uint32_t dim, size_t first, size_t count)
{
    dcps_call *call = dcps_tape_begin(tape, DCPS_OP_SLICE, 1, &x);
    if (call == NULL) {
        return NULL;
    }
    if (dim >= x->dim_count || count == 0 || first >= x->dims[dim] || count > x->dims[dim] - first) {
        return dcps_tape_refuse(tape, call, "a dim of x and a range within it");
    }
    size_t dims[DCPS_LAYOUT_MAX_DIMS];
    memcpy(dims, x->dims, sizeof(dims));
    dims[dim] = count;
    dcps_slice_attributes attributes = {.outer = dcps_shape_product(dims, dim),
                                        .whole = x->dims[dim],
                                        .first = first,
                                        .count = count,
                                        .inner = dcps_shape_product(dims + dim + 1, x->dim_count - dim - 1)};
    if (!dcps_tape_attach(tape, call, &attributes, sizeof(attributes))) {
        return NULL;
    }
    if (attributes.outer == 1) { /* one piece of memory */
        return dcps_tape_view(tape, call, first * attributes.inner, x->dim_count, dims);
    }
    return dcps_tape_run(tape, call, x->dim_count, dims);
}
