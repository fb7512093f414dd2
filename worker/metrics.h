/* Named metrics as a model's `evaluate` leaves them. */
#ifndef DCPS_WORKER_METRICS_H
#define DCPS_WORKER_METRICS_H

#include <stdint.h>

#include "dcps/model.h"

#define DCPS_MAX_METRICS 16u
#define DCPS_MAX_METRIC_NAME_BYTES 48u

/* One value; the name is UTF-8, cut to fit. */
typedef struct dcps_metric {
    char name[DCPS_MAX_METRIC_NAME_BYTES];
    double value;
} dcps_metric;

/* Starts zeroed: dcps_metrics metrics = {0}. In the order in which they were first set. */
struct dcps_metrics {
    dcps_metric items[DCPS_MAX_METRICS];
    uint32_t count;
};

#endif
