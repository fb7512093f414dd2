/* What a shard counts beside the training: staleness, waiting and losses, of each worker and in all. */
#include <assert.h>
#include <math.h>

#include "server/engine/shard_state.h"

void dcps_slot_set_wait(dcps_shard *shard, dcps_slot *slot, dcps_wait wait)
{
    shard->stats.queue_now += wait != DCPS_WAIT_NOTHING ? 1u : 0u;
    shard->stats.queue_now -= slot->wait != DCPS_WAIT_NOTHING ? 1u : 0u;
    slot->wait = wait;
}

void dcps_count_arrival(dcps_shard *shard, dcps_slot *slot, uint64_t now_ns)
{
    assert(slot->wait !=
           DCPS_WAIT_NOTHING); /* it waits by now, if only until its block is settled: that is not what it found */
    shard->stats.queue_sum += shard->stats.queue_now - 1u;
    shard->stats.queue_pushes++;
    slot->push_waits = true;
    slot->asked_ns = now_ns;
}

void dcps_count_answer(dcps_shard *shard, uint32_t worker, dcps_slot *slot, uint64_t now_ns)
{
    if (!slot->push_waits) {
        return;
    }
    uint64_t held_ns = now_ns > slot->asked_ns ? now_ns - slot->asked_ns : 0;
    slot->push_waits = false;
    dcps_histogram_add(&shard->stats.held_ns, held_ns);
    dcps_histogram_add(&shard->workers[worker].held_ns, held_ns);
}

void dcps_count_applied(dcps_shard *shard, const dcps_block *block, uint32_t worker, uint64_t staleness)
{
    dcps_worker_statistics *counted = &shard->workers[worker];
    shard->stats.pushes_applied++;
    dcps_counts_add(&shard->stats.staleness, staleness);
    counted->steps += block->index == shard->first_block ? 1u : 0u;
    counted->pushes.applied++;
    dcps_histogram_add(&counted->staleness, staleness);
}

void dcps_count_dropped(dcps_shard *shard, uint32_t worker, bool round)
{
    dcps_push_counts *counts = &shard->workers[worker].pushes;
    shard->stats.pushes_dropped++;
    shard->stats.dropped_round += round ? 1u : 0u;
    counts->dropped_round += round ? 1u : 0u;
    counts->dropped_stale += round ? 0u : 1u;
}

void dcps_count_duplicate(dcps_shard *shard, uint32_t worker)
{
    shard->stats.duplicates_ignored++;
    shard->workers[worker].pushes.duplicates++;
}

void dcps_count_queue(dcps_shard *shard)
{
    dcps_shard_stats *stats = &shard->stats;
    stats->queue_max = stats->queue_now > stats->queue_max ? stats->queue_now : stats->queue_max;
}

uint32_t dcps_shard_worker_capacity(const dcps_shard *shard)
{
    return shard->slot_capacity;
}

const dcps_worker_statistics *dcps_shard_worker(const dcps_shard *shard, uint32_t worker)
{
    assert(worker < shard->slot_capacity);
    return &shard->workers[worker];
}

void dcps_shard_stats_describe(const dcps_shard_stats *stats, uint32_t shard, dcps_shard_statistics *statistics)
{
    *statistics = (dcps_shard_statistics){
        .shard = shard,
        .updates = stats->updates,
        .pushes = {.applied = stats->pushes_applied,
                   .dropped_stale = stats->pushes_dropped - stats->dropped_round,
                   .dropped_round = stats->dropped_round,
                   .duplicates = stats->duplicates_ignored},
        .queue_now = stats->queue_now,
        .queue_max = stats->queue_max,
        .queue_mean = stats->queue_pushes > 0 ? (double)stats->queue_sum / (double)stats->queue_pushes : (double)NAN,
        .backlog_mean = (double)NAN};
    dcps_counts_summarise(&stats->staleness, &statistics->staleness);
    dcps_histogram_summarise(&stats->held_ns, &statistics->held_ns);
}

void dcps_shard_stats_histograms(const dcps_shard_stats *stats, dcps_shard_histograms *histograms)
{
    dcps_counts_histogram(&stats->staleness, &histograms->staleness);
    histograms->held_ns = stats->held_ns;
}
