/* The walk from the loss back to the parameters. A parameter is final when the last call that uses it has been walked. */
#include <assert.h>
#include <string.h>

#include "tensor/shape.h"
#include "tensor/tape_state.h"

/* Lets input `i` have the gradient of y as it is, if that is all there will be to it. */
static bool pass(const dcps_tape *tape, const dcps_call *call, uint32_t i)
{
    dcps_tensor *x = call->x[i];
    bool passes = (tape->config.backend->kernels[call->op]->passes >> i & 1u) != 0;
    if (!passes || x->gradient != NULL || x->open_uses != 1)
        return false;
    x->gradient = call->y->gradient;
    x->gradient_begun = true;
    return true;
}

/* Names the gradient slot of every input, making room where a tensor gets its first contribution. */
static dcps_status slots_open(dcps_tape *tape, const dcps_call *call, dcps_gradient_slot *slots)
{
    for (uint32_t i = 0; i < call->input_count; i++) {
        dcps_tensor *x = call->x[i];
        slots[i] = (dcps_gradient_slot){0};
        if (!x->differentiable || pass(tape, call, i))
            continue;
        if (x->gradient == NULL)
            x->gradient = dcps_tape_take(tape, x->count, sizeof *x->gradient);
        if (x->gradient == NULL)
            return tape->status;
        slots[i] = (dcps_gradient_slot){.values = x->gradient, .add = x->gradient_begun};
        x->gradient_begun = true;
    }
    return DCPS_OK;
}

/* Where nothing contributed: a gradient of zero, or the average as it is. */
static void parameter_untouched(dcps_tensor *parameter)
{
    size_t bytes = parameter->count * sizeof *parameter->gradient;
    if (parameter->parameter->average_rate > 0.0f)
        memcpy(parameter->gradient, parameter->values, bytes);
    else
        memset(parameter->gradient, 0, bytes);
}

/* Tells the host that `parameter` is complete. */
static void parameter_final(dcps_tape *tape, dcps_tensor *parameter)
{
    parameter->final = true;
    if (!parameter->gradient_begun)
        parameter_untouched(parameter);
    if (tape->config.gradient_final == NULL)
        return;
    uint64_t padded =
        (parameter->count + DCPS_LAYOUT_ALIGN_PARAMS - 1) / DCPS_LAYOUT_ALIGN_PARAMS * DCPS_LAYOUT_ALIGN_PARAMS;
    tape->config.gradient_final(tape->config.context, parameter->parameter->offset_params, padded);
}

static void inputs_close(dcps_tape *tape, const dcps_call *call)
{
    for (uint32_t i = 0; i < call->input_count; i++) {
        dcps_tensor *x = call->x[i];
        assert(x->open_uses > 0);
        x->open_uses--;
        if (x->open_uses == 0 && x->parameter != NULL)
            parameter_final(tape, x);
    }
}

static dcps_status call_backward(dcps_tape *tape, const dcps_call *call)
{
    if (call->y->gradient_begun) { /* else the loss does not depend on this call */
        dcps_gradient_slot slots[DCPS_OP_MAX_INPUTS];
        dcps_status status = slots_open(tape, call, slots);
        if (status == DCPS_OK)
            status = dcps_kernel_backward(tape, call, call->y->gradient, slots);
        if (status != DCPS_OK)
            return status;
    }
    inputs_close(tape, call);
    return DCPS_OK;
}

static dcps_status loss_check(const dcps_tape *tape, const dcps_tensor *loss)
{
    if (tape->status != DCPS_OK)
        return tape->status;
    if (loss == NULL)
        return dcps_fail(DCPS_INVALID,
                         "backward: the loss is NULL though nothing failed: the model returned no tensor");
    if (!dcps_tape_is_training(tape))
        return dcps_fail(DCPS_INVALID, "backward: this tape is for evaluation and has no gradient vector");
    if (tape->walked)
        return dcps_fail(DCPS_INVALID, "backward: already run in this step; reset the tape first");
    char text[DCPS_SHAPE_TEXT_BYTES];
    if (loss->count != 1)
        return dcps_fail(DCPS_INVALID, "backward: expected a scalar loss [], seen %s",
                         dcps_shape_format(text, loss->dim_count, loss->dims));
    return DCPS_OK;
}

/* ∂loss/∂loss = 1. */
static dcps_status seed(dcps_tape *tape, dcps_tensor *loss)
{
    if (!loss->differentiable)
        return DCPS_OK;
    if (loss->gradient == NULL)
        loss->gradient = dcps_tape_take(tape, 1, sizeof *loss->gradient);
    if (loss->gradient == NULL)
        return tape->status;
    loss->gradient[0] = 1.0f;
    loss->gradient_begun = true;
    return DCPS_OK;
}

dcps_status dcps_tape_backward(dcps_tape *tape, dcps_tensor *loss)
{
    dcps_status status = loss_check(tape, loss);
    if (status == DCPS_OK) {
        tape->walked = true;
        status = seed(tape, loss);
    }
    for (dcps_call *call = tape->last; call != NULL && status == DCPS_OK; call = call->previous)
        status = call_backward(tape, call);
    if (status != DCPS_OK) {
        dcps_tape_fail(tape, status);
        return status;
    }
    for (uint32_t i = 0; i < tape->parameter_count; i++)
        if (!tape->parameters[i].final)
            parameter_final(tape, &tape->parameters[i]);
    return DCPS_OK;
}
