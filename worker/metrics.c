#include "worker/metrics.h"

#include <string.h>

#include "base/log.h"
#include "base/text.h"

static dcps_metric *find(dcps_metrics *metrics, const char *name)
{
    for (uint32_t i = 0; i < metrics->count; i++) {
        if (strcmp(metrics->items[i].name, name) == 0) {
            return &metrics->items[i];
        }
    }
    return NULL;
}

void dcps_metrics_set(dcps_metrics *metrics, const char *name, double value)
{
    char kept[DCPS_MAX_METRIC_NAME_BYTES];
    dcps_text_fit(kept, sizeof(kept), name);
    dcps_metric *metric = find(metrics, kept);
    if (metric == NULL) {
        if (metrics->count == DCPS_MAX_METRICS) {
            dcps_warn("metric %s is dropped: a model may set %u", kept, DCPS_MAX_METRICS);
            return;
        }
        metric = &metrics->items[metrics->count++];
        memcpy(metric->name, kept, sizeof(kept));
    }
    metric->value = value;
}
