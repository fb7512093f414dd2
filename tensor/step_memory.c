#include "tensor/step_memory.h"

#include "base/alloc.h"

/* Heads one singly allocated piece; its bytes follow a cache line later. */
struct dcps_surplus {
    struct dcps_surplus *next;
};

static size_t round_up(size_t bytes)
{
    return (bytes + DCPS_CACHE_LINE_BYTES - 1) / DCPS_CACHE_LINE_BYTES * DCPS_CACHE_LINE_BYTES;
}

static void *take_surplus(dcps_step_memory *memory, size_t bytes)
{
    struct dcps_surplus *piece = dcps_alloc_aligned(1, DCPS_CACHE_LINE_BYTES + bytes);
    if (piece == NULL)
        return NULL;
    piece->next = memory->surplus;
    memory->surplus = piece;
    return (uint8_t *)piece + DCPS_CACHE_LINE_BYTES;
}

void *dcps_step_memory_take(dcps_step_memory *memory, size_t count, size_t bytes)
{
    size_t total;
    if (__builtin_mul_overflow(count, bytes, &total) || total > SIZE_MAX / 4)
        return NULL;
    void *taken = dcps_arena_take(&memory->arena, 1, total);
    if (taken == NULL)
        taken = take_surplus(memory, total);
    if (taken == NULL)
        return NULL;
    memory->demand_bytes += round_up(total);
    if (memory->peak_bytes < memory->demand_bytes)
        memory->peak_bytes = memory->demand_bytes;
    return taken;
}

/* Frees pieces until `last` is the newest. */
static void free_surplus(dcps_step_memory *memory, const struct dcps_surplus *last)
{
    while (memory->surplus != last) {
        struct dcps_surplus *piece = memory->surplus;
        memory->surplus = piece->next;
        dcps_free(piece);
    }
}

dcps_step_mark dcps_step_memory_mark(const dcps_step_memory *memory)
{
    return (dcps_step_mark){
        .used_bytes = memory->arena.used_bytes, .surplus = memory->surplus, .demand_bytes = memory->demand_bytes};
}

void dcps_step_memory_release(dcps_step_memory *memory, dcps_step_mark mark)
{
    free_surplus(memory, mark.surplus);
    memory->arena.used_bytes = mark.used_bytes;
    memory->demand_bytes = mark.demand_bytes;
}

void dcps_step_memory_reset(dcps_step_memory *memory)
{
    if (memory->peak_bytes <= memory->arena.capacity_bytes) {
        dcps_arena_reset(&memory->arena);
    } else {
        free_surplus(memory, NULL);
        dcps_arena_fini(&memory->arena);
        /* When this fails the arena stays empty and steps run on surplus: slower, not wrong. */
        if (dcps_arena_init(&memory->arena, memory->peak_bytes) != DCPS_OK)
            memory->arena = (dcps_arena){0};
    }
    memory->demand_bytes = memory->peak_bytes = 0;
}

void dcps_step_memory_fini(dcps_step_memory *memory)
{
    free_surplus(memory, NULL);
    dcps_arena_fini(&memory->arena);
    memory->demand_bytes = memory->peak_bytes = 0;
}
