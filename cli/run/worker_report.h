/* The line of JSON that a worker prints at its end. Pure. */
#ifndef DCPS_CLI_WORKER_REPORT_H
#define DCPS_CLI_WORKER_REPORT_H

#include <stdint.h>

#include "base/histogram.h"
#include "dcps/status.h"

typedef struct dcps_worker_report {
    uint32_t worker; /* id */
    double seconds;
    double wait_seconds;
    dcps_summary wait_ns;          /* of each step */
    dcps_histogram wait_histogram; /* the same in buckets, without sum and maximum; empty: not told */
} dcps_worker_report;

/* DCPS_CORRUPT: the line is something else. */
DCPS_MUST_CHECK dcps_status dcps_worker_report_parse(const char *line, dcps_worker_report *report);

#endif
