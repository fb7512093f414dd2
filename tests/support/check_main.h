/* The main function of a program of Check tests. */
#ifndef DCPS_TESTS_SUPPORT_CHECK_MAIN_H
#define DCPS_TESTS_SUPPORT_CHECK_MAIN_H

#include <check.h>
#include <stddef.h>
#include <stdlib.h>

/* Runs a suite; the exit code of the program. */
static inline int check_run_in(Suite *suite, enum fork_status processes)
{
    SRunner *runner = srunner_create(suite);
    srunner_set_fork_status(runner, processes);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* The same with each test in a process of its own, unless CK_FORK=no. */
static inline int check_run(Suite *suite)
{
    return check_run_in(suite, CK_FORK_GETENV);
}

/* Runs `tests` [count] as one suite, like check_run. */
static inline int check_main(const char *name, const TTest *const *tests, size_t count, double timeout_s)
{
    Suite *suite = suite_create(name);
    TCase *group = tcase_create(name);
    tcase_set_timeout(group, timeout_s);
    for (size_t i = 0; i < count; i++) {
        tcase_add_test(group, tests[i]);
    }
    suite_add_tcase(suite, group);
    return check_run(suite);
}

#define CHECK_MAIN(name, tests) check_main((name), (tests), sizeof(tests) / sizeof((tests)[0]), 60)

#endif
