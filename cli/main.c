/* The dcps program: everything a person types. */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/descriptors.h"
#include "base/exit_code.h"
#include "base/log.h"
#include "base/streams.h"
#include "cli/bench/bench.h"
#include "cli/commands/commands.h"

static const struct {
    const char *name;
    const char *summary;
    int (*run)(int argc, char **argv);
} commands[] = {
    {"run", "train with a local cluster of servers and workers", dcps_command_run},
    {"compare", "train with several algorithms and compare them", dcps_command_compare},
    {"sim", "train, or only predict the speed, on a simulated cluster in virtual time", dcps_command_sim},
    {"algorithms", "list the algorithms: formula, parameters, state and memory", dcps_command_algorithms},
    {"status", "ask running servers how they fare", dcps_command_status},
    {"checkpoint", "make running servers write a checkpoint", dcps_command_checkpoint},
    {"doctor", "check this machine and say what to do", dcps_command_doctor},
    {"bench", "measure speeds beside the machine's limits", dcps_command_bench},
};

/* Nothing is good whose output got lost. Of a reader that has seen enough nothing is said. */
static int flushed(int code)
{
    errno = 0;
    const bool failed = fflush(stdout) != 0 || ferror(stdout) != 0;
    if (!failed || code != DCPS_EXIT_GOOD) {
        return code;
    }
    if (errno != EPIPE) {
        dcps_error("cannot write to standard output%s%s", errno != 0 ? ": " : "", errno != 0 ? strerror(errno) : "");
    }
    return DCPS_EXIT_FAILED;
}

static void print_help(FILE *out)
{
    (void)fputs("Usage: dcps COMMAND [OPTION…]\n\nTrains models on parameter servers.\n\nCommands:\n", out);
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        (void)fprintf(out, "  %-12s %s\n", commands[i].name, commands[i].summary);
    }
    (void)fputs("\ndcps COMMAND --help lists the options of a command.\n", out);
}

int main(int argc, char **argv)
{
    dcps_open_standard_streams();
    dcps_ignore_write_signals();
    dcps_allow_descriptors();
    dcps_log_setup("dcps", DCPS_LOG_INFO, false);
    if (argc < 2) {
        print_help(stderr);
        return DCPS_EXIT_BAD_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0) {
        print_help(stdout);
        return flushed(DCPS_EXIT_GOOD);
    }
    if (strcmp(argv[1], "--version") == 0) {
        (void)printf("dcps %s\n", DCPS_VERSION);
        return flushed(DCPS_EXIT_GOOD);
    }
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        if (strcmp(argv[1], commands[i].name) == 0) {
            return flushed(commands[i].run(argc - 1, argv + 1));
        }
    }
    dcps_error("unknown command '%.100s': dcps --help lists them", argv[1]);
    return DCPS_EXIT_BAD_USAGE;
}
