#include <string.h>

#include "tensor/tape_state.h"

/* a [any], b [same] → [same] */
static dcps_tensor *binary(dcps_tape *tape, dcps_op op, dcps_tensor *a, dcps_tensor *b)
{
    dcps_call *call = dcps_tape_begin(tape, op, 2, (dcps_tensor *[]){a, b});
    if (call == NULL) {
        return NULL;
    }
    if (a->dim_count != b->dim_count || memcmp(a->dims, b->dims, a->dim_count * sizeof(a->dims[0])) != 0) {
        return dcps_tape_refuse(tape, call, "two tensors of the same shape");
    }
    return dcps_tape_run(tape, call, a->dim_count, a->dims);
}

dcps_tensor *dcps_tape_add(dcps_tape *tape, dcps_tensor *a, dcps_tensor *b)
{
    return binary(tape, DCPS_OP_ADD, a, b);
}

dcps_tensor *dcps_tape_sub(dcps_tape *tape, dcps_tensor *a, dcps_tensor *b)
{
    return binary(tape, DCPS_OP_SUB, a, b);
}

dcps_tensor *dcps_tape_mul(dcps_tape *tape, dcps_tensor *a, dcps_tensor *b)
{
    return binary(tape, DCPS_OP_MUL, a, b);
}
