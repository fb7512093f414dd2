/* All heap memory of dcps comes from here, so that tests can count it and make it fail. */
#ifndef DCPS_BASE_ALLOC_H
#define DCPS_BASE_ALLOC_H

#include <stddef.h>
#include <stdint.h>

#define DCPS_CACHE_LINE_BYTES 64u

/* Zeroed memory, NULL when out of memory or when count * bytes overflows. Thread-safe. Free with dcps_free. */
void *dcps_alloc(size_t count, size_t bytes) __attribute__((malloc, alloc_size(1, 2)));

/* Like dcps_alloc, aligned to DCPS_CACHE_LINE_BYTES. Free with dcps_free. */
void *dcps_alloc_aligned(size_t count, size_t bytes) __attribute__((malloc, alloc_size(1, 2)));

/* Grows or shrinks `memory` (NULL: allocates) to count * bytes; new bytes are not zeroed. On failure NULL, `memory` stays valid. */
void *dcps_realloc(void *memory, size_t count, size_t bytes);

/* Copy of a text, NULL when out of memory. */
char *dcps_strdup(const char *text);

/* Accepts NULL. */
void dcps_free(void *memory);

/* Allocations made by the process so far (all threads): a steady state is one in which this stands still. */
uint64_t dcps_alloc_count(void);

/* Makes the n-th allocation from now (0: the next) of the calling thread fail once; UINT64_MAX switches off. For tests. */
void dcps_alloc_fail_after(uint64_t n);

#endif
