#include "proto/snapshot_count.h"

#include "proto/limits.h"

uint64_t dcps_snapshot_count(uint64_t every_samples, uint64_t samples_per_epoch, uint32_t epochs)
{
    uint64_t total;
    if (every_samples == 0) {
        return 0;
    }
    if (every_samples == DCPS_SNAPSHOT_EVERY_EPOCH) {
        return epochs;
    }
    if (__builtin_mul_overflow(samples_per_epoch, epochs, &total)) {
        total = UINT64_MAX;
    }
    return total / every_samples + (total % every_samples != 0 ? 1u : 0u);
}
