#include "tensor/ops.h"
#include "tensor/tape_state.h"

/* x [any] → [same] */
static dcps_tensor *unary(dcps_tape *tape, dcps_op op, dcps_tensor *x)
{
    dcps_call *call = dcps_tape_begin(tape, op, 1, &x);
    if (call == NULL) {
        return NULL;
    }
    return dcps_tape_run(tape, call, x->dim_count, x->dims);
}

dcps_tensor *dcps_tape_relu(dcps_tape *tape, dcps_tensor *x)
{
    return unary(tape, DCPS_OP_RELU, x);
}

dcps_tensor *dcps_tape_tanh(dcps_tape *tape, dcps_tensor *x)
{
    return unary(tape, DCPS_OP_TANH, x);
}

dcps_tensor *dcps_tape_sigmoid(dcps_tape *tape, dcps_tensor *x)
{
    return unary(tape, DCPS_OP_SIGMOID, x);
}

dcps_tensor *dcps_tape_gelu(dcps_tape *tape, dcps_tensor *x)
{
    return unary(tape, DCPS_OP_GELU, x);
}

dcps_tensor *dcps_tape_exp(dcps_tape *tape, dcps_tensor *x)
{
    return unary(tape, DCPS_OP_EXP, x);
}

dcps_tensor *dcps_tape_log(dcps_tape *tape, dcps_tensor *x)
{
    return unary(tape, DCPS_OP_LOG, x);
}

dcps_tensor *dcps_tape_scale(dcps_tape *tape, dcps_tensor *x, float factor)
{
    dcps_call *call = dcps_tape_begin(tape, DCPS_OP_SCALE, 1, &x);
    if (call == NULL ||
        !dcps_tape_attach(tape, call, &(dcps_scale_attributes){.factor = factor}, sizeof(dcps_scale_attributes))) {
        return NULL;
    }
    return dcps_tape_run(tape, call, x->dim_count, x->dims);
}
