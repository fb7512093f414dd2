/* What a model takes of a server's memory. Pure. */
#ifndef DCPS_SERVER_MEMORY_H
#define DCPS_SERVER_MEMORY_H

#include <stdbool.h>
#include <stdint.h>

#include "compensate/rule.h"
#include "proto/limits.h"

/* Floats that a parameter needs while it is trained: the weight, its snapshots under way, the rule's states, and what each worker pulled and has. */
uint64_t dcps_memory_copies(const dcps_rule *rule, uint32_t workers);

/* A server's part of a model. */
typedef struct dcps_memory_use {
    uint64_t params;
    uint64_t copies;    /* of each, as above */
    uint32_t snapshots; /* of all of them that are kept for evaluation until an evaluator has taken them */
} dcps_memory_use;

/* Whether so many bytes of memory hold all of it. If not, `text` says what it takes, and which setting makes it less. */
bool dcps_memory_holds(const dcps_memory_use *use, uint64_t memory_bytes, char text[DCPS_MAX_TEXT_BYTES]);

#endif
