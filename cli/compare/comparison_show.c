/* The live line of a comparison in virtual time. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "base/clock.h"
#include "cli/common/table.h"
#include "cli/compare/comparison.h"

#define DCPS_BAR_COLUMNS 20

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
