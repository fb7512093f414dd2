/* An algorithm is a consistency mode plus an update rule; names people know are presets. */
#ifndef DCPS_ENGINE_ALGORITHM_H
#define DCPS_ENGINE_ALGORITHM_H

#include <stdint.h>

#include "compensate/rule.h"
#include "dcps/status.h"

typedef enum dcps_consistency { DCPS_CONSISTENCY_ASP = 1, DCPS_CONSISTENCY_SSP, DCPS_CONSISTENCY_BSP } dcps_consistency;

/* Everything that decides what a server does with pushes. */
typedef struct dcps_algorithm {
    const char *name; /* of the preset; static */
    dcps_consistency consistency;
    uint32_t ssp_bound; /* steps a worker may be ahead of the slowest; SSP only */
    dcps_rule_config rule;
} dcps_algorithm;

/* Fills *algorithm from a preset: sgd, ssgd, asgd, ssp, dc-asgd-c, dc-asgd-a. DCPS_NOT_FOUND lists the known names. */
DCPS_MUST_CHECK dcps_status dcps_algorithm_preset(const char *name, dcps_algorithm *algorithm);

/* "sgd|ssgd|…" for help texts. */
const char *dcps_algorithm_names(void);

#define DCPS_SCHEDULE_MAX_STEPS 64u

/* Learning rate as a function of samples seen, so that it means the same under every mode and number of workers:
 * linear from `base / workers` to `base` over the warm-up, times decay_factor for each mark passed. */
typedef struct dcps_schedule {
    double base;          /* η > 0 */
    double warmup_epochs; /* 0: none */
    uint32_t workers;     /* divisor of the first step of the warm-up */
    double decay_factor;  /* 0 < f ≤ 1 */
    uint32_t decay_count;
    double decay_epochs[DCPS_SCHEDULE_MAX_STEPS]; /* ascending */
} dcps_schedule;

/* η for the next update of a block that has seen `samples` samples; samples_per_epoch > 0. */
double dcps_schedule_rate(const dcps_schedule *schedule, uint64_t samples, uint64_t samples_per_epoch);

#endif
