#include "tensor/flops.h"

#include "tensor/ops.h"

/* Inputs among the first `count` whose gradient is a product of its own. */
static double differentiated(const dcps_call *call, uint32_t count)
{
    double sum = 0.0;
    for (uint32_t i = 0; i < count; i++) {
        sum += call->x[i]->differentiable ? 1.0 : 0.0;
    }
    return sum;
}

static double matmul_flops(const dcps_call *call, dcps_pass pass)
{
    const dcps_matmul_attributes *is = call->attributes;
    double product = 2.0 * (double)is->batch * (double)is->m * (double)is->n * (double)is->k;
    return pass == DCPS_PASS_FORWARD ? product : product * differentiated(call, 2);
}

static double conv2d_flops(const dcps_call *call, dcps_pass pass)
{
    const size_t *w = call->x[1]->dims;
    double product = 2.0 * (double)call->y->count * (double)w[1] * (double)w[2] * (double)w[3];
    return pass == DCPS_PASS_FORWARD ? product : product * differentiated(call, 2);
}

/* The gradient always passes from step to step through w_hidden. */
static double lstm_flops(const dcps_call *call, dcps_pass pass)
{
    const dcps_lstm_attributes *is = call->attributes;
    double rows = (double)is->steps * (double)is->batch, width = 4.0 * (double)is->hidden;
    double of_input = 2.0 * rows * (double)is->input * width, of_hidden = 2.0 * rows * (double)is->hidden * width;
    if (pass == DCPS_PASS_FORWARD) {
        return of_input + of_hidden;
    }
    return of_input * differentiated(call, DCPS_LSTM_W_HIDDEN) +
           of_hidden * (call->x[DCPS_LSTM_W_HIDDEN]->differentiable ? 2.0 : 1.0);
}

double dcps_call_flops(const dcps_call *call, dcps_pass pass)
{
    switch (call->op) {
    case DCPS_OP_MATMUL:
        return matmul_flops(call, pass);
    case DCPS_OP_CONV2D:
        return conv2d_flops(call, pass);
    case DCPS_OP_LSTM:
        return lstm_flops(call, pass);
    default:
        return 0.0;
    }
}
