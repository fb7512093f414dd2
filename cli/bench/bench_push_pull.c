#include "cli/bench/bench_push_pull.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <jansson.h>

#include "base/alloc.h"
#include "base/options.h"
#include "cli/bench/bench_cost.h"
#include "cli/bench/bench_server.h"
#include "cli/bench/bench_stats.h"
#include "cli/bench/bench_workers.h"
#include "cli/bench/limits.h"
#include "cli/common/command.h"
#include "cli/common/programs.h"
#include "cli/common/table.h"

enum { MAX_WORKERS = 64, MAX_SHARDS = 64, MAX_STEPS = 100000, TURN_MS = 50 };

static const dcps_option flags[] = {
    {.name = "params",
     .type = DCPS_OPTION_INTEGER,
     .default_text = "1000000",
     .value_name = "N",
     .minimum = 1,
     .maximum = 4294967296.0,
     .help = "Parameters of the model"},
    {.name = "workers",
     .type = DCPS_OPTION_INTEGER,
     .default_text = "1",
     .value_name = "W",
     .minimum = 1,
     .maximum = MAX_WORKERS,
     .help = "Workers, each a thread with a client of its own"},
    {.name = "shards",
     .type = DCPS_OPTION_INTEGER,
     .default_text = "1",
     .value_name = "S",
     .minimum = 1,
     .maximum = MAX_SHARDS,
     .help = "Shards of the server, each a thread with a socket of its own"},
    {.name = "transport",
     .type = DCPS_OPTION_TEXT,
     .default_text = "tcp",
     .choices = "tcp|ipc",
     .help = "How shards are reached"},
    {.name = "algorithm",
     .type = DCPS_OPTION_TEXT,
     .default_text = "dc-asgd-c",
     .value_name = "NAME",
     .help = "Update rule and consistency, by name: 'dcps algorithms' lists them"},
    {.name = "steps",
     .type = DCPS_OPTION_INTEGER,
     .default_text = "20",
     .value_name = "K",
     .minimum = 1,
     .maximum = MAX_STEPS,
     .help = "Push-pulls of each worker in each repeat"},
    {.name = "repeats",
     .type = DCPS_OPTION_INTEGER,
     .default_text = "5",
     .value_name = "N",
     .minimum = 1,
     .maximum = DCPS_BENCH_MAX_REPEATS,
     .help = "Repeats, of which the median counts"},
    {.name = "warmup",
     .type = DCPS_OPTION_INTEGER,
     .default_text = "5",
     .value_name = "N",
     .minimum = 0,
     .maximum = MAX_STEPS,
     .help = "Push-pulls of each worker before the measured ones"},
    {.name = "json", .type = DCPS_OPTION_FLAG, .default_text = "false", .help = "Print the result as JSON"},
    {.name = NULL},
};

static const dcps_program program = {
    .name = "dcps bench push-pull",
    .summary = "Starts a dcps-server and workers on this machine, lets each worker push a gradient of all parameters "
               "and wait for\n"
               "the new weights again and again, and compares the rate with what memory and sockets allow.",
    .options = flags,
};

typedef struct push_pull_bench {
    dcps_algorithm algorithm;
    const char *transport;
    uint64_t params;
    uint32_t workers;
    uint32_t shards;
    uint32_t steps;
    uint32_t repeats;
    uint32_t warmup;
    dcps_bench_server *server;
    dcps_bench_workers_result result;
    double median;
    double p99;
    double params_per_second; /* of all workers together */
    double memory_bytes;      /* a parameter, counted for each push */
    double memory;            /* bytes per second, as many threads as the server has shards, at most the processors */
    double memory_one_thread;
    double loopback;
    uint32_t memory_threads;
} push_pull_bench;

static dcps_status bench_setup(push_pull_bench *bench, const dcps_options *options)
{
    bench->transport = dcps_options_text(options, "transport");
    bench->params = (uint64_t)dcps_options_integer(options, "params");
    bench->workers = (uint32_t)dcps_options_integer(options, "workers");
    bench->shards = (uint32_t)dcps_options_integer(options, "shards");
    bench->steps = (uint32_t)dcps_options_integer(options, "steps");
    bench->repeats = (uint32_t)dcps_options_integer(options, "repeats");
    bench->warmup = (uint32_t)dcps_options_integer(options, "warmup");
    bench->memory_threads = bench->shards < dcps_cores_online() ? bench->shards : dcps_cores_online();
    dcps_status status = dcps_algorithm_preset(dcps_options_text(options, "algorithm"), &bench->algorithm);
    dcps_rule *rule = NULL;
    if (status == DCPS_OK) {
        status = dcps_rule_create(&bench->algorithm.rule, &rule);
    }
    if (status == DCPS_OK) {
        bench->memory_bytes = dcps_push_bytes_per_param(&bench->algorithm, rule, bench->workers);
    }
    dcps_rule_destroy(&rule);
    return status;
}

static dcps_status measure_limits(push_pull_bench *bench)
{
    const bool ipc = strcmp(bench->transport, "ipc") == 0;
    double memory = 0.0;
    double one_thread = 0.0;
    double loopback = 0.0;
    dcps_status status = dcps_limit_memory(1, &one_thread);
    memory = one_thread;
    if (status == DCPS_OK && bench->memory_threads > 1) {
        status = dcps_limit_memory(bench->memory_threads, &memory);
    }
    if (status == DCPS_OK) {
        status = dcps_limit_loopback(ipc ? DCPS_LOOPBACK_UNIX : DCPS_LOOPBACK_TCP, &loopback);
    }
    if (status != DCPS_OK) {
        return status;
    }
    /* Called before and after the benchmark: the machine can do what it did at its best. */
    bench->memory_one_thread = one_thread > bench->memory_one_thread ? one_thread : bench->memory_one_thread;
    bench->memory = memory > bench->memory ? memory : bench->memory;
    bench->loopback = loopback > bench->loopback ? loopback : bench->loopback;
    return DCPS_OK;
}

static bool watch_server(void *context)
{
    push_pull_bench *bench = context;
    return dcps_bench_server_poll(bench->server, TURN_MS);
}

static dcps_status run_workers(push_pull_bench *bench)
{
    const dcps_bench_workers_config config = {.servers = dcps_bench_server_address(bench->server),
                                              .params = bench->params,
                                              .workers = bench->workers,
                                              .warmup = bench->warmup,
                                              .repeats = bench->repeats,
                                              .steps = bench->steps,
                                              .idle = watch_server,
                                              .context = bench};
    const dcps_status status = dcps_bench_workers_run(&config, &bench->result);
    /* A server that has gone explains every failure of a client. */
    if (!dcps_bench_server_poll(bench->server, 0)) {
        return dcps_bench_server_fail(bench->server);
    }
    return status;
}

static dcps_status measure(push_pull_bench *bench)
{
    const dcps_bench_server_config config = {.workers = bench->workers,
                                             .shards = bench->shards,
                                             .transport = bench->transport,
                                             .algorithm = bench->algorithm.name};
    dcps_status status = measure_limits(bench);
    if (status == DCPS_OK) {
        status = dcps_bench_server_start(&config, &bench->server);
    }
    if (status == DCPS_OK) {
        status = run_workers(bench);
    }
    if (status == DCPS_OK) {
        status = dcps_bench_server_stop(bench->server);
    }
    if (status == DCPS_OK) {
        status = measure_limits(bench);
    }
    if (status != DCPS_OK) {
        return status;
    }
    const dcps_bench_workers_result *result = &bench->result;
    bench->median = dcps_samples_median(result->seconds, result->sample_count);
    bench->p99 = dcps_samples_percentile(result->seconds, result->sample_count, 0.99);
    const double pushed = (double)bench->params * bench->workers * bench->steps;
    bench->params_per_second = pushed / result->repeat_seconds;
    return DCPS_OK;
}

static double memory_limit(const push_pull_bench *bench)
{
    return bench->memory / bench->memory_bytes;
}

static double loopback_limit(const push_pull_bench *bench)
{
    return bench->loopback / DCPS_WIRE_BYTES_PER_PARAM;
}

static bool loopback_is_tighter(const push_pull_bench *bench)
{
    return loopback_limit(bench) < memory_limit(bench);
}

static double share_of_limit(const push_pull_bench *bench)
{
    return bench->params_per_second / (loopback_is_tighter(bench) ? loopback_limit(bench) : memory_limit(bench));
}

/* Allocations of all clients, for each push-pull of one worker. */
static double allocations_per_step(const push_pull_bench *bench)
{
    return (double)bench->result.allocations / (double)bench->result.sample_count;
}

static json_t *limits_json(const push_pull_bench *bench)
{
    return json_pack("{s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:s}", "memory_bytes_per_second", bench->memory,
                     "memory_bytes_per_second_one_thread", bench->memory_one_thread, "loopback_bytes_per_second",
                     bench->loopback, "memory_bytes_per_param", bench->memory_bytes, "wire_bytes_per_param",
                     DCPS_WIRE_BYTES_PER_PARAM, "memory_params_per_second", memory_limit(bench),
                     "loopback_params_per_second", loopback_limit(bench), "tighter",
                     loopback_is_tighter(bench) ? "loopback" : "memory");
}

static dcps_status print_json(const push_pull_bench *bench)
{
    json_t *result = json_pack(
        "{s:s, s:s, s:I, s:i, s:i, s:s, s:s, s:i, s:i, s:i, s:{s:f, s:f}, s:f, s:f, s:o, s:f}", "schema",
        "dcps-bench/1", "benchmark", "push-pull", "params", (json_int_t)bench->params, "workers", (int)bench->workers,
        "shards", (int)bench->shards, "transport", bench->transport, "algorithm", bench->algorithm.name, "steps",
        (int)bench->steps, "repeats", (int)bench->repeats, "warmup", (int)bench->warmup, "seconds", "median",
        bench->median, "p99", bench->p99, "params_per_second", bench->params_per_second, "client_allocations_per_step",
        allocations_per_step(bench), "limits", limits_json(bench), "share_of_limit", share_of_limit(bench));
    if (result == NULL) {
        return dcps_fail(DCPS_NO_MEMORY, "no memory for the result");
    }
    const bool good =
        json_dumpf(result, stdout, JSON_INDENT(2)) == 0 && fputc('\n', stdout) != EOF && fflush(stdout) == 0;
    json_decref(result);
    return good ? DCPS_OK : dcps_fail(DCPS_IO, "cannot write the result to standard output");
}

static void print_head(const push_pull_bench *bench)
{
    char params[32];
    char rate[32];
    (void)printf("push-pull of %s parameters: %s, %" PRIu32 " worker%s, %" PRIu32 " shard%s, %s; %" PRIu32
                 " repeats of %" PRIu32 " steps\n",
                 dcps_format_count((double)bench->params, params, sizeof(params)), bench->algorithm.name,
                 bench->workers, bench->workers == 1 ? "" : "s", bench->shards, bench->shards == 1 ? "" : "s",
                 bench->transport, bench->repeats, bench->steps);
    (void)printf("  one push-pull    median %.6f s, p99 %.6f s\n", bench->median, bench->p99);
    (void)printf("  all workers      %s parameters/s\n",
                 dcps_format_count(bench->params_per_second, rate, sizeof(rate)));
}

static dcps_status print_text(const push_pull_bench *bench)
{
    char rate[32];
    print_head(bench);
    (void)printf("  memory limit     %s parameters/s: %.2f GB/s (streaming triad, %" PRIu32
                 " thread%s; one thread %.2f), of which "
                 "an update\n                   must move %.1f bytes a parameter: gradient, weights, snapshot and the "
                 "rule's own\n",
                 dcps_format_count(memory_limit(bench), rate, sizeof(rate)), bench->memory * 1e-9,
                 bench->memory_threads, bench->memory_threads == 1 ? "" : "s", bench->memory_one_thread * 1e-9,
                 bench->memory_bytes);
    (void)printf(
        "  loopback limit   %s parameters/s: %.2f GB/s (one plain %s socket between two threads, 1 MiB messages), of\n"
        "                   which a push-pull sends %.0f bytes a parameter: gradient there, weights back\n",
        dcps_format_count(loopback_limit(bench), rate, sizeof(rate)), bench->loopback * 1e-9,
        strcmp(bench->transport, "ipc") == 0 ? "unix" : "TCP", DCPS_WIRE_BYTES_PER_PARAM);
    const int written = printf(
        "  share of limit   %.0f %% of the tighter (%s)\n  allocations      %.2f a push-pull in the clients\n",
        100.0 * share_of_limit(bench), loopback_is_tighter(bench) ? "loopback" : "memory", allocations_per_step(bench));
    return written < 0 || fflush(stdout) != 0 ? dcps_fail(DCPS_IO, "cannot write the result to standard output")
                                              : DCPS_OK;
}

int dcps_bench_push_pull(int argc, char **argv)
{
    dcps_options *options = NULL;
    int positional = 0;
    int code = DCPS_EXIT_GOOD;
    if (!dcps_command_parse(&program, argc, argv, &options, &positional, &code)) {
        return code;
    }
    push_pull_bench bench = {0};
    dcps_status status = bench_setup(&bench, options);
    if (status == DCPS_OK) {
        status = measure(&bench);
    }
    if (status == DCPS_OK) {
        status = dcps_options_flag(options, "json") ? print_json(&bench) : print_text(&bench);
    }
    code = dcps_command_code(status, false);
    dcps_bench_server_destroy(&bench.server);
    dcps_free(bench.result.seconds);
    dcps_options_destroy(&options);
    return code;
}
