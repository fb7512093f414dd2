#include "cli/compare/comparison_document.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/text.h"

static json_t *real_or_null(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

static dcps_status add_result(const dcps_plan *plan, const dcps_plan_run *run, dcps_results *results)
{
    dcps_result_run parsed;
    dcps_result_run *added = NULL;
    dcps_status status = dcps_result_parse(run->result, &parsed);
    if (status != DCPS_OK) {
        return status;
    }
    status = dcps_results_add(results, &added);
    if (status != DCPS_OK) {
        dcps_result_fini(&parsed);
        return status;
    }
    *added = parsed;
    (void)snprintf(added->name, sizeof(added->name), "%s", plan->entries[run->entry].spec.name);
    return DCPS_OK;
}

dcps_status dcps_comparison_results(const dcps_comparison *comparison, dcps_results *results, json_t ***documents)
{
    const dcps_plan *plan = comparison->plan;
    dcps_results made = {.virtual_time = comparison->virtual_time};
    json_t **found = dcps_alloc(plan->run_count, sizeof(*found));
    dcps_status status = found != NULL ? DCPS_OK : dcps_fail(DCPS_NO_MEMORY, "no memory for the results");
    memcpy(made.model, comparison->job.results.model, sizeof(made.model));
    memcpy(made.dataset, comparison->job.results.dataset, sizeof(made.dataset));
    for (uint32_t e = 0; e < plan->entry_count; e++) {
        for (uint32_t i = 0; status == DCPS_OK && i < plan->run_count; i++) {
            const dcps_plan_run *run = &plan->runs[i];
            if (run->entry == e && run->phase == DCPS_PHASE_FINAL && run->result != NULL) {
                status = add_result(plan, run, &made);
                found[made.run_count - 1] = run->result;
            }
        }
    }
    if (status != DCPS_OK) {
        dcps_free(found);
        dcps_results_fini(&made);
        return status;
    }
    dcps_results_fill_speedups(&made);
    *results = made;
    *documents = found;
    return DCPS_OK;
}

static json_t *runs_json(const dcps_results *results, json_t *const *documents)
{
    json_t *array = json_array();
    for (uint32_t i = 0; array != NULL && i < results->run_count; i++) {
        const dcps_result_run *run = &results->runs[i];
        json_t *copy = json_copy(documents[i]);
        bool good = json_object_set_new(copy, "name", json_string(dcps_result_name(run))) == 0 &&
                    json_object_set_new(copy, "speedup", real_or_null(run->speedup)) == 0 &&
                    json_object_set_new(copy, "diverged", json_boolean(dcps_result_diverged(run))) == 0;
        good = json_array_append_new(array, copy) == 0 && good;
        if (!good) {
            json_decref(array);
            array = NULL;
        }
    }
    return array;
}

/* A value as a number where it is one. */
static json_t *value_json(const char *text)
{
    double value = 0.0;
    return dcps_parse_real("value", text, &value) == DCPS_OK ? json_real(value) : json_string(text);
}

/* Of what has an effect at a point. */
static json_t *setting_json(const dcps_sweep *sweep, dcps_sweep_point point)
{
    json_t *object = json_object();
    for (uint32_t i = 0; object != NULL && i < sweep->count; i++) {
        const char *value = dcps_sweep_value(sweep, point, i);
        if (value != NULL && json_object_set_new(object, sweep->parameters[i].name, value_json(value)) != 0) {
            json_decref(object);
            object = NULL;
        }
    }
    return object;
}

/* Names of the options whose chosen value lies at the edge of what was tried. */
static json_t *edge_json(const dcps_plan_entry *entry)
{
    json_t *array = json_array();
    for (uint32_t i = 0; array != NULL && i < entry->sweep.count; i++) {
        if (dcps_sweep_edge(&entry->sweep, entry->points[entry->point], i) != 0) {
            (void)json_array_append_new(array, json_string(entry->sweep.parameters[i].name));
        }
    }
    return array;
}

static json_t *choice_json(const dcps_plan *plan, const dcps_plan_entry *entry)
{
    dcps_trial_score score;
    json_t *choice = json_pack("{s:o, s:o}", "setting", setting_json(&entry->sweep, entry->points[entry->point]),
                               "edge", edge_json(entry));
    if (entry->tuned && dcps_plan_score(plan, entry, entry->point, &score) == DCPS_OK) {
        (void)json_object_set_new(
            choice, "validation",
            json_pack("{s:s, s:o, s:o, s:I}", "metric", score.metric, "mean", real_or_null(score.error.mean), "se",
                      real_or_null(score.error.standard_error), "n", (json_int_t)score.error.count));
    }
    return choice;
}

/* Adds "chosen" to the rows of the summary whose entries had a sweep. */
static void add_choices(const dcps_plan *plan, json_t *rows)
{
    size_t index;
    json_t *row;
    json_array_foreach(rows, index, row)
    {
        const char *name = json_string_value(json_object_get(row, "name"));
        json_int_t workers = json_integer_value(json_object_get(row, "workers"));
        for (uint32_t i = 0; i < plan->entry_count; i++) {
            const dcps_plan_entry *entry = &plan->entries[i];
            if (entry->chosen && entry->sweep.count > 0 && entry->spec.workers == workers &&
                strcmp(entry->spec.name, name) == 0) {
                (void)json_object_set_new(row, "chosen", choice_json(plan, entry));
            }
        }
    }
}

static json_t *trial_json(const dcps_plan *plan, const dcps_plan_run *run)
{
    const dcps_plan_entry *entry = &plan->entries[run->entry];
    dcps_result_run parsed;
    bool known = dcps_result_parse(run->result, &parsed) == DCPS_OK;
    bool diverged = known && dcps_result_diverged(&parsed);
    if (known) {
        dcps_result_fini(&parsed);
    }
    return json_pack("{s:s, s:s, s:I, s:I, s:o, s:O*, s:O*, s:O*, s:b, s:O*}", "name", entry->spec.name, "algorithm",
                     entry->spec.algorithm, "workers", (json_int_t)entry->spec.workers, "seed", (json_int_t)run->seed,
                     "setting", setting_json(&entry->sweep, entry->points[run->point]), "epochs",
                     json_object_get(run->result, "epochs"), "train_loss", json_object_get(run->result, "train_loss"),
                     "metrics", json_object_get(run->result, "metrics"), "diverged", (int)diverged, "failure",
                     json_object_get(run->result, "failure"));
}

/* NULL where there were none. */
static json_t *trials_json(const dcps_plan *plan)
{
    json_t *array = json_array();
    for (uint32_t i = 0; array != NULL && i < plan->run_count; i++) {
        if (plan->runs[i].phase == DCPS_PHASE_TRIAL && plan->runs[i].result != NULL) {
            (void)json_array_append_new(array, trial_json(plan, &plan->runs[i]));
        }
    }
    if (json_array_size(array) == 0) {
        json_decref(array);
        array = NULL;
    }
    return array;
}

json_t *dcps_comparison_json(const dcps_comparison *comparison, const dcps_overview *overview, json_t *const *documents)
{
    const dcps_results *results = overview->results;
    json_t *rows = dcps_overview_json(overview);
    add_choices(comparison->plan, rows);
    return json_pack("{s:s, s:s, s:o, s:b, s:s, s:o, s:o, s:o*}", "schema", "dcps-results/1", "model", results->model,
                     "dataset", results->dataset[0] == '\0' ? json_null() : json_string(results->dataset), "virtual",
                     (int)results->virtual_time, "split", comparison->plan->validation ? "validation" : "test", "runs",
                     runs_json(results, documents), "summary", rows, "trials", trials_json(comparison->plan));
}
