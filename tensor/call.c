/* From an op's front to its kernel: what all ops have in common. */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "tensor/ops.h"
#include "tensor/shape.h"
#include "tensor/tape_state.h"

const char *dcps_op_name(dcps_op op)
{
    static const char *const names[DCPS_OP_COUNT] = {
#define DCPS_OP_NAME(name, text) [DCPS_OP_##name] = (text),
        DCPS_OP_MAP(DCPS_OP_NAME)
#undef DCPS_OP_NAME
    };
    assert((unsigned)op < DCPS_OP_COUNT);
    return names[op];
}

/* Shapes that an error spells out; more are counted. */
#define INPUTS_SHOWN 4u
#define INPUTS_TEXT_BYTES (INPUTS_SHOWN * (DCPS_SHAPE_TEXT_BYTES + 5) + 32)

/* "[128, 784] and [784, 10]"; "[3] and [3] and [3] and [3] and 7 more" */
static const char *inputs_format(char text[INPUTS_TEXT_BYTES], uint32_t count, dcps_tensor *const *x)
{
    size_t used = 0;
    for (uint32_t i = 0; i < count && i < INPUTS_SHOWN; i++) {
        char shape[DCPS_SHAPE_TEXT_BYTES];
        used += (size_t)snprintf(text + used, INPUTS_TEXT_BYTES - used, "%s%s", i == 0 ? "" : " and ",
                                 dcps_shape_format(shape, x[i]->dim_count, x[i]->dims));
    }
    if (count > INPUTS_SHOWN) {
        snprintf(text + used, INPUTS_TEXT_BYTES - used, " and %u more", count - INPUTS_SHOWN);
    }
    return text;
}

static bool inputs_present(dcps_tape *tape, dcps_op op, uint32_t input_count, dcps_tensor *const *x)
{
    for (uint32_t i = 0; i < input_count; i++) {
        if (x[i] == NULL) {
            dcps_tape_fail(tape, dcps_fail(DCPS_INVALID,
                                           "%s: input %u is NULL though nothing failed before: the model passed it",
                                           dcps_op_name(op), i));
            return false;
        }
    }
    return true;
}

static bool takes_average(dcps_op op, uint32_t input)
{
    return (op == DCPS_OP_BATCH_NORM || op == DCPS_OP_BATCH_NORM_RELU) &&
           (input == DCPS_BATCH_NORM_MEAN || input == DCPS_BATCH_NORM_VARIANCE);
}

/* Elsewhere its gradient would be pushed as if it were a value. */
static bool averages_fit(dcps_tape *tape, dcps_op op, uint32_t input_count, dcps_tensor *const *x)
{
    for (uint32_t i = 0; i < input_count; i++) {
        if (x[i]->parameter != NULL && x[i]->parameter->average_rate > 0.0f && !takes_average(op, i)) {
            dcps_tape_fail(tape, dcps_fail(DCPS_INVALID,
                                           "%s: input %u is %s, a tensor that is averaged and not trained: only "
                                           "batch_norm takes one, as mean or variance",
                                           dcps_op_name(op), i, x[i]->parameter->name));
            return false;
        }
    }
    return true;
}

dcps_call *dcps_tape_begin(dcps_tape *tape, dcps_op op, uint32_t input_count, dcps_tensor *const *x)
{
    assert(input_count <= DCPS_OP_MAX_INPUTS);
    if (tape->status != DCPS_OK || !inputs_present(tape, op, input_count, x) ||
        !averages_fit(tape, op, input_count, x)) {
        return NULL;
    }
    const dcps_backend *backend = tape->config.backend;
    if (backend->kernels[op] == NULL) {
        char text[INPUTS_TEXT_BYTES];
        dcps_tape_fail(tape, dcps_fail(DCPS_UNSUPPORTED, "%s of %s: backend %s does not support this op",
                                       dcps_op_name(op), inputs_format(text, input_count, x), backend->name));
        return NULL;
    }
    dcps_call *call = dcps_tape_take(tape, 1, sizeof(*call) + input_count * sizeof(*x));
    if (call == NULL) {
        return NULL;
    }
    *call = (dcps_call){.op = op,
                        .input_count = input_count,
                        .x = (dcps_tensor **)(call + 1),
                        .device = tape->config.device,
                        .memory = tape->values};
    for (uint32_t i = 0; i < input_count; i++) {
        call->x[i] = x[i];
    }
    return call;
}

dcps_tensor *dcps_tape_refuse(dcps_tape *tape, const dcps_call *call, const char *expected)
{
    char text[INPUTS_TEXT_BYTES];
    return dcps_tape_fail(tape, dcps_fail(DCPS_INVALID, "%s: expected %s, seen %s (backend %s)", dcps_op_name(call->op),
                                          expected, inputs_format(text, call->input_count, call->x),
                                          tape->config.backend->name));
}

static bool differentiable(const dcps_tape *tape, const dcps_call *call)
{
    if (!dcps_tape_is_training(tape)) {
        return false;
    }
    for (uint32_t i = 0; i < call->input_count; i++) {
        if (call->x[i]->differentiable) {
            return true;
        }
    }
    return false;
}

/* The result tensor, without values; NULL, with the tape failed, otherwise. */
static dcps_tensor *tensor_create(dcps_tape *tape, const dcps_call *call, uint32_t dim_count, const size_t *dims)
{
    size_t count;
    if (!dcps_shape_count(dim_count, dims, &count)) {
        return dcps_tape_refuse(tape, call, "a result that fits in memory");
    }
    dcps_tensor *y = dcps_tape_take(tape, 1, sizeof(*y));
    if (y == NULL) {
        return NULL;
    }
    *y = (dcps_tensor){.dim_count = dim_count, .count = count};
    if (dim_count > 0) {
        memcpy(y->dims, dims, dim_count * sizeof(dims[0]));
    }
    return y;
}

typedef struct running {
    dcps_step_mark mark;
    uint64_t began_ns; /* 0: nobody watches */
} running;

/* For whoever watches: a device is waited for, so that the time is the kernel's. */
static uint64_t watch_clock(const dcps_tape *tape)
{
    if (tape->watch == NULL) {
        return 0;
    }
    if (tape->on_device != NULL) {
        (void)tape->on_device->ops->finish(tape->config.device); /* a failure shows in the next call */
    }
    return dcps_clock_ns();
}

static running run_begin(const dcps_tape *tape)
{
    return (running){.mark = dcps_step_memory_mark(tape->values), .began_ns = watch_clock(tape)};
}

static void run_end(dcps_tape *tape, const dcps_call *call, dcps_pass pass, running run)
{
    dcps_step_memory_release(tape->values, run.mark);
    if (tape->watch != NULL) {
        tape->watch(tape->watch_context, call, pass, watch_clock(tape) - run.began_ns);
    }
}

dcps_status dcps_kernel_forward(dcps_tape *tape, const dcps_call *call, float *y)
{
    running run = run_begin(tape);
    dcps_status status = tape->config.backend->kernels[call->op]->forward(call, y);
    run_end(tape, call, DCPS_PASS_FORWARD, run);
    return status;
}

dcps_status dcps_kernel_backward(dcps_tape *tape, const dcps_call *call, const float *dy, const dcps_gradient_slot *dx)
{
    running run = run_begin(tape);
    dcps_status status = tape->config.backend->kernels[call->op]->backward(call, dy, dx);
    run_end(tape, call, DCPS_PASS_BACKWARD, run);
    return status;
}

/* Runs the kernel, or has the device run it later, with memory for what backward will want to know. */
static dcps_status forward(dcps_tape *tape, dcps_call *call, float *values)
{
    const dcps_kernel *kernel = tape->config.backend->kernels[call->op];
    if (call->y->differentiable && kernel->saved_count != NULL) {
        call->saved = dcps_tape_take_values(tape, kernel->saved_count(call));
        if (call->saved == NULL) {
            return tape->status;
        }
    }
    return tape->on_device == NULL ? dcps_kernel_forward(tape, call, values)
                                   : dcps_device_tape_forward(tape->on_device, call);
}

/* Puts the call where the walk back will find it. */
static void call_record(dcps_tape *tape, dcps_call *call)
{
    for (uint32_t i = 0; i < call->input_count; i++) {
        call->x[i]->open_uses++;
    }
    call->previous = tape->last;
    tape->last = call;
}

void *dcps_call_scratch(const dcps_call *call, size_t count, size_t bytes)
{
    void *taken = dcps_step_memory_take(call->memory, count, bytes);
    if (taken == NULL && call->device == NULL) { /* a device has said more already */
        (void)dcps_fail(DCPS_NO_MEMORY, "%s: no memory for %zu × %zu bytes of scratch: use a smaller batch or model",
                        dcps_op_name(call->op), count, bytes);
    }
    return taken;
}

bool dcps_tape_attach(dcps_tape *tape, dcps_call *call, const void *attributes, size_t bytes)
{
    void *kept = dcps_tape_take(tape, 1, bytes);
    if (kept == NULL) {
        return false;
    }
    memcpy(kept, attributes, bytes);
    call->attributes = kept;
    call->attribute_bytes = bytes;
    return true;
}

dcps_tensor *dcps_tape_view(dcps_tape *tape, dcps_call *call, size_t first, uint32_t dim_count, const size_t *dims)
{
    dcps_order order;
    if (!dcps_call_order(tape, call, dim_count, dims, &order)) {
        return NULL;
    }
    dcps_tensor *y = tensor_create(tape, call, dim_count, dims);
    if (y == NULL) {
        return NULL;
    }
    y->order = order;
    assert(first + y->count <= call->x[0]->count);
    y->values = call->x[0]->values + first;
    y->differentiable = differentiable(tape, call);
    call->y = y;
    if (y->differentiable) {
        call_record(tape, call);
    }
    return y;
}

dcps_tensor *dcps_tape_run(dcps_tape *tape, dcps_call *call, uint32_t dim_count, const size_t *dims)
{
    dcps_order order;
    if (!dcps_call_order(tape, call, dim_count, dims, &order)) {
        return NULL;
    }
    dcps_tensor *y = tensor_create(tape, call, dim_count, dims);
    if (y == NULL) {
        return NULL;
    }
    y->order = order;
    float *values = dcps_tape_take_values(tape, y->count);
    if (values == NULL) {
        return NULL;
    }
    y->values = values;
    call->y = y;
    y->differentiable = differentiable(tape, call);
    dcps_status status = forward(tape, call, values);
    if (status != DCPS_OK) {
        return dcps_tape_fail(tape, status);
    }
    if (y->differentiable) {
        call_record(tape, call);
    }
    return y;
}
