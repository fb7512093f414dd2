/* The walk from the loss back to the parameters. A parameter is final when the last call that uses it has been walked. */
#include <assert.h>
#include <string.h>

#include "tensor/clip.h"
#include "tensor/shape.h"
#include "tensor/tape_state.h"

/* Makes room for the gradient of x: memory of one that is used up, or new memory. */
static dcps_status gradient_open(dcps_tape *tape, dcps_tensor *x)
{
    struct dcps_gradient_buffer **at = &tape->spare;
    while (*at != NULL && (*at)->count != x->count) {
        at = &(*at)->next;
    }
    struct dcps_gradient_buffer *buffer = *at;
    if (buffer != NULL) {
        *at = buffer->next;
    } else {
        buffer = dcps_tape_take(tape, 1, sizeof(*buffer));
        float *values = buffer == NULL ? NULL : dcps_tape_take_values(tape, x->count);
        if (values == NULL) {
            return tape->status;
        }
        *buffer = (struct dcps_gradient_buffer){.values = values, .count = x->count};
    }
    buffer->users = 1;
    x->buffer = buffer;
    x->gradient = buffer->values;
    return DCPS_OK;
}

/* The gradient of a result has been walked through. */
static void gradient_close(dcps_tape *tape, dcps_tensor *y)
{
    struct dcps_gradient_buffer *buffer = y->buffer;
    assert(buffer != NULL && buffer->users > 0);
    y->gradient = NULL;
    y->buffer = NULL;
    if (--buffer->users > 0) {
        return;
    }
    buffer->next = tape->spare;
    tape->spare = buffer;
}

/* Lets input `i` have the gradient of y as it is, if that is all there will be to it. */
static bool pass(const dcps_tape *tape, const dcps_call *call, uint32_t i)
{
    dcps_tensor *x = call->x[i];
    bool passes = (tape->config.backend->kernels[call->op]->passes >> i & 1u) != 0;
    if (!passes || x->gradient != NULL || x->open_uses != 1) {
        return false;
    }
    x->buffer = call->y->buffer;
    x->buffer->users++;
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
        if (!x->differentiable || pass(tape, call, i)) {
            continue;
        }
        dcps_status status = x->gradient == NULL ? gradient_open(tape, x) : DCPS_OK;
        if (status != DCPS_OK) {
            return status;
        }
        slots[i] = (dcps_gradient_slot){.values = x->gradient, .add = x->gradient_begun};
        x->gradient_begun = true;
    }
    return DCPS_OK;
}

/* to [count] = value */
static dcps_status fill(dcps_tape *tape, float *to, size_t count, float value)
{
    if (tape->on_device != NULL) {
        return dcps_device_tape_fill(tape->on_device, to, count, value);
    }
    for (size_t i = 0; i < count; i++) {
        to[i] = value;
    }
    return DCPS_OK;
}

/* Where nothing contributed: a gradient of zero, or the average as it is. */
static dcps_status parameter_untouched(dcps_tape *tape, const dcps_tensor *parameter)
{
    if (parameter->parameter->average_rate <= 0.0f) {
        return fill(tape, parameter->gradient, parameter->count, 0.0f);
    }
    if (tape->on_device != NULL) {
        return dcps_device_tape_copy(tape->on_device, parameter->gradient, parameter->values, parameter->count);
    }
    memcpy(parameter->gradient, parameter->values, parameter->count * sizeof(*parameter->gradient));
    return DCPS_OK;
}

/* Tells the host that `parameter` is as it stays. */
static void report(const dcps_tape *tape, const dcps_tensor *parameter)
{
    if (tape->config.gradient_final != NULL) {
        tape->config.gradient_final(tape->config.context, parameter->parameter->offset_params,
                                    dcps_padded_params(parameter->count));
    }
}

/* Nothing more will be added to `parameter`. */
static dcps_status parameter_final(dcps_tape *tape, dcps_tensor *parameter, const dcps_tensor *loss)
{
    parameter->final = true;
    if (!parameter->gradient_begun) {
        dcps_status status = parameter_untouched(tape, parameter);
        if (status != DCPS_OK) {
            return status;
        }
    }
    if (tape->on_device != NULL) {
        return dcps_device_tape_final(tape->on_device, (uint32_t)(parameter - tape->parameters), loss);
    }
    if (tape->config.clip_norm <= 0.0) {
        report(tape, parameter);
    }
    return DCPS_OK;
}

/* Of a gradient in host memory. */
static void clip(const dcps_tape *tape)
{
    (void)dcps_clip_gradient(tape->config.layout, tape->config.clip_norm, tape->config.gradient);
    for (uint32_t i = 0; i < tape->parameter_count; i++) {
        report(tape, &tape->parameters[i]);
    }
}

static dcps_status inputs_close(dcps_tape *tape, const dcps_call *call, const dcps_tensor *loss)
{
    dcps_status status = DCPS_OK;
    for (uint32_t i = 0; i < call->input_count && status == DCPS_OK; i++) {
        dcps_tensor *x = call->x[i];
        assert(x->open_uses > 0);
        x->open_uses--;
        if (x->open_uses == 0 && x->parameter != NULL) {
            status = parameter_final(tape, x, loss);
        }
    }
    return status;
}

static dcps_status kernel_backward(dcps_tape *tape, const dcps_call *call, const dcps_gradient_slot *slots)
{
    return tape->on_device == NULL ? dcps_kernel_backward(tape, call, call->y->gradient, slots)
                                   : dcps_device_tape_backward(tape->on_device, call, slots);
}

static dcps_status call_backward(dcps_tape *tape, const dcps_call *call, const dcps_tensor *loss)
{
    if (call->y->gradient_begun) { /* else the loss does not depend on this call */
        dcps_gradient_slot slots[DCPS_OP_MAX_INPUTS];
        dcps_status status = slots_open(tape, call, slots);
        if (status == DCPS_OK) {
            status = kernel_backward(tape, call, slots);
        }
        if (status != DCPS_OK) {
            return status;
        }
        gradient_close(tape, call->y);
    }
    return inputs_close(tape, call, loss);
}

static dcps_status loss_check(const dcps_tape *tape, const dcps_tensor *loss)
{
    if (tape->status != DCPS_OK) {
        return tape->status;
    }
    if (loss == NULL) {
        return dcps_fail(DCPS_INVALID,
                         "backward: the loss is NULL though nothing failed: the model returned no tensor");
    }
    if (!dcps_tape_is_training(tape)) {
        return dcps_fail(DCPS_INVALID, "backward: this tape is for evaluation and has no gradient vector");
    }
    if (tape->walked) {
        return dcps_fail(DCPS_INVALID, "backward: already run in this step; reset the tape first");
    }
    char text[DCPS_SHAPE_TEXT_BYTES];
    if (loss->count != 1) {
        return dcps_fail(DCPS_INVALID, "backward: expected a scalar loss [], seen %s",
                         dcps_shape_format(text, loss->dim_count, loss->dims));
    }
    return DCPS_OK;
}

/* ∂loss/∂loss = 1. */
static dcps_status seed(dcps_tape *tape, dcps_tensor *loss)
{
    if (!loss->differentiable) {
        return DCPS_OK;
    }
    dcps_status status = loss->gradient == NULL ? gradient_open(tape, loss) : DCPS_OK;
    if (status != DCPS_OK) {
        return status;
    }
    loss->gradient_begun = true;
    return fill(tape, loss->gradient, 1, 1.0f);
}

/* From the newest call to the oldest; then the parameters that no call used. */
static dcps_status walk(dcps_tape *tape, dcps_tensor *loss)
{
    dcps_status status = seed(tape, loss);
    for (dcps_call *call = tape->last; call != NULL && status == DCPS_OK; call = call->previous) {
        status = call_backward(tape, call, loss);
    }
    for (uint32_t i = 0; i < tape->parameter_count && status == DCPS_OK; i++) {
        if (!tape->parameters[i].final) {
            status = parameter_final(tape, &tape->parameters[i], loss);
        }
    }
    return status;
}

dcps_status dcps_tape_backward(dcps_tape *tape, dcps_tensor *loss)
{
    dcps_status status = loss_check(tape, loss);
    if (status == DCPS_OK) {
        tape->walked = true;
        if (tape->on_device == NULL) {
            tape->loss = loss->values[0];
        }
        status = walk(tape, loss);
    }
    if (status == DCPS_OK && tape->on_device != NULL) {
        status = dcps_device_tape_collect(tape->on_device, loss, &tape->loss);
    } else if (status == DCPS_OK && tape->config.clip_norm > 0.0) {
        clip(tape);
    }
    if (status != DCPS_OK) {
        dcps_tape_fail(tape, status);
        if (tape->on_device != NULL) {
            dcps_device_tape_abandon(tape->on_device);
        }
    }
    return status;
}
