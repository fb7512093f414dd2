#include "server/engine/memory.h"

#include <stdio.h>

#define MB 1e6
#define GB 1e9

uint64_t dcps_memory_snapshots(const dcps_algorithm *algorithm, const dcps_rule *rule, uint32_t workers)
{
    const bool rounds = algorithm->consistency == DCPS_CONSISTENCY_BSP;
    const uint32_t behind = algorithm->backup_workers < workers ? algorithm->backup_workers : workers;
    const uint32_t apart = dcps_rule_looks_ahead(rule) ? 1u : 0u;
    return 2u + (uint64_t)apart + (rounds ? behind : workers);
}

uint64_t dcps_memory_copies(const dcps_algorithm *algorithm, const dcps_rule *rule, uint32_t workers)
{
    const uint32_t gradients = algorithm->consistency == DCPS_CONSISTENCY_BSP ? 1u : 0u;
    return 1u + dcps_memory_snapshots(algorithm, rule, workers) + dcps_rule_state_count(rule) +
           (uint64_t)workers * (dcps_rule_worker_state_count(rule) + gradients);
}

bool dcps_memory_holds(const dcps_memory_use *use, uint64_t memory_bytes, char text[DCPS_MAX_TEXT_BYTES])
{
    double snapshot = (double)use->params * sizeof(float);
    double training = snapshot * (double)use->copies;
    double kept = snapshot * (double)use->snapshots;
    if (training + kept <= (double)memory_bytes) {
        return true;
    }
    (void)snprintf(text, DCPS_MAX_TEXT_BYTES,
                   "%u snapshots of %.1f MB for evaluation may take %.1f GB, beside %.1f GB for the training, and this "
                   "machine has %.1f GB: unless an evaluator takes them while the training goes on, keep fewer with "
                   "--snapshot-every-samples, or none with 0",
                   use->snapshots, snapshot / MB, kept / GB, training / GB, (double)memory_bytes / GB);
    return false;
}
