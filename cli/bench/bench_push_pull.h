/* `dcps bench push-pull`: whole push-pulls through a real server process, beside the limits of memory and sockets. */
#ifndef DCPS_CLI_BENCH_PUSH_PULL_H
#define DCPS_CLI_BENCH_PUSH_PULL_H

/* argv[0] is "push-pull". Returns the exit code of the program. */
int dcps_bench_push_pull(int argc, char **argv);

#endif
