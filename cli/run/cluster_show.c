/* What a cluster shows while it runs. */
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "cli/common/table.h"
#include "cli/run/cluster_state.h"

#define DCPS_RATE_WINDOW_NS (1 * DCPS_NS_PER_S)
#define DCPS_RATE_SMOOTHING 0.8

/* Part of the live line; what does not fit is cut. */
typedef struct dcps_line {
    char text[DCPS_SCREEN_LIVE_BYTES];
    size_t used;
} dcps_line;

static void line_add(dcps_line *line, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void line_add(dcps_line *line, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    int length = vsnprintf(line->text + line->used, sizeof(line->text) - line->used, format, list);
    va_end(list);
    if (length > 0) {
        line->used += (size_t)length;
        line->used = line->used < sizeof(line->text) ? line->used : sizeof(line->text) - 1;
    }
}

static void measure_rate(dcps_cluster *cluster, uint64_t now_ns)
{
    uint64_t samples = cluster->progress.samples;
    /* Before the first sample, and when a restarted server went back to its checkpoint, the clock starts anew. */
    if (samples < cluster->rate_samples || cluster->rate_samples == 0) {
        cluster->rate_samples = cluster->first_samples = samples;
        cluster->rate_ns = cluster->first_ns = now_ns;
    }
    if (now_ns - cluster->rate_ns < DCPS_RATE_WINDOW_NS || samples == 0) {
        return;
    }
    double seconds = (double)(now_ns - cluster->rate_ns) / (double)DCPS_NS_PER_S;
    double now = (double)(samples - cluster->rate_samples) / seconds;
    cluster->rate = cluster->rate > 0.0 ? DCPS_RATE_SMOOTHING * cluster->rate + (1.0 - DCPS_RATE_SMOOTHING) * now : now;
    cluster->rate_samples = samples;
    cluster->rate_ns = now_ns;
}

/* At the mean speed so far, which jumps less than the speed of the moment. */
static double seconds_left(const dcps_cluster *cluster)
{
    const dcps_run_progress *progress = &cluster->progress;
    double total = (double)progress->samples_per_epoch * progress->epochs;
    double done = (double)(cluster->rate_samples - cluster->first_samples);
    double seconds = (double)(cluster->rate_ns - cluster->first_ns) / (double)DCPS_NS_PER_S;
    if (!(done > 0.0) || !(total > 0.0)) {
        return (double)NAN;
    }
    return fmax(total - (double)progress->samples, 0.0) * seconds / done;
}

static void add_training(dcps_line *line, const dcps_cluster *cluster)
{
    const dcps_run_progress *progress = &cluster->progress;
    dcps_summary staleness;
    char text[48];
    dcps_counts_summarise(&progress->staleness, &staleness);
    line_add(line, "  epoch %.1f/%" PRIu32, (double)progress->samples / (double)progress->samples_per_epoch,
             progress->epochs);
    if (isfinite(progress->train_loss)) {
        line_add(line, "  loss %.4f", progress->train_loss);
    }
    if (cluster->rate > 0.0) {
        line_add(line, "  %s samples/s", dcps_format_count(cluster->rate, text, sizeof(text)));
    }
    if (isfinite(staleness.mean)) {
        line_add(line, "  staleness %.2f", staleness.mean);
    }
    if (isfinite(seconds_left(cluster))) {
        line_add(line, "  ETA %s", dcps_format_duration(seconds_left(cluster), text, sizeof(text)));
    }
}

static void add_state(dcps_line *line, const dcps_cluster *cluster)
{
    const dcps_run_progress *progress = &cluster->progress;
    if (!progress->known) {
        line_add(line, "  waiting for the servers to answer");
    } else if (progress->state == DCPS_RUN_WAITING || progress->samples_per_epoch == 0) {
        line_add(line, "  waiting for workers: %" PRIu32 " of %" PRIu32 " there", progress->workers_live,
                 cluster->config->workers);
    } else if (progress->state == DCPS_RUN_DONE) {
        if (cluster->config->evaluate_args != NULL) {
            line_add(line, "  evaluating %" PRIu32 "/%" PRIu32, cluster->run->point_count, progress->epochs);
        } else {
            line_add(line, "  ending");
        }
    } else {
        add_training(line, cluster);
    }
}

void dcps_cluster_show(dcps_cluster *cluster)
{
    const dcps_cluster_config *config = cluster->config;
    uint64_t now_ns = dcps_clock_ns();
    dcps_line line = {.used = 0};
    measure_rate(cluster, now_ns);
    line_add(&line, "%s", config->title);
    add_state(&line, cluster);
    if (config->overall != NULL) {
        char overall[64] = "";
        config->overall(config->overall_context, seconds_left(cluster), overall, sizeof(overall));
        line_add(&line, "  %s", overall);
    }
    dcps_screen_live(config->screen, line.text, now_ns);
}
