#include "server/memory.h"

#include <stdio.h>

#define MB 1e6
#define GB 1e9

uint64_t dcps_memory_copies(const dcps_algorithm *algorithm, const dcps_rule *rule, uint32_t workers)
{
    const uint32_t in_round = algorithm->consistency == DCPS_CONSISTENCY_BSP ? 1u : 0u;
    const uint32_t apart = dcps_rule_looks_ahead(rule) ? 1u : 0u;
    return 3u + dcps_rule_state_count(rule) + apart +
           (uint64_t)workers * (1u + dcps_rule_worker_state_count(rule) + in_round);
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
