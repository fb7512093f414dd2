#include <pthread.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buffer.h"
#include "base/queue.h"
#include "support/check_main.h"

START_TEST(buffers_are_aligned_and_of_the_right_size)
{
    dcps_pool *pool = NULL;
    ck_assert_int_eq(dcps_pool_create("test", 1000, 1, 3, &pool), DCPS_OK);
    dcps_buffer *buffers[3];
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(dcps_pool_take(pool, &buffers[i]), DCPS_OK);
        ck_assert_uint_eq(buffers[i]->bytes, 1000);
        ck_assert_uint_eq((uintptr_t)buffers[i]->data % 64, 0);
        memset(buffers[i]->data, i, 1000);
    }
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(((unsigned char *)buffers[i]->data)[999], i);
        dcps_buffer_unref(&buffers[i]);
    }
    dcps_pool_destroy(&pool);
    ck_assert_ptr_null(pool);
    dcps_pool_destroy(&pool);
}
END_TEST

START_TEST(the_limit_holds_and_is_named)
{
    dcps_pool *pool = NULL;
    ck_assert_int_eq(dcps_pool_create("snapshots", 64, 0, 2, &pool), DCPS_OK);
    dcps_buffer *first = NULL;
    dcps_buffer *second = NULL;
    dcps_buffer *third = NULL;
    ck_assert_int_eq(dcps_pool_take(pool, &first), DCPS_OK);
    ck_assert_int_eq(dcps_pool_take(pool, &second), DCPS_OK);
    ck_assert_int_eq(dcps_pool_take(pool, &third), DCPS_LIMIT);
    ck_assert_ptr_null(third);
    ck_assert_ptr_nonnull(strstr(dcps_error_message(), "snapshots"));
    dcps_buffer_unref(&first);
    ck_assert_int_eq(dcps_pool_take(pool, &third), DCPS_OK);
    ck_assert_int_eq(dcps_pool_take(pool, &first), DCPS_LIMIT);
    dcps_buffer_unref(&second);
    dcps_buffer_unref(&third);
    dcps_pool_destroy(&pool);
}
END_TEST

START_TEST(the_steady_state_allocates_nothing)
{
    dcps_pool *pool = NULL;
    ck_assert_int_eq(dcps_pool_create("test", 4096, 2, 8, &pool), DCPS_OK);
    uint64_t allocations = dcps_alloc_count();
    for (int i = 0; i < 1000; i++) {
        dcps_buffer *first = NULL;
        dcps_buffer *second = NULL;
        ck_assert_int_eq(dcps_pool_take(pool, &first), DCPS_OK);
        ck_assert_int_eq(dcps_pool_take(pool, &second), DCPS_OK);
        first->bytes = 5; /* users may shorten a buffer; the next one gets it whole */
        dcps_buffer_unref(&first);
        ck_assert_uint_eq(second->bytes, 4096);
        dcps_buffer_unref(&second);
    }
    ck_assert_uint_eq(dcps_alloc_count(), allocations);
    dcps_pool_destroy(&pool);
}
END_TEST

START_TEST(buffers_outlive_their_pool)
{
    dcps_pool *pool = NULL;
    ck_assert_int_eq(dcps_pool_create("test", 128, 3, 3, &pool), DCPS_OK);
    dcps_buffer *first = NULL;
    dcps_buffer *second = NULL;
    ck_assert_int_eq(dcps_pool_take(pool, &first), DCPS_OK);
    ck_assert_int_eq(dcps_pool_take(pool, &second), DCPS_OK);
    dcps_pool_destroy(&pool);
    memset(first->data, 1, 128);
    dcps_buffer_unref(&first);
    memset(second->data, 2, 128);
    dcps_buffer_unref(&second); /* frees the pool: the leak checker tells if not */
}
END_TEST

START_TEST(senseless_pools_are_refused)
{
    dcps_pool *pool = NULL;
    ck_assert_int_eq(dcps_pool_create("test", 0, 0, 1, &pool), DCPS_INVALID);
    ck_assert_int_eq(dcps_pool_create("test", 8, 0, 0, &pool), DCPS_INVALID);
    ck_assert_int_eq(dcps_pool_create("test", 8, 3, 2, &pool), DCPS_INVALID);
    ck_assert_int_eq(dcps_pool_create("test", SIZE_MAX - 10, 1, 2, &pool), DCPS_NO_MEMORY);
    ck_assert_ptr_null(pool);
}
END_TEST

START_TEST(every_allocation_may_fail)
{
    dcps_pool *pool = NULL;
    uint64_t n = 0;
    for (;; n++) {
        dcps_alloc_fail_after(n);
        dcps_status status = dcps_pool_create("test", 64, 3, 4, &pool);
        dcps_alloc_fail_after(UINT64_MAX);
        if (status == DCPS_OK) {
            break;
        }
        ck_assert_int_eq(status, DCPS_NO_MEMORY);
        ck_assert_ptr_null(pool);
    }
    ck_assert_uint_eq(n, 5); /* pool, name, three buffers */
    dcps_buffer *taken[4] = {NULL};
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(dcps_pool_take(pool, &taken[i]), DCPS_OK);
    }
    dcps_alloc_fail_after(0);
    ck_assert_int_eq(dcps_pool_take(pool, &taken[3]), DCPS_NO_MEMORY);
    ck_assert_int_eq(dcps_pool_take(pool, &taken[3]), DCPS_OK); /* the failure cost no place */
    for (int i = 0; i < 4; i++) {
        dcps_buffer_unref(&taken[i]);
    }
    dcps_pool_destroy(&pool);
}
END_TEST

/* Buffers taken by one thread, written by it, checked and released by others. */
typedef struct relay {
    dcps_queue *queue;
    atomic_int wrong;
} relay;

#define RELAYED 4000u

static void *release_relayed(void *context)
{
    relay *shared = context;
    for (unsigned done = 0; done < RELAYED / 2;) {
        dcps_buffer *buffer = NULL;
        if (!dcps_queue_pop(shared->queue, &buffer)) {
            continue;
        }
        const unsigned char *bytes = buffer->data;
        if (bytes[0] != bytes[255]) {
            atomic_fetch_add(&shared->wrong, 1);
        }
        dcps_buffer_unref(&buffer);
        done++;
    }
    return NULL;
}

START_TEST(buffers_come_back_from_other_threads)
{
    relay shared = {.wrong = 0};
    dcps_pool *pool = NULL;
    ck_assert_int_eq(dcps_queue_create(sizeof(dcps_buffer *), 8, &shared.queue), DCPS_OK);
    ck_assert_int_eq(dcps_pool_create("test", 256, 4, 32, &pool), DCPS_OK);
    pthread_t threads[2];
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(pthread_create(&threads[i], NULL, release_relayed, &shared), 0);
    }
    for (unsigned i = 0; i < RELAYED; i++) {
        dcps_buffer *buffer = NULL;
        ck_assert_int_eq(dcps_pool_take(pool, &buffer), DCPS_OK);
        memset(buffer->data, (int)(i % 251), 256);
        ck_assert_int_eq(dcps_queue_push(shared.queue, &buffer), DCPS_OK);
    }
    dcps_pool_destroy(&pool); /* while the others may still hold some */
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
    }
    ck_assert_int_eq(shared.wrong, 0);
    dcps_queue_destroy(&shared.queue);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {buffers_are_aligned_and_of_the_right_size,
                                  the_limit_holds_and_is_named,
                                  the_steady_state_allocates_nothing,
                                  buffers_outlive_their_pool,
                                  senseless_pools_are_refused,
                                  every_allocation_may_fail,
                                  buffers_come_back_from_other_threads};
    return CHECK_MAIN("pool", tests);
}
