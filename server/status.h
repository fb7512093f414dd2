/* The answer to STATUS, put together from what control engine and shards published. Pure. */
#ifndef DCPS_SERVER_STATUS_H
#define DCPS_SERVER_STATUS_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/message.h"
#include "server/config.h"
#include "server/engine/control.h"
#include "server/shard_thread.h"

typedef struct dcps_status_sources {
    const dcps_server_config *config;
    dcps_control_stats control;
    uint64_t control_malformed;      /* messages that the control socket refused */
    const dcps_partition *partition; /* NULL before a layout is known */
    uint64_t samples_per_epoch;
    bool stopping;                      /* on request of a person */
    const dcps_shard_published *shards; /* [config->shards] */
} dcps_status_sources;

/* Shard, counted within server `index`, that holds the server's first block; 0 where it owns none. */
uint32_t dcps_status_first_shard(const dcps_partition *partition, uint32_t index, uint32_t shards);

/* Where an answer keeps what it points to. Large. */
typedef struct dcps_status_storage {
    dcps_counts staleness;
    dcps_histogram held_ns;
    dcps_shard_statistics shards[DCPS_MAX_SHARDS];
    dcps_shard_histograms histograms[DCPS_MAX_SHARDS];
    dcps_worker_statistics workers[DCPS_MAX_STATUS_WORKERS];
} dcps_status_storage;

/* Fills *reply, without workers and histograms of shards. */
void dcps_status_build(const dcps_status_sources *sources, dcps_status_storage *storage, dcps_status_reply *reply);

/* Fills what is known of a worker, whose id is set and all else zero; false: there never was such a worker. */
typedef bool (*dcps_worker_source_fn)(void *context, dcps_worker_statistics *worker);

/* Adds the workers from `first` on, as many as fit into the answer. */
void dcps_status_add_workers(dcps_worker_source_fn source, void *context, uint32_t first, dcps_status_storage *storage,
                             dcps_status_reply *reply);

/* Adds the histograms of shards[count] from the one at place `first` on, as many as fit into the answer. */
void dcps_status_add_histograms(const dcps_shard_published *shards, uint32_t count, uint32_t first,
                                dcps_status_storage *storage, dcps_status_reply *reply);

#endif
