#include "tensor/step_memory.h"

#include "base/alloc.h"

/* One singly allocated piece. */
struct dcps_surplus {
    struct dcps_surplus *next;
    void *memory;
};

static size_t round_up(size_t bytes)
{
    return (bytes + DCPS_CACHE_LINE_BYTES - 1) / DCPS_CACHE_LINE_BYTES * DCPS_CACHE_LINE_BYTES;
}

static void *source_take(const dcps_step_memory *memory, size_t bytes)
{
    const dcps_memory_source *source = memory->source;
    return source == NULL ? dcps_alloc_aligned(1, bytes)
                          : source->take(source->context, round_up(bytes > 0 ? bytes : 1));
}

static void source_release(const dcps_step_memory *memory, void *taken)
{
    if (memory->source == NULL) {
        dcps_free(taken);
    } else if (taken != NULL) {
        memory->source->release(memory->source->context, taken);
    }
}

static void *take_surplus(dcps_step_memory *memory, size_t bytes)
{
    struct dcps_surplus *piece = dcps_alloc(1, sizeof(*piece));
    if (piece == NULL) {
        (void)dcps_fail(DCPS_NO_MEMORY, "no memory for a piece of a step's memory");
        return NULL;
    }
    piece->memory = source_take(memory, bytes);
    if (piece->memory == NULL) {
        dcps_free(piece);
        return NULL;
    }
    piece->next = memory->surplus;
    memory->surplus = piece;
    return piece->memory;
}

void *dcps_step_memory_take(dcps_step_memory *memory, size_t count, size_t bytes)
{
    size_t total;
    if (__builtin_mul_overflow(count, bytes, &total) || total > SIZE_MAX / 4) {
        return NULL;
    }
    void *taken = dcps_arena_take(&memory->arena, 1, total);
    if (taken == NULL) {
        taken = take_surplus(memory, total);
    }
    if (taken == NULL) {
        return NULL;
    }
    memory->demand_bytes += round_up(total);
    if (memory->peak_bytes < memory->demand_bytes) {
        memory->peak_bytes = memory->demand_bytes;
    }
    return taken;
}

/* Frees pieces until `last` is the newest. */
static void free_surplus(dcps_step_memory *memory, const struct dcps_surplus *last)
{
    while (memory->surplus != last) {
        struct dcps_surplus *piece = memory->surplus;
        memory->surplus = piece->next;
        source_release(memory, piece->memory);
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

bool dcps_step_memory_in_arena(const dcps_step_memory *memory, const void *taken)
{
    const uintptr_t begin = (uintptr_t)memory->arena.memory, at = (uintptr_t)taken;
    return at >= begin && at - begin < memory->arena.capacity_bytes;
}

bool dcps_step_memory_outgrown(const dcps_step_memory *memory)
{
    return memory->peak_bytes > memory->arena.capacity_bytes;
}

size_t dcps_step_memory_bytes(const dcps_step_memory *memory)
{
    return dcps_step_memory_outgrown(memory) ? memory->peak_bytes : memory->arena.capacity_bytes;
}

static void arena_release(dcps_step_memory *memory)
{
    source_release(memory, memory->arena.memory);
    memory->arena = (dcps_arena){0};
}

void dcps_step_memory_reset(dcps_step_memory *memory)
{
    free_surplus(memory, NULL);
    dcps_arena_reset(&memory->arena);
    if (dcps_step_memory_outgrown(memory)) {
        arena_release(memory);
        /* When this fails the arena stays empty and steps run on surplus: slower, not wrong. */
        uint8_t *larger = source_take(memory, memory->peak_bytes);
        if (larger != NULL) {
            memory->arena = (dcps_arena){.memory = larger, .capacity_bytes = memory->peak_bytes};
        }
    }
    memory->demand_bytes = memory->peak_bytes = 0;
}

void dcps_step_memory_fini(dcps_step_memory *memory)
{
    free_surplus(memory, NULL);
    arena_release(memory);
    memory->demand_bytes = memory->peak_bytes = 0;
}
