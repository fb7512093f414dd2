/* Argument lists. */
#include "base/alloc.h"
#include "cli/common/args.h"
#include "support/check_main.h"

START_TEST(test_list_grows_and_ends_with_null)
{
    dcps_args args = {0};
    for (int i = 0; i < 100; i++) {
        dcps_args_add(&args, "--n%d", i);
    }
    dcps_args_add_flag(&args, "data", "100 %s");
    ck_assert_int_eq(dcps_args_check(&args), DCPS_OK);
    ck_assert_uint_eq(args.count, 102);
    ck_assert_str_eq(args.items[0], "--n0");
    ck_assert_str_eq(args.items[99], "--n99");
    ck_assert_str_eq(args.items[100], "--data");
    ck_assert_str_eq(args.items[101], "100 %s");
    ck_assert_ptr_null(args.items[102]);
    dcps_args copy = {0};
    dcps_args_add(&copy, "first");
    dcps_args_append(&copy, &args);
    ck_assert_uint_eq(copy.count, 103);
    ck_assert_str_eq(copy.items[102], "100 %s");
    dcps_args_fini(&copy);
    dcps_args_fini(&args);
}
END_TEST

START_TEST(test_lost_memory_sticks)
{
    for (uint64_t n = 0; n < 2; n++) {
        dcps_args args = {0};
        dcps_alloc_fail_after(n);
        dcps_args_add(&args, "a");
        dcps_alloc_fail_after(UINT64_MAX);
        dcps_args_add(&args, "b");
        ck_assert_int_eq(dcps_args_check(&args), DCPS_NO_MEMORY);
        dcps_args other = {0};
        dcps_args_append(&other, &args);
        ck_assert_int_eq(dcps_args_check(&other), DCPS_NO_MEMORY);
        dcps_args_fini(&other);
        dcps_args_fini(&args);
    }
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {test_list_grows_and_ends_with_null, test_lost_memory_sticks};
    return CHECK_MAIN("cli args", tests);
}
