/* `dcps bench model`: training steps of a model plugin on one device, without servers, against the rate of matrix products. */
#ifndef DCPS_CLI_BENCH_MODEL_H
#define DCPS_CLI_BENCH_MODEL_H

/* argv[0] is "model". Returns the exit code of the program. */
int dcps_bench_model(int argc, char **argv);

#endif
