#include <string.h>

#include "tensor/ops.h"
#include "tensor/shape.h"
#include "tensor/tape_state.h"

/* Indices come from data files: one out of range would read and write beyond the table. */
static dcps_status indices_check(const dcps_tensor *table, const int32_t *indices, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if ((size_t)indices[i] >= table->dims[0]) { /* a negative one is huge */
            return dcps_fail(DCPS_INVALID, "embedding: index %zu is %d, a table [%zu, %zu] allows 0 … %zu", i,
                             indices[i], table->dims[0], table->dims[1], table->dims[0] - 1);
        }
    }
    return DCPS_OK;
}

/* table [rows, width], indices [dims] → [dims, width] */
dcps_tensor *dcps_tape_embedding(dcps_tape *tape, dcps_tensor *table, const int32_t *indices, uint32_t dim_count,
                                 const size_t *dims)
{
    dcps_call *call = dcps_tape_begin(tape, DCPS_OP_EMBEDDING, 1, &table);
    if (call == NULL) {
        return NULL;
    }
    size_t count, result[DCPS_LAYOUT_MAX_DIMS];
    if (table->dim_count != 2 || indices == NULL || (dims == NULL && dim_count > 0) ||
        dim_count >= DCPS_LAYOUT_MAX_DIMS || !dcps_shape_count(dim_count, dims, &count)) {
        return dcps_tape_refuse(tape, call, "a table [rows, width] and indices of at most 7 dims");
    }
    dcps_status status = indices_check(table, indices, count);
    if (status != DCPS_OK) {
        return dcps_tape_fail(tape, status);
    }
    if (dim_count > 0) {
        memcpy(result, dims, dim_count * sizeof(dims[0]));
    }
    result[dim_count] = table->dims[1];
    dcps_embedding_attributes attributes = {.indices = dcps_tape_upload(tape, indices, count * sizeof(*indices)),
                                            .count = count};
    if (attributes.indices == NULL || !dcps_tape_attach(tape, call, &attributes, sizeof(attributes))) {
        return NULL;
    }
    return dcps_tape_run(tape, call, dim_count + 1, result);
}
