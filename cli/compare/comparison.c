#include "cli/compare/comparison.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "cli/common/table.h"
#include "cli/settings/sim_args.h"

dcps_status dcps_comparison_arguments(dcps_comparison *comparison, uint32_t index, dcps_args *args)
{
    dcps_run_spec spec;
    *args = (dcps_args){0};
    uint64_t seed = comparison->plan->runs[index].seed;
    dcps_status status = dcps_plan_spec(comparison->plan, index, &spec);
    if (status != DCPS_OK) {
        return status;
    }
    if (comparison->virtual_time) {
        dcps_sim_args_add(args, comparison->job.options, &spec, seed);
        status = dcps_args_check(args);
    } else {
        status = dcps_job_arguments(&comparison->job, &spec, seed, args);
    }
    if (status != DCPS_OK) {
        dcps_args_fini(args);
    }
    return status;
}

/* What tells a run from others: the arguments, and what it reads. */
static dcps_status identity_of(dcps_comparison *comparison, uint32_t index, dcps_args *args)
{
    dcps_status status = dcps_comparison_arguments(comparison, index, args);
    if (status != DCPS_OK) {
        return status;
    }
    dcps_args_append(args, &comparison->inputs);
    status = dcps_args_check(args);
    if (status != DCPS_OK) {
        dcps_args_fini(args);
    }
    return status;
}

static void take_names(dcps_comparison *comparison, const dcps_stored_run *stored)
{
    dcps_results *results = &comparison->job.results;
    const char *model = json_string_value(stored->model);
    const char *dataset = json_string_value(stored->dataset);
    if (model != NULL) {
        (void)snprintf(results->model, sizeof(results->model), "%s", model);
    }
    if (dataset != NULL) {
        (void)snprintf(results->dataset, sizeof(results->dataset), "%s", dataset);
    }
}

/* Whether a stored result is of the run it is taken for. */
static bool is_of(const dcps_comparison *comparison, uint32_t index, json_t *result)
{
    const dcps_plan_run *run = &comparison->plan->runs[index];
    const dcps_run_spec *spec = &comparison->plan->entries[run->entry].spec;
    const char *algorithm = json_string_value(json_object_get(result, "algorithm"));
    return algorithm != NULL && strcmp(algorithm, spec->algorithm) == 0 &&
           json_integer_value(json_object_get(result, "workers")) == (json_int_t)spec->workers &&
           json_integer_value(json_object_get(result, "seed")) == (json_int_t)run->seed;
}

/* One run; DCPS_OK whether it is there or not. */
static dcps_status recall(dcps_comparison *comparison, uint32_t index)
{
    dcps_args args;
    dcps_stored_run stored;
    char label[DCPS_TITLE_BYTES];
    dcps_status status = identity_of(comparison, index, &args);
    if (status != DCPS_OK) {
        return status;
    }
    status = dcps_run_store_load(&comparison->store, dcps_plan_label(comparison->plan, index, label, sizeof(label)),
                                 &args, &stored);
    dcps_args_fini(&args);
    if (status == DCPS_OK && !is_of(comparison, index, stored.run)) {
        dcps_stored_run_fini(&stored);
        status = dcps_fail(DCPS_CORRUPT, "the result kept for %s is of another run", label);
    }
    if (status == DCPS_OK) {
        take_names(comparison, &stored);
        dcps_plan_finish(comparison->plan, index, json_incref(stored.run));
        dcps_stored_run_fini(&stored);
        comparison->recalled++;
    } else if (status != DCPS_NOT_FOUND) {
        dcps_screen_print(&comparison->job.screen, "%s; it is run again", dcps_error_message());
    }
    return status == DCPS_NO_MEMORY ? status : DCPS_OK;
}

dcps_status dcps_comparison_recall(dcps_comparison *comparison)
{
    dcps_plan *plan = comparison->plan;
    dcps_status status = DCPS_OK;
    for (uint32_t i = 0; status == DCPS_OK && i < plan->run_count; i++) {
        dcps_plan_run *run = &plan->runs[i];
        if (run->state == DCPS_PLAN_READY && !run->looked_for) {
            run->looked_for = true;
            status = recall(comparison, i);
        }
    }
    return status;
}

static void keep(dcps_comparison *comparison, uint32_t index, const dcps_stored_run *stored)
{
    dcps_args args;
    char label[DCPS_TITLE_BYTES];
    dcps_status status = identity_of(comparison, index, &args);
    if (status == DCPS_OK) {
        (void)dcps_plan_label(comparison->plan, index, label, sizeof(label));
        status = dcps_run_store_save(&comparison->store, label, &args, stored);
        dcps_args_fini(&args);
    }
    if (status != DCPS_OK) {
        dcps_screen_print(&comparison->job.screen, "a finished run is not kept for later: %s", dcps_error_message());
    }
}

/* "[3/40] asgd@4 seed 1  test_error 0.1234, 5.1 s". */
static void say_finished(dcps_comparison *comparison, uint32_t index, json_t *result, double seconds)
{
    char title[DCPS_TITLE_BYTES];
    char took[32];
    char metric[DCPS_RESULT_NAME_BYTES + 40] = "";
    const dcps_plan *plan = comparison->plan;
    dcps_results alone = {.run_count = 0};
    dcps_result_run *run = NULL;
    if (dcps_results_add(&alone, &run) == DCPS_OK && dcps_result_parse(result, run) == DCPS_OK) {
        const char *name = dcps_results_main_metric(&alone);
        if (dcps_result_diverged(run)) {
            (void)snprintf(metric, sizeof(metric), "diverged, ");
        } else if (name != NULL) {
            (void)snprintf(metric, sizeof(metric), "%s %.4g, ", name, dcps_result_metric(run, name));
        }
    }
    dcps_results_fini(&alone);
    dcps_screen_print(&comparison->job.screen, "[%" PRIu32 "/%" PRIu32 "] %s  %s%s", dcps_plan_ended(plan),
                      plan->run_count, dcps_plan_title(plan, index, title, sizeof(title)), metric,
                      dcps_format_duration(seconds, took, sizeof(took)));
}

void dcps_comparison_finish(dcps_comparison *comparison, uint32_t index, dcps_stored_run *stored, double seconds)
{
    dcps_plan *plan = comparison->plan;
    const dcps_plan_run *run = &plan->runs[index];
    keep(comparison, index, stored);
    take_names(comparison, stored);
    dcps_plan_clock_note(&comparison->clock, plan->entries[run->entry].spec.workers,
                         dcps_plan_epochs_done(stored->run, run->epochs), seconds);
    dcps_plan_finish(plan, index, json_incref(stored->run));
    say_finished(comparison, index, stored->run, seconds);
    dcps_stored_run_fini(stored);
}

/* A result that says nothing but who failed. */
static json_t *nothing_of(const dcps_comparison *comparison, uint32_t index)
{
    const dcps_plan_run *run = &comparison->plan->runs[index];
    const dcps_run_spec *spec = &comparison->plan->entries[run->entry].spec;
    dcps_results alone = {.run_count = 0};
    dcps_result_run *made = NULL;
    json_t *result = NULL;
    if (dcps_results_add(&alone, &made) == DCPS_OK) {
        (void)snprintf(made->algorithm, sizeof(made->algorithm), "%s", spec->algorithm);
        made->workers = spec->workers;
        made->seed = run->seed;
        result = dcps_result_json(made);
    }
    dcps_results_fini(&alone);
    return result;
}

void dcps_comparison_fail(dcps_comparison *comparison, uint32_t index, json_t *result, const char *why)
{
    json_t *kept = result != NULL ? result : nothing_of(comparison, index);
    if (kept != NULL) {
        (void)json_object_set_new(kept, "failure", json_string(why));
    }
    comparison->failed++;
    dcps_plan_fail(comparison->plan, index, kept);
}

/* Whether it was trained at all. */
static bool came_to_something(json_t *result)
{
    return result != NULL && (json_integer_value(json_object_get(result, "samples")) > 0 ||
                              json_array_size(json_object_get(result, "curve")) > 0);
}

bool dcps_comparison_has_results(const dcps_comparison *comparison)
{
    const dcps_plan *plan = comparison->plan;
    for (uint32_t i = 0; i < plan->run_count; i++) {
        if (plan->runs[i].state == DCPS_PLAN_DONE || came_to_something(plan->runs[i].result)) {
            return true;
        }
    }
    return false;
}
