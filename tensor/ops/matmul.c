#include "tensor/tape_state.h"

/* a [m, k] · b [k, n] → [m, n] */
dcps_tensor *dcps_tape_matmul(dcps_tape *tape, dcps_tensor *a, dcps_tensor *b)
{
    dcps_call *call = dcps_tape_begin(tape, DCPS_OP_MATMUL, 2, (dcps_tensor *[]){a, b});
    if (call == NULL)
        return NULL;
    if (a->dim_count != 2 || b->dim_count != 2 || a->dims[1] != b->dims[0])
        return dcps_tape_refuse(tape, call, "a [m, k] and b [k, n]");
    return dcps_tape_run(tape, call, 2, (size_t[]){a->dims[0], b->dims[1]});
}
