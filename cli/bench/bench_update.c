/* Each thread owns a share of the parameters and applies the rule to it block by block, as the shards of a server do. */
#include "cli/bench/bench_update.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include <jansson.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/options.h"
#include "cli/bench/bench_cost.h"
#include "cli/bench/bench_stats.h"
#include "cli/bench/limits.h"
#include "cli/common/command.h"
#include "cli/common/table.h"
#include "proto/limits.h"

enum { MAX_THREADS = 64, MAX_STEPS = 10000, ALIGN_PARAMS = 16 };

static const dcps_option flags[] = {
    {.name = "params",
     .type = DCPS_OPTION_INTEGER,
     .default_text = "25600000",
     .value_name = "N",
     .minimum = 1,
     .maximum = 4294967296.0,
     .help = "Parameters, shared out among the threads"},
    {.name = "algorithm",
     .type = DCPS_OPTION_TEXT,
     .default_text = "dc-asgd-c",
     .value_name = "NAME",
     .help = "Update rule, by the name of its algorithm: 'dcps algorithms' lists them"},
    {.name = "optimizer",
     .type = DCPS_OPTION_TEXT,
     .choices = "sgd|momentum|nesterov|dana|ormo",
     .help = "Optimizer, instead of the algorithm's own"},
    {.name = "threads",
     .type = DCPS_OPTION_INTEGER,
     .default_text = "1",
     .value_name = "N",
     .minimum = 1,
     .maximum = MAX_THREADS,
     .help = "Threads, as a server has one a shard"},
    {.name = "steps",
     .type = DCPS_OPTION_INTEGER,
     .default_text = "15",
     .value_name = "K",
     .minimum = 1,
     .maximum = MAX_STEPS,
     .help = "Updates of all parameters that are measured, after two that are not"},
    {.name = "json", .type = DCPS_OPTION_FLAG, .default_text = "false", .help = "Print the result as JSON"},
    {.name = NULL},
};

static const dcps_program program = {
    .name = "dcps bench update",
    .summary = "Applies updates to blocks in memory, as a server does, and compares the rate with the memory bandwidth "
               "measured in the same run.",
    .options = flags,
};

/* One thread's share: one array for each the rule needs. */
typedef struct update_share {
    pthread_t thread;
    const dcps_rule *rule;
    size_t params;
    dcps_rule_block block;
    float *gradient;
    float *pulled;
    float *snapshot;
    float *worker_states[DCPS_RULE_MAX_WORKER_STATES]; /* one worker pushes all the time */
    uint64_t step;
    uint32_t steps;
    double *seconds; /* [steps] */
    bool good;
} update_share;

typedef struct update_bench {
    const dcps_options *options;
    dcps_algorithm algorithm;
    dcps_rule *rule;
    uint64_t params;
    uint32_t threads;
    uint32_t steps;
    update_share shares[MAX_THREADS];
    double *seconds; /* [threads · steps], one row a thread */
    double median;
    double p99;
    double params_per_second;
    double memory;
} update_bench;

static bool share_alloc(update_share *share)
{
    share->block.count = share->params;
    share->block.weights = dcps_alloc_aligned(share->params, sizeof(float));
    share->gradient = dcps_alloc_aligned(share->params, sizeof(float));
    share->pulled = dcps_alloc_aligned(share->params, sizeof(float));
    share->snapshot = dcps_alloc_aligned(share->params, sizeof(float));
    bool good =
        share->block.weights != NULL && share->gradient != NULL && share->pulled != NULL && share->snapshot != NULL;
    for (uint32_t i = 0; i < dcps_rule_state_count(share->rule); i++) {
        share->block.states[i] = dcps_alloc_aligned(share->params, sizeof(float));
        good = good && share->block.states[i] != NULL;
    }
    for (uint32_t i = 0; i < dcps_rule_worker_state_count(share->rule); i++) {
        share->worker_states[i] = dcps_alloc_aligned(share->params, sizeof(float));
        good = good && share->worker_states[i] != NULL;
    }
    return good;
}

static void share_free(update_share *share)
{
    dcps_free(share->block.weights);
    dcps_free(share->gradient);
    dcps_free(share->pulled);
    dcps_free(share->snapshot);
    for (uint32_t i = 0; i < DCPS_RULE_MAX_STATES; i++) {
        dcps_free(share->block.states[i]);
    }
    for (uint32_t i = 0; i < DCPS_RULE_MAX_WORKER_STATES; i++) {
        dcps_free(share->worker_states[i]);
    }
}

/* Ordinary magnitudes: numbers below the normal range would slow the processor down. */
static void share_fill(update_share *share)
{
    for (size_t i = 0; i < share->params; i++) {
        share->block.weights[i] = 0.1f;
        share->pulled[i] = 0.11f;
        share->gradient[i] = 0.01f * (float)(1 + i % 7);
    }
}

static void share_step(update_share *share)
{
    for (size_t first = 0; first < share->params; first += DCPS_MAX_BLOCK_PARAMS) {
        const size_t left = share->params - first;
        dcps_rule_block block = {.weights = share->block.weights + first,
                                 .count = left < DCPS_MAX_BLOCK_PARAMS ? left : DCPS_MAX_BLOCK_PARAMS};
        for (uint32_t i = 0; i < dcps_rule_state_count(share->rule); i++) {
            block.states[i] = share->block.states[i] + first;
        }
        dcps_rule_push push = {.gradient = share->gradient + first,
                               .pulled = share->pulled + first,
                               .step_size = 1e-4f,
                               .step_size_next = 1e-4f,
                               .step_size_max = 1e-4f,
                               .staleness = 1,
                               .workers = 1};
        for (uint32_t i = 0; i < dcps_rule_worker_state_count(share->rule); i++) {
            push.worker_states[i] = share->worker_states[i] + first;
        }
        for (uint32_t i = 0; i < dcps_rule_state_count(share->rule); i++) {
            block.state_updates[i] = share->step;
        }
        dcps_rule_apply(share->rule, &block, &push, share->snapshot + first);
    }
    share->step++;
}

static void *share_run(void *context)
{
    update_share *share = context;
    if (share_alloc(share)) {
        share_fill(share);
        share_step(share);
        share_step(share);
        for (uint32_t step = 0; step < share->steps; step++) {
            const uint64_t start_ns = dcps_clock_ns();
            share_step(share);
            share->seconds[step] = (double)(dcps_clock_ns() - start_ns) / (double)DCPS_NS_PER_S;
        }
        share->good = true;
    }
    share_free(share);
    return NULL;
}

/* Cuts the parameters into shares that begin at a multiple of 64 bytes. */
static void bench_cut(update_bench *bench)
{
    const uint64_t units = (bench->params + ALIGN_PARAMS - 1) / ALIGN_PARAMS;
    for (uint32_t i = 0; i < bench->threads; i++) {
        const uint64_t first = units * i / bench->threads * ALIGN_PARAMS;
        const uint64_t end = units * (i + 1) / bench->threads * ALIGN_PARAMS;
        bench->shares[i].rule = bench->rule;
        bench->shares[i].params = (end < bench->params ? end : bench->params) - first;
        bench->shares[i].steps = bench->steps;
        bench->shares[i].seconds = bench->seconds + (size_t)i * bench->steps;
    }
}

static dcps_status bench_threads(update_bench *bench)
{
    dcps_status status = DCPS_OK;
    uint32_t started = 0;
    for (; started < bench->threads; started++) {
        const int error = pthread_create(&bench->shares[started].thread, NULL, share_run, &bench->shares[started]);
        if (error != 0) {
            status = dcps_fail(DCPS_SYSTEM, "cannot start thread %" PRIu32 ": %s", started + 1, strerror(error));
            break;
        }
    }
    for (uint32_t i = 0; i < started; i++) {
        (void)pthread_join(bench->shares[i].thread, NULL);
        if (!bench->shares[i].good && status == DCPS_OK) {
            status = dcps_fail(DCPS_NO_MEMORY, "no memory for the arrays of %zu parameters: choose fewer with --params",
                               bench->shares[i].params);
        }
    }
    return status;
}

/* A step lasts as long as its slowest thread; threads run side by side without waiting for each other. */
static void bench_evaluate(update_bench *bench)
{
    for (uint32_t step = 0; step < bench->steps; step++) {
        for (uint32_t i = 1; i < bench->threads; i++) {
            const double seconds = bench->shares[i].seconds[step];
            if (seconds > bench->seconds[step]) {
                bench->seconds[step] = seconds;
            }
        }
    }
    dcps_samples_sort(bench->seconds, bench->steps);
    bench->median = dcps_samples_median(bench->seconds, bench->steps);
    bench->p99 = dcps_samples_percentile(bench->seconds, bench->steps, 0.99);
    bench->params_per_second = (double)bench->params / bench->median;
}

static dcps_status bench_measure(update_bench *bench)
{
    bench->seconds = dcps_alloc((size_t)bench->threads * bench->steps, sizeof(double));
    if (bench->seconds == NULL) {
        return dcps_fail(DCPS_NO_MEMORY, "no memory for the times of %" PRIu32 " steps", bench->steps);
    }
    bench_cut(bench);
    /* The limit is measured before and after, since what else runs on the machine comes and goes. */
    double before = 0.0;
    double after = 0.0;
    dcps_status status = dcps_limit_memory(bench->threads, &before);
    if (status == DCPS_OK) {
        status = bench_threads(bench);
    }
    if (status == DCPS_OK) {
        status = dcps_limit_memory(bench->threads, &after);
    }
    if (status == DCPS_OK) {
        bench->memory = before > after ? before : after;
        bench_evaluate(bench);
    }
    return status;
}

static dcps_status bench_setup(update_bench *bench)
{
    const dcps_options *options = bench->options;
    dcps_status status = dcps_algorithm_preset(dcps_options_text(options, "algorithm"), &bench->algorithm);
    if (status != DCPS_OK) {
        return status;
    }
    const char *optimizer = dcps_options_text(options, "optimizer");
    status = optimizer != NULL ? dcps_algorithm_set_optimizer(&bench->algorithm, optimizer) : DCPS_OK;
    if (status != DCPS_OK) {
        return status;
    }
    bench->params = (uint64_t)dcps_options_integer(options, "params");
    bench->threads = (uint32_t)dcps_options_integer(options, "threads");
    bench->steps = (uint32_t)dcps_options_integer(options, "steps");
    return dcps_rule_create(&bench->algorithm.rule, &bench->rule);
}

static dcps_status print_json(const update_bench *bench, double bytes)
{
    json_t *result = json_pack("{s:s, s:s, s:I, s:s, s:s, s:i, s:i, s:{s:f, s:f}, s:f, s:f, s:{s:f}, s:f}", "schema",
                               "dcps-bench/1", "benchmark", "update", "params", (json_int_t)bench->params, "algorithm",
                               bench->algorithm.name, "optimizer", dcps_optimizer_name(bench->algorithm.rule.optimizer),
                               "threads", (int)bench->threads, "steps", (int)bench->steps, "seconds", "median",
                               bench->median, "p99", bench->p99, "params_per_second", bench->params_per_second,
                               "memory_bytes_per_param", bytes, "limits", "memory_bytes_per_second", bench->memory,
                               "share_of_limit", bench->params_per_second * bytes / bench->memory);
    if (result == NULL) {
        return dcps_fail(DCPS_NO_MEMORY, "no memory for the result");
    }
    const int failed =
        json_dumpf(result, stdout, JSON_INDENT(2)) != 0 || fputc('\n', stdout) == EOF || fflush(stdout) != 0;
    json_decref(result);
    return failed ? dcps_fail(DCPS_IO, "cannot write the result to standard output") : DCPS_OK;
}

static dcps_status print_text(const update_bench *bench, double bytes)
{
    char params[32];
    char rate[32];
    const int written =
        printf("update of %s parameters, %s, %" PRIu32 " thread%s, %" PRIu32 " steps\n"
               "  one update       median %.6f s, p99 %.6f s\n"
               "  rate             %s parameters/s = %.2f GB/s at %.0f bytes a parameter\n"
               "  memory limit     %.2f GB/s (triad, %" PRIu32 " thread%s, same run)\n"
               "  share of limit   %.0f %%\n",
               dcps_format_count((double)bench->params, params, sizeof(params)), bench->algorithm.name, bench->threads,
               bench->threads == 1 ? "" : "s", bench->steps, bench->median, bench->p99,
               dcps_format_count(bench->params_per_second, rate, sizeof(rate)), bench->params_per_second * bytes * 1e-9,
               bytes, bench->memory * 1e-9, bench->threads, bench->threads == 1 ? "" : "s",
               100.0 * bench->params_per_second * bytes / bench->memory);
    return written < 0 || fflush(stdout) != 0 ? dcps_fail(DCPS_IO, "cannot write the result to standard output")
                                              : DCPS_OK;
}

static dcps_status bench_run(const dcps_options *options)
{
    update_bench bench = {.options = options};
    dcps_status status = bench_setup(&bench);
    if (status == DCPS_OK) {
        status = bench_measure(&bench);
    }
    if (status == DCPS_OK) {
        const double bytes = dcps_rule_bytes_per_param(bench.rule);
        status = dcps_options_flag(options, "json") ? print_json(&bench, bytes) : print_text(&bench, bytes);
    }
    dcps_free(bench.seconds);
    dcps_rule_destroy(&bench.rule);
    return status;
}

int dcps_bench_update(int argc, char **argv)
{
    dcps_options *options = NULL;
    int positional = 0;
    int code = DCPS_EXIT_GOOD;
    if (!dcps_command_parse(&program, argc, argv, &options, &positional, &code)) {
        return code;
    }
    const dcps_status status = bench_run(options);
    dcps_options_destroy(&options);
    return dcps_command_code(status, false);
}
