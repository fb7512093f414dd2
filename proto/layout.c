#include "dcps/layout.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "proto/layout_util.h"
#include "proto/limits.h"

struct dcps_layout {
    dcps_layout_tensor *tensors;
    uint32_t count;
    uint32_t capacity;
    uint64_t total_params;
};

dcps_status dcps_layout_create(dcps_layout **layout)
{
    dcps_layout *made = dcps_alloc(1, sizeof(*made));
    if (made == NULL) {
        return dcps_fail(DCPS_NO_MEMORY, "no memory for a layout");
    }
    *layout = made;
    return DCPS_OK;
}

void dcps_layout_destroy(dcps_layout **layout)
{
    dcps_layout *old = *layout;
    if (old == NULL) {
        return;
    }
    for (uint32_t i = 0; i < old->count; i++) {
        dcps_free((void *)old->tensors[i].name);
    }
    dcps_free(old->tensors);
    dcps_free(old);
    *layout = NULL;
}

static dcps_status reserve_one(dcps_layout *layout)
{
    if (layout->count == DCPS_MAX_TENSORS) {
        return dcps_fail(DCPS_LIMIT, "a layout holds at most %u tensors", DCPS_MAX_TENSORS);
    }
    if (layout->count < layout->capacity) {
        return DCPS_OK;
    }
    uint32_t capacity = layout->capacity == 0 ? 16 : 2 * layout->capacity;
    dcps_layout_tensor *grown = dcps_realloc(layout->tensors, capacity, sizeof(*grown));
    if (grown == NULL) {
        return dcps_fail(DCPS_NO_MEMORY, "no memory for a layout of %u tensors", capacity);
    }
    layout->tensors = grown;
    layout->capacity = capacity;
    return DCPS_OK;
}

static dcps_status check_new_name(const dcps_layout *layout, const char *name)
{
    for (uint32_t i = 0; i < layout->count; i++) {
        if (strcmp(layout->tensors[i].name, name) == 0) {
            return dcps_fail(DCPS_INVALID, "tensor %u: the name %s is taken by tensor %u; names must be unique",
                             layout->count, name, i);
        }
    }
    return DCPS_OK;
}

static uint64_t round_up(uint64_t params)
{
    return (params + DCPS_LAYOUT_ALIGN_PARAMS - 1) / DCPS_LAYOUT_ALIGN_PARAMS * DCPS_LAYOUT_ALIGN_PARAMS;
}

/* Whatever names there are already. */
static dcps_status append_copy(dcps_layout *layout, const dcps_layout_tensor *tensor)
{
    dcps_layout_tensor copy = *tensor;
    dcps_status status = dcps_layout_check_tensor(tensor, &copy.count_params);
    if (status != DCPS_OK) {
        return status;
    }
    if (copy.count_params > DCPS_MAX_PARAMS - layout->total_params) {
        return dcps_fail(DCPS_LIMIT, "tensor %s: with its %llu parameters the layout exceeds %llu", tensor->name,
                         (unsigned long long)copy.count_params, (unsigned long long)DCPS_MAX_PARAMS);
    }
    status = reserve_one(layout);
    if (status != DCPS_OK) {
        return status;
    }
    copy.name = dcps_strdup(tensor->name);
    copy.offset_params = layout->total_params;
    if (copy.name == NULL) {
        return dcps_fail(DCPS_NO_MEMORY, "no memory for the name of tensor %s", tensor->name);
    }
    layout->tensors[layout->count++] = copy;
    layout->total_params = round_up(copy.offset_params + copy.count_params);
    return DCPS_OK;
}

dcps_status dcps_layout_append(dcps_layout *layout, const dcps_layout_tensor *tensor, uint32_t *index)
{
    uint32_t place = layout->count;
    dcps_status status = tensor->name != NULL ? check_new_name(layout, tensor->name) : DCPS_OK;
    if (status == DCPS_OK) {
        status = append_copy(layout, tensor);
    }
    if (status == DCPS_OK && index != NULL) {
        *index = place;
    }
    return status;
}

/* Dims beyond the limit are counted but not copied: the check that follows names them. */
static dcps_layout_tensor describe(const char *name, dcps_init init, uint32_t dim_count, const size_t *dims)
{
    dcps_layout_tensor tensor = {.name = name, .init = init, .dim_count = dim_count};
    for (uint32_t d = 0; d < dim_count && d < DCPS_LAYOUT_MAX_DIMS; d++) {
        tensor.dims[d] = dims[d];
    }
    return tensor;
}

dcps_status dcps_layout_add(dcps_layout *layout, const char *name, dcps_init init, uint32_t dim_count,
                            const size_t *dims, uint32_t *index)
{
    dcps_layout_tensor tensor = describe(name, init, dim_count, dims);
    return dcps_layout_append(layout, &tensor, index);
}

dcps_status dcps_layout_add_uniform(dcps_layout *layout, const char *name, float bound, uint32_t dim_count,
                                    const size_t *dims, uint32_t *index)
{
    dcps_layout_tensor tensor = describe(name, DCPS_INIT_UNIFORM, dim_count, dims);
    tensor.init_bound = bound;
    return dcps_layout_append(layout, &tensor, index);
}

dcps_status dcps_layout_add_average(dcps_layout *layout, const char *name, dcps_init init, float rate,
                                    uint32_t dim_count, const size_t *dims, uint32_t *index)
{
    dcps_layout_tensor tensor = describe(name, init, dim_count, dims);
    tensor.average_rate = rate == 0.0F ? -1.0F : rate; /* 0 would mean trained */
    return dcps_layout_append(layout, &tensor, index);
}

uint32_t dcps_layout_tensor_count(const dcps_layout *layout)
{
    return layout->count;
}

const dcps_layout_tensor *dcps_layout_tensor_at(const dcps_layout *layout, uint32_t index)
{
    assert(index < layout->count);
    return &layout->tensors[index];
}

uint64_t dcps_layout_total_params(const dcps_layout *layout)
{
    return layout->total_params;
}

const dcps_layout_tensor *dcps_layout_tensors(const dcps_layout *layout)
{
    return layout->tensors;
}

dcps_status dcps_layout_from_tensors(const dcps_layout_tensor *tensors, uint32_t count, dcps_layout **layout)
{
    dcps_layout *made = NULL;
    dcps_status status = dcps_layout_create(&made);
    for (uint32_t i = 0; i < count && status == DCPS_OK; i++) {
        status = append_copy(made, &tensors[i]);
    }
    if (status == DCPS_OK) {
        status = dcps_layout_check_unique(made->tensors, made->count);
    }
    if (status != DCPS_OK) {
        dcps_layout_destroy(&made);
        return status;
    }
    *layout = made;
    return DCPS_OK;
}

dcps_status dcps_layout_copy(const dcps_layout *layout, dcps_layout **copy)
{
    return dcps_layout_from_tensors(layout->tensors, layout->count, copy);
}
