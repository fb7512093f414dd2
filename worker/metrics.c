#include "worker/metrics.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"

static dcps_metric *find(dcps_metrics *metrics, const char *name)
{
    for (uint32_t i = 0; i < metrics->count; i++)
        if (strncmp(metrics->items[i].name, name, DCPS_MAX_METRIC_NAME_BYTES - 1) == 0)
            return &metrics->items[i];
    return NULL;
}

void dcps_metrics_set(dcps_metrics *metrics, const char *name, double value)
{
    dcps_metric *metric = find(metrics, name);
    if (metric == NULL) {
        if (metrics->count == DCPS_MAX_METRICS) {
            dcps_warn("metric %s is dropped: a model may set %u", name, DCPS_MAX_METRICS);
            return;
        }
        metric = &metrics->items[metrics->count++];
        snprintf(metric->name, sizeof metric->name, "%s", name);
    }
    metric->value = value;
}
