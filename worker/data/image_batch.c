#include "dcps/data.h"

#include "base/alloc.h"

static dcps_status samples_check(const dcps_image_set *set, const uint32_t *samples, uint32_t count)
{
    if (count == 0)
        return dcps_fail(DCPS_INVALID, "image batch: expected at least one sample, seen none");
    for (uint32_t i = 0; i < count; i++)
        if (samples[i] >= set->count)
            return dcps_fail(DCPS_INVALID, "image batch: sample %u has index %u, the set has %u images", i, samples[i],
                             set->count);
    return DCPS_OK;
}

static dcps_status reserve(dcps_image_batch *batch, size_t count, size_t features)
{
    if (count <= batch->capacity_samples && features == batch->features)
        return DCPS_OK;
    size_t values;
    if (__builtin_mul_overflow(count, features, &values))
        return dcps_fail(DCPS_LIMIT, "image batch: %zu × %zu values are too many", count, features);
    float *x = dcps_alloc_aligned(values, sizeof *x);
    int32_t *y = dcps_alloc_aligned(count, sizeof *y);
    if (x == NULL || y == NULL) {
        dcps_free(x);
        dcps_free(y);
        return dcps_fail(DCPS_NO_MEMORY, "image batch: no memory for %zu × %zu values", count, features);
    }
    dcps_image_batch_release(batch);
    *batch = (dcps_image_batch){.x = x, .y = y, .features = features, .capacity_samples = count};
    return DCPS_OK;
}

dcps_status dcps_image_batch_load(dcps_image_batch *batch, const dcps_image_set *set, const uint32_t *samples,
                                  uint32_t count)
{
    size_t features = (size_t)set->channels * set->height * set->width;
    dcps_status status = samples_check(set, samples, count);
    if (status == DCPS_OK)
        status = reserve(batch, count, features);
    if (status != DCPS_OK)
        return status;
    for (uint32_t i = 0; i < count; i++) {
        const uint8_t *restrict pixels = set->pixels + (size_t)samples[i] * features;
        float *restrict x = batch->x + (size_t)i * features;
        for (size_t j = 0; j < features; j++)
            x[j] = (float)pixels[j] * (1.0f / 255.0f);
        batch->y[i] = set->labels[samples[i]];
    }
    batch->count = count;
    return DCPS_OK;
}

void dcps_image_batch_release(dcps_image_batch *batch)
{
    dcps_free(batch->x);
    dcps_free(batch->y);
    *batch = (dcps_image_batch){0};
}
