#include "base/alloc.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define HUGE_PAGE_BYTES ((size_t)2 << 20)
#define HUGE_PAGES_FROM_BYTES (4 * HUGE_PAGE_BYTES)

/* Relaxed: a statistic that orders nothing. */
static atomic_uint_fast64_t allocations;
static _Thread_local uint64_t allocations_until_failure = UINT64_MAX;

/* Every allocation passes here once; true if a test wants this one to fail. */
static bool count_and_fail(void)
{
    if (allocations_until_failure != UINT64_MAX) {
        if (allocations_until_failure == 0) {
            allocations_until_failure = UINT64_MAX;
            return true;
        }
        allocations_until_failure--;
    }
    atomic_fetch_add_explicit(&allocations, 1, memory_order_relaxed);
    return false;
}

/* Never 0, so that NULL always means failure. */
static bool total_bytes(size_t count, size_t bytes, size_t *total)
{
    if (__builtin_mul_overflow(count, bytes, total)) {
        return false;
    }
    if (*total == 0) {
        *total = 1;
    }
    return true;
}

void *dcps_alloc(size_t count, size_t bytes)
{
    size_t total;
    if (!total_bytes(count, bytes, &total) || count_and_fail()) {
        return NULL;
    }
    return calloc(1, total);
}

void *dcps_alloc_aligned(size_t count, size_t bytes)
{
    size_t total;
    if (!total_bytes(count, bytes, &total) || total > SIZE_MAX - HUGE_PAGE_BYTES || count_and_fail()) {
        return NULL;
    }
    /* Loops over megabytes spend much of their time on looking up small pages. */
    const bool huge = total >= HUGE_PAGES_FROM_BYTES;
    const size_t alignment = huge ? HUGE_PAGE_BYTES : DCPS_CACHE_LINE_BYTES;
    total = (total + alignment - 1) / alignment * alignment;
    void *memory = aligned_alloc(alignment, total);
    if (memory == NULL) {
        return NULL;
    }
    if (huge) {
        (void)madvise(memory, total, MADV_HUGEPAGE); /* a kernel without them says so, and that is all */
    }
    memset(memory, 0, total);
    return memory;
}

void *dcps_realloc(void *memory, size_t count, size_t bytes)
{
    size_t total;
    if (!total_bytes(count, bytes, &total) || count_and_fail()) {
        return NULL;
    }
    return realloc(memory, total);
}

char *dcps_strdup(const char *text)
{
    size_t bytes = strlen(text) + 1;
    char *copy = dcps_alloc(1, bytes);
    if (copy != NULL) {
        memcpy(copy, text, bytes);
    }
    return copy;
}

void dcps_free(void *memory)
{
    free(memory);
}

uint64_t dcps_alloc_count(void)
{
    return atomic_load_explicit(&allocations, memory_order_relaxed);
}

void dcps_alloc_fail_after(uint64_t n)
{
    allocations_until_failure = n;
}
