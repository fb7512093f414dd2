/* The insides of a run in results.json and in dcps status --json. */
#include <math.h>

#include "base/clock.h"
#include "cli/results/results_details.h"

static json_t *real_or_null(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

static json_t *seconds(bool known, double ns)
{
    return known ? real_or_null(ns / (double)DCPS_NS_PER_S) : json_null();
}

static json_t *count_json(uint64_t value)
{
    return json_integer((json_int_t)value);
}

static json_t *ns_json(uint64_t value)
{
    return seconds(true, (double)value);
}

static json_t *count_or_null(bool known, uint64_t value)
{
    return known ? count_json(value) : json_null();
}

static uint64_t dropped(const dcps_push_counts *pushes)
{
    return pushes->dropped_stale + pushes->dropped_round;
}

/* Appends `item`, a reference that is taken over; NULL once anything failed. */
static json_t *append(json_t *array, json_t *item)
{
    if (array != NULL && json_array_append_new(array, item) != 0) {
        json_decref(array);
        return NULL;
    }
    return array;
}

/* NULL for an empty one. */
static json_t *histogram_json(const dcps_histogram *histogram, json_t *(*value_json)(uint64_t value))
{
    json_t *array = histogram->count > 0 ? json_array() : NULL;
    for (uint32_t i = 0; array != NULL && i < DCPS_HISTOGRAM_BUCKETS; i++) {
        if (histogram->buckets[i] > 0) {
            array = append(array,
                           json_pack("[o, I]", value_json(dcps_histogram_first(i)), (json_int_t)histogram->buckets[i]));
        }
    }
    return array;
}

static json_t *counts_json(const dcps_summary *summary, const dcps_histogram *histogram)
{
    bool known = summary->count > 0;
    return json_pack("{s:o, s:o, s:o, s:o, s:o*}", "mean", real_or_null(summary->mean), "p50",
                     count_or_null(known, summary->p50), "p99", count_or_null(known, summary->p99), "max",
                     count_or_null(known, summary->max), "histogram", histogram_json(histogram, count_json));
}

static json_t *seconds_json(const dcps_summary *summary, const dcps_histogram *histogram)
{
    bool known = summary->count > 0;
    return json_pack("{s:o, s:o, s:o, s:o, s:o*}", "mean", seconds(known, summary->mean), "p50",
                     seconds(known, (double)summary->p50), "p99", seconds(known, (double)summary->p99), "max",
                     seconds(known, (double)summary->max), "histogram", histogram_json(histogram, ns_json));
}

json_t *dcps_details_staleness_json(const dcps_result_details *details)
{
    json_t *array = json_array();
    for (uint32_t i = 0; array != NULL && i < details->staleness_count; i++) {
        if (details->staleness[i] > 0) {
            array = append(array, json_pack("[I, I]", (json_int_t)i, (json_int_t)details->staleness[i]));
        }
    }
    return array;
}

json_t *dcps_details_pushes_json(const dcps_push_counts *pushes)
{
    return json_pack("{s:I, s:I, s:I, s:I, s:I}", "applied", (json_int_t)pushes->applied, "dropped",
                     (json_int_t)dropped(pushes), "dropped_stale", (json_int_t)pushes->dropped_stale, "dropped_round",
                     (json_int_t)pushes->dropped_round, "duplicates", (json_int_t)pushes->duplicates);
}

static json_t *worker_json(const dcps_result_worker *worker)
{
    return json_pack("{s:I, s:s, s:s, s:I, s:o, s:o, s:o, s:o, s:I, s:o}", "worker", (json_int_t)worker->worker, "name",
                     worker->name, "group", worker->group, "steps", (json_int_t)worker->steps, "staleness",
                     counts_json(&worker->staleness, &worker->staleness_histogram), "wait_seconds",
                     seconds_json(&worker->wait_ns, &worker->wait_histogram), "wait_share",
                     real_or_null(worker->wait_share), "held_seconds",
                     seconds_json(&worker->held_ns, &worker->held_histogram), "dropped",
                     (json_int_t)dropped(&worker->pushes), "pushes", dcps_details_pushes_json(&worker->pushes));
}

json_t *dcps_details_workers_json(const dcps_result_worker *workers, uint32_t count)
{
    json_t *array = json_array();
    for (uint32_t i = 0; array != NULL && i < count; i++) {
        array = append(array, worker_json(&workers[i]));
    }
    return array;
}

static json_t *shard_json(const dcps_shard_statistics *shard, const dcps_shard_histograms *histograms)
{
    json_t *queue = json_pack("{s:I, s:o, s:I}", "now", (json_int_t)shard->queue_now, "mean",
                              real_or_null(shard->queue_mean), "max", (json_int_t)shard->queue_max);
    json_t *backlog = json_pack("{s:o, s:o}", "mean", real_or_null(shard->backlog_mean), "max",
                                count_or_null(isfinite(shard->backlog_mean), shard->backlog_max));
    return json_pack("{s:I, s:I, s:o, s:o, s:o, s:o, s:o}", "shard", (json_int_t)shard->shard, "updates",
                     (json_int_t)shard->updates, "staleness", counts_json(&shard->staleness, &histograms->staleness),
                     "held_seconds", seconds_json(&shard->held_ns, &histograms->held_ns), "queue", queue, "backlog",
                     backlog, "pushes", dcps_details_pushes_json(&shard->pushes));
}

json_t *dcps_details_shards_json(const dcps_shard_statistics *shards, const dcps_shard_histograms *histograms,
                                 uint32_t count)
{
    json_t *array = json_array();
    for (uint32_t i = 0; array != NULL && i < count; i++) {
        array = append(array, shard_json(&shards[i], &histograms[i]));
    }
    return array;
}
