/* The value of --groups. */
#include "cli/settings/groups.h"

#include <stdio.h>
#include <string.h>

#include "support/check_main.h"

static const char *group_of(const dcps_groups *groups, uint32_t index, uint32_t workers)
{
    const dcps_group *group = dcps_groups_find(groups, index, workers);
    return group == NULL ? DCPS_GROUP_REST : group->name;
}

START_TEST(the_last_workers_are_in_groups)
{
    dcps_groups groups;
    ck_assert_int_eq(dcps_groups_parse("slow:1:4,very-slow:2:8.5", &groups), DCPS_OK);
    ck_assert_uint_eq(groups.count, 2);
    ck_assert_uint_eq(groups.items[1].workers, 2);
    ck_assert_double_eq(groups.items[1].factor, 8.5);
    static const char *const expected[] = {"rest", "rest", "slow", "very-slow", "very-slow"};
    for (uint32_t i = 0; i < 5; i++) {
        ck_assert_str_eq(group_of(&groups, i, 5), expected[i]);
    }
    ck_assert_str_eq(group_of(&groups, 5, 5), "rest"); /* none of the run's */
    ck_assert_int_eq(dcps_groups_check(&groups, "asgd@5", 5), DCPS_OK);
    ck_assert_int_eq(dcps_groups_check(&groups, "asgd@3", 3), DCPS_OK);
    ck_assert_str_eq(group_of(&groups, 0, 3), "slow");
}
END_TEST

START_TEST(without_groups_all_are_equal)
{
    dcps_groups groups = {.count = 7};
    ck_assert_int_eq(dcps_groups_parse(NULL, &groups), DCPS_OK);
    ck_assert_uint_eq(groups.count, 0);
    ck_assert_str_eq(group_of(&groups, 0, 1), "rest");
    ck_assert_int_eq(dcps_groups_check(&groups, "sgd@1", 1), DCPS_OK);
}
END_TEST

START_TEST(more_workers_than_there_are_is_an_error)
{
    dcps_groups groups;
    ck_assert_int_eq(dcps_groups_parse("a:3:2,b:2:1", &groups), DCPS_OK);
    ck_assert_int_eq(dcps_groups_check(&groups, "asgd@4", 4), DCPS_INVALID);
    ck_assert_str_eq(dcps_error_message(), "--groups: 5 workers are in groups, but asgd@4 has 4");
    ck_assert_ptr_null(dcps_groups_find(&groups, 0, 1)); /* unchecked: no harm */
}
END_TEST

START_TEST(anything_else_is_refused)
{
    static const char *const bad[] = {"",
                                      ",",
                                      "slow",
                                      "slow:1",
                                      "slow:1:4:2",
                                      "slow:1:4,",
                                      ",slow:1:4",
                                      ":1:4",
                                      "slow::4",
                                      "slow:1:",
                                      "slow:0:4",
                                      "slow:-1:4",
                                      "slow:1025:4",
                                      "slow:1.5:4",
                                      "slow:x:4",
                                      "slow:1:0.99",
                                      "slow:1:-4",
                                      "slow:1:nan",
                                      "slow:1:inf",
                                      "slow:1:1e7",
                                      "slow:1:4x",
                                      "rest:1:4",
                                      "s low:1:4",
                                      "s\"low:1:4",
                                      "a:1:2,a:1:3",
                                      "\xff:1:2",
                                      "99999999999999999999999:1:x",
                                      "slow:99999999999999999999:4"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        dcps_groups groups = {.count = 7};
        ck_assert_msg(dcps_groups_parse(bad[i], &groups) == DCPS_INVALID, "'%s' passes", bad[i]);
        ck_assert_uint_eq(groups.count, 7);
    }
}
END_TEST

START_TEST(limits_hold)
{
    char text[1024];
    size_t used = 0;
    dcps_groups groups;
    for (uint32_t i = 0; i < DCPS_MAX_GROUPS; i++) {
        used += (size_t)snprintf(text + used, sizeof(text) - used, "%sg%u:1:2", i == 0 ? "" : ",", i);
    }
    ck_assert_int_eq(dcps_groups_parse(text, &groups), DCPS_OK);
    ck_assert_uint_eq(groups.count, DCPS_MAX_GROUPS);
    ck_assert_int_eq(dcps_groups_check(&groups, "r", DCPS_MAX_GROUPS), DCPS_OK);
    (void)snprintf(text + used, sizeof(text) - used, ",one-more:1:2");
    ck_assert_int_eq(dcps_groups_parse(text, &groups), DCPS_INVALID);
    char name[DCPS_GROUP_NAME_BYTES + 1];
    memset(name, 'n', sizeof(name));
    (void)snprintf(text, sizeof(text), "%.*s:1:2", (int)DCPS_GROUP_NAME_BYTES - 1, name);
    ck_assert_int_eq(dcps_groups_parse(text, &groups), DCPS_OK);
    (void)snprintf(text, sizeof(text), "%.*s:1:2", (int)DCPS_GROUP_NAME_BYTES, name);
    ck_assert_int_eq(dcps_groups_parse(text, &groups), DCPS_INVALID);
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    ck_assert_int_eq(dcps_groups_parse(text, &groups), DCPS_INVALID);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {the_last_workers_are_in_groups, without_groups_all_are_equal,
                                  more_workers_than_there_are_is_an_error, anything_else_is_refused, limits_hold};
    return CHECK_MAIN("cli groups", tests);
}
