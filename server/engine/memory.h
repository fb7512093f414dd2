/* What a model takes of a server's memory. Pure. */
#ifndef DCPS_ENGINE_MEMORY_H
#define DCPS_ENGINE_MEMORY_H

#include <stdbool.h>
#include <stdint.h>

#include "compensate/rule.h"
#include "proto/limits.h"
#include "server/engine/algorithm.h"

/* Snapshots of a block that live at once in a steady state: the one that answers show, one on its way out, the weights where answers show something else, and what workers pulled, which
 * in rounds is the first of these but for those who missed theirs. */
uint64_t dcps_memory_snapshots(const dcps_algorithm *algorithm, const dcps_rule *rule, uint32_t workers);

/* Floats that a parameter needs while an algorithm with this rule trains it: the weight, these snapshots, the states, those of each worker, and in rounds the gradient of each. */
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
