/* The presets under the names that people know. */
#include <check.h>
#include <stdbool.h>
#include <string.h>

#include "server/engine/algorithm.h"
#include "support/check_main.h"

typedef struct expectation {
    const char *name;
    dcps_consistency consistency;
    uint32_t ssp_bound;
    dcps_compensation compensation;
    double lambda;
    double mean_square_decay;
    bool needs_pulled;
} expectation;

static const expectation expected[] = {
    {"sgd", DCPS_CONSISTENCY_ASP, 0, DCPS_COMPENSATE_NONE, 0.0, 0.0, false},
    {"ssgd", DCPS_CONSISTENCY_BSP, 0, DCPS_COMPENSATE_NONE, 0.0, 0.0, false},
    {"asgd", DCPS_CONSISTENCY_ASP, 0, DCPS_COMPENSATE_NONE, 0.0, 0.0, false},
    {"ssp", DCPS_CONSISTENCY_SSP, 3, DCPS_COMPENSATE_NONE, 0.0, 0.0, false},
    {"dc-asgd-c", DCPS_CONSISTENCY_ASP, 0, DCPS_COMPENSATE_DC_C, 0.04, 0.0, true},
    {"dc-asgd-a", DCPS_CONSISTENCY_ASP, 0, DCPS_COMPENSATE_DC_A, 2.0, 0.95, true},
};
enum { PRESETS = sizeof(expected) / sizeof(expected[0]) };

START_TEST(test_preset)
{
    const expectation *e = &expected[_i];
    dcps_algorithm algorithm;
    memset(&algorithm, 0xff, sizeof(algorithm));
    ck_assert_int_eq(dcps_algorithm_preset(e->name, &algorithm), DCPS_OK);
    ck_assert_str_eq(algorithm.name, e->name);
    ck_assert_int_eq(algorithm.consistency, e->consistency);
    ck_assert_uint_eq(algorithm.ssp_bound, e->ssp_bound);
    ck_assert_int_eq(algorithm.rule.compensation, e->compensation);
    ck_assert_double_eq(algorithm.rule.lambda, e->lambda);
    ck_assert_double_eq(algorithm.rule.mean_square_decay, e->mean_square_decay);
    ck_assert_int_eq(algorithm.rule.optimizer, DCPS_OPTIMIZER_SGD);
    ck_assert_double_eq(algorithm.rule.momentum, 0.0);
    ck_assert_double_eq(algorithm.rule.weight_decay, 0.0);

    dcps_rule *rule = NULL;
    ck_assert_int_eq(dcps_rule_create(&algorithm.rule, &rule), DCPS_OK);
    ck_assert_int_eq(dcps_rule_needs_pulled_weights(rule) != 0, e->needs_pulled);
    dcps_rule_destroy(&rule);
}
END_TEST

START_TEST(test_unknown_name)
{
    const char *bad[] = {"", "dc-asgd", "SGD", "sgd ", "sgd|ssgd"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        dcps_algorithm algorithm = {.name = "untouched"};
        ck_assert_int_eq(dcps_algorithm_preset(bad[i], &algorithm), DCPS_NOT_FOUND);
        ck_assert_str_eq(algorithm.name, "untouched");
        for (size_t k = 0; k < PRESETS; k++)
            ck_assert_ptr_nonnull(strstr(dcps_error_message(), expected[k].name));
    }
}
END_TEST

START_TEST(test_names_are_those_of_the_presets)
{
    ck_assert_str_eq(dcps_algorithm_names(), "sgd|ssgd|asgd|ssp|dc-asgd-c|dc-asgd-a");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("algorithm");
    TCase *tests = tcase_create("algorithm");
    tcase_add_loop_test(tests, test_preset, 0, PRESETS);
    tcase_add_test(tests, test_unknown_name);
    tcase_add_test(tests, test_names_are_those_of_the_presets);
    suite_add_tcase(suite, tests);
    return check_run(suite);
}
