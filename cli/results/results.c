#include "cli/results/results.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"

void dcps_result_fini(dcps_result_run *run)
{
    dcps_free(run->points);
    dcps_result_details_fini(&run->details);
    *run = (dcps_result_run){.point_count = 0};
}

void dcps_results_fini(dcps_results *results)
{
    for (uint32_t i = 0; i < results->run_count; i++) {
        dcps_result_fini(&results->runs[i]);
    }
    dcps_free(results->runs);
    *results = (dcps_results){.run_count = 0};
}

/* Doubles `*capacity` entries where `count` fills them. */
static void *grown(void *memory, uint32_t count, uint32_t *capacity, size_t bytes)
{
    if (memory != NULL && count < *capacity) {
        return memory;
    }
    uint32_t larger = *capacity == 0 ? 8 : *capacity * 2;
    void *moved = dcps_realloc(memory, larger, bytes);
    if (moved != NULL) {
        *capacity = larger;
    }
    return moved;
}

dcps_status dcps_results_add(dcps_results *results, dcps_result_run **run)
{
    dcps_result_run *runs = grown(results->runs, results->run_count, &results->run_capacity, sizeof(*runs));
    if (runs == NULL) {
        return dcps_fail(DCPS_NO_MEMORY, "no memory for the results of another run");
    }
    results->runs = runs;
    *run = &runs[results->run_count++];
    **run = (dcps_result_run){.seconds = (double)NAN,
                              .samples_per_second = (double)NAN,
                              .speedup = (double)NAN,
                              .train_loss = (double)NAN,
                              .staleness.mean = (double)NAN};
    return DCPS_OK;
}

dcps_status dcps_result_add_point(dcps_result_run *run, const dcps_curve_point *point)
{
    dcps_curve_point *points = grown(run->points, run->point_count, &run->point_capacity, sizeof(*points));
    if (points == NULL) {
        return dcps_fail(DCPS_NO_MEMORY, "no memory for another point of a curve");
    }
    run->points = points;
    points[run->point_count++] = *point;
    return DCPS_OK;
}

static const dcps_curve_point *last_point(const dcps_result_run *run)
{
    return run->point_count == 0 ? NULL : &run->points[run->point_count - 1];
}

static double point_metric(const dcps_curve_point *point, const char *name)
{
    for (uint32_t i = 0; i < point->metric_count; i++) {
        if (strcmp(point->metrics[i].name, name) == 0) {
            return point->metrics[i].value;
        }
    }
    return (double)NAN;
}

static bool point_finite(const dcps_curve_point *point)
{
    bool finite = isfinite(point->train_loss);
    for (uint32_t i = 0; i < point->metric_count; i++) {
        finite = finite && isfinite(point->metrics[i].value);
    }
    return finite;
}

bool dcps_result_diverged(const dcps_result_run *run)
{
    const dcps_curve_point *point = last_point(run);
    if (point != NULL) {
        return !point_finite(point);
    }
    return run->loss_known && run->samples > 0 && !isfinite(run->train_loss);
}

double dcps_result_metric(const dcps_result_run *run, const char *name)
{
    const dcps_curve_point *point = last_point(run);
    return point == NULL || dcps_result_diverged(run) ? (double)NAN : point_metric(point, name);
}

double dcps_result_train_loss(const dcps_result_run *run)
{
    const dcps_curve_point *point = last_point(run);
    double loss = point == NULL ? run->train_loss : point->train_loss;
    return dcps_result_diverged(run) ? (double)NAN : loss;
}

double dcps_result_seconds_to(const dcps_result_run *run, const char *metric, double target)
{
    for (uint32_t i = 0; i < run->point_count; i++) {
        const dcps_curve_point *here = &run->points[i];
        double value = point_metric(here, metric);
        if (!(value <= target)) {
            continue;
        }
        double before = i > 0 ? point_metric(here - 1, metric) : (double)NAN;
        if (!isfinite(before) || !(before > value)) {
            return here->seconds;
        }
        double share = (before - target) / (before - value);
        return here[-1].seconds + share * (here->seconds - here[-1].seconds);
    }
    return (double)NAN;
}

const char *dcps_result_name(const dcps_result_run *run)
{
    return run->name[0] != '\0' ? run->name : run->algorithm;
}

/* How well a metric stands for quality; smaller is better. */
static int metric_rank(const char *name)
{
    static const char error[] = "_error";
    size_t length = strlen(name);
    if (strcmp(name, "test_error") == 0) {
        return 0;
    }
    return length >= sizeof(error) && strcmp(name + length - (sizeof(error) - 1), error) == 0 ? 1 : 2;
}

const char *dcps_results_main_metric(const dcps_results *results)
{
    const char *best = NULL;
    for (uint32_t i = 0; i < results->run_count; i++) {
        const dcps_curve_point *point = last_point(&results->runs[i]);
        for (uint32_t m = 0; point != NULL && m < point->metric_count; m++) {
            const char *name = point->metrics[m].name;
            best = best == NULL || metric_rank(name) < metric_rank(best) ? name : best;
        }
    }
    return best;
}

/* Mean samples/s of the runs with one worker, of algorithm "sgd" only if asked; NaN if there are none. */
static double single_rate(const dcps_results *results, bool sgd_only)
{
    double sum = 0.0;
    uint32_t count = 0;
    for (uint32_t i = 0; i < results->run_count; i++) {
        const dcps_result_run *run = &results->runs[i];
        if (!run->failed && run->workers == 1 && (!sgd_only || strcmp(run->algorithm, "sgd") == 0)) {
            sum += run->samples_per_second;
            count++;
        }
    }
    return count == 0 ? (double)NAN : sum / count;
}

void dcps_results_fill_speedups(dcps_results *results)
{
    double single = single_rate(results, true);
    if (isnan(single)) {
        single = single_rate(results, false);
    }
    for (uint32_t i = 0; i < results->run_count; i++) {
        results->runs[i].speedup = single > 0.0 ? results->runs[i].samples_per_second / single : (double)NAN;
    }
}
