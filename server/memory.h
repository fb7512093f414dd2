/* What a model takes of a server's memory. Pure. */
#ifndef DCPS_SERVER_MEMORY_H
#define DCPS_SERVER_MEMORY_H

#include <stdbool.h>
#include <stdint.h>

#include "compensate/rule.h"
#include "proto/limits.h"
#include "server/engine/algorithm.h"

/* Floats that a parameter needs while an algorithm with this rule trains it: the weight, its snapshots under way, the states, what each worker pulled and has,
 * and in rounds the gradient of each. */
uint64_t dcps_memory_copies(const dcps_algorithm *algorithm, const dcps_rule *rule, uint32_t workers);

/* A server's part of a model. */
typedef struct dcps_memory_use {
    uint64_t params;
    uint64_t copies;    /* of each, as above */
    uint32_t snapshots; /* of all of them that are kept for evaluation until an evaluator has taken them */
} dcps_memory_use;

/* Whether so many bytes of memory hold all of it. If not, `text` says what it takes, and which setting makes it less. */
bool dcps_memory_holds(const dcps_memory_use *use, uint64_t memory_bytes, char text[DCPS_MAX_TEXT_BYTES]);

#endif
