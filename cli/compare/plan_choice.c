#include "cli/compare/plan_choice.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

/* What one trial is judged by; infinite where there is no finite figure. */
static dcps_status judge(json_t *result, char metric[DCPS_RESULT_NAME_BYTES], double *value)
{
    dcps_results alone = {.run_count = 0};
    dcps_result_run *run = NULL;
    dcps_status status = dcps_results_add(&alone, &run);
    status = status == DCPS_OK ? dcps_result_parse(result, run) : status;
    if (status == DCPS_OK) {
        const char *name = dcps_results_main_metric(&alone);
        double figure = name != NULL ? dcps_result_metric(run, name) : (double)NAN;
        *value = isfinite(figure) ? figure : (double)INFINITY;
        (void)snprintf(metric, DCPS_RESULT_NAME_BYTES, "%s", name != NULL ? name : "");
    }
    dcps_results_fini(&alone);
    return status;
}

dcps_status dcps_plan_score(const dcps_plan *plan, const dcps_plan_entry *entry, uint32_t point,
                            dcps_trial_score *score)
{
    dcps_trial_score made = {.metric = ""};
    double values[DCPS_MAX_SEEDS];
    for (uint32_t k = 0; k < plan->tune_seeds; k++) {
        const dcps_plan_run *run = &plan->runs[entry->first_trial + point * plan->tune_seeds + k];
        dcps_status status = run->state == DCPS_PLAN_DONE
                                 ? judge(run->result, made.metric, &values[k])
                                 : dcps_fail(DCPS_NOT_FOUND, "a trial of %s has no result", entry->spec.name);
        if (status != DCPS_OK) {
            return status;
        }
    }
    made.error = dcps_stats_estimate(values, plan->tune_seeds);
    *score = made;
    return DCPS_OK;
}

/* Of a point; infinite where the sweep has none. */
static double learning_rate(const dcps_sweep *sweep, dcps_sweep_point point)
{
    for (uint32_t i = 0; i < sweep->count; i++) {
        double value = 0.0;
        if (strcmp(sweep->parameters[i].name, "learning-rate") == 0 &&
            dcps_parse_real("learning-rate", dcps_sweep_value(sweep, point, i), &value) == DCPS_OK) {
            return value;
        }
    }
    return (double)INFINITY;
}

static uint32_t failed_trials(const dcps_plan *plan, const dcps_plan_entry *entry)
{
    uint32_t failed = 0;
    for (uint32_t i = 0; i < entry->trials; i++) {
        failed += plan->runs[entry->first_trial + i].state != DCPS_PLAN_DONE;
    }
    return failed;
}

void dcps_plan_choose(const dcps_plan *plan, dcps_plan_entry *entry)
{
    uint32_t failed = failed_trials(plan, entry);
    double best = (double)INFINITY;
    for (uint32_t p = 0; failed == 0 && p < entry->point_count; p++) {
        dcps_trial_score score;
        if (dcps_plan_score(plan, entry, p, &score) != DCPS_OK) {
            (void)snprintf(entry->refusal, sizeof(entry->refusal), "%s", dcps_error_message());
            return;
        }
        bool tie =
            score.error.mean == best && isfinite(best) &&
            learning_rate(&entry->sweep, entry->points[p]) < learning_rate(&entry->sweep, entry->points[entry->point]);
        if (score.error.mean < best || tie) {
            best = score.error.mean;
            entry->point = p;
            entry->chosen = true;
        }
    }
    if (failed > 0) {
        (void)snprintf(entry->refusal, sizeof(entry->refusal),
                       "%" PRIu32 " of its %" PRIu32
                       " trials failed, so nothing is chosen; the same command tries them "
                       "again",
                       failed, entry->trials);
    } else if (!entry->chosen) {
        (void)snprintf(entry->refusal, sizeof(entry->refusal),
                       "all of its %" PRIu32 " trials diverged or have no validation error", entry->trials);
    }
}
