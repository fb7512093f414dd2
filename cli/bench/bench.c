#include "cli/bench/bench.h"

#include <stdio.h>
#include <string.h>

#include "base/exit_code.h"
#include "base/log.h"
#include "cli/bench/bench_model.h"
#include "cli/bench/bench_push_pull.h"
#include "cli/bench/bench_update.h"

static const struct {
    const char *name;
    const char *summary;
    int (*run)(int argc, char **argv);
} benchmarks[] = {
    {"model", "training steps of a model, without servers", dcps_bench_model},
    {"push-pull", "whole push-pulls between workers and a real server process", dcps_bench_push_pull},
    {"update", "the update pipeline alone, in memory", dcps_bench_update},
};

enum { BENCHMARKS = sizeof(benchmarks) / sizeof(benchmarks[0]) };

static void print_help(FILE *out)
{
    (void)fputs(
        "Usage: dcps bench BENCHMARK [OPTION…]\n\nMeasures speeds beside the limits of this machine.\n\nBenchmarks:\n",
        out);
    for (size_t i = 0; i < BENCHMARKS; i++) {
        (void)fprintf(out, "  %-12s %s\n", benchmarks[i].name, benchmarks[i].summary);
    }
    (void)fputs("\ndcps bench BENCHMARK --help lists the options of a benchmark.\n", out);
}

int dcps_command_bench(int argc, char **argv)
{
    if (argc < 2) {
        print_help(stderr);
        return DCPS_EXIT_BAD_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-?") == 0) {
        print_help(stdout);
        return DCPS_EXIT_GOOD;
    }
    for (size_t i = 0; i < BENCHMARKS; i++) {
        if (strcmp(argv[1], benchmarks[i].name) == 0) {
            return benchmarks[i].run(argc - 1, argv + 1);
        }
    }
    dcps_error("unknown benchmark '%.100s': dcps bench --help lists them", argv[1]);
    return DCPS_EXIT_BAD_USAGE;
}
