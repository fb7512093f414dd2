#include "base/arena.h"

#include "base/alloc.h"

dcps_status dcps_arena_init(dcps_arena *arena, size_t capacity_bytes)
{
    uint8_t *memory = dcps_alloc_aligned(capacity_bytes, 1);
    if (memory == NULL) {
        return dcps_fail(DCPS_NO_MEMORY, "no memory for an arena of %zu bytes", capacity_bytes);
    }
    *arena = (dcps_arena){.memory = memory, .capacity_bytes = capacity_bytes};
    return DCPS_OK;
}

void dcps_arena_fini(dcps_arena *arena)
{
    dcps_free(arena->memory);
    *arena = (dcps_arena){0};
}

void *dcps_arena_take(dcps_arena *arena, size_t count, size_t bytes)
{
    size_t total;
    if (__builtin_mul_overflow(count, bytes, &total) || arena->memory == NULL) {
        return NULL;
    }
    size_t gap = (DCPS_CACHE_LINE_BYTES - arena->used_bytes % DCPS_CACHE_LINE_BYTES) % DCPS_CACHE_LINE_BYTES;
    size_t left = arena->capacity_bytes - arena->used_bytes;
    if (gap > left || total > left - gap) {
        return NULL;
    }
    uint8_t *taken = arena->memory + arena->used_bytes + gap;
    arena->used_bytes += gap + total;
    return taken;
}

void dcps_arena_reset(dcps_arena *arena)
{
    arena->used_bytes = 0;
}
