#include "base/queue.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/alloc.h"

/* One lock; nothing else is locked while it is held. The event counter is 1 while items are inside and 0 otherwise. */
struct dcps_queue {
    pthread_mutex_t lock;
    pthread_cond_t not_full;
    uint8_t *items; /* ring of capacity items */
    size_t item_bytes;
    size_t capacity;
    size_t first;
    size_t count;
    bool closed;
    int event_fd;
};

dcps_status dcps_queue_create(size_t item_bytes, size_t capacity, dcps_queue **queue)
{
    if (item_bytes == 0 || capacity == 0) {
        return dcps_fail(DCPS_INVALID, "a queue of %zu items of %zu bytes can hold nothing", capacity, item_bytes);
    }
    dcps_queue *made = dcps_alloc(1, sizeof(*made));
    uint8_t *items = dcps_alloc(capacity, item_bytes);
    if (made == NULL || items == NULL) {
        dcps_free(items);
        dcps_free(made);
        return dcps_fail(DCPS_NO_MEMORY, "no memory for a queue of %zu items of %zu bytes", capacity, item_bytes);
    }
    int event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (event_fd < 0) {
        dcps_free(items);
        dcps_free(made);
        return dcps_fail(DCPS_SYSTEM, "cannot make an event descriptor for a queue: %s", strerror(errno));
    }
    *made = (dcps_queue){.items = items, .item_bytes = item_bytes, .capacity = capacity, .event_fd = event_fd};
    pthread_mutex_init(&made->lock, NULL); /* neither fails with default attributes */
    pthread_cond_init(&made->not_full, NULL);
    *queue = made;
    return DCPS_OK;
}

/* The counter moves between 0 and 1 under the lock, so neither call can block or be refused. */
static void event_set(dcps_queue *queue)
{
    ssize_t written;
    do {
        written = write(queue->event_fd, &(uint64_t){1}, sizeof(uint64_t));
    } while (written < 0 && errno == EINTR);
    assert(written == (ssize_t)sizeof(uint64_t));
}

static void event_clear(dcps_queue *queue)
{
    uint64_t value;
    ssize_t got;
    do {
        got = read(queue->event_fd, &value, sizeof(value));
    } while (got < 0 && errno == EINTR);
    assert(got == (ssize_t)sizeof(value) && value == 1);
}

dcps_status dcps_queue_push(dcps_queue *queue, const void *item)
{
    pthread_mutex_lock(&queue->lock);
    while (queue->count == queue->capacity && !queue->closed) {
        pthread_cond_wait(&queue->not_full, &queue->lock);
    }
    bool closed = queue->closed;
    if (!closed) {
        size_t last = (queue->first + queue->count) % queue->capacity;
        memcpy(queue->items + last * queue->item_bytes, item, queue->item_bytes);
        if (queue->count++ == 0) {
            event_set(queue);
        }
    }
    pthread_mutex_unlock(&queue->lock);
    return closed ? dcps_fail(DCPS_CANCELLED, "the queue is closed") : DCPS_OK;
}

bool dcps_queue_pop(dcps_queue *queue, void *item)
{
    pthread_mutex_lock(&queue->lock);
    bool found = queue->count > 0;
    if (found) {
        memcpy(item, queue->items + queue->first * queue->item_bytes, queue->item_bytes);
        queue->first = (queue->first + 1) % queue->capacity;
        if (--queue->count == 0) {
            event_clear(queue);
        }
        pthread_cond_signal(&queue->not_full);
    }
    pthread_mutex_unlock(&queue->lock);
    return found;
}

int dcps_queue_fd(const dcps_queue *queue)
{
    return queue->event_fd;
}

void dcps_queue_close(dcps_queue *queue)
{
    pthread_mutex_lock(&queue->lock);
    queue->closed = true;
    pthread_cond_broadcast(&queue->not_full);
    pthread_mutex_unlock(&queue->lock);
}

void dcps_queue_destroy(dcps_queue **queue)
{
    dcps_queue *going = *queue;
    *queue = NULL;
    if (going == NULL) {
        return;
    }
    close(going->event_fd);
    pthread_cond_destroy(&going->not_full);
    pthread_mutex_destroy(&going->lock);
    dcps_free(going->items);
    dcps_free(going);
}
