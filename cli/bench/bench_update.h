/* `dcps bench update`: the update pipeline alone, without sockets, against memory bandwidth. */
#ifndef DCPS_CLI_BENCH_UPDATE_H
#define DCPS_CLI_BENCH_UPDATE_H

/* argv[0] is "update". Returns the exit code of the program. */
int dcps_bench_update(int argc, char **argv);

#endif
