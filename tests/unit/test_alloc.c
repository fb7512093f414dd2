#include "base/alloc.h"

#include <pthread.h>
#include <stdint.h>
#include <string.h>

#include "support/check_main.h"

static int all_zero(const unsigned char *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (bytes[i] != 0) {
            return 0;
        }
    }
    return 1;
}

START_TEST(memory_is_zeroed)
{
    for (int round = 0; round < 10; round++) { /* the second round is likely to get used memory */
        unsigned char *plain = dcps_alloc(100, 7);
        unsigned char *aligned = dcps_alloc_aligned(100, 7);
        ck_assert(all_zero(plain, 700));
        ck_assert(all_zero(aligned, 700));
        memset(plain, 0xff, 700);
        memset(aligned, 0xff, 700);
        dcps_free(plain);
        dcps_free(aligned);
    }
}
END_TEST

START_TEST(aligned_memory_begins_on_a_cache_line)
{
    for (size_t bytes = 0; bytes < 300; bytes++) {
        void *memory = dcps_alloc_aligned(1, bytes);
        ck_assert_ptr_nonnull(memory);
        ck_assert_uint_eq((uintptr_t)memory % 64, 0);
        dcps_free(memory);
    }
}
END_TEST

START_TEST(overflowing_sizes_are_refused)
{
    volatile size_t huge = SIZE_MAX; /* volatile: the compiler would warn of the constant */
    ck_assert_ptr_null(dcps_alloc(huge, 2));
    ck_assert_ptr_null(dcps_alloc(huge / 2 + 1, 2));
    ck_assert_ptr_null(dcps_alloc_aligned(huge, 1));
    ck_assert_ptr_null(dcps_alloc_aligned(huge - 63, 1));
    ck_assert_ptr_null(dcps_realloc(NULL, huge, huge));
}
END_TEST

START_TEST(nothing_is_something)
{
    void *memory = dcps_alloc(0, 8);
    ck_assert_ptr_nonnull(memory);
    dcps_free(memory);
    dcps_free(NULL);
}
END_TEST

START_TEST(realloc_keeps_contents)
{
    char *memory = dcps_realloc(NULL, 4, 1);
    memcpy(memory, "abcd", 4);
    memory = dcps_realloc(memory, 4000, 1);
    ck_assert_mem_eq(memory, "abcd", 4);
    dcps_alloc_fail_after(0);
    ck_assert_ptr_null(dcps_realloc(memory, 8000, 1));
    ck_assert_mem_eq(memory, "abcd", 4);
    dcps_free(memory);
}
END_TEST

START_TEST(strdup_copies)
{
    char text[] = "text";
    char *copy = dcps_strdup(text);
    text[0] = 'n';
    ck_assert_str_eq(copy, "text");
    dcps_free(copy);
}
END_TEST

START_TEST(the_nth_allocation_fails_once)
{
    dcps_alloc_fail_after(2);
    void *first = dcps_alloc(1, 1);
    void *second = dcps_alloc_aligned(1, 1);
    void *third = dcps_alloc(1, 1);
    void *fourth = dcps_alloc(1, 1);
    ck_assert_ptr_nonnull(first);
    ck_assert_ptr_nonnull(second);
    ck_assert_ptr_null(third);
    ck_assert_ptr_nonnull(fourth);
    dcps_free(first);
    dcps_free(second);
    dcps_free(fourth);
    dcps_alloc_fail_after(0);
    dcps_alloc_fail_after(UINT64_MAX);
    char *copy = dcps_strdup("");
    ck_assert_ptr_nonnull(copy);
    dcps_free(copy);
}
END_TEST

static void *allocate_some(void *failures)
{
    for (int i = 0; i < 1000; i++) {
        void *memory = dcps_alloc(1, 16);
        *(int *)failures += memory == NULL;
        dcps_free(memory);
    }
    return NULL;
}

START_TEST(failure_is_of_one_thread_and_counts_are_of_all)
{
    pthread_t threads[4];
    int failures[4] = {0};
    uint64_t before = dcps_alloc_count();
    dcps_alloc_fail_after(0);
    for (int i = 0; i < 4; i++) {
        ck_assert_int_eq(pthread_create(&threads[i], NULL, allocate_some, &failures[i]), 0);
    }
    for (int i = 0; i < 4; i++) {
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
        ck_assert_int_eq(failures[i], 0);
    }
    ck_assert_uint_eq(dcps_alloc_count() - before, 4000);
    ck_assert_ptr_null(dcps_alloc(1, 1));
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {memory_is_zeroed,
                                  aligned_memory_begins_on_a_cache_line,
                                  overflowing_sizes_are_refused,
                                  nothing_is_something,
                                  realloc_keeps_contents,
                                  strdup_copies,
                                  the_nth_allocation_fails_once,
                                  failure_is_of_one_thread_and_counts_are_of_all};
    return CHECK_MAIN("alloc", tests);
}
