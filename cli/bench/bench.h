/* `dcps bench`: measures this build on this machine, beside the limits of the machine measured in the same run. */
#ifndef DCPS_CLI_BENCH_H
#define DCPS_CLI_BENCH_H

/* argv[0] is "bench", argv[1] names the benchmark. Returns the exit code of the program. */
int dcps_command_bench(int argc, char **argv);

#endif
