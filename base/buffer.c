#include "base/buffer.h"

#include <assert.h>
#include <string.h>

#include "base/alloc.h"

void dcps_buffer_init(dcps_buffer *buffer, void *data, size_t bytes, dcps_buffer_release_fn release, void *owner)
{
    buffer->data = data;
    buffer->bytes = bytes;
    atomic_init(&buffer->refs, 1);
    buffer->release = release;
    buffer->owner = owner;
}

dcps_buffer *dcps_buffer_ref(dcps_buffer *buffer)
{
    /* Relaxed: whoever takes a reference already holds one, so nothing can be freed meanwhile. */
    unsigned before = atomic_fetch_add_explicit(&buffer->refs, 1, memory_order_relaxed);
    assert(before > 0);
    (void)before;
    return buffer;
}

void dcps_buffer_unref(dcps_buffer **buffer)
{
    dcps_buffer *held = *buffer;
    *buffer = NULL;
    if (held == NULL) {
        return;
    }
    /* Release: our uses of the data happen before the last holder's release; acquire: the last holder sees them all. */
    unsigned before = atomic_fetch_sub_explicit(&held->refs, 1, memory_order_acq_rel);
    assert(before > 0);
    if (before == 1 && held->release != NULL) {
        held->release(held, held->owner);
    }
}

static void free_copy(dcps_buffer *buffer, void *owner)
{
    (void)owner;
    dcps_free(buffer);
}

dcps_status dcps_buffer_copy(const void *data, size_t bytes, dcps_buffer **buffer)
{
    const size_t head_bytes = DCPS_CACHE_LINE_BYTES;
    static_assert(sizeof(dcps_buffer) <= DCPS_CACHE_LINE_BYTES, "the data begins on the next line");
    uint8_t *memory = bytes > SIZE_MAX - head_bytes ? NULL : dcps_alloc_aligned(1, head_bytes + bytes);
    if (memory == NULL) {
        return dcps_fail(DCPS_NO_MEMORY, "no memory for a buffer of %zu bytes", bytes);
    }
    if (bytes > 0) {
        memcpy(memory + head_bytes, data, bytes);
    }
    dcps_buffer *copy = (dcps_buffer *)(void *)memory;
    dcps_buffer_init(copy, memory + head_bytes, bytes, free_copy, NULL);
    *buffer = copy;
    return DCPS_OK;
}
