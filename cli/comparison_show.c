/* The live line of a comparison in virtual time. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "base/clock.h"
#include "cli/comparison.h"
#include "cli/table.h"

#define DCPS_BAR_COLUMNS 20

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

/* "[#####-----] 12/40  ETA 2:05". */
static size_t put_progress(const dcps_comparison *comparison, char *out, size_t capacity)
{
    char bar[DCPS_BAR_COLUMNS + 1];
    char text[48];
    int used = snprintf(out, capacity, "[%s] %" PRIu32 "/%" PRIu32, dcps_plan_bar(comparison->plan, bar, sizeof(bar)),
                        dcps_plan_ended(comparison->plan), comparison->plan->run_count);
    double left = dcps_plan_clock_left(&comparison->clock, comparison->plan, comparison->jobs, dcps_clock_ns());
    if (isfinite(left) && used > 0) {
        used +=
            snprintf(out + used, capacity - (size_t)used, "  ETA %s", dcps_format_duration(left, text, sizeof(text)));
    }
    return used > 0 ? (size_t)used : 0;
}

void dcps_comparison_show(dcps_comparison *comparison)
{
    char line[DCPS_SCREEN_LIVE_BYTES];
    char title[DCPS_TITLE_BYTES];
    const dcps_plan *plan = comparison->plan;
    size_t used = put_progress(comparison, line, sizeof(line));
    const char *between = "  ";
    for (uint32_t i = 0; i < plan->run_count && used + 1 < sizeof(line); i++) {
        if (plan->runs[i].state != DCPS_PLAN_RUNNING) {
            continue;
        }
        int wrote = snprintf(line + used, sizeof(line) - used, "%s%s %.0f %%", between,
                             dcps_plan_title(plan, i, title, sizeof(title)), 100.0 * plan->runs[i].share);
        used += wrote > 0 ? (size_t)wrote : 0;
        between = ", ";
    }
    dcps_screen_live(&comparison->job.screen, line, dcps_clock_ns());
}
