/* Now and then a line on how things stand. */
#include <inttypes.h>

#include "base/clock.h"
#include "base/log.h"
#include "server/daemon_state.h"

#define WAITING_INTERVAL_NS (5 * DCPS_NS_PER_S)
#define PROGRESS_INTERVAL_NS (10 * DCPS_NS_PER_S)

static double mean_staleness(const dcps_status_reply *status)
{
    dcps_summary staleness;
    dcps_counts_summarise(status->staleness, &staleness);
    return staleness.count > 0 ? staleness.mean : 0;
}

/* How long answers waited for others, in milliseconds. */
static double mean_held_ms(const dcps_status_reply *status)
{
    const dcps_histogram *held = status->held_ns;
    return held->count > 0 ? (double)held->sum / (double)held->count / (double)DCPS_NS_PER_MS : 0;
}

static void tell_waiting(const dcps_daemon *daemon, const dcps_status_reply *status)
{
    if (status->workers_live < status->workers_expected) {
        dcps_info("waiting for workers: %u of %u joined", status->workers_live, status->workers_expected);
    } else if (dcps_control_layout(daemon->control) == NULL) {
        dcps_info("waiting for a worker to declare its model");
    }
}

static void tell_training(dcps_daemon *daemon, const dcps_status_reply *status, uint64_t now_ns)
{
    dcps_progress *progress = &daemon->progress;
    double seconds = (double)(now_ns - progress->told_ns) / (double)DCPS_NS_PER_S;
    double epoch = status->samples_per_epoch == 0 ? 0 : (double)status->samples / (double)status->samples_per_epoch;
    if (progress->told_ns != 0 && status->samples > progress->told_samples) {
        dcps_info("epoch %.2f of %u, loss %.4f, %.0f samples/s, mean staleness %.2f, answers held %.1f ms, %u workers",
                  epoch, status->epochs, status->train_loss,
                  (double)(status->samples - progress->told_samples) / seconds, mean_staleness(status),
                  mean_held_ms(status), status->workers_live);
    }
    progress->told_ns = now_ns;
    progress->told_samples = status->samples;
}

static void tell_done(const dcps_status_reply *status)
{
    double seconds = (double)status->training_ns / (double)DCPS_NS_PER_S;
    dcps_info("run complete: %" PRIu64 " samples in %.1f s of training, %" PRIu64
              " updates, loss %.4f, mean staleness %.2f, answers held %.1f ms, %" PRIu64
              " pushes dropped as too late, %" PRIu64 " repeated requests not applied again",
              status->samples, seconds, status->updates, status->train_loss, mean_staleness(status),
              mean_held_ms(status), status->pushes_dropped, status->duplicates_ignored);
}

void dcps_daemon_tell_progress(dcps_daemon *daemon, uint64_t now_ns)
{
    dcps_progress *progress = &daemon->progress;
    dcps_status_reply status;
    dcps_daemon_status(daemon, &status);
    if (status.state == DCPS_RUN_DONE) {
        if (!progress->done_told && daemon->phase == DCPS_PHASE_SERVING) {
            tell_done(&status);
            dcps_daemon_save_run(daemon);
        }
        progress->done_told = true;
    } else if (status.state == DCPS_RUN_WAITING) {
        uint64_t last_ns = progress->waited_ns != 0 ? progress->waited_ns : progress->started_ns;
        if (now_ns - last_ns >= WAITING_INTERVAL_NS) {
            tell_waiting(daemon, &status);
            progress->waited_ns = now_ns;
        }
    } else if (now_ns - progress->told_ns >= PROGRESS_INTERVAL_NS) {
        tell_training(daemon, &status, now_ns);
    }
}
