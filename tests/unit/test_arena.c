#include "base/arena.h"

#include <string.h>

#include "base/alloc.h"
#include "support/check_main.h"

START_TEST(pieces_are_aligned_and_apart)
{
    dcps_arena arena;
    ck_assert_int_eq(dcps_arena_init(&arena, 1024), DCPS_OK);
    unsigned char *first = dcps_arena_take(&arena, 3, 1);
    unsigned char *second = dcps_arena_take(&arena, 65, 1);
    unsigned char *third = dcps_arena_take(&arena, 1, 1);
    ck_assert_uint_eq((uintptr_t)first % 64, 0);
    ck_assert_int_eq(second - first, 64);
    ck_assert_int_eq(third - second, 128);
    dcps_arena_fini(&arena);
    ck_assert_ptr_null(dcps_arena_take(&arena, 1, 1));
}
END_TEST

START_TEST(the_last_byte_is_usable_and_no_more)
{
    dcps_arena arena;
    ck_assert_int_eq(dcps_arena_init(&arena, 100), DCPS_OK);
    ck_assert_ptr_null(dcps_arena_take(&arena, 101, 1));
    unsigned char *all = dcps_arena_take(&arena, 10, 10);
    ck_assert_ptr_nonnull(all);
    memset(all, 1, 100);
    ck_assert_ptr_null(dcps_arena_take(&arena, 1, 1));
    ck_assert_uint_eq(arena.used_bytes, 100);
    dcps_arena_fini(&arena);
}
END_TEST

START_TEST(hostile_sizes_are_refused)
{
    dcps_arena arena;
    ck_assert_int_eq(dcps_arena_init(&arena, 1024), DCPS_OK);
    ck_assert_ptr_null(dcps_arena_take(&arena, SIZE_MAX, 2));
    ck_assert_ptr_null(dcps_arena_take(&arena, SIZE_MAX / 8 + 1, 8)); /* the product wraps to 0 */
    ck_assert_ptr_nonnull(dcps_arena_take(&arena, 1, 1));
    ck_assert_ptr_null(dcps_arena_take(&arena, SIZE_MAX, 1));
    ck_assert_ptr_null(dcps_arena_take(&arena, SIZE_MAX - 63, 1));
    dcps_arena_fini(&arena);
}
END_TEST

START_TEST(reset_starts_over_without_allocating)
{
    dcps_arena arena;
    ck_assert_int_eq(dcps_arena_init(&arena, 256), DCPS_OK);
    uint64_t allocations = dcps_alloc_count();
    void *first = dcps_arena_take(&arena, 200, 1);
    for (int i = 0; i < 100; i++) {
        dcps_arena_reset(&arena);
        ck_assert_ptr_eq(dcps_arena_take(&arena, 200, 1), first);
    }
    ck_assert_uint_eq(dcps_alloc_count(), allocations);
    dcps_arena_fini(&arena);
}
END_TEST

START_TEST(init_reports_missing_memory)
{
    dcps_arena arena = {.capacity_bytes = 77};
    dcps_alloc_fail_after(0);
    ck_assert_int_eq(dcps_arena_init(&arena, 4096), DCPS_NO_MEMORY);
    ck_assert_uint_eq(arena.capacity_bytes, 77);
    ck_assert_ptr_nonnull(strstr(dcps_error_message(), "4096"));
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {pieces_are_aligned_and_apart, the_last_byte_is_usable_and_no_more,
                                  hostile_sizes_are_refused, reset_starts_over_without_allocating,
                                  init_reports_missing_memory};
    return CHECK_MAIN("arena", tests);
}
