/* What a run was like inside: staleness, waiting, queues and losses of each worker and each shard. Single-threaded. */
#ifndef DCPS_CLI_RESULTS_DETAILS_H
#define DCPS_CLI_RESULTS_DETAILS_H

#include <stdint.h>
#include <stdio.h>

#include <jansson.h>

#include "cli/settings/groups.h"
#include "dcps/status.h"
#include "proto/run_statistics.h"

/* One worker. */
typedef struct dcps_result_worker {
    uint32_t worker; /* id */
    char name[DCPS_MAX_NAME_BYTES];
    char group[DCPS_GROUP_NAME_BYTES];
    uint64_t steps; /* gradients applied */
    dcps_push_counts pushes;
    dcps_summary staleness;
    dcps_summary held_ns; /* at the servers: answers to pushes of blocks, until they left */
    dcps_summary wait_ns; /* at the worker: of each step, for all answers, network included; count 0: not known */
    double wait_share;    /* of the worker's time; NaN: not known */
    dcps_histogram staleness_histogram; /* of the three above; empty: not known */
    dcps_histogram held_histogram;
    dcps_histogram wait_histogram;
} dcps_result_worker;

/* A zeroed one knows nothing. */
typedef struct dcps_result_details {
    dcps_push_counts pushes;
    uint32_t staleness_count; /* entries of the histogram below, the last of DCPS_COUNTS_BUCKETS for larger ones, too */
    uint64_t *staleness;      /* pushes applied at staleness 0, 1, … */
    uint32_t worker_count;    /* by id, ascending */
    dcps_result_worker *workers;
    uint32_t shard_count;
    dcps_shard_statistics *shards;
    dcps_shard_histograms *histograms; /* [shard_count]; empty: not known */
} dcps_result_details;

/* Keeps a summary of what servers or engines counted. Workers are in the groups of a run of `workers` by their names, "worker-3", else by their ids. Nothing was kept
 * before. DCPS_NO_MEMORY. */
DCPS_MUST_CHECK dcps_status dcps_result_details_keep(dcps_result_details *details,
                                                     const dcps_run_statistics *statistics,
                                                     const dcps_counts *staleness, const dcps_groups *groups,
                                                     uint32_t workers);
/* What a worker itself says of its waiting: of each step, in full where `histogram` is not empty, and the `share` of its time. Ignored for one that no shard knows. */
void dcps_result_details_set_wait(dcps_result_details *details, uint32_t worker, const dcps_summary *wait_ns,
                                  const dcps_histogram *histogram, double share);
void dcps_result_details_fini(dcps_result_details *details);

/* ---- results_details_json.c: references of the caller; NULL when out of memory ---- */

/* [[τ, count], …] without zeros. */
json_t *dcps_details_staleness_json(const dcps_result_details *details);
json_t *dcps_details_pushes_json(const dcps_push_counts *pushes);
/* [{"worker": 0, "group": "rest", …}, …] and [{"shard": 0, …}, …]. Times are seconds, what is not known is null; a histogram is [[first value of a bucket, count], …], and left out where it is
 * empty. */
json_t *dcps_details_workers_json(const dcps_result_worker *workers, uint32_t count);
json_t *dcps_details_shards_json(const dcps_shard_statistics *shards, const dcps_shard_histograms *histograms,
                                 uint32_t count);

/* ---- summary_details.c ---- */

/* Two tables, with those columns that say something. DCPS_IO, DCPS_NO_MEMORY. */
DCPS_MUST_CHECK dcps_status dcps_details_print_workers(const dcps_result_worker *workers, uint32_t count, FILE *out);
DCPS_MUST_CHECK dcps_status dcps_details_print_shards(const dcps_shard_statistics *shards, uint32_t count, FILE *out);

#endif
