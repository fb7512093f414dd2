#include "tensor/ops.h"
#include "tensor/tape_state.h"

static bool usable(const dcps_batch_norm *norm)
{
    return norm != NULL && norm->running_mean != NULL && norm->running_variance != NULL && norm->epsilon > 0.0f &&
           norm->momentum >= 0.0f && norm->momentum <= 1.0f;
}

/* x [batch, channels, height, width] or [batch, channels], scale [channels], shift [channels] → the shape of x */
dcps_tensor *dcps_tape_batch_norm(dcps_tape *tape, dcps_tensor *x, dcps_tensor *scale, dcps_tensor *shift,
                                  const dcps_batch_norm *norm)
{
    dcps_call *call = dcps_tape_begin(tape, DCPS_OP_BATCH_NORM, 3, (dcps_tensor *[]){x, scale, shift});
    if (call == NULL)
        return NULL;
    if ((x->dim_count != 4 && x->dim_count != 2) || scale->dim_count != 1 || shift->dim_count != 1 ||
        scale->dims[0] != x->dims[1] || shift->dims[0] != x->dims[1])
        return dcps_tape_refuse(tape, call,
                                "x [batch, channels, height, width] or [batch, channels], scale [channels] and shift "
                                "[channels]");
    if (!usable(norm))
        return dcps_tape_refuse(tape, call, "running statistics, a momentum of 0 … 1 and an epsilon above 0");
    size_t pixels = x->dim_count == 4 ? x->dims[2] * x->dims[3] : 1;
    if (dcps_tape_is_training(tape) && x->dims[0] * pixels < 2)
        return dcps_tape_refuse(tape, call, "two elements a channel or more, to have a variance");
    dcps_batch_norm_attributes attributes = {.batch = x->dims[0],
                                             .channels = x->dims[1],
                                             .pixels = pixels,
                                             .epsilon = norm->epsilon,
                                             .momentum = norm->momentum,
                                             .training = dcps_tape_is_training(tape),
                                             .running_mean = norm->running_mean,
                                             .running_variance = norm->running_variance};
    if (!dcps_tape_attach(tape, call, &attributes, sizeof attributes))
        return NULL;
    return dcps_tape_run(tape, call, x->dim_count, x->dims);
}
