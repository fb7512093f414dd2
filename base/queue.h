/* A bounded queue of fixed-size items between threads, with an eventfd so that a poll loop can wait for it. */
#ifndef DCPS_BASE_QUEUE_H
#define DCPS_BASE_QUEUE_H

#include <stdbool.h>
#include <stddef.h>

#include "dcps/status.h"

typedef struct dcps_queue dcps_queue;

DCPS_MUST_CHECK dcps_status dcps_queue_create(size_t item_bytes, size_t capacity, dcps_queue **queue);
/* Copies *item in. Any thread. Waits while the queue is full; DCPS_CANCELLED once the queue is closed. */
DCPS_MUST_CHECK dcps_status dcps_queue_push(dcps_queue *queue, const void *item);
/* Copies the oldest item out and returns true, or false at once when empty. */
bool dcps_queue_pop(dcps_queue *queue, void *item);
/* Readable (POLLIN) while the queue holds items. Owned by the queue. */
int dcps_queue_fd(const dcps_queue *queue);
/* Later pushes fail, waiting ones wake; items inside can still be popped. */
void dcps_queue_close(dcps_queue *queue);
void dcps_queue_destroy(dcps_queue **queue);

#endif
