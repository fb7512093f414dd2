/* Reads a run of results.json back, from a file or a program that may have written anything. */
#include <math.h>
#include <string.h>

#include "base/text.h"
#include "cli/results/results.h"

/* More evaluations than any run has epochs would be a damaged file. */
#define DCPS_MAX_CURVE_POINTS 1000000u

/* NaN for null and for what is not there. */
static bool read_real(json_t *object, const char *name, double *value)
{
    json_t *member = json_object_get(object, name);
    *value = json_is_number(member) ? json_number_value(member) : (double)NAN;
    return member == NULL || json_is_null(member) || json_is_number(member);
}

/* *known: it is a number. */
static bool read_count(json_t *object, const char *name, uint64_t most, uint64_t *value, bool *known)
{
    json_t *member = json_object_get(object, name);
    *known = json_is_integer(member);
    if (!*known) {
        return member == NULL || json_is_null(member);
    }
    json_int_t number = json_integer_value(member);
    *value = number < 0 ? 0 : (uint64_t)number;
    return number >= 0 && *value <= most;
}

static bool read_text(json_t *object, const char *name, char *out, size_t capacity)
{
    const char *text = json_string_value(json_object_get(object, name));
    if (text == NULL || strlen(text) >= capacity) {
        return false;
    }
    memcpy(out, text, strlen(text) + 1);
    return true;
}

static bool read_metrics(json_t *metrics, dcps_curve_point *point)
{
    const char *name;
    json_t *value;
    json_object_foreach(metrics, name, value)
    {
        bool fits = point->metric_count < DCPS_RESULT_MAX_METRICS && strlen(name) < sizeof(point->metrics[0].name);
        if (!fits || !(json_is_number(value) || json_is_null(value))) {
            return false;
        }
        dcps_metric *metric = &point->metrics[point->metric_count++];
        dcps_text_fit(metric->name, sizeof(metric->name), name);
        metric->value = json_is_number(value) ? json_number_value(value) : (double)NAN;
    }
    return json_is_object(metrics);
}

static dcps_status read_curve(json_t *curve, dcps_result_run *run)
{
    size_t index;
    json_t *entry;
    json_array_foreach(curve, index, entry)
    {
        dcps_curve_point point = {.metric_count = 0};
        bool good = index < DCPS_MAX_CURVE_POINTS && json_is_object(entry) && read_real(entry, "epoch", &point.epoch) &&
                    read_real(entry, "seconds", &point.seconds) && read_real(entry, "train_loss", &point.train_loss) &&
                    read_metrics(json_object_get(entry, "metrics"), &point);
        if (!good) {
            return dcps_fail(DCPS_CORRUPT, "point %zu of the curve is no point", index);
        }
        dcps_status status = dcps_result_add_point(run, &point);
        if (status != DCPS_OK) {
            return status;
        }
    }
    return json_is_array(curve) ? DCPS_OK : dcps_fail(DCPS_CORRUPT, "it has no curve");
}

static bool read_staleness(json_t *object, dcps_summary *staleness)
{
    bool known = false;
    bool unused = false;
    bool good = read_real(object, "mean", &staleness->mean) &&
                read_count(object, "p50", UINT64_MAX, &staleness->p50, &known) &&
                read_count(object, "p99", UINT64_MAX, &staleness->p99, &unused) &&
                read_count(object, "max", UINT64_MAX, &staleness->max, &unused);
    staleness->count = known;
    return good && json_is_object(object);
}

static bool read_head(json_t *object, dcps_result_run *run)
{
    uint64_t workers = 0;
    bool known[2] = {false, false};
    bool good = read_text(object, "algorithm", run->algorithm, sizeof(run->algorithm)) &&
                read_count(object, "workers", UINT32_MAX, &workers, &known[0]) &&
                read_count(object, "seed", UINT64_MAX, &run->seed, &known[1]);
    run->workers = (uint32_t)workers;
    if (json_object_get(object, "name") != NULL) {
        good = good && read_text(object, "name", run->name, sizeof(run->name));
    }
    run->failed = json_object_get(object, "failure") != NULL;
    if (run->failed) {
        good = good && read_text(object, "failure", run->failure, sizeof(run->failure));
    }
    return good && known[0] && known[1];
}

/* None where they are not there. */
static bool read_processes(json_t *object, dcps_result_run *run)
{
    uint64_t restarts = 0;
    uint64_t lost = 0;
    bool unused = false;
    bool good = read_count(object, "restarts", UINT32_MAX, &restarts, &unused) &&
                read_count(object, "workers_lost", UINT32_MAX, &lost, &unused);
    run->restarts = (uint32_t)restarts;
    run->workers_lost = (uint32_t)lost;
    return good;
}

static bool read_figures(json_t *object, dcps_result_run *run)
{
    uint64_t epochs = 0;
    bool unused = false;
    bool good = read_count(object, "epochs", UINT32_MAX, &epochs, &run->measured) &&
                read_count(object, "updates", UINT64_MAX, &run->updates, &unused) &&
                read_count(object, "samples", UINT64_MAX, &run->samples, &unused) &&
                read_real(object, "seconds", &run->seconds) &&
                read_real(object, "samples_per_second", &run->samples_per_second) &&
                read_real(object, "speedup", &run->speedup) && read_real(object, "train_loss", &run->train_loss);
    run->epochs = (uint32_t)epochs;
    run->loss_known = json_object_get(object, "train_loss") != NULL;
    return good && read_processes(object, run) && read_staleness(json_object_get(object, "staleness"), &run->staleness);
}

dcps_status dcps_result_parse(json_t *object, dcps_result_run *run)
{
    dcps_result_run made = {.point_count = 0};
    if (!json_is_object(object) || !read_head(object, &made)) {
        return dcps_fail(DCPS_CORRUPT, "expected a run with algorithm, workers and seed");
    }
    if (!read_figures(object, &made)) {
        return dcps_fail(DCPS_CORRUPT, "a figure of %s@%u is no number", made.algorithm, made.workers);
    }
    dcps_status status = read_curve(json_object_get(object, "curve"), &made);
    if (status != DCPS_OK) {
        dcps_result_fini(&made);
        return status;
    }
    *run = made;
    return DCPS_OK;
}
