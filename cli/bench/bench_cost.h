/* What an update costs at least in memory traffic. Pure. */
#ifndef DCPS_CLI_BENCH_COST_H
#define DCPS_CLI_BENCH_COST_H

#include <stdint.h>

#include "server/engine/algorithm.h"

/* On the wire, push and pull together: the gradient there, the weights back. */
#define DCPS_WIRE_BYTES_PER_PARAM 8.0

/* Bytes a parameter that one application of `rule` must read and write: gradient, weights (both ways), snapshot, the pulled weights and the states (both
 * ways) where the rule has them. 16 for sgd, 20 for dc-asgd-c, 28 for dc-asgd-a. */
double dcps_rule_bytes_per_param(const dcps_rule *rule);

/* Likewise for each push under an algorithm with `workers` workers: a synchronous round reads every gradient once, writes and reads their mean, and applies the
 * rule once for all. Where answers look ahead, the weights are copied besides. */
double dcps_push_bytes_per_param(const dcps_algorithm *algorithm, const dcps_rule *rule, uint32_t workers);

#endif
