#include "cli/results/results_details.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/text.h"

#define DCPS_WORKER_NAME "worker-" /* and a number: as the cluster names its processes */

/* Place of a worker in its run. */
static uint32_t index_of(const dcps_worker_statistics *worker)
{
    int64_t index = 0;
    size_t length = strlen(DCPS_WORKER_NAME);
    bool named = strncmp(worker->name, DCPS_WORKER_NAME, length) == 0 &&
                 dcps_parse_integer("worker", worker->name + length, &index) == DCPS_OK && index >= 0 &&
                 index < DCPS_MAX_WORKERS;
    return named ? (uint32_t)index : worker->worker;
}

static void describe(const dcps_worker_statistics *from, const dcps_groups *groups, uint32_t workers,
                     dcps_result_worker *to)
{
    const dcps_group *group = dcps_groups_find(groups, index_of(from), workers);
    *to = (dcps_result_worker){.worker = from->worker,
                               .steps = from->steps,
                               .pushes = from->pushes,
                               .wait_ns.mean = (double)NAN,
                               .wait_share = (double)NAN,
                               .staleness_histogram = from->staleness,
                               .held_histogram = from->held_ns};
    (void)snprintf(to->name, sizeof(to->name), "%s", from->name);
    (void)snprintf(to->group, sizeof(to->group), "%s", group == NULL ? DCPS_GROUP_REST : group->name);
    dcps_histogram_summarise(&from->staleness, &to->staleness);
    dcps_histogram_summarise(&from->held_ns, &to->held_ns);
}

dcps_status dcps_result_details_keep(dcps_result_details *details, const dcps_run_statistics *statistics,
                                     const dcps_counts *staleness, const dcps_groups *groups, uint32_t workers)
{
    dcps_result_details kept = {.pushes = statistics->pushes,
                                .staleness_count = dcps_counts_used(staleness),
                                .worker_count = statistics->workers.count,
                                .shard_count = statistics->shard_count};
    kept.staleness = dcps_alloc(kept.staleness_count + 1u, sizeof(*kept.staleness));
    kept.workers = dcps_alloc(kept.worker_count + 1u, sizeof(*kept.workers));
    kept.shards = dcps_alloc(kept.shard_count + 1u, sizeof(*kept.shards));
    kept.histograms = dcps_alloc(kept.shard_count + 1u, sizeof(*kept.histograms));
    if (kept.staleness == NULL || kept.workers == NULL || kept.shards == NULL || kept.histograms == NULL) {
        dcps_result_details_fini(&kept);
        return dcps_fail(DCPS_NO_MEMORY, "no memory for what %" PRIu32 " workers went through", kept.worker_count);
    }
    memcpy(kept.staleness, staleness->of, kept.staleness_count * sizeof(staleness->of[0]));
    for (uint32_t i = 0; i < kept.worker_count; i++) {
        describe(&statistics->workers.items[i], groups, workers, &kept.workers[i]);
    }
    if (kept.shard_count > 0) {
        memcpy(kept.shards, statistics->shards, kept.shard_count * sizeof(*kept.shards));
        memcpy(kept.histograms, statistics->histograms, kept.shard_count * sizeof(*kept.histograms));
    }
    *details = kept;
    return DCPS_OK;
}

void dcps_result_details_set_wait(dcps_result_details *details, uint32_t worker, const dcps_summary *wait_ns,
                                  const dcps_histogram *histogram, double share)
{
    for (uint32_t i = 0; i < details->worker_count; i++) {
        if (details->workers[i].worker == worker) {
            details->workers[i].wait_ns = *wait_ns;
            details->workers[i].wait_histogram = *histogram;
            details->workers[i].wait_share = share;
        }
    }
}

void dcps_result_details_fini(dcps_result_details *details)
{
    dcps_free(details->staleness);
    dcps_free(details->workers);
    dcps_free(details->shards);
    dcps_free(details->histograms);
    *details = (dcps_result_details){.worker_count = 0};
}
