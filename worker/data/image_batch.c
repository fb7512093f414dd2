#include "dcps/data.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/rng.h"

static dcps_status samples_check(const dcps_image_set *set, const uint32_t *samples, uint32_t count)
{
    if (count == 0) {
        return dcps_fail(DCPS_INVALID, "image batch: expected at least one sample, seen none");
    }
    for (uint32_t i = 0; i < count; i++) {
        if (samples[i] >= set->count) {
            return dcps_fail(DCPS_INVALID, "image batch: sample %u has index %u, the set has %u images", i, samples[i],
                             set->count);
        }
    }
    return DCPS_OK;
}

static dcps_status reserve(dcps_image_batch *batch, size_t count, size_t features)
{
    if (count <= batch->capacity_samples && features == batch->features) {
        return DCPS_OK;
    }
    size_t values;
    if (__builtin_mul_overflow(count, features, &values)) {
        return dcps_fail(DCPS_LIMIT, "image batch: %zu × %zu values are too many", count, features);
    }
    float *x = dcps_alloc_aligned(values, sizeof(*x));
    int32_t *y = dcps_alloc_aligned(count, sizeof(*y));
    if (x == NULL || y == NULL) {
        dcps_free(x);
        dcps_free(y);
        return dcps_fail(DCPS_NO_MEMORY, "image batch: no memory for %zu × %zu values", count, features);
    }
    dcps_image_batch_release(batch);
    *batch = (dcps_image_batch){.x = x, .y = y, .features = features, .capacity_samples = count};
    return DCPS_OK;
}

/* x = pixel · scale + shift. */
typedef struct affine {
    float scale;
    float shift;
} affine;

static affine channel_map(const dcps_image_norm *norm, uint32_t channel)
{
    if (norm == NULL) {
        return (affine){.scale = 1.0f / 255.0f, .shift = 0.0f};
    }
    return (affine){.scale = 1.0f / (255.0f * norm->deviation[channel]),
                    .shift = -norm->mean[channel] / norm->deviation[channel]};
}

static dcps_status norm_check(const dcps_image_set *set, const dcps_image_norm *norm)
{
    if (norm == NULL) {
        return DCPS_OK;
    }
    if (set->channels > DCPS_MAX_CHANNELS) {
        return dcps_fail(DCPS_INVALID, "image batch: expected at most %u channels, seen %u", DCPS_MAX_CHANNELS,
                         set->channels);
    }
    for (uint32_t c = 0; c < set->channels; c++) {
        if (!(norm->deviation[c] > 0.0f) || !isfinite(norm->deviation[c]) || !isfinite(norm->mean[c])) {
            return dcps_fail(DCPS_INVALID,
                             "image batch: channel %u: expected a finite mean and a positive deviation, seen %g and %g",
                             c, (double)norm->mean[c], (double)norm->deviation[c]);
        }
    }
    return DCPS_OK;
}

static dcps_status augment_check(const dcps_image_set *set, const dcps_image_augment *augment)
{
    if (augment != NULL && (augment->pad >= set->height || augment->pad >= set->width)) {
        return dcps_fail(DCPS_INVALID, "image batch: images of %u × %u cannot be padded by %u: expected less",
                         set->height, set->width, augment->pad);
    }
    return DCPS_OK;
}

/* Where the crop begins in the image itself, from −pad to pad, and whether it is mirrored. */
typedef struct placing {
    int64_t down;
    int64_t right;
    bool flip;
} placing;

static placing draw_placing(const dcps_image_augment *augment, uint64_t batch_key, uint64_t position)
{
    dcps_rng rng;
    dcps_rng_seed_stream(&rng, batch_key, "image", position);
    uint64_t places = 2 * (uint64_t)augment->pad + 1;
    placing drawn;
    drawn.down = (int64_t)dcps_rng_below(&rng, places) - augment->pad;
    drawn.right = (int64_t)dcps_rng_below(&rng, places) - augment->pad;
    drawn.flip = dcps_rng_next(&rng) >> 63 == 1 && augment->flip;
    return drawn;
}

/* One channel [height, width] of an image, placed; zero where the crop leaves the image. */
static void place_channel(const uint8_t *restrict pixels, const dcps_image_set *set, const placing *place, affine map,
                          float *restrict x)
{
    int64_t height = set->height, width = set->width;
    int64_t begin = place->right < 0 ? -place->right : 0; /* columns of the crop within the image */
    int64_t end = place->right > 0 ? width - place->right : width;
    for (int64_t i = 0; i < height; i++, x += width) {
        int64_t from = i + place->down;
        if (from < 0 || from >= height || begin > 0 || end < width) {
            memset(x, 0, (size_t)width * sizeof(*x));
        }
        if (from < 0 || from >= height) {
            continue;
        }
        const uint8_t *row = pixels + from * width;
        if (place->flip) {
            for (int64_t j = begin; j < end; j++) {
                x[width - 1 - j] = (float)row[j + place->right] * map.scale + map.shift;
            }
        } else {
            for (int64_t j = begin; j < end; j++) {
                x[j] = (float)row[j + place->right] * map.scale + map.shift;
            }
        }
    }
}

static void fill(dcps_image_batch *batch, const dcps_image_set *set, const uint32_t *samples,
                 const dcps_image_norm *norm, const dcps_image_augment *augment)
{
    size_t plane = (size_t)set->height * set->width;
    uint64_t batch_key = 0;
    if (augment != NULL) {
        dcps_rng rng;
        dcps_rng_seed_stream(&rng, augment->seed, "image augmentation", augment->number);
        batch_key = dcps_rng_next(&rng);
    }
    for (size_t i = 0; i < batch->count; i++) {
        placing place = {.down = 0};
        if (augment != NULL) {
            place = draw_placing(augment, batch_key, i);
        }
        for (uint32_t c = 0; c < set->channels; c++) {
            place_channel(set->pixels + (size_t)samples[i] * batch->features + c * plane, set, &place,
                          channel_map(norm, c), batch->x + i * batch->features + c * plane);
        }
        batch->y[i] = set->labels[samples[i]];
    }
}

dcps_status dcps_image_batch_load_augmented(dcps_image_batch *batch, const dcps_image_set *set, const uint32_t *samples,
                                            uint32_t count, const dcps_image_norm *norm,
                                            const dcps_image_augment *augment)
{
    dcps_status status = samples_check(set, samples, count);
    if (status == DCPS_OK) {
        status = norm_check(set, norm);
    }
    if (status == DCPS_OK) {
        status = augment_check(set, augment);
    }
    if (status == DCPS_OK) {
        status = reserve(batch, count, (size_t)set->channels * set->height * set->width);
    }
    if (status != DCPS_OK) {
        return status;
    }
    batch->count = count;
    const size_t dims[] = {count, set->channels, set->height, set->width};
    memcpy(batch->dims, dims, sizeof(dims));
    fill(batch, set, samples, norm, augment);
    return DCPS_OK;
}

dcps_status dcps_image_batch_load(dcps_image_batch *batch, const dcps_image_set *set, const uint32_t *samples,
                                  uint32_t count)
{
    return dcps_image_batch_load_augmented(batch, set, samples, count, NULL, NULL);
}

void dcps_image_batch_release(dcps_image_batch *batch)
{
    dcps_free(batch->x);
    dcps_free(batch->y);
    *batch = (dcps_image_batch){0};
}
