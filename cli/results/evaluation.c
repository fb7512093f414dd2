#include "cli/results/evaluation.h"

#include <math.h>

#include "base/text.h"

static double real_member(json_t *object, const char *name)
{
    json_t *value = json_object_get(object, name);
    return json_is_number(value) ? json_number_value(value) : (double)NAN;
}

static bool count_member(json_t *object, const char *name, uint64_t *value)
{
    json_t *member = json_object_get(object, name);
    if (!json_is_integer(member) || json_integer_value(member) < 0) {
        return false;
    }
    *value = (uint64_t)json_integer_value(member);
    return true;
}

static void take_metrics(json_t *metrics, dcps_curve_point *point)
{
    const char *name;
    json_t *value;
    json_object_foreach(metrics, name, value)
    {
        if (point->metric_count < DCPS_RESULT_MAX_METRICS) {
            dcps_metric *metric = &point->metrics[point->metric_count++];
            dcps_text_fit(metric->name, sizeof(metric->name), name);
            metric->value = json_is_number(value) ? json_number_value(value) : (double)NAN;
        }
    }
}

dcps_status dcps_evaluation_parse(const char *line, dcps_evaluation *evaluation)
{
    json_error_t error;
    json_t *object = json_loads(line, JSON_REJECT_DUPLICATES, &error);
    dcps_evaluation parsed = {.snapshot = 0};
    json_t *metrics = json_object_get(object, "metrics");
    if (!json_is_object(object) || !json_is_object(metrics) || !count_member(object, "snapshot", &parsed.snapshot) ||
        !count_member(object, "samples", &parsed.samples)) {
        json_decref(object);
        return dcps_fail(
            DCPS_CORRUPT,
            "the evaluating worker printed '%.200s': expected a JSON object with snapshot, samples and metrics", line);
    }
    parsed.point.epoch = real_member(object, "epoch");
    parsed.point.seconds = real_member(object, "seconds");
    parsed.point.train_loss = real_member(object, "train_loss");
    take_metrics(metrics, &parsed.point);
    const char *dataset = json_string_value(json_object_get(object, "dataset"));
    dcps_text_fit(parsed.dataset, sizeof(parsed.dataset), dataset == NULL ? "" : dataset);
    json_decref(object);
    *evaluation = parsed;
    return DCPS_OK;
}
