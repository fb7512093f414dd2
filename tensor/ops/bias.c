#include "tensor/tape_state.h"

/* x […, columns] + bias [columns] → the shape of x */
dcps_tensor *dcps_tape_bias(dcps_tape *tape, dcps_tensor *x, dcps_tensor *bias)
{
    dcps_call *call = dcps_tape_begin(tape, DCPS_OP_BIAS, 2, (dcps_tensor *[]){x, bias});
    if (call == NULL) {
        return NULL;
    }
    if (x->dim_count < 1 || bias->dim_count != 1 || x->dims[x->dim_count - 1] != bias->dims[0]) {
        return dcps_tape_refuse(tape, call, "x […, columns] and bias [columns]");
    }
    return dcps_tape_run(tape, call, x->dim_count, x->dims);
}
