#include <assert.h>

#include "server/engine/algorithm.h"

/* base / workers at epoch 0, base at the end of the warm-up, linear between. */
static double warmup_factor(const dcps_schedule *schedule, double epoch)
{
    if (!(epoch < schedule->warmup_epochs) || schedule->workers <= 1) {
        return 1.0;
    }
    const double first = 1.0 / (double)schedule->workers;
    return first + (1.0 - first) * (epoch / schedule->warmup_epochs);
}

double dcps_schedule_rate(const dcps_schedule *schedule, uint64_t samples, uint64_t samples_per_epoch)
{
    assert(samples_per_epoch > 0);
    assert(schedule->decay_count <= DCPS_SCHEDULE_MAX_STEPS);
    const double epoch = (double)samples / (double)samples_per_epoch;
    double rate = schedule->base * warmup_factor(schedule, epoch);
    for (uint32_t i = 0; i < schedule->decay_count && epoch >= schedule->decay_epochs[i]; i++) {
        rate *= schedule->decay_factor;
    }
    return rate;
}
