/* Bump allocation with a cap, for memory that lives as long as one message or one step. Single-threaded. */
#ifndef DCPS_BASE_ARENA_H
#define DCPS_BASE_ARENA_H

#include <stddef.h>
#include <stdint.h>

#include "dcps/status.h"

/* One contiguous region; never grows, so a hostile length cannot make it. */
typedef struct dcps_arena {
    uint8_t *memory;
    size_t capacity_bytes;
    size_t used_bytes;
} dcps_arena;

DCPS_MUST_CHECK dcps_status dcps_arena_init(dcps_arena *arena, size_t capacity_bytes);
void dcps_arena_fini(dcps_arena *arena);
/* 64-byte aligned, not zeroed; NULL when the arena is full or count * bytes overflows. */
void *dcps_arena_take(dcps_arena *arena, size_t count, size_t bytes);
/* Forgets everything taken; O(1). */
void dcps_arena_reset(dcps_arena *arena);

#endif
