#include "tensor/tape_state.h"

/* x [rows, columns] + bias [columns] → [rows, columns] */
dcps_tensor *dcps_tape_bias(dcps_tape *tape, dcps_tensor *x, dcps_tensor *bias)
{
    dcps_call *call = dcps_tape_begin(tape, DCPS_OP_BIAS, 2, (dcps_tensor *[]){x, bias});
    if (call == NULL)
        return NULL;
    if (x->dim_count != 2 || bias->dim_count != 1 || x->dims[1] != bias->dims[0])
        return dcps_tape_refuse(tape, call, "x [rows, columns] and bias [columns]");
    return dcps_tape_run(tape, call, 2, x->dims);
}
