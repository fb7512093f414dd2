/* The summary as JSON. */
#include <math.h>

#include "cli/results/overview.h"

static json_t *real_or_null(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

static json_t *estimate_json(dcps_estimate estimate)
{
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:I}", "mean", real_or_null(estimate.mean), "se",
                     real_or_null(estimate.standard_error), "median", real_or_null(estimate.median), "min",
                     real_or_null(estimate.least), "max", real_or_null(estimate.most), "n", (json_int_t)estimate.count);
}

static json_t *metrics_json(const dcps_overview_row *row)
{
    json_t *object = json_object();
    for (uint32_t m = 0; object != NULL && m < row->metric_count; m++) {
        if (json_object_set_new(object, row->metric_names[m], estimate_json(row->metrics[m])) != 0) {
            json_decref(object);
            object = NULL;
        }
    }
    return object;
}

/* NULL where there is nothing to say. */
static json_t *gap_json(const dcps_ratio *gap)
{
    static const char *const said[] = {[DCPS_RATIO_NO_BASE] = "no gap",
                                       [DCPS_RATIO_UNCLEAR] = "no clear gap",
                                       [DCPS_RATIO_POINT] = "one seed",
                                       [DCPS_RATIO_KNOWN] = "known"};
    if (gap->kind == DCPS_RATIO_NONE) {
        return NULL;
    }
    return json_pack("{s:o, s:o, s:o, s:I, s:s}", "value", real_or_null(gap->value), "low", real_or_null(gap->low),
                     "high", real_or_null(gap->high), "n", (json_int_t)gap->count, "state", said[gap->kind]);
}

static json_t *target_json(const dcps_overview *overview, const dcps_overview_row *row)
{
    if (!overview->has_target) {
        return NULL;
    }
    return json_pack("{s:s, s:f, s:I, s:I, s:o, s:o, s:o}", "metric", overview->target.metric, "target",
                     overview->target.value, "reached", (json_int_t)row->reached, "of", (json_int_t)row->run_count,
                     "mean", real_or_null(row->seconds_to_target.mean), "se",
                     real_or_null(row->seconds_to_target.standard_error), "short_of",
                     real_or_null(row->seconds_short_of_target));
}

/* NULL for a difference to nothing. */
static json_t *difference_json(dcps_estimate difference)
{
    return difference.count == 0 ? NULL : estimate_json(difference);
}

static json_t *row_json(const dcps_overview *overview, const dcps_overview_row *row)
{
    const dcps_result_run *first = row->runs[0];
    const dcps_estimate *main = dcps_overview_main(overview, row);
    json_t *object =
        json_pack("{s:s, s:s, s:I, s:I, s:I, s:I, s:b, s:o, s:o*, s:o*, s:o*, s:o*}", "name", dcps_result_name(first),
                  "algorithm", first->algorithm, "workers", (json_int_t)first->workers, "runs", (json_int_t)row->all,
                  "failed", (json_int_t)row->failed, "diverged", (json_int_t)row->diverged, "far_apart",
                  main != NULL && dcps_stats_far_apart(main), "metrics", metrics_json(row), "minus_asgd",
                  difference_json(row->over_asgd), "minus_sgd", difference_json(row->over_sgd), "gap_recovered",
                  gap_json(&row->gap), "seconds_to_target", target_json(overview, row));
    for (uint32_t f = 0; object != NULL && f < DCPS_FIGURE_COUNT; f++) {
        if (json_object_set_new(object, dcps_figure_name((dcps_figure)f), estimate_json(row->figures[f])) != 0) {
            json_decref(object);
            object = NULL;
        }
    }
    return object;
}

json_t *dcps_overview_json(const dcps_overview *overview)
{
    json_t *array = json_array();
    for (uint32_t i = 0; array != NULL && i < overview->row_count; i++) {
        if (json_array_append_new(array, row_json(overview, &overview->rows[i])) != 0) {
            json_decref(array);
            array = NULL;
        }
    }
    return array;
}
