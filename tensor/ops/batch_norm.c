#include "tensor/ops.h"
#include "tensor/tape_state.h"

static bool shapes_fit(const dcps_call *call)
{
    const dcps_tensor *x = call->x[DCPS_BATCH_NORM_X];
    if (x->dim_count != 4 && x->dim_count != 2)
        return false;
    for (int i = DCPS_BATCH_NORM_SCALE; i < DCPS_BATCH_NORM_INPUTS; i++)
        if (call->x[i]->dim_count != 1 || call->x[i]->dims[0] != x->dims[1])
            return false;
    return true;
}

/* A statistic takes one value a step. */
static bool is_statistic(const dcps_tensor *tensor)
{
    return tensor->parameter != NULL && tensor->parameter->average_rate > 0.0f && tensor->open_uses == 0;
}

/* x [batch, channels, height, width] or [batch, channels]; scale, shift, mean and variance [channels] → the shape of x */
dcps_tensor *dcps_tape_batch_norm(dcps_tape *tape, dcps_tensor *x, dcps_tensor *scale, dcps_tensor *shift,
                                  dcps_tensor *mean, dcps_tensor *variance, float epsilon)
{
    dcps_call *call = dcps_tape_begin(tape, DCPS_OP_BATCH_NORM, DCPS_BATCH_NORM_INPUTS,
                                      (dcps_tensor *[]){x, scale, shift, mean, variance});
    if (call == NULL)
        return NULL;
    if (!shapes_fit(call))
        return dcps_tape_refuse(tape, call,
                                "x [batch, channels, height, width] or [batch, channels], and scale, shift, mean and "
                                "variance [channels]");
    if (!is_statistic(mean) || !is_statistic(variance) || mean == variance)
        return dcps_tape_refuse(tape, call,
                                "mean and variance that are averaged tensors of the layout (dcps_layout_add_average), "
                                "used nowhere else in the step");
    if (!(epsilon > 0.0f))
        return dcps_tape_refuse(tape, call, "an epsilon above 0");
    size_t pixels = x->dim_count == 4 ? x->dims[2] * x->dims[3] : 1;
    if (dcps_tape_is_training(tape) && x->dims[0] * pixels < 2)
        return dcps_tape_refuse(tape, call, "two elements a channel or more, to have a variance");
    dcps_batch_norm_attributes attributes = {.batch = x->dims[0],
                                             .channels = x->dims[1],
                                             .pixels = pixels,
                                             .epsilon = epsilon,
                                             .training = dcps_tape_is_training(tape)};
    if (!dcps_tape_attach(tape, call, &attributes, sizeof attributes))
        return NULL;
    return dcps_tape_run(tape, call, x->dim_count, x->dims);
}
