/* Reference-counted byte buffers and pools of them: the payloads that travel between threads and sockets without a copy. */
#ifndef DCPS_BASE_BUFFER_H
#define DCPS_BASE_BUFFER_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "dcps/status.h"

typedef struct dcps_buffer dcps_buffer;

/* Called with the last reference gone, on whichever thread dropped it. */
typedef void (*dcps_buffer_release_fn)(dcps_buffer *buffer, void *owner);

struct dcps_buffer {
    void *data;   /* 64-byte aligned where it comes from a pool */
    size_t bytes; /* in use */
    atomic_uint refs;
    dcps_buffer_release_fn release;
    void *owner;
};

/* Prepares a buffer that wraps foreign memory, with one reference. */
void dcps_buffer_init(dcps_buffer *buffer, void *data, size_t bytes, dcps_buffer_release_fn release, void *owner);

/* Takes one more reference and returns the buffer. Thread-safe. */
dcps_buffer *dcps_buffer_ref(dcps_buffer *buffer);

/* Drops the reference in *buffer and clears it; NULL inside is fine. Thread-safe. */
void dcps_buffer_unref(dcps_buffer **buffer);

/* A buffer of its own (not pooled) with a copy of `bytes` bytes. */
DCPS_MUST_CHECK dcps_status dcps_buffer_copy(const void *data, size_t bytes, dcps_buffer **buffer);

/* A pool of equal buffers. It grows on demand up to `limit` and never shrinks, so a steady state allocates nothing.
 * Thread-safe: buffers may be taken and released on any thread. */
typedef struct dcps_pool dcps_pool;

DCPS_MUST_CHECK dcps_status dcps_pool_create(const char *name, size_t buffer_bytes, size_t initial, size_t limit,
                                             dcps_pool **pool);

/* A buffer with one reference, `bytes` set to the pool's buffer size, contents undefined. DCPS_NO_MEMORY, or DCPS_LIMIT at the limit. */
DCPS_MUST_CHECK dcps_status dcps_pool_take(dcps_pool *pool, dcps_buffer **buffer);

/* Frees the pool and what lies in it. Buffers still out keep the pool's memory alive until the last comes back. Accepts NULL inside. */
void dcps_pool_destroy(dcps_pool **pool);

#endif
