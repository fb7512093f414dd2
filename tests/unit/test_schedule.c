/* The learning rate as a function of samples seen, against literal values. */
#include <check.h>

#include "server/engine/algorithm.h"
#include "support/check_main.h"

static const uint64_t per_epoch = 60000;

static void expect_rate(const dcps_schedule *schedule, uint64_t samples, double rate)
{
    const double is = dcps_schedule_rate(schedule, samples, per_epoch);
    ck_assert_msg(is > rate * (1.0 - 1e-12) && is < rate * (1.0 + 1e-12),
                  "rate after %llu samples is %.15g, should be %.15g", (unsigned long long)samples, is, rate);
}

START_TEST(test_constant)
{
    const dcps_schedule schedule = {.base = 0.1, .workers = 4, .decay_factor = 1.0};
    expect_rate(&schedule, 0, 0.1);
    expect_rate(&schedule, 1, 0.1);
    expect_rate(&schedule, UINT64_MAX, 0.1);
}
END_TEST

START_TEST(test_warmup_is_linear_from_a_share)
{
    const dcps_schedule schedule = {.base = 0.8, .warmup_epochs = 5.0, .workers = 4, .decay_factor = 1.0};
    expect_rate(&schedule, 0, 0.2);
    expect_rate(&schedule, 60000, 0.32);
    expect_rate(&schedule, 150000, 0.5);
    expect_rate(&schedule, 300000, 0.8);
    expect_rate(&schedule, 6000000, 0.8);
    ck_assert_double_lt(dcps_schedule_rate(&schedule, 299999, per_epoch), 0.8);
}
END_TEST

START_TEST(test_warmup_of_part_of_an_epoch)
{
    const dcps_schedule schedule = {.base = 1.0, .warmup_epochs = 0.5, .workers = 2, .decay_factor = 1.0};
    expect_rate(&schedule, 0, 0.5);
    expect_rate(&schedule, 15000, 0.75);
    expect_rate(&schedule, 30000, 1.0);
}
END_TEST

START_TEST(test_warmup_of_one_worker_changes_nothing)
{
    const dcps_schedule schedule = {.base = 0.3, .warmup_epochs = 5.0, .workers = 1, .decay_factor = 1.0};
    expect_rate(&schedule, 0, 0.3);
    expect_rate(&schedule, 60000, 0.3);
}
END_TEST

START_TEST(test_decay_begins_at_its_mark)
{
    const dcps_schedule schedule = {
        .base = 0.5, .workers = 4, .decay_factor = 0.1, .decay_count = 2, .decay_epochs = {80.0, 120.0}};
    expect_rate(&schedule, 80 * per_epoch - 1, 0.5);
    expect_rate(&schedule, 80 * per_epoch, 0.05);
    expect_rate(&schedule, 120 * per_epoch - 1, 0.05);
    expect_rate(&schedule, 120 * per_epoch, 0.005);
    expect_rate(&schedule, 1000 * per_epoch, 0.005);
}
END_TEST

START_TEST(test_decay_within_the_warmup)
{
    const dcps_schedule schedule = {
        .base = 1.0, .warmup_epochs = 4.0, .workers = 2, .decay_factor = 0.5, .decay_count = 1, .decay_epochs = {2.0}};
    expect_rate(&schedule, per_epoch, 0.625);
    expect_rate(&schedule, 2 * per_epoch, 0.375);
    expect_rate(&schedule, 4 * per_epoch, 0.5);
}
END_TEST

START_TEST(test_all_marks_at_once)
{
    dcps_schedule schedule = {.base = 1.0, .decay_factor = 0.5, .decay_count = DCPS_SCHEDULE_MAX_STEPS};
    for (uint32_t i = 0; i < DCPS_SCHEDULE_MAX_STEPS; i++) {
        schedule.decay_epochs[i] = (double)(i + 1);
    }
    expect_rate(&schedule, 10 * per_epoch, 1.0 / 1024.0);
    expect_rate(&schedule, 64 * per_epoch, 1.0 / 18446744073709551616.0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("schedule");
    TCase *tests = tcase_create("schedule");
    tcase_add_test(tests, test_constant);
    tcase_add_test(tests, test_warmup_is_linear_from_a_share);
    tcase_add_test(tests, test_warmup_of_part_of_an_epoch);
    tcase_add_test(tests, test_warmup_of_one_worker_changes_nothing);
    tcase_add_test(tests, test_decay_begins_at_its_mark);
    tcase_add_test(tests, test_decay_within_the_warmup);
    tcase_add_test(tests, test_all_marks_at_once);
    suite_add_tcase(suite, tests);
    return check_run(suite);
}
