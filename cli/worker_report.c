#include "cli/worker_report.h"

#include <math.h>
#include <stdbool.h>

#include <jansson.h>

#include "base/clock.h"
#include "proto/limits.h"

#define DCPS_MOST_SECONDS 1e9

static bool take_seconds(json_t *object, const char *name, double *seconds)
{
    json_t *member = json_object_get(object, name);
    *seconds = json_number_value(member);
    return json_is_number(member) && *seconds >= 0.0 && *seconds <= DCPS_MOST_SECONDS;
}

static bool take_ns(json_t *object, const char *name, uint64_t *ns)
{
    double seconds;
    bool good = take_seconds(object, name, &seconds);
    *ns = good ? (uint64_t)(seconds * (double)DCPS_NS_PER_S + 0.5) : 0;
    return good;
}

/* A worker that never waited has counted nothing, and no mean. */
static bool take_wait(json_t *object, dcps_summary *wait)
{
    json_t *count = json_object_get(object, "count");
    *wait = (dcps_summary){.mean = (double)NAN};
    if (!json_is_integer(count) || json_integer_value(count) < 0) {
        return false;
    }
    if (json_integer_value(count) == 0) {
        return true;
    }
    double mean;
    bool good = take_seconds(object, "mean", &mean) && take_ns(object, "p50", &wait->p50) &&
                take_ns(object, "p99", &wait->p99) && take_ns(object, "max", &wait->max);
    wait->count = (uint64_t)json_integer_value(count);
    wait->mean = mean * (double)DCPS_NS_PER_S;
    return good;
}

dcps_status dcps_worker_report_parse(const char *line, dcps_worker_report *report)
{
    json_t *object = json_loads(line, JSON_REJECT_DUPLICATES, NULL);
    json_t *worker = json_object_get(object, "worker");
    dcps_worker_report parsed = {.worker = 0};
    bool good = json_is_integer(worker) && json_integer_value(worker) >= 0 &&
                json_integer_value(worker) < DCPS_MAX_WORKERS && take_seconds(object, "seconds", &parsed.seconds) &&
                take_seconds(object, "wait_seconds", &parsed.wait_seconds) &&
                take_wait(json_object_get(object, "wait"), &parsed.wait_ns);
    parsed.worker = good ? (uint32_t)json_integer_value(worker) : 0;
    json_decref(object);
    if (!good) {
        return dcps_fail(DCPS_CORRUPT, "'%.200s' is no report of a worker", line);
    }
    *report = parsed;
    return DCPS_OK;
}
