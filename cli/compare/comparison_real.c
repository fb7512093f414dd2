/* Real processes, one run after another. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "base/clock.h"
#include "cli/common/table.h"
#include "cli/compare/comparison.h"

#define DCPS_BAR_COLUMNS 10 /* after all that a run says of itself */

/* What is left of the whole plan, for the live line of a run, which knows how long it will take itself. */
static void show_overall(void *context, double seconds_left, char *out, size_t capacity)
{
    dcps_comparison *comparison = context;
    dcps_plan *plan = comparison->plan;
    uint64_t now_ns = dcps_clock_ns();
    char text[32];
    char bar[DCPS_BAR_COLUMNS + 1];
    for (uint32_t i = 0; i < plan->run_count && isfinite(seconds_left); i++) {
        dcps_plan_run *run = &plan->runs[i];
        if (run->state == DCPS_PLAN_RUNNING) {
            double passed = (double)(now_ns - run->started_ns) / (double)DCPS_NS_PER_S;
            run->share = passed / (passed + seconds_left);
        }
    }
    double left = dcps_plan_clock_left(&comparison->clock, plan, 1, now_ns);
    (void)snprintf(out, capacity, "%s", "");
    if (isfinite(left)) {
        (void)snprintf(out, capacity, "all [%s] %s", dcps_plan_bar(plan, bar, sizeof(bar)),
                       dcps_format_duration(left, text, sizeof(text)));
    }
}

static dcps_status run_one(dcps_comparison *comparison, uint32_t index)
{
    dcps_plan *plan = comparison->plan;
    dcps_job *job = &comparison->job;
    dcps_run_spec spec;
    char name[DCPS_TITLE_BYTES];
    char title[DCPS_TITLE_BYTES + 32];
    dcps_status status = dcps_plan_spec(plan, index, &spec);
    if (status != DCPS_OK) {
        return status;
    }
    (void)snprintf(title, sizeof(title), "[%" PRIu32 "/%" PRIu32 "] %s", dcps_plan_ended(plan) + 1, plan->run_count,
                   dcps_plan_title(plan, index, name, sizeof(name)));
    uint64_t start_ns = dcps_clock_ns();
    dcps_plan_start(plan, index, start_ns);
    job->groups = spec.workers > 1 ? comparison->groups : (dcps_groups){.count = 0};
    status = dcps_job_run(job, &spec, plan->runs[index].seed, title);
    json_t *result = dcps_job_take_result(job);
    if (status == DCPS_OK && result != NULL) {
        const char *dataset = job->results.dataset;
        dcps_stored_run stored = {.run = result,
                                  .model = json_string(job->results.model),
                                  .dataset = dataset[0] != '\0' ? json_string(dataset) : json_null()};
        dcps_comparison_finish(comparison, index, &stored,
                               (double)(dcps_clock_ns() - start_ns) / (double)DCPS_NS_PER_S);
    } else {
        char why[DCPS_RESULT_FAILURE_BYTES];
        (void)snprintf(why, sizeof(why), "%s", dcps_error_message());
        dcps_comparison_fail(comparison, index, result, why);
    }
    return status;
}

dcps_status dcps_comparison_run_real(dcps_comparison *comparison)
{
    dcps_plan *plan = comparison->plan;
    comparison->job.overall = show_overall;
    comparison->job.overall_context = comparison;
    dcps_status status = dcps_comparison_recall(comparison);
    for (uint32_t i = dcps_plan_next(plan); status == DCPS_OK && i < plan->run_count; i = dcps_plan_next(plan)) {
        status = run_one(comparison, i);
        bool hopeless = status == DCPS_CANCELLED || status == DCPS_INVALID || status == DCPS_NO_MEMORY;
        if (!hopeless && (status == DCPS_OK || dcps_comparison_has_results(comparison))) {
            status = dcps_comparison_recall(comparison);
        }
    }
    return status;
}
