#include <math.h>

#include "dcps/data.h"

/* Sums are whole numbers, so that their order does not matter. */
typedef struct sums {
    uint64_t values;
    uint64_t squares;
} sums;

static void add_plane(const uint8_t *pixels, size_t count, sums *to)
{
    uint64_t values = 0, squares = 0;
    for (size_t i = 0; i < count; i++) {
        values += pixels[i];
        squares += (uint32_t)pixels[i] * pixels[i];
    }
    to->values += values;
    to->squares += squares;
}

dcps_status dcps_image_norm_measure(const dcps_image_set *set, dcps_image_norm *norm)
{
    if (set->count == 0 || set->channels == 0 || set->channels > DCPS_MAX_CHANNELS) {
        return dcps_fail(DCPS_INVALID, "mean of images: expected images of 1 to %u channels, seen %u of %u",
                         DCPS_MAX_CHANNELS, set->count, set->channels);
    }
    size_t plane = (size_t)set->height * set->width;
    sums of[DCPS_MAX_CHANNELS] = {{0}};
    for (size_t i = 0; i < set->count; i++) {
        for (uint32_t c = 0; c < set->channels; c++) {
            add_plane(set->pixels + (i * set->channels + c) * plane, plane, &of[c]);
        }
    }
    double pixels = (double)set->count * (double)plane;
    *norm = (dcps_image_norm){.mean = {0}};
    for (uint32_t c = 0; c < set->channels; c++) {
        double mean = (double)of[c].values / pixels;
        double deviation = sqrt(fmax((double)of[c].squares / pixels - mean * mean, 0.0));
        norm->mean[c] = (float)(mean / 255.0);
        norm->deviation[c] = deviation < 1e-3 ? 1.0f : (float)(deviation / 255.0); /* below: rounding of a constant */
    }
    return DCPS_OK;
}
