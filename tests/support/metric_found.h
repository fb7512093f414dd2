/* One metric of those a model left. */
#ifndef DCPS_TESTS_SUPPORT_METRIC_FOUND_H
#define DCPS_TESTS_SUPPORT_METRIC_FOUND_H

#include <stddef.h>
#include <string.h>

#include "worker/metrics.h"

/* NULL when the model did not set it. */
static inline const double *metric_found(const dcps_metrics *metrics, const char *name)
{
    for (uint32_t i = 0; i < metrics->count; i++) {
        if (strcmp(metrics->items[i].name, name) == 0) {
            return &metrics->items[i].value;
        }
    }
    return NULL;
}

#endif
