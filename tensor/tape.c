#include "tensor/tape.h"

#include <assert.h>
#include <string.h>

#include "base/alloc.h"
#include "tensor/shape.h"
#include "tensor/tape_state.h"

static void parameter_init(dcps_tape *tape, uint32_t index)
{
    const dcps_layout_tensor *parameter = dcps_layout_tensor_at(tape->config.layout, index);
    dcps_tensor *tensor = &tape->parameters[index];
    const float *weights = tape->on_device == NULL ? tape->config.weights : tape->on_device->weights;
    *tensor = (dcps_tensor){.dim_count = parameter->dim_count,
                            .count = parameter->count_params,
                            .values = weights + parameter->offset_params,
                            .parameter = parameter};
    memcpy(tensor->dims, parameter->dims, parameter->dim_count * sizeof(tensor->dims[0]));
    if (tape->config.gradient == NULL) {
        return;
    }
    tensor->differentiable = true;
    if (tape->on_device != NULL) {
        tensor->gradient = tape->on_device->gradient + parameter->offset_params;
        return;
    }
    tensor->gradient = tape->config.gradient + parameter->offset_params;
    uint64_t end = index + 1 < tape->parameter_count
                       ? dcps_layout_tensor_at(tape->config.layout, index + 1)->offset_params
                       : dcps_layout_total_params(tape->config.layout);
    memset(tensor->gradient + tensor->count, 0, (end - parameter->offset_params - tensor->count) * sizeof(float));
}

dcps_status dcps_tape_create(const dcps_tape_config *config, dcps_tape **tape)
{
    assert(config->layout != NULL && config->weights != NULL && config->backend != NULL);
    assert((config->device == NULL) == (config->backend->device_ops == NULL));
    dcps_tape *made = dcps_alloc(1, sizeof(*made));
    if (made == NULL) {
        return dcps_fail(DCPS_NO_MEMORY, "no memory for a tape");
    }
    made->config = *config;
    made->parameter_count = dcps_layout_tensor_count(config->layout);
    made->values = &made->memory;
    made->parameters = dcps_alloc(made->parameter_count, sizeof(*made->parameters));
    dcps_status status = DCPS_OK;
    if (made->parameters == NULL) {
        status = dcps_fail(DCPS_NO_MEMORY, "no memory for the %u parameters of a tape", made->parameter_count);
    } else if (config->device != NULL) {
        status = dcps_device_tape_create(made, &made->on_device);
    }
    if (status != DCPS_OK) {
        dcps_tape_destroy(&made);
        return status;
    }
    if (made->on_device != NULL) {
        made->values = &made->on_device->values;
    }
    for (uint32_t i = 0; i < made->parameter_count; i++) {
        parameter_init(made, i);
    }
    *tape = made;
    return DCPS_OK;
}

void dcps_tape_destroy(dcps_tape **tape)
{
    if (*tape == NULL) {
        return;
    }
    dcps_device_tape_destroy(&(*tape)->on_device);
    dcps_step_memory_fini(&(*tape)->memory);
    dcps_free((*tape)->parameters);
    dcps_free(*tape);
    *tape = NULL;
}

void dcps_tape_reset(dcps_tape *tape)
{
    for (uint32_t i = 0; i < tape->parameter_count; i++) {
        tape->parameters[i].open_uses = 0;
        tape->parameters[i].gradient_begun = false;
        tape->parameters[i].final = false;
        tape->parameters[i].twin = NULL;
    }
    tape->status = tape->on_device == NULL ? DCPS_OK : dcps_device_tape_reset(tape->on_device);
    dcps_step_memory_reset(&tape->memory);
    tape->last = NULL;
    tape->spare = NULL;
    tape->dropouts = 0;
    tape->walked = false;
}

void dcps_tape_watch(dcps_tape *tape, dcps_tape_watch_fn watch, void *context)
{
    tape->watch = watch;
    tape->watch_context = context;
}

size_t dcps_tape_step_bytes(const dcps_tape *tape)
{
    size_t bytes = dcps_step_memory_bytes(&tape->memory);
    return tape->on_device == NULL ? bytes : bytes + dcps_device_tape_bytes(tape->on_device);
}

bool dcps_tape_is_training(const dcps_tape *tape)
{
    return tape->config.gradient != NULL;
}

dcps_status dcps_tape_status(const dcps_tape *tape)
{
    return tape->status;
}

dcps_tensor *dcps_tape_fail(dcps_tape *tape, dcps_status status)
{
    assert(status != DCPS_OK);
    if (tape->status == DCPS_OK) {
        tape->status = status;
    }
    return NULL;
}

void *dcps_tape_take(dcps_tape *tape, size_t count, size_t bytes)
{
    void *taken = dcps_step_memory_take(&tape->memory, count, bytes);
    if (taken == NULL) {
        dcps_tape_fail(tape, dcps_fail(DCPS_NO_MEMORY,
                                       "no memory for %zu × %zu bytes of a step: use a smaller batch or model", count,
                                       bytes));
    }
    return taken;
}

float *dcps_tape_take_values(dcps_tape *tape, size_t count)
{
    if (tape->on_device == NULL) {
        return dcps_tape_take(tape, count, sizeof(float));
    }
    float *taken = dcps_step_memory_take(tape->values, count, sizeof(*taken));
    if (taken == NULL) {
        dcps_tape_fail(tape, DCPS_NO_MEMORY); /* the device has said how much was asked for and free */
    }
    return taken;
}

const void *dcps_tape_upload(dcps_tape *tape, const void *host, size_t bytes)
{
    if (tape->on_device == NULL) {
        return host;
    }
    const void *there;
    dcps_status status = dcps_device_tape_upload(tape->on_device, host, bytes, &there);
    return status == DCPS_OK ? there : dcps_tape_fail(tape, status);
}

const void *dcps_tape_keep(dcps_tape *tape, const void *value, size_t bytes)
{
    void *kept = dcps_tape_take(tape, 1, bytes);
    return kept == NULL ? NULL : dcps_tape_upload(tape, memcpy(kept, value, bytes), bytes);
}

dcps_tensor *dcps_tape_parameter(dcps_tape *tape, uint32_t index)
{
    if (tape->status != DCPS_OK) {
        return NULL;
    }
    if (index >= tape->parameter_count) {
        return dcps_tape_fail(tape,
                              dcps_fail(DCPS_INVALID, "parameter %u: the model declares %u tensors, numbered from 0",
                                        index, tape->parameter_count));
    }
    return &tape->parameters[index];
}

dcps_tensor *dcps_tape_input(dcps_tape *tape, const float *values, uint32_t dim_count, const size_t *dims)
{
    if (tape->status != DCPS_OK) {
        return NULL;
    }
    size_t count;
    char text[DCPS_SHAPE_TEXT_BYTES];
    if ((dims == NULL && dim_count > 0) || !dcps_shape_count(dim_count, dims, &count)) {
        return dcps_tape_fail(tape, dcps_fail(DCPS_INVALID, "input: expected at most %u dims, each at least 1, seen %s",
                                              DCPS_LAYOUT_MAX_DIMS,
                                              dims == NULL ? "none" : dcps_shape_format(text, dim_count, dims)));
    }
    if (values == NULL) {
        return dcps_tape_fail(
            tape, dcps_fail(DCPS_INVALID, "input %s: values are NULL", dcps_shape_format(text, dim_count, dims)));
    }
    dcps_tensor *tensor = dcps_tape_take(tape, 1, sizeof(*tensor));
    if (tensor == NULL) {
        return NULL;
    }
    values = dcps_tape_upload(tape, values, count * sizeof(*values));
    if (values == NULL) {
        return NULL;
    }
    *tensor = (dcps_tensor){.dim_count = dim_count, .count = count, .values = values};
    if (dim_count > 0) {
        memcpy(tensor->dims, dims, dim_count * sizeof(dims[0]));
    }
    return tensor;
}

uint32_t dcps_tensor_dim_count(const dcps_tensor *tensor)
{
    return tensor == NULL ? 0 : tensor->dim_count;
}

size_t dcps_tensor_dim(const dcps_tensor *tensor, uint32_t index)
{
    return tensor == NULL || index >= tensor->dim_count ? 0 : tensor->dims[index];
}

size_t dcps_tensor_count(const dcps_tensor *tensor)
{
    return tensor == NULL ? 0 : tensor->count;
}

/* The tensor as people expect its values to lie. A twin is all that may be added to it. */
static const dcps_tensor *readable(dcps_tape *tape, const dcps_tensor *tensor)
{
    return tensor == NULL ? NULL : dcps_tape_order(tape, (dcps_tensor *)tensor, DCPS_ROW_MAJOR);
}

const float *dcps_tensor_values(dcps_tape *tape, const dcps_tensor *tensor)
{
    const dcps_tensor *x = readable(tape, tensor);
    if (x == NULL || tape->on_device == NULL) {
        return x == NULL ? NULL : x->values;
    }
    if (tape->status != DCPS_OK) {
        return NULL;
    }
    const float *values;
    dcps_status status = dcps_device_tape_read(tape->on_device, x->values, x->count, &values);
    if (status != DCPS_OK) {
        dcps_tape_fail(tape, status);
        return NULL;
    }
    return values;
}

void dcps_tape_fetch(dcps_tape *tape, const dcps_tensor *tensor, float *to)
{
    if (tape->on_device == NULL || !dcps_tape_is_training(tape)) {
        const float *values = dcps_tensor_values(tape, tensor);
        if (values != NULL) {
            memcpy(to, values, tensor->count * sizeof(*to));
        }
        return;
    }
    const dcps_tensor *x = readable(tape, tensor);
    if (x == NULL || tape->status != DCPS_OK) {
        return;
    }
    dcps_status status = dcps_device_tape_fetch(tape->on_device, x->values, x->count, to);
    if (status != DCPS_OK) {
        dcps_tape_fail(tape, status);
    }
}

float dcps_tape_loss(const dcps_tape *tape)
{
    return tape->loss;
}

void dcps_tape_weights_changed(dcps_tape *tape)
{
    if (tape->on_device != NULL) {
        tape->on_device->weights_stale = true;
    }
}
