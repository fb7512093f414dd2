#include "server/status.h"

#include <math.h>
#include <string.h>

#include "proto/wire.h"

static uint32_t owned_blocks(const dcps_partition *partition, uint32_t shard)
{
    return dcps_partition_first_block(partition, shard + 1u) - dcps_partition_first_block(partition, shard);
}

uint32_t dcps_status_first_shard(const dcps_partition *partition, uint32_t index, uint32_t shards)
{
    for (uint32_t i = 0; partition != NULL && i < shards; i++) {
        if (owned_blocks(partition, index * shards + i) > 0) {
            return i;
        }
    }
    return 0;
}

static void describe_shard(const dcps_status_sources *sources, uint32_t shard, dcps_shard_statistics *statistics)
{
    const dcps_shard_published *published = &sources->shards[shard];
    dcps_shard_stats_describe(&published->stats, sources->config->index * sources->config->shards + shard, statistics);
    statistics->backlog_max = published->backlog_max;
    statistics->backlog_mean =
        published->wakes > 0 ? (double)published->messages / (double)published->wakes : (double)NAN;
}

/* Sums over shards; evaluation weights count where every shard that owns blocks has them. */
static void add_shards(const dcps_status_sources *sources, dcps_status_storage *storage, dcps_status_reply *reply)
{
    const dcps_server_config *config = sources->config;
    bool any = false;
    reply->weights_final = true;
    for (uint32_t i = 0; i < config->shards; i++) {
        const dcps_shard_published *shard = &sources->shards[i];
        reply->pushes_applied += shard->stats.pushes_applied;
        reply->pushes_dropped += shard->stats.pushes_dropped;
        reply->dropped_round += shard->stats.dropped_round;
        reply->duplicates_ignored += shard->stats.duplicates_ignored;
        reply->stale_ignored += shard->stats.stale_ignored;
        reply->rejected_messages += shard->stats.rejected + shard->malformed;
        reply->payload_bytes_in += shard->stats.payload_bytes_in;
        reply->payload_bytes_out += shard->stats.payload_bytes_out;
        reply->weights_final = reply->weights_final && shard->stats.weights_final;
        reply->weights_digest += shard->stats.weights_digest;
        dcps_counts_merge(&storage->staleness, &shard->stats.staleness);
        dcps_histogram_merge(&storage->held_ns, &shard->stats.held_ns);
        describe_shard(sources, i, &storage->shards[i]);
        if (sources->partition != NULL && owned_blocks(sources->partition, config->index * config->shards + i) > 0) {
            reply->snapshots =
                any && reply->snapshots < shard->stats.snapshots ? reply->snapshots : shard->stats.snapshots;
            any = true;
        }
    }
    reply->weights_digest = reply->weights_final ? reply->weights_digest : 0;
}

/* The mini-batches are counted on server 0. On another the run is over when a worker has left because of that, and nobody is there. */
static bool is_over_elsewhere(const dcps_status_sources *sources)
{
    return sources->control.workers_finished > 0 && sources->control.workers_live == 0;
}

static void add_progress(const dcps_status_sources *sources, dcps_status_reply *reply)
{
    const dcps_server_config *config = sources->config;
    const dcps_shard_stats *first =
        &sources->shards[dcps_status_first_shard(sources->partition, config->index, config->shards)].stats;
    reply->state = sources->partition == NULL ? DCPS_RUN_WAITING : first->state;
    if (config->index != 0 && is_over_elsewhere(sources)) {
        reply->state = DCPS_RUN_DONE;
    }
    if (sources->stopping && reply->state != DCPS_RUN_DONE) {
        reply->state = DCPS_RUN_DRAINING;
    }
    reply->samples = first->samples;
    reply->updates = first->updates;
    reply->training_ns = first->training_ns;
    reply->train_loss = first->train_loss;
}

void dcps_status_build(const dcps_status_sources *sources, dcps_status_storage *storage, dcps_status_reply *reply)
{
    const dcps_server_config *config = sources->config;
    *reply = (dcps_status_reply){.server_index = config->index,
                                 .server_count = config->server_count,
                                 .samples_per_epoch = sources->samples_per_epoch,
                                 .epochs = config->epochs,
                                 .workers_live = sources->control.workers_live,
                                 .workers_expected = config->workers,
                                 .workers_lost = sources->control.workers_lost,
                                 .rejected_messages = sources->control.rejected + sources->control_malformed,
                                 .algorithm = config->algorithm.name};
    storage->staleness = (dcps_counts){.sum = 0};
    storage->held_ns = (dcps_histogram){.count = 0};
    add_progress(sources, reply);
    add_shards(sources, storage, reply);
    reply->held_ns = &storage->held_ns;
    reply->shards = storage->shards;
    reply->shard_count = config->shards;
    reply->staleness = &storage->staleness;
}

void dcps_status_add_workers(dcps_worker_source_fn source, void *context, uint32_t first, dcps_status_storage *storage,
                             dcps_status_reply *reply)
{
    size_t used_bytes = 0;
    reply->has_workers = true;
    reply->first_worker = first;
    reply->workers = storage->workers;
    for (uint32_t id = first; id < DCPS_MAX_WORKERS; id++) {
        if (reply->worker_count == DCPS_MAX_STATUS_WORKERS) {
            reply->next_worker = id;
            return;
        }
        dcps_worker_statistics *worker = &storage->workers[reply->worker_count];
        *worker = (dcps_worker_statistics){.worker = id};
        if (!source(context, worker)) {
            continue;
        }
        used_bytes += dcps_wire_worker_bytes(worker);
        if (used_bytes > DCPS_WIRE_PAGE_BYTES) {
            reply->next_worker = id;
            return;
        }
        reply->worker_count++;
    }
}

void dcps_status_add_histograms(const dcps_shard_published *shards, uint32_t count, uint32_t first,
                                dcps_status_storage *storage, dcps_status_reply *reply)
{
    size_t used_bytes = 0;
    reply->first_shard = first < count ? first : 0;
    reply->histograms = storage->histograms;
    for (uint32_t i = first; i < count; i++) {
        dcps_shard_histograms *histograms = &storage->histograms[reply->histogram_count];
        dcps_shard_stats_histograms(&shards[i].stats, histograms);
        used_bytes += dcps_wire_histograms_bytes(histograms);
        if (used_bytes > DCPS_WIRE_PAGE_BYTES) {
            return;
        }
        reply->histogram_count++;
    }
}
