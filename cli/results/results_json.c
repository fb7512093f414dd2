/* results.json: schema dcps-results/1. */
#include <inttypes.h>
#include <math.h>

#include "cli/results/results.h"

/* JSON has no numbers for these: null. */
static json_t *real_or_null(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

static json_t *count_or_null(bool known, uint64_t value)
{
    return known ? json_integer((json_int_t)value) : json_null();
}

static json_t *text_or_null(const char *text)
{
    return text[0] == '\0' ? json_null() : json_string(text);
}

/* 16 hexadecimal digits: readers of JSON may not hold 64 bits in a number. NULL: not known. */
static json_t *digest_json(const dcps_result_run *run)
{
    return run->weights_final ? json_sprintf("%016" PRIx64, run->weights_digest) : NULL;
}

static json_t *metrics_json(const dcps_curve_point *point)
{
    json_t *object = json_object();
    for (uint32_t i = 0; object != NULL && point != NULL && i < point->metric_count; i++) {
        if (json_object_set_new(object, point->metrics[i].name, real_or_null(point->metrics[i].value)) != 0) {
            json_decref(object);
            object = NULL;
        }
    }
    return object;
}

static json_t *point_json(const dcps_curve_point *point)
{
    return json_pack("{s:o, s:o, s:o, s:o}", "epoch", real_or_null(point->epoch), "seconds",
                     real_or_null(point->seconds), "train_loss", real_or_null(point->train_loss), "metrics",
                     metrics_json(point));
}

static json_t *curve_json(const dcps_result_run *run)
{
    json_t *array = json_array();
    for (uint32_t i = 0; array != NULL && i < run->point_count; i++) {
        if (json_array_append_new(array, point_json(&run->points[i])) != 0) {
            json_decref(array);
            array = NULL;
        }
    }
    return array;
}

/* The histogram is left out where it is not known. */
static json_t *staleness_json(const dcps_result_run *run)
{
    const dcps_summary *staleness = &run->staleness;
    bool known = staleness->count > 0;
    return json_pack("{s:o, s:o, s:o, s:o, s:o*}", "mean", real_or_null(staleness->mean), "p50",
                     count_or_null(known, staleness->p50), "p99", count_or_null(known, staleness->p99), "max",
                     count_or_null(known, staleness->max), "histogram",
                     run->details_known ? dcps_details_staleness_json(&run->details) : NULL);
}

/* Adds what is known of the insides of a run; `object`, which is taken over, or NULL. */
static json_t *with_details(const dcps_result_run *run, json_t *object)
{
    const dcps_result_details *details = &run->details;
    if (object == NULL || !run->details_known) {
        return object;
    }
    json_t *added = json_pack("{s:o, s:o, s:o}", "pushes", dcps_details_pushes_json(&details->pushes), "per_worker",
                              dcps_details_workers_json(details->workers, details->worker_count), "per_shard",
                              dcps_details_shards_json(details->shards, details->histograms, details->shard_count));
    bool good = added != NULL && json_object_update(object, added) == 0;
    json_decref(added);
    if (!good) {
        json_decref(object);
        return NULL;
    }
    return object;
}

/* NULL where nothing was computed, only timed; null means a loss that is no number. */
static json_t *loss_json(const dcps_result_run *run)
{
    bool timed_only = run->samples > 0 && run->point_count == 0 && !run->loss_known;
    return timed_only ? NULL : real_or_null(dcps_result_train_loss(run));
}

json_t *dcps_result_json(const dcps_result_run *run)
{
    const dcps_curve_point *last = run->point_count == 0 ? NULL : &run->points[run->point_count - 1];
    bool known = run->measured;
    json_t *object =
        json_pack("{s:s, s:I, s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:o*, s:o, s:b, s:I, s:I, s:o, s:o, s:o*, s:o*}",
                  "algorithm", run->algorithm, "workers", (json_int_t)run->workers, "seed", (json_int_t)run->seed,
                  "epochs", count_or_null(known, run->epochs), "updates", count_or_null(known, run->updates), "samples",
                  count_or_null(known, run->samples), "seconds", real_or_null(run->seconds), "samples_per_second",
                  real_or_null(run->samples_per_second), "speedup", real_or_null(run->speedup), "train_loss",
                  loss_json(run), "metrics", metrics_json(last), "diverged", (int)dcps_result_diverged(run), "restarts",
                  (json_int_t)run->restarts, "workers_lost", (json_int_t)run->workers_lost, "staleness",
                  staleness_json(run), "curve", curve_json(run), "weights_digest", digest_json(run), "failure",
                  run->failed ? json_string(run->failure) : NULL);
    return with_details(run, object);
}

static json_t *runs_json(const dcps_results *results)
{
    json_t *array = json_array();
    for (uint32_t i = 0; array != NULL && i < results->run_count; i++) {
        if (json_array_append_new(array, dcps_result_json(&results->runs[i])) != 0) {
            json_decref(array);
            array = NULL;
        }
    }
    return array;
}

json_t *dcps_results_json(const dcps_results *results)
{
    return json_pack("{s:s, s:s, s:o, s:b, s:o}", "schema", "dcps-results/1", "model", results->model, "dataset",
                     text_or_null(results->dataset), "virtual", (int)results->virtual_time, "runs", runs_json(results));
}
