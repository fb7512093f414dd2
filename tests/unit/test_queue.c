#include "base/queue.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

#include "base/alloc.h"
#include "support/check_main.h"

static int readable(const dcps_queue *queue)
{
    struct pollfd wait = {.fd = dcps_queue_fd(queue), .events = POLLIN};
    return poll(&wait, 1, 0) == 1 && (wait.revents & POLLIN) != 0;
}

START_TEST(items_leave_in_the_order_they_came)
{
    dcps_queue *queue = NULL;
    ck_assert_int_eq(dcps_queue_create(sizeof(int), 3, &queue), DCPS_OK);
    int next = 0;
    int expected = 0;
    for (int round = 0; round < 10; round++) { /* the ring wraps at every offset */
        for (int i = 0; i < 2; i++, next++) {
            ck_assert_int_eq(dcps_queue_push(queue, &next), DCPS_OK);
        }
        for (int i = 0; i < 2; i++, expected++) {
            int got = -1;
            ck_assert(dcps_queue_pop(queue, &got));
            ck_assert_int_eq(got, expected);
        }
    }
    int untouched = 5;
    ck_assert(!dcps_queue_pop(queue, &untouched));
    ck_assert_int_eq(untouched, 5);
    dcps_queue_destroy(&queue);
    ck_assert_ptr_null(queue);
    dcps_queue_destroy(&queue);
}
END_TEST

START_TEST(descriptor_is_readable_while_items_are_inside)
{
    dcps_queue *queue = NULL;
    ck_assert_int_eq(dcps_queue_create(1, 4, &queue), DCPS_OK);
    char item = 'x';
    ck_assert(!readable(queue));
    ck_assert_int_eq(dcps_queue_push(queue, &item), DCPS_OK);
    ck_assert_int_eq(dcps_queue_push(queue, &item), DCPS_OK);
    ck_assert(readable(queue));
    ck_assert(dcps_queue_pop(queue, &item));
    ck_assert(readable(queue));
    ck_assert(dcps_queue_pop(queue, &item));
    ck_assert(!readable(queue));
    ck_assert(!dcps_queue_pop(queue, &item));
    ck_assert(!readable(queue));
    dcps_queue_destroy(&queue);
}
END_TEST

START_TEST(a_closed_queue_gives_out_what_it_holds)
{
    dcps_queue *queue = NULL;
    ck_assert_int_eq(dcps_queue_create(1, 4, &queue), DCPS_OK);
    char item = 'x';
    ck_assert_int_eq(dcps_queue_push(queue, &item), DCPS_OK);
    dcps_queue_close(queue);
    ck_assert_int_eq(dcps_queue_push(queue, &item), DCPS_CANCELLED);
    ck_assert(dcps_queue_pop(queue, &item));
    ck_assert(!dcps_queue_pop(queue, &item));
    dcps_queue_destroy(&queue);
}
END_TEST

typedef struct pusher {
    dcps_queue *queue;
    atomic_int outcome; /* 1: not known yet */
} pusher;

static void *push_one(void *context)
{
    pusher *self = context;
    char item = 'y';
    atomic_store(&self->outcome, dcps_queue_push(self->queue, &item));
    return NULL;
}

static void start_waiting_pusher(pusher *self, pthread_t *thread)
{
    self->outcome = 1;
    char item = 'x';
    ck_assert_int_eq(dcps_queue_create(1, 1, &self->queue), DCPS_OK);
    ck_assert_int_eq(dcps_queue_push(self->queue, &item), DCPS_OK);
    ck_assert_int_eq(pthread_create(thread, NULL, push_one, self), 0);
    (void)poll(NULL, 0, 50); /* whether it waits already or will find the queue full is the same to the caller */
    ck_assert_int_eq(self->outcome, 1);
}

START_TEST(push_waits_for_room)
{
    pusher self;
    pthread_t thread;
    start_waiting_pusher(&self, &thread);
    char item = 0;
    ck_assert(dcps_queue_pop(self.queue, &item));
    ck_assert_int_eq(item, 'x');
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    ck_assert_int_eq(self.outcome, DCPS_OK);
    ck_assert(dcps_queue_pop(self.queue, &item));
    ck_assert_int_eq(item, 'y');
    dcps_queue_destroy(&self.queue);
}
END_TEST

START_TEST(close_wakes_who_waits)
{
    pusher self;
    pthread_t thread;
    start_waiting_pusher(&self, &thread);
    dcps_queue_close(self.queue);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    ck_assert_int_eq(self.outcome, DCPS_CANCELLED);
    dcps_queue_destroy(&self.queue);
}
END_TEST

#define PRODUCERS 4u
#define ITEMS_EACH 5000u

typedef struct item {
    uint32_t producer;
    uint32_t number;
    uint64_t check; /* torn copies would show */
} item;

typedef struct producer {
    dcps_queue *queue;
    uint32_t index;
} producer;

static void *produce(void *context)
{
    producer *self = context;
    for (uint32_t i = 0; i < ITEMS_EACH; i++) {
        item made = {self->index, i, ((uint64_t)self->index << 32 | i) * UINT64_C(0x9e3779b97f4a7c15)};
        if (dcps_queue_push(self->queue, &made) != DCPS_OK) {
            return self;
        }
    }
    return NULL;
}

START_TEST(many_producers_lose_nothing_and_keep_their_order)
{
    dcps_queue *queue = NULL;
    ck_assert_int_eq(dcps_queue_create(sizeof(item), 7, &queue), DCPS_OK);
    pthread_t threads[PRODUCERS];
    producer producers[PRODUCERS];
    for (uint32_t i = 0; i < PRODUCERS; i++) {
        producers[i] = (producer){queue, i};
        ck_assert_int_eq(pthread_create(&threads[i], NULL, produce, &producers[i]), 0);
    }
    uint32_t next[PRODUCERS] = {0};
    for (uint32_t got = 0; got < PRODUCERS * ITEMS_EACH;) {
        struct pollfd wait = {.fd = dcps_queue_fd(queue), .events = POLLIN};
        ck_assert_int_eq(poll(&wait, 1, 20000), 1); /* a lost wake-up ends here */
        item found;
        while (dcps_queue_pop(queue, &found)) {
            ck_assert_uint_lt(found.producer, PRODUCERS);
            ck_assert_uint_eq(found.number, next[found.producer]++);
            ck_assert_uint_eq(found.check,
                              ((uint64_t)found.producer << 32 | found.number) * UINT64_C(0x9e3779b97f4a7c15));
            got++;
        }
    }
    for (uint32_t i = 0; i < PRODUCERS; i++) {
        void *failed = NULL;
        ck_assert_int_eq(pthread_join(threads[i], &failed), 0);
        ck_assert_ptr_null(failed);
    }
    ck_assert(!readable(queue));
    dcps_queue_destroy(&queue);
}
END_TEST

START_TEST(bad_sizes_and_missing_memory_are_reported)
{
    dcps_queue *queue = NULL;
    ck_assert_int_eq(dcps_queue_create(0, 1, &queue), DCPS_INVALID);
    ck_assert_int_eq(dcps_queue_create(1, 0, &queue), DCPS_INVALID);
    ck_assert_int_eq(dcps_queue_create(SIZE_MAX, 3, &queue), DCPS_NO_MEMORY);
    for (uint64_t n = 0; n < 2; n++) {
        dcps_alloc_fail_after(n);
        ck_assert_int_eq(dcps_queue_create(8, 8, &queue), DCPS_NO_MEMORY);
        dcps_alloc_fail_after(UINT64_MAX);
    }
    ck_assert_ptr_null(queue);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {items_leave_in_the_order_they_came,
                                  descriptor_is_readable_while_items_are_inside,
                                  a_closed_queue_gives_out_what_it_holds,
                                  push_waits_for_room,
                                  close_wakes_who_waits,
                                  many_producers_lose_nothing_and_keep_their_order,
                                  bad_sizes_and_missing_memory_are_reported};
    return CHECK_MAIN("queue", tests);
}
