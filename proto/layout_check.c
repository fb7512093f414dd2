/* What makes a tensor valid, where it lies, and how two layouts differ. */
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "dcps/layout.h"
#include "proto/layout_util.h"
#include "proto/limits.h"

_Static_assert(DCPS_LAYOUT_MAX_DIMS == DCPS_MAX_DIMS, "one limit of dims");

static bool name_is_valid(const char *name)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-/";
    size_t length = strnlen(name, DCPS_MAX_NAME_BYTES);
    return length > 0 && length < DCPS_MAX_NAME_BYTES && strspn(name, letters) == length;
}

static const char *init_name(dcps_init init)
{
    switch (init) {
    case DCPS_INIT_ZERO:
        return "zero";
    case DCPS_INIT_ONE:
        return "one";
    case DCPS_INIT_HE_NORMAL:
        return "he-normal";
    case DCPS_INIT_GLOROT_UNIFORM:
        return "glorot-uniform";
    case DCPS_INIT_HE_NORMAL_FILTERS:
        return "he-normal-filters";
    case DCPS_INIT_UNIFORM:
        return "uniform";
    }
    return NULL;
}

static dcps_status count_dims(const dcps_layout_tensor *tensor, uint64_t *count_params)
{
    if (tensor->dim_count > DCPS_MAX_DIMS) {
        return dcps_fail(DCPS_LIMIT, "tensor %s: %u dims, at most %u are possible", tensor->name, tensor->dim_count,
                         DCPS_MAX_DIMS);
    }
    uint64_t count = 1;
    for (uint32_t d = 0; d < tensor->dim_count; d++) {
        if (tensor->dims[d] == 0) {
            return dcps_fail(DCPS_INVALID, "tensor %s: dim %u is 0, expected at least 1", tensor->name, d);
        }
        if (tensor->dims[d] > DCPS_MAX_PARAMS / count) {
            return dcps_fail(DCPS_LIMIT, "tensor %s: more than %llu parameters", tensor->name,
                             (unsigned long long)DCPS_MAX_PARAMS);
        }
        count *= tensor->dims[d];
    }
    *count_params = count;
    return DCPS_OK;
}

static bool bound_is_valid(const dcps_layout_tensor *tensor)
{
    return tensor->init == DCPS_INIT_UNIFORM ? tensor->init_bound > 0.0F && isfinite(tensor->init_bound)
                                             : tensor->init_bound == 0.0F;
}

dcps_status dcps_layout_check_tensor(const dcps_layout_tensor *tensor, uint64_t *count_params)
{
    const char *name = tensor->name;
    if (name == NULL || !name_is_valid(name)) {
        return dcps_fail(DCPS_INVALID,
                         "tensor name: expected 1 to %u of the characters A-Z a-z 0-9 _ . - /, got \"%.40s\"",
                         DCPS_MAX_NAME_BYTES - 1, name == NULL ? "" : name);
    }
    if (init_name(tensor->init) == NULL) {
        return dcps_fail(DCPS_INVALID, "tensor %s: unknown way to initialise: %d", name, (int)tensor->init);
    }
    if (!(tensor->average_rate >= 0.0F && tensor->average_rate <= 1.0F)) {
        return dcps_fail(DCPS_INVALID, "tensor %s: an averaged tensor's rate is above 0 and at most 1, not %g", name,
                         (double)tensor->average_rate);
    }
    if (!bound_is_valid(tensor)) {
        return dcps_fail(
            DCPS_INVALID,
            "tensor %s: a bound of %g, expected a finite one above 0 for uniform initial values, and 0 for "
            "all others (dcps_layout_add_uniform takes one)",
            name, (double)tensor->init_bound);
    }
    return count_dims(tensor, count_params);
}

/* Hashes keep a hostile list of 1,024 long names with a common prefix cheap. */
dcps_status dcps_layout_check_unique(const dcps_layout_tensor *tensors, uint32_t count)
{
    uint64_t hashes[DCPS_MAX_TENSORS];
    for (uint32_t i = 0; i < count; i++) {
        hashes[i] = dcps_hash_bytes(DCPS_HASH_START, tensors[i].name, strlen(tensors[i].name));
        for (uint32_t k = 0; k < i; k++) {
            if (hashes[k] == hashes[i] && strcmp(tensors[k].name, tensors[i].name) == 0) {
                return dcps_fail(DCPS_INVALID, "tensors %u and %u have the same name %s", k, i, tensors[i].name);
            }
        }
    }
    return DCPS_OK;
}

dcps_status dcps_layout_place_tensors(dcps_layout_tensor *tensors, uint32_t count)
{
    if (count > DCPS_MAX_TENSORS) {
        return dcps_fail(DCPS_LIMIT, "a layout of %u tensors, at most %u are possible", count, DCPS_MAX_TENSORS);
    }
    uint64_t end = 0;
    for (uint32_t i = 0; i < count; i++) {
        dcps_layout_tensor *tensor = &tensors[i];
        uint64_t params = 0;
        dcps_status status = dcps_layout_check_tensor(tensor, &params);
        if (status != DCPS_OK) {
            return status;
        }
        if (params > DCPS_MAX_PARAMS - end) {
            return dcps_fail(DCPS_LIMIT, "tensor %s: the layout exceeds %llu parameters", tensor->name,
                             (unsigned long long)DCPS_MAX_PARAMS);
        }
        tensor->offset_params = end;
        tensor->count_params = params;
        end = (end + params + DCPS_LAYOUT_ALIGN_PARAMS - 1) / DCPS_LAYOUT_ALIGN_PARAMS * DCPS_LAYOUT_ALIGN_PARAMS;
    }
    return dcps_layout_check_unique(tensors, count);
}

/* Room for a name, eight dims of 20 digits, the init with its bound, and the rate. */
#define SHOWN_BYTES 384

/* "fc2.weight [256, 256] he-normal", "bn1.mean [16] zero averaged at 0.1", "table [10000, 200] uniform ±0.1" */
static void show(const dcps_layout_tensor *tensor, char out[SHOWN_BYTES])
{
    int used = snprintf(out, SHOWN_BYTES, "%s [", tensor->name);
    for (uint32_t d = 0; d < tensor->dim_count; d++) {
        used += snprintf(out + used, SHOWN_BYTES - (size_t)used, d == 0 ? "%zu" : ", %zu", tensor->dims[d]);
    }
    used += snprintf(out + used, SHOWN_BYTES - (size_t)used, "] %s", init_name(tensor->init));
    if (tensor->init_bound > 0.0F) {
        used += snprintf(out + used, SHOWN_BYTES - (size_t)used, " ±%g", (double)tensor->init_bound);
    }
    if (tensor->average_rate > 0.0F) {
        (void)snprintf(out + used, SHOWN_BYTES - (size_t)used, " averaged at %g", (double)tensor->average_rate);
    }
}

static bool tensors_equal(const dcps_layout_tensor *here, const dcps_layout_tensor *there)
{
    return strcmp(here->name, there->name) == 0 && here->init == there->init && here->dim_count == there->dim_count &&
           here->average_rate == there->average_rate && here->init_bound == there->init_bound &&
           memcmp(here->dims, there->dims, here->dim_count * sizeof(here->dims[0])) == 0;
}

dcps_status dcps_layout_compare(const dcps_layout *here, const dcps_layout *there)
{
    char here_text[SHOWN_BYTES];
    char there_text[SHOWN_BYTES];
    uint32_t here_count = dcps_layout_tensor_count(here);
    uint32_t there_count = dcps_layout_tensor_count(there);
    for (uint32_t i = 0; i < here_count || i < there_count; i++) {
        const dcps_layout_tensor *mine = i < here_count ? dcps_layout_tensor_at(here, i) : NULL;
        const dcps_layout_tensor *theirs = i < there_count ? dcps_layout_tensor_at(there, i) : NULL;
        if (mine != NULL && theirs != NULL && tensors_equal(mine, theirs)) {
            continue;
        }
        (void)snprintf(here_text, sizeof(here_text), "none (%u tensors)", here_count);
        (void)snprintf(there_text, sizeof(there_text), "none (%u tensors)", there_count);
        if (mine != NULL) {
            show(mine, here_text);
        }
        if (theirs != NULL) {
            show(theirs, there_text);
        }
        return dcps_fail(DCPS_MISMATCH, "layouts differ at tensor %u: here %s, there %s", i, here_text, there_text);
    }
    return DCPS_OK;
}
