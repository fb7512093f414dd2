#include "cli/bench/bench_cost.h"

double dcps_rule_bytes_per_param(const dcps_rule *rule)
{
    const double states = (double)dcps_rule_state_count(rule) + (double)dcps_rule_worker_state_count(rule);
    const double arrays = 4.0 + (dcps_rule_needs_pulled_weights(rule) ? 1.0 : 0.0) + 2.0 * states;
    return arrays * sizeof(float);
}

double dcps_push_bytes_per_param(const dcps_algorithm *algorithm, const dcps_rule *rule, uint32_t workers)
{
    const double copied = dcps_rule_looks_ahead(rule) ? 2.0 * sizeof(float) : 0.0;
    const double apply = dcps_rule_bytes_per_param(rule) + copied;
    if (algorithm->consistency != DCPS_CONSISTENCY_BSP || workers == 1) {
        return apply;
    }
    const double read_gradients = (double)workers * sizeof(float);
    return (read_gradients + sizeof(float) + apply) / workers;
}
