#include "tensor/ops.h"
#include "tensor/tape_state.h"

/* x [batch, …, columns] → the same */
static dcps_tensor *softmax(dcps_tape *tape, dcps_call *call, const uint8_t *mask)
{
    dcps_tensor *x = call->x[0];
    if (x->dim_count < 1) {
        return dcps_tape_refuse(tape, call, "x […, columns]");
    }
    size_t columns = x->dims[x->dim_count - 1], rows = x->count / columns;
    dcps_softmax_attributes attributes = {
        .rows = rows, .columns = columns, .mask = mask, .rows_a_mask = x->dim_count < 2 ? 1 : rows / x->dims[0]};
    if (!dcps_tape_attach(tape, call, &attributes, sizeof(attributes))) {
        return NULL;
    }
    return dcps_tape_run(tape, call, x->dim_count, x->dims);
}

dcps_tensor *dcps_tape_softmax(dcps_tape *tape, dcps_tensor *x)
{
    dcps_call *call = dcps_tape_begin(tape, DCPS_OP_SOFTMAX, 1, &x);
    return call == NULL ? NULL : softmax(tape, call, NULL);
}

dcps_tensor *dcps_tape_log_softmax(dcps_tape *tape, dcps_tensor *x)
{
    dcps_call *call = dcps_tape_begin(tape, DCPS_OP_LOG_SOFTMAX, 1, &x);
    return call == NULL ? NULL : softmax(tape, call, NULL);
}

/* The first row of `mask` [rows, columns] that hides everything; `rows` if there is none. */
static size_t hidden_row(const uint8_t *mask, size_t rows, size_t columns)
{
    for (size_t i = 0; i < rows; i++) {
        size_t j = 0;
        while (j < columns && mask[i * columns + j] == 0) {
            j++;
        }
        if (j == columns) {
            return i;
        }
    }
    return rows;
}

dcps_tensor *dcps_tape_masked_softmax(dcps_tape *tape, dcps_tensor *x, const uint8_t *mask)
{
    dcps_call *call = dcps_tape_begin(tape, DCPS_OP_SOFTMAX, 1, &x);
    if (call == NULL) {
        return NULL;
    }
    if (x->dim_count < 2 || mask == NULL) {
        return dcps_tape_refuse(tape, call, "x [batch, …, columns] and a mask [batch, columns]");
    }
    size_t columns = x->dims[x->dim_count - 1], hidden = hidden_row(mask, x->dims[0], columns);
    if (hidden < x->dims[0]) {
        return dcps_tape_fail(tape, dcps_fail(DCPS_INVALID,
                                              "softmax: row %zu of the mask [%zu, %zu] hides all columns (backend %s)",
                                              hidden, x->dims[0], columns, tape->config.backend->name));
    }
    mask = dcps_tape_upload(tape, mask, x->dims[0] * columns);
    return mask == NULL ? NULL : softmax(tape, call, mask);
}
