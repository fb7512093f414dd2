/* Memory of one step: an arena that learns its size. Where a step needs more than the arena holds, the surplus is allocated singly, and the next reset
 * makes the arena large enough; from then on a step of that size allocates nothing. */
#ifndef DCPS_TENSOR_STEP_MEMORY_H
#define DCPS_TENSOR_STEP_MEMORY_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"

/* Where memory comes from that is not the host's heap. take: 64-byte aligned; NULL with the failure recorded. */
typedef struct dcps_memory_source {
    void *(*take)(void *context, size_t bytes);
    void (*release)(void *context, void *memory);
    void *context;
} dcps_memory_source;

/* A zeroed struct is an empty step memory on the heap. */
typedef struct dcps_step_memory {
    const dcps_memory_source *source; /* NULL: the heap */
    dcps_arena arena;
    struct dcps_surplus *surplus; /* newest first */
    size_t demand_bytes;          /* of this step, taken and not released */
    size_t peak_bytes;            /* the most that demand_bytes has been in this step */
} dcps_step_memory;

/* 64-byte aligned, not zeroed, valid until reset; NULL when out of memory. */
void *dcps_step_memory_take(dcps_step_memory *memory, size_t count, size_t bytes);
/* Where a step's memory stands, so that what is taken from here on can be given back before the step ends. */
typedef struct dcps_step_mark {
    size_t used_bytes;
    struct dcps_surplus *surplus;
    size_t demand_bytes;
} dcps_step_mark;

dcps_step_mark dcps_step_memory_mark(const dcps_step_memory *memory);
/* Gives back everything taken since `mark`. */
void dcps_step_memory_release(dcps_step_memory *memory, dcps_step_mark mark);
void dcps_step_memory_reset(dcps_step_memory *memory);
/* Whether `taken` lies in the arena, which is one allocation; if not, it is an allocation of its own. */
bool dcps_step_memory_in_arena(const dcps_step_memory *memory, const void *taken);
/* Whether the next reset will put the arena elsewhere. */
bool dcps_step_memory_outgrown(const dcps_step_memory *memory);
/* What the step takes at its peak, or the arena where that is larger. */
size_t dcps_step_memory_bytes(const dcps_step_memory *memory);
void dcps_step_memory_fini(dcps_step_memory *memory);

#endif
