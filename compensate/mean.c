/* The mean of the gradients of a synchronous round. */
#include <assert.h>
#include <string.h>

#include "compensate/stage.h"

DCPS_TILE_FUNCTION void tile_add(const float *addend, float *sum, size_t count)
{
    const float *restrict a = DCPS_TILE_ALIGNED(addend);
    float *restrict s = DCPS_TILE_ALIGNED(sum);
    for (size_t i = 0; i < count; i++) {
        s[i] += a[i];
    }
}

DCPS_TILE_FUNCTION void tile_divide(const float *sum, float divisor, float *mean, size_t count)
{
    const float *restrict s = DCPS_TILE_ALIGNED(sum);
    float *restrict m = DCPS_TILE_ALIGNED(mean);
    for (size_t i = 0; i < count; i++) {
        m[i] = s[i] / divisor;
    }
}

/* Sums in a tile of its own, so that `mean` may be the first gradient and each gradient is read once. */
static void mean_tile(const float *const *gradients, size_t gradient_count, size_t first, size_t count, float *mean)
{
    _Alignas(DCPS_TILE_ALIGN_BYTES) float sum[DCPS_TILE_PARAMS];
    _Alignas(DCPS_TILE_ALIGN_BYTES) float aligned[DCPS_TILE_PARAMS];
    memcpy(sum, gradients[0] + first, count * sizeof(float));
    for (size_t i = 1; i < gradient_count; i++) {
        tile_add(dcps_tile_align(gradients[i] + first, count, aligned), sum, count);
    }
    tile_divide(sum, (float)gradient_count, mean + first, count);
}

void dcps_rule_mean(const float *const *gradients, size_t gradient_count, size_t count, float *mean)
{
    assert(gradient_count > 0);
    if (gradient_count == 1) {
        if (mean != gradients[0]) {
            memcpy(mean, gradients[0], count * sizeof(float));
        }
        return;
    }
    for (size_t first = 0; first < count; first += DCPS_TILE_PARAMS) {
        const size_t left = count - first;
        mean_tile(gradients, gradient_count, first, left < DCPS_TILE_PARAMS ? left : DCPS_TILE_PARAMS, mean);
    }
}
