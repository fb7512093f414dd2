/* What the shards of a run counted, put together: the same whether it came over the wire or from engines in this process. Single-threaded. */
#ifndef DCPS_PROTO_RUN_STATISTICS_H
#define DCPS_PROTO_RUN_STATISTICS_H

#include "dcps/status.h"
#include "proto/message.h"

/* Workers by id, ascending. A zeroed table is an empty one. */
typedef struct dcps_worker_table {
    uint32_t count;
    uint32_t capacity;
    dcps_worker_statistics *items;
} dcps_worker_table;

/* Adds what another shard or server counted of a worker. DCPS_NO_MEMORY. */
DCPS_MUST_CHECK dcps_status dcps_worker_table_add(dcps_worker_table *table, const dcps_worker_statistics *worker);
/* Replaces what the table has of a worker. DCPS_NO_MEMORY. */
DCPS_MUST_CHECK dcps_status dcps_worker_table_set(dcps_worker_table *table, const dcps_worker_statistics *worker);
void dcps_worker_table_fini(dcps_worker_table *table);

/* Adds `from` to `into`, which is of the same worker. Both may be of one shard or of many. */
void dcps_worker_statistics_merge(dcps_worker_statistics *into, const dcps_worker_statistics *from);
void dcps_push_counts_merge(dcps_push_counts *into, const dcps_push_counts *from);

/* A run as a whole. A zeroed one is empty. */
typedef struct dcps_run_statistics {
    dcps_push_counts pushes; /* over all shards added */
    dcps_worker_table workers;
    uint32_t shard_count; /* in the order of being added */
    uint32_t shard_capacity;
    dcps_shard_statistics *shards;
    uint32_t histograms_capacity;
    dcps_shard_histograms *histograms; /* [shard_count] */
} dcps_run_statistics;

/* Each shard of each server once; histograms of which nothing is known are empty. DCPS_NO_MEMORY. */
DCPS_MUST_CHECK dcps_status dcps_run_statistics_add_shard(dcps_run_statistics *run, const dcps_shard_statistics *shard,
                                                          const dcps_shard_histograms *histograms);
void dcps_run_statistics_fini(dcps_run_statistics *run);

#endif
