#include <string.h>

#include "tensor/ops.h"
#include "tensor/tape_state.h"

static bool same_shape(const dcps_tensor *a, const dcps_tensor *b)
{
    return a->dim_count == b->dim_count && memcmp(a->dims, b->dims, a->dim_count * sizeof(a->dims[0])) == 0;
}

static bool shapes_fit(const dcps_call *call)
{
    const dcps_tensor *x = call->x[DCPS_BATCH_NORM_X];
    if (x->dim_count != 4 && x->dim_count != 2) {
        return false;
    }
    for (int i = DCPS_BATCH_NORM_SCALE; i < DCPS_BATCH_NORM_INPUTS; i++) {
        if (call->x[i]->dim_count != 1 || call->x[i]->dims[0] != x->dims[1]) {
            return false;
        }
    }
    return call->input_count == DCPS_BATCH_NORM_INPUTS || same_shape(x, call->x[DCPS_BATCH_NORM_RESIDUAL]);
}

/* A statistic takes one value a step. */
static bool is_statistic(const dcps_tensor *tensor)
{
    return tensor->parameter != NULL && tensor->parameter->average_rate > 0.0f && tensor->open_uses == 0;
}

/* Whether inputs and epsilon fit; refuses the call if not. */
static bool fits(dcps_tape *tape, const dcps_call *call, float epsilon)
{
    const dcps_tensor *x = call->x[DCPS_BATCH_NORM_X];
    const dcps_tensor *mean = call->x[DCPS_BATCH_NORM_MEAN], *variance = call->x[DCPS_BATCH_NORM_VARIANCE];
    const char *expected = NULL;
    if (!shapes_fit(call)) {
        expected = "x [batch, channels, height, width] or [batch, channels], and scale, shift, mean and "
                   "variance [channels]";
    } else if (!is_statistic(mean) || !is_statistic(variance) || mean == variance) {
        expected = "mean and variance that are averaged tensors of the layout (dcps_layout_add_average), "
                   "used nowhere else in the step";
    } else if (!(epsilon > 0.0f)) {
        expected = "an epsilon above 0";
    } else if (dcps_tape_is_training(tape) && x->count / x->dims[1] < 2) {
        expected = "two elements a channel or more, to have a variance";
    }
    if (expected != NULL) {
        (void)dcps_tape_refuse(tape, call, expected);
    }
    return expected == NULL;
}

/* x [batch, channels, height, width] or [batch, channels]; scale, shift, mean and variance [channels]; then a residual shaped like x or none → the shape of x */
static dcps_tensor *batch_norm(dcps_tape *tape, dcps_op op, uint32_t input_count, dcps_tensor *const *x, float epsilon)
{
    dcps_call *call = dcps_tape_begin(tape, op, input_count, x);
    if (call == NULL || !fits(tape, call, epsilon)) {
        return NULL;
    }
    dcps_batch_norm_attributes attributes = {.batch = x[0]->dims[0],
                                             .channels = x[0]->dims[1],
                                             .pixels = x[0]->dim_count == 4 ? x[0]->dims[2] * x[0]->dims[3] : 1,
                                             .epsilon = epsilon,
                                             .training = dcps_tape_is_training(tape)};
    if (!dcps_tape_attach(tape, call, &attributes, sizeof(attributes))) {
        return NULL;
    }
    return dcps_tape_run(tape, call, x[0]->dim_count, x[0]->dims);
}

dcps_tensor *dcps_tape_batch_norm(dcps_tape *tape, dcps_tensor *x, dcps_tensor *scale, dcps_tensor *shift,
                                  dcps_tensor *mean, dcps_tensor *variance, float epsilon)
{
    return batch_norm(tape, DCPS_OP_BATCH_NORM, DCPS_BATCH_NORM_INPUTS,
                      (dcps_tensor *[]){x, scale, shift, mean, variance}, epsilon);
}

/* On a backend that has no kernel for all of it, as three ops. */
dcps_tensor *dcps_tape_batch_norm_relu(dcps_tape *tape, dcps_tensor *x, dcps_tensor *scale, dcps_tensor *shift,
                                       dcps_tensor *mean, dcps_tensor *variance, float epsilon, dcps_tensor *residual)
{
    uint32_t input_count = residual == NULL ? DCPS_BATCH_NORM_INPUTS : DCPS_BATCH_NORM_INPUTS + 1;
    if (tape->config.backend->kernels[DCPS_OP_BATCH_NORM_RELU] != NULL) {
        return batch_norm(tape, DCPS_OP_BATCH_NORM_RELU, input_count,
                          (dcps_tensor *[]){x, scale, shift, mean, variance, residual}, epsilon);
    }
    x = dcps_tape_batch_norm(tape, x, scale, shift, mean, variance, epsilon);
    return dcps_tape_relu(tape, residual == NULL ? x : dcps_tape_add(tape, x, residual));
}
