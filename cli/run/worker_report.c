#include "cli/run/worker_report.h"

#include <math.h>
#include <stdbool.h>

#include <jansson.h>

#include "base/clock.h"
#include "proto/limits.h"

#define DCPS_MOST_SECONDS 1e9

static bool seconds_of(json_t *number, double *seconds)
{
    *seconds = json_number_value(number);
    return json_is_number(number) && *seconds >= 0.0 && *seconds <= DCPS_MOST_SECONDS;
}

static bool ns_of(json_t *number, uint64_t *ns)
{
    double seconds;
    bool good = seconds_of(number, &seconds);
    *ns = good ? (uint64_t)(seconds * (double)DCPS_NS_PER_S + 0.5) : 0;
    return good;
}

static bool take_seconds(json_t *object, const char *name, double *seconds)
{
    return seconds_of(json_object_get(object, name), seconds);
}

static bool take_ns(json_t *object, const char *name, uint64_t *ns)
{
    return ns_of(json_object_get(object, name), ns);
}

/* [first value of a bucket in seconds, count], beyond the bucket before. */
static bool take_bucket(json_t *pair, uint32_t least, dcps_histogram *histogram, uint32_t *bucket)
{
    uint64_t first_ns = 0;
    json_t *count = json_array_get(pair, 1);
    if (json_array_size(pair) != 2 || !ns_of(json_array_get(pair, 0), &first_ns) || !json_is_integer(count) ||
        json_integer_value(count) <= 0) {
        return false;
    }
    *bucket = dcps_histogram_bucket(first_ns);
    histogram->buckets[*bucket] = (uint64_t)json_integer_value(count);
    histogram->count += histogram->buckets[*bucket];
    return *bucket >= least && dcps_histogram_first(*bucket) == first_ns;
}

/* All that was counted, if it is there. */
static bool take_histogram(json_t *array, const dcps_summary *wait, dcps_histogram *histogram)
{
    size_t index;
    json_t *pair;
    uint32_t last = 0;
    *histogram = (dcps_histogram){.count = 0};
    json_array_foreach(array, index, pair)
    {
        if (!take_bucket(pair, index == 0 ? 0 : last + 1u, histogram, &last) || histogram->count > wait->count) {
            return false;
        }
    }
    return array == NULL ||
           (json_is_array(array) && histogram->count == wait->count && last == dcps_histogram_bucket(wait->max));
}

/* A worker that never waited has counted nothing, and no mean. */
static bool take_wait(json_t *object, dcps_summary *wait, dcps_histogram *histogram)
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
    return good && take_histogram(json_object_get(object, "histogram"), wait, histogram);
}

dcps_status dcps_worker_report_parse(const char *line, dcps_worker_report *report)
{
    json_t *object = json_loads(line, JSON_REJECT_DUPLICATES, NULL);
    json_t *worker = json_object_get(object, "worker");
    dcps_worker_report parsed = {.worker = 0};
    bool good = json_is_integer(worker) && json_integer_value(worker) >= 0 &&
                json_integer_value(worker) < DCPS_MAX_WORKERS && take_seconds(object, "seconds", &parsed.seconds) &&
                take_seconds(object, "wait_seconds", &parsed.wait_seconds) &&
                take_wait(json_object_get(object, "wait"), &parsed.wait_ns, &parsed.wait_histogram);
    parsed.worker = good ? (uint32_t)json_integer_value(worker) : 0;
    json_decref(object);
    if (!good) {
        return dcps_fail(DCPS_CORRUPT, "'%.200s' is no report of a worker", line);
    }
    *report = parsed;
    return DCPS_OK;
}
