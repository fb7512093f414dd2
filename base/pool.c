/* Pools of equal buffers. One lock, held for a few instructions; it is taken last, after any lock of a caller. */
#include <assert.h>
#include <pthread.h>
#include <stdbool.h>

#include "base/alloc.h"
#include "base/buffer.h"
#include "base/log.h"

/* One allocation: this head on a cache line of its own, then the data. */
typedef struct slot {
    dcps_buffer buffer;
    struct slot *next; /* while it lies in the pool */
} slot;

static_assert(sizeof(slot) <= DCPS_CACHE_LINE_BYTES, "the data begins on the next line");

struct dcps_pool {
    pthread_mutex_t lock;
    char *name;
    size_t buffer_bytes;
    size_t limit;
    size_t made;
    size_t taken;
    slot *idle;     /* last in, first out: the warmest is taken next */
    bool destroyed; /* by its owner; the last buffer to come back frees the rest */
};

static void free_pool(dcps_pool *pool)
{
    while (pool->idle != NULL) {
        slot *next = pool->idle->next;
        dcps_free(pool->idle);
        pool->idle = next;
    }
    pthread_mutex_destroy(&pool->lock);
    dcps_free(pool->name);
    dcps_free(pool);
}

static void release_slot(dcps_buffer *buffer, void *owner)
{
    dcps_pool *pool = owner;
    slot *returned = (slot *)(void *)buffer; /* its first member */
    pthread_mutex_lock(&pool->lock);
    returned->next = pool->idle;
    pool->idle = returned;
    assert(pool->taken > 0);
    pool->taken--;
    bool last = pool->destroyed && pool->taken == 0;
    pthread_mutex_unlock(&pool->lock);
    if (last) {
        free_pool(pool);
    }
}

static slot *make_slot(const dcps_pool *pool)
{
    if (pool->buffer_bytes > SIZE_MAX - DCPS_CACHE_LINE_BYTES) {
        return NULL;
    }
    return dcps_alloc_aligned(1, DCPS_CACHE_LINE_BYTES + pool->buffer_bytes);
}

dcps_status dcps_pool_create(const char *name, size_t buffer_bytes, size_t initial, size_t limit, dcps_pool **pool)
{
    if (buffer_bytes == 0 || limit == 0 || initial > limit) {
        return dcps_fail(DCPS_INVALID, "pool %s: %zu of at most %zu buffers of %zu bytes make no pool", name, initial,
                         limit, buffer_bytes);
    }
    dcps_pool *made = dcps_alloc(1, sizeof(*made));
    if (made == NULL) {
        goto no_memory;
    }
    pthread_mutex_init(&made->lock, NULL); /* cannot fail with default attributes */
    made->buffer_bytes = buffer_bytes;
    made->limit = limit;
    made->name = dcps_strdup(name);
    if (made->name == NULL) {
        goto free_made;
    }
    for (; made->made < initial; made->made++) {
        slot *fresh = make_slot(made);
        if (fresh == NULL) {
            goto free_made;
        }
        fresh->next = made->idle;
        made->idle = fresh;
    }
    *pool = made;
    return DCPS_OK;

free_made:
    free_pool(made);
no_memory:
    return dcps_fail(DCPS_NO_MEMORY, "pool %s: no memory for %zu buffers of %zu bytes", name, initial, buffer_bytes);
}

/* Accounts for one more buffer out; *reused is an idle one, or NULL if one has to be made. False at the limit. */
static bool reserve(dcps_pool *pool, slot **reused)
{
    pthread_mutex_lock(&pool->lock);
    *reused = pool->idle;
    bool possible = pool->idle != NULL || pool->made < pool->limit;
    if (pool->idle != NULL) {
        pool->idle = pool->idle->next;
    } else if (possible) {
        pool->made++;
    }
    if (possible) {
        pool->taken++;
    }
    pthread_mutex_unlock(&pool->lock);
    return possible;
}

static void cancel_reservation(dcps_pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    pool->made--;
    pool->taken--;
    pthread_mutex_unlock(&pool->lock);
}

dcps_status dcps_pool_take(dcps_pool *pool, dcps_buffer **buffer)
{
    slot *taken;
    if (!reserve(pool, &taken)) {
        return dcps_fail(DCPS_LIMIT, "pool %s: all %zu buffers of %zu bytes are in use", pool->name, pool->limit,
                         pool->buffer_bytes);
    }
    if (taken == NULL) {
        taken = make_slot(pool);
    }
    if (taken == NULL) {
        cancel_reservation(pool);
        return dcps_fail(DCPS_NO_MEMORY, "pool %s: no memory for another buffer of %zu bytes", pool->name,
                         pool->buffer_bytes);
    }
    dcps_buffer_init(&taken->buffer, (uint8_t *)taken + DCPS_CACHE_LINE_BYTES, pool->buffer_bytes, release_slot, pool);
    *buffer = &taken->buffer;
    return DCPS_OK;
}

void dcps_pool_destroy(dcps_pool **pool)
{
    dcps_pool *going = *pool;
    *pool = NULL;
    if (going == NULL) {
        return;
    }
    pthread_mutex_lock(&going->lock);
    size_t out = going->taken;
    if (out > 0) {
        dcps_debug("pool %s: destroyed while %zu of %zu buffers are still in use", going->name, out, going->made);
    }
    going->destroyed = true;
    pthread_mutex_unlock(&going->lock);
    if (out == 0) {
        free_pool(going);
    }
}
