#include "base/buffer.h"

#include <pthread.h>
#include <string.h>

#include "base/alloc.h"
#include "support/check_main.h"

static void count_release(dcps_buffer *buffer, void *owner)
{
    (void)buffer;
    atomic_fetch_add((atomic_int *)owner, 1);
}

START_TEST(release_comes_with_the_last_reference)
{
    atomic_int released = 0;
    char bytes[4] = "abc";
    dcps_buffer buffer;
    dcps_buffer_init(&buffer, bytes, 4, count_release, &released);
    dcps_buffer *first = &buffer;
    dcps_buffer *second = dcps_buffer_ref(first);
    ck_assert_ptr_eq(second, first);
    dcps_buffer_unref(&first);
    ck_assert_ptr_null(first);
    ck_assert_int_eq(released, 0);
    ck_assert_str_eq(second->data, "abc");
    dcps_buffer_unref(&second);
    ck_assert_int_eq(released, 1);
    dcps_buffer_unref(&second);
    ck_assert_int_eq(released, 1);
}
END_TEST

START_TEST(a_buffer_needs_no_release)
{
    char byte = 0;
    dcps_buffer buffer;
    dcps_buffer_init(&buffer, &byte, 1, NULL, NULL);
    dcps_buffer *held = &buffer;
    dcps_buffer_unref(&held);
    ck_assert_ptr_null(held);
}
END_TEST

START_TEST(copies_are_independent_and_aligned)
{
    char bytes[200];
    memset(bytes, 'a', sizeof(bytes));
    dcps_buffer *copy = NULL;
    ck_assert_int_eq(dcps_buffer_copy(bytes, sizeof(bytes), &copy), DCPS_OK);
    bytes[7] = 'b';
    ck_assert_uint_eq(copy->bytes, 200);
    ck_assert_int_eq(((char *)copy->data)[7], 'a');
    ck_assert_uint_eq((uintptr_t)copy->data % 64, 0);
    dcps_buffer_unref(&copy);
    ck_assert_int_eq(dcps_buffer_copy(NULL, 0, &copy), DCPS_OK);
    ck_assert_uint_eq(copy->bytes, 0);
    dcps_buffer_unref(&copy);
}
END_TEST

START_TEST(copy_reports_missing_memory)
{
    dcps_buffer *copy = NULL;
    dcps_alloc_fail_after(0);
    ck_assert_int_eq(dcps_buffer_copy("x", 1, &copy), DCPS_NO_MEMORY);
    ck_assert_ptr_null(copy);
    ck_assert_int_eq(dcps_buffer_copy("x", SIZE_MAX - 8, &copy), DCPS_NO_MEMORY);
}
END_TEST

static void *ref_and_unref(void *buffer)
{
    for (int i = 0; i < 20000; i++) {
        dcps_buffer *mine = dcps_buffer_ref(buffer);
        dcps_buffer_unref(&mine);
    }
    dcps_buffer *given = buffer;
    dcps_buffer_unref(&given);
    return NULL;
}

START_TEST(threads_share_a_buffer)
{
    atomic_int released = 0;
    dcps_buffer buffer;
    dcps_buffer_init(&buffer, NULL, 0, count_release, &released);
    pthread_t threads[4];
    for (int i = 0; i < 4; i++) {
        ck_assert_int_eq(pthread_create(&threads[i], NULL, ref_and_unref, dcps_buffer_ref(&buffer)), 0);
    }
    dcps_buffer *own = &buffer;
    dcps_buffer_unref(&own);
    for (int i = 0; i < 4; i++) {
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
    }
    ck_assert_int_eq(released, 1);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {release_comes_with_the_last_reference, a_buffer_needs_no_release,
                                  copies_are_independent_and_aligned, copy_reports_missing_memory,
                                  threads_share_a_buffer};
    return CHECK_MAIN("buffer", tests);
}
