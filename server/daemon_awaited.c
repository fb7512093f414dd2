/* Workers that live, because their heartbeats come, but keep others waiting: a data loader hangs, or a GPU. */
#include "base/clock.h"
#include "base/log.h"
#include "server/daemon_state.h"

#define LONG_NS (10 * DCPS_NS_PER_S) /* that a wait lasts before people hear of it, and from one line to the next */

static void collect(const dcps_daemon *daemon, dcps_awaited_list *list)
{
    for (uint32_t i = 0; i < daemon->config->shards; i++) {
        const dcps_awaited_list *found = &daemon->published[i].awaited;
        for (uint32_t k = 0; k < found->count; k++) {
            dcps_awaited_add(list, &found->items[k]);
        }
    }
}

/* A trace is followed with everybody who was there. */
static bool is_due(const dcps_server_config *config, const dcps_awaited *awaited)
{
    return config->round_timeout_ns > 0 && config->replay_dir == NULL && awaited->waited_ns >= config->round_timeout_ns;
}

static void tell(const dcps_daemon *daemon, const dcps_awaited *awaited)
{
    const char *name = dcps_control_worker_name(daemon->control, awaited->session.worker);
    dcps_warn("others wait for worker %u (%s), whose lease goes on: it has not pushed block %u for %.1f s%s",
              awaited->session.worker, name == NULL ? "" : name, awaited->block,
              (double)awaited->waited_ns / (double)DCPS_NS_PER_S,
              daemon->config->round_timeout_ns == 0 ? "; --round-timeout-ms would go on without it" : "");
}

void dcps_daemon_watch_awaited(dcps_daemon *daemon, uint64_t now_ns)
{
    dcps_awaited_list list = {.count = 0};
    bool quiet = now_ns - daemon->progress.awaited_ns < LONG_NS;
    collect(daemon, &list);
    for (uint32_t i = 0; i < list.count; i++) {
        const dcps_awaited *awaited = &list.items[i];
        if (is_due(daemon->config, awaited)) {
            dcps_control_expel(daemon->control, &awaited->session, awaited->waited_ns / DCPS_NS_PER_MS);
        } else if (awaited->waited_ns >= LONG_NS && !quiet) {
            tell(daemon, awaited);
            daemon->progress.awaited_ns = now_ns;
        }
    }
}
