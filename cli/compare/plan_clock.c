#include "cli/compare/plan_clock.h"

#include <math.h>
#include <stdbool.h>

#include "base/clock.h"

/* Less of a run than this tells nothing: it was mostly loading data. */
#define DCPS_LEAST_SHARE 0.02

void dcps_plan_clock_note(dcps_plan_clock *clock, uint32_t workers, double epochs, double seconds)
{
    uint32_t at = 0;
    while (at < clock->count && clock->paces[at].workers != workers) {
        at++;
    }
    if (at == DCPS_MAX_RUN_SPECS) {
        return; /* no plan has more numbers of workers than entries */
    }
    clock->count += at == clock->count;
    clock->paces[at].workers = workers;
    clock->paces[at].epochs += epochs;
    clock->paces[at].seconds += seconds;
}

double dcps_plan_epochs_done(json_t *result, double planned)
{
    const json_t *curve = json_object_get(result, "curve");
    const size_t points = json_array_size(curve);
    const json_t *last = points > 0 ? json_array_get(curve, points - 1) : NULL;
    double epoch = json_number_value(json_object_get(last, "epoch"));
    return epoch > 0.0 && epoch < planned ? epoch : planned;
}

/* Seconds an epoch with so many workers, or on average. */
static double pace_of(const dcps_plan_clock *clock, uint32_t workers)
{
    double epochs = 0.0;
    double seconds = 0.0;
    for (uint32_t i = 0; i < clock->count; i++) {
        const dcps_plan_pace *pace = &clock->paces[i];
        if (pace->workers == workers && pace->epochs > 0.0) {
            return pace->seconds / pace->epochs;
        }
        epochs += pace->epochs;
        seconds += pace->seconds;
    }
    return epochs > 0.0 ? seconds / epochs : (double)NAN;
}

static uint32_t workers_of(const dcps_plan *plan, const dcps_plan_run *run)
{
    return plan->entries[run->entry].spec.workers;
}

/* What is known, with what runs as yet. */
static dcps_plan_clock with_running(const dcps_plan_clock *clock, const dcps_plan *plan, uint64_t now_ns)
{
    dcps_plan_clock all = *clock;
    for (uint32_t i = 0; i < plan->run_count; i++) {
        const dcps_plan_run *run = &plan->runs[i];
        if (run->state == DCPS_PLAN_RUNNING && run->share > DCPS_LEAST_SHARE && now_ns > run->started_ns) {
            dcps_plan_clock_note(&all, workers_of(plan, run), run->share * run->epochs,
                                 (double)(now_ns - run->started_ns) / (double)DCPS_NS_PER_S);
        }
    }
    return all;
}

double dcps_plan_clock_left(const dcps_plan_clock *clock, const dcps_plan *plan, uint32_t jobs, uint64_t now_ns)
{
    const dcps_plan_clock all = with_running(clock, plan, now_ns);
    double seconds = 0.0;
    double longest = 0.0;
    for (uint32_t i = 0; i < plan->run_count; i++) {
        const dcps_plan_run *run = &plan->runs[i];
        bool running = run->state == DCPS_PLAN_RUNNING;
        if (running || run->state == DCPS_PLAN_READY || run->state == DCPS_PLAN_BLOCKED) {
            double here = (1.0 - (running ? run->share : 0.0)) * run->epochs * pace_of(&all, workers_of(plan, run));
            seconds += here;
            longest = here > longest ? here : longest;
        }
    }
    /* No run is divided among several. */
    return isnan(seconds) ? seconds : fmax(seconds / jobs, longest);
}

/* Share of the plan's epochs that are done. */
static double share_done(const dcps_plan *plan)
{
    double done = 0.0;
    double all = 0.0;
    for (uint32_t i = 0; i < plan->run_count; i++) {
        const dcps_plan_run *run = &plan->runs[i];
        bool waits = run->state == DCPS_PLAN_READY || run->state == DCPS_PLAN_BLOCKED;
        double share = run->state == DCPS_PLAN_RUNNING ? run->share : waits ? 0.0 : 1.0;
        done += share * run->epochs;
        all += run->epochs;
    }
    return all > 0.0 ? done / all : 1.0;
}

const char *dcps_plan_bar(const dcps_plan *plan, char *out, size_t capacity)
{
    size_t columns = capacity - 1;
    size_t filled = (size_t)(share_done(plan) * (double)columns + 0.5);
    for (size_t i = 0; i < columns; i++) {
        out[i] = i < filled ? '#' : '-';
    }
    out[columns] = '\0';
    return out;
}
