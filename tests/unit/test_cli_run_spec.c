/* Names of runs, good and hostile. */
#include <string.h>

#include "cli/settings/run_spec.h"
#include "support/check_main.h"

START_TEST(test_list_of_runs)
{
    dcps_run_spec specs[DCPS_MAX_RUN_SPECS];
    size_t count = 0;
    ck_assert_int_eq(
        dcps_run_specs_parse("sgd@1,ssgd@4,asgd@16,dc-asgd-c@1024,dc-asgd-a@4", specs, DCPS_MAX_RUN_SPECS, &count),
        DCPS_OK);
    ck_assert_uint_eq(count, 5);
    ck_assert_str_eq(specs[0].algorithm, "sgd");
    ck_assert_uint_eq(specs[0].workers, 1);
    ck_assert_str_eq(specs[3].algorithm, "dc-asgd-c");
    ck_assert_uint_eq(specs[3].workers, 1024);
    ck_assert_int_eq(dcps_run_specs_parse("asgd@4,asgd@8", specs, DCPS_MAX_RUN_SPECS, &count), DCPS_OK);
    ck_assert_uint_eq(count, 2);
}
END_TEST

START_TEST(test_settings_of_their_own)
{
    dcps_run_spec specs[DCPS_MAX_RUN_SPECS];
    size_t count = 0;
    ck_assert_int_eq(
        dcps_run_specs_parse(
            "sgd@1,asgd+optimizer=momentum+momentum=0.9@8,asgd+decay-epochs=7,9+learning-rate=1e+3@2,asgd@8", specs,
            DCPS_MAX_RUN_SPECS, &count),
        DCPS_OK);
    ck_assert_uint_eq(count, 4);
    ck_assert_uint_eq(specs[0].overrides.count, 0);
    ck_assert_str_eq(specs[1].name, "asgd+optimizer=momentum+momentum=0.9");
    ck_assert_str_eq(specs[1].algorithm, "asgd");
    ck_assert_uint_eq(specs[1].workers, 8);
    ck_assert_uint_eq(specs[1].overrides.count, 2);
    ck_assert_str_eq(dcps_overrides_find(&specs[1].overrides, "optimizer")->value, "momentum");
    ck_assert_str_eq(dcps_overrides_find(&specs[1].overrides, "momentum")->value, "0.9");
    ck_assert_str_eq(dcps_overrides_find(&specs[2].overrides, "decay-epochs")->value, "7,9");
    ck_assert_str_eq(dcps_overrides_find(&specs[2].overrides, "learning-rate")->value, "1e+3");
    ck_assert_str_eq(specs[3].name, "asgd");
    ck_assert_ptr_null(dcps_overrides_find(&specs[3].overrides, "momentum"));
}
END_TEST

START_TEST(test_hostile_lists)
{
    static const struct {
        const char *text;
        dcps_status status;
        const char *named; /* in the message */
    } cases[] = {{"", DCPS_INVALID, "empty"},
                 {"@", DCPS_INVALID, "'@'"},
                 {"@4", DCPS_INVALID, "'@4'"},
                 {"asgd", DCPS_INVALID, "'asgd'"},
                 {"asgd@", DCPS_INVALID, "'asgd@'"},
                 {"asgd@0", DCPS_INVALID, "1 to 1024"},
                 {"asgd@-1", DCPS_INVALID, "1 to 1024"},
                 {"asgd@1025", DCPS_INVALID, "'1025'"},
                 {"asgd@99999", DCPS_INVALID, "'99999'"},
                 {"asgd@99999999999999999999", DCPS_INVALID, "99999999999999999999"},
                 {"asgd@4x", DCPS_INVALID, "'4x'"},
                 {"asgd@4@4", DCPS_INVALID, "'4@4'"},
                 {"asgd@0x4", DCPS_INVALID, "'0x4'"},
                 {"x@4", DCPS_NOT_FOUND, "dc-asgd-a"},
                 {" asgd@4", DCPS_NOT_FOUND, "' asgd'"},
                 {"asgd@4,", DCPS_INVALID, "empty"},
                 {",asgd@4", DCPS_INVALID, "empty"},
                 {"asgd@4,,sgd@1", DCPS_INVALID, "empty"},
                 {"asgd@4,sgd@1,asgd@4", DCPS_INVALID, "twice"},
                 {"asgd@4,asgd@04", DCPS_INVALID, "twice"},
                 {"asgd+momentum@4", DCPS_INVALID, "OPTION=VALUE"},
                 {"asgd+servers=2@4", DCPS_INVALID, "'servers' is no training option"},
                 {"asgd+log-level=debug@4", DCPS_INVALID, "'log-level' is no training option"},
                 {"asgd+momentum=1+momentum=2@4", DCPS_INVALID, "momentum is set twice"},
                 {"asgd+momentum=1@4,asgd+momentum=1@4", DCPS_INVALID, "named twice"},
                 {"asgd+=1@4", DCPS_NOT_FOUND, "'asgd+=1'"},
                 {"+momentum=1@4", DCPS_NOT_FOUND, "unknown algorithm"},
                 {"asgd+momentum=1", DCPS_INVALID, "ALGORITHM@WORKERS"},
                 {"asgd,sgd+momentum=1@4", DCPS_INVALID, "run 'asgd'"}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        dcps_run_spec specs[DCPS_MAX_RUN_SPECS];
        size_t count = 77;
        ck_assert_msg(dcps_run_specs_parse(cases[i].text, specs, DCPS_MAX_RUN_SPECS, &count) == cases[i].status,
                      "'%s': %s", cases[i].text, dcps_error_message());
        ck_assert_msg(strstr(dcps_error_message(), cases[i].named) != NULL, "'%s': %s", cases[i].text,
                      dcps_error_message());
        ck_assert_uint_eq(count, 77);
    }
}
END_TEST

START_TEST(test_long_and_many)
{
    char text[4096];
    dcps_run_spec specs[2];
    size_t count = 0;
    memset(text, 'a', sizeof(text));
    text[sizeof(text) - 1] = '\0';
    ck_assert_int_eq(dcps_run_specs_parse(text, specs, 2, &count), DCPS_INVALID);
    memset(text, 'a', 100);
    memcpy(text + 100, "@4", 3);
    ck_assert_int_eq(dcps_run_specs_parse(text, specs, 2, &count), DCPS_NOT_FOUND);
    ck_assert_int_eq(dcps_run_specs_parse("asgd@1,asgd@2,asgd@3", specs, 2, &count), DCPS_LIMIT);
    memset(text, '1', 240);
    memcpy(text, "asgd+momentum=", 14);
    memcpy(text + 238, "@4", 3);
    ck_assert_int_eq(dcps_run_specs_parse(text, specs, 2, &count), DCPS_LIMIT);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {test_list_of_runs, test_settings_of_their_own, test_hostile_lists,
                                  test_long_and_many};
    return CHECK_MAIN("cli run spec", tests);
}
