/* The workers of the push-pull benchmark: threads of this process, each with a client and vectors of its own. */
#ifndef DCPS_CLI_BENCH_WORKERS_H
#define DCPS_CLI_BENCH_WORKERS_H

#include <stdbool.h>
#include <stdint.h>

#include "dcps/status.h"

#define DCPS_BENCH_MAX_REPEATS 100u

typedef struct dcps_bench_workers_config {
    const char *servers;
    uint64_t params;
    uint32_t workers;
    uint32_t warmup;  /* steps before the measured ones */
    uint32_t repeats; /* 1 … DCPS_BENCH_MAX_REPEATS */
    uint32_t steps;   /* of each repeat */
    /* Called again and again by the calling thread while the workers run; blocks some milliseconds. False: give up. */
    bool (*idle)(void *context);
    void *context;
} dcps_bench_workers_config;

typedef struct dcps_bench_workers_result {
    double *seconds;       /* [sample_count] of every push-pull of every worker, ascending; free with dcps_free */
    uint32_t sample_count; /* workers · repeats · steps */
    double repeat_seconds; /* median over repeats of the time until all workers were through */
    uint64_t allocations;  /* of this process's clients during all repeats */
} dcps_bench_workers_result;

/* Runs them to the end. Errors: those of the client, DCPS_CANCELLED when `idle` gave up, DCPS_NO_MEMORY, DCPS_SYSTEM. */
DCPS_MUST_CHECK dcps_status dcps_bench_workers_run(const dcps_bench_workers_config *config,
                                                   dcps_bench_workers_result *result);

#endif
