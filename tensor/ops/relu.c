#include "tensor/tape_state.h"

/* x [any] → [same] */
dcps_tensor *dcps_tape_relu(dcps_tape *tape, dcps_tensor *x)
{
    dcps_call *call = dcps_tape_begin(tape, DCPS_OP_RELU, 1, &x);
    if (call == NULL)
        return NULL;
    return dcps_tape_run(tape, call, x->dim_count, x->dims);
}
