/* The way out: tell workers, wait for them a while, save, leave. */
#include "base/clock.h"
#include "base/log.h"
#include "server/daemon_state.h"

#define LAST_ANSWERS_NS (150 * DCPS_NS_PER_MS) /* for answers to those who have just said goodbye */

static bool run_is_over(dcps_daemon *daemon)
{
    dcps_status_reply status;
    dcps_daemon_status(daemon, &status);
    return status.state == DCPS_RUN_DONE;
}

void dcps_daemon_drain(dcps_daemon *daemon, const char *why)
{
    dcps_control_stats stats;
    uint64_t wait_ms = 2u * (uint64_t)daemon->config->lease_ms;
    dcps_control_stats_get(daemon->control, &stats);
    if (stats.workers_live > 0) {
        dcps_info("%s: stopping; waiting at most %.1f s for %u workers", why, (double)wait_ms / 1000.0,
                  stats.workers_live);
    } else {
        dcps_info("%s: stopping", why);
    }
    daemon->traces.run_over = run_is_over(daemon);
    daemon->phase = DCPS_PHASE_DRAINING;
    daemon->drain_deadline_ns = dcps_clock_ns() + wait_ms * DCPS_NS_PER_MS;
    for (uint32_t i = 0; i < daemon->config->shards; i++) {
        dcps_shard_thread_drain(daemon->shards[i]);
    }
    dcps_daemon_advance(daemon, dcps_clock_ns());
}

/* Whether nobody has to be waited for any longer. */
static bool drained(dcps_daemon *daemon, uint64_t now_ns)
{
    dcps_control_stats stats;
    dcps_control_stats_get(daemon->control, &stats);
    if (stats.workers_live == 0) {
        daemon->empty_since_ns = daemon->empty_since_ns == 0 ? now_ns : daemon->empty_since_ns;
        return now_ns - daemon->empty_since_ns >= LAST_ANSWERS_NS;
    }
    daemon->empty_since_ns = 0;
    if (now_ns >= daemon->drain_deadline_ns) {
        dcps_warn("%u workers have not said goodbye: leaving without waiting for them any longer", stats.workers_live);
        return true;
    }
    return false;
}

static void leave(dcps_daemon *daemon)
{
    const dcps_save *save = &daemon->save;
    bool failed = daemon->config->checkpoint_dir != NULL && save->status != DCPS_OK && save->status != DCPS_AGAIN;
    dcps_info("stopped");
    dcps_daemon_stop(daemon, failed ? save->status : DCPS_OK);
}

void dcps_daemon_advance(dcps_daemon *daemon, uint64_t now_ns)
{
    if (daemon->phase == DCPS_PHASE_DRAINING && !daemon->save.active && drained(daemon, now_ns)) {
        daemon->phase = DCPS_PHASE_SAVING;
        if (daemon->config->checkpoint_dir != NULL) {
            dcps_daemon_save(daemon); /* comes back here when it is done */
        } else {
            leave(daemon);
        }
    } else if (daemon->phase == DCPS_PHASE_SAVING && !daemon->save.active) {
        leave(daemon);
    }
}
