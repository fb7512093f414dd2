/* The presets under the names that people know. */
#include <check.h>
#include <stdbool.h>
#include <stdio.h>
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
    double bound;
    dcps_step_size step_size;
    dcps_optimizer optimizer; /* 0: sgd */
    double momentum;
    bool cuts_off;
    bool looks_ahead;
} expectation;

static const expectation expected[] = {
    {"sgd", DCPS_CONSISTENCY_ASP, 0, DCPS_COMPENSATE_NONE, 0.0, 0.0, false, .bound = 0.0},
    {"ssgd", DCPS_CONSISTENCY_BSP, 0, DCPS_COMPENSATE_NONE, 0.0, 0.0, false, .bound = 0.0},
    {"asgd", DCPS_CONSISTENCY_ASP, 0, DCPS_COMPENSATE_NONE, 0.0, 0.0, false, .bound = 0.0},
    {"ssp", DCPS_CONSISTENCY_SSP, 3, DCPS_COMPENSATE_NONE, 0.0, 0.0, false, .bound = 0.0},
    {"dc-asgd-c", DCPS_CONSISTENCY_ASP, 0, DCPS_COMPENSATE_DC_C, 0.04, 0.0, true, .bound = 0.0},
    {"dc-asgd-a", DCPS_CONSISTENCY_ASP, 0, DCPS_COMPENSATE_DC_A, 2.0, 0.95, true, .bound = 0.0},
    {"dc-asgd-b", DCPS_CONSISTENCY_ASP, 0, DCPS_COMPENSATE_DC_B, 128.0, 0.95, true, .bound = 1.0},
    {"dc-asgd-i", DCPS_CONSISTENCY_ASP, 0, DCPS_COMPENSATE_DC_I, 4.0, 0.0, true, .bound = 1.0},
    {"gap-aware", DCPS_CONSISTENCY_ASP, 0, DCPS_COMPENSATE_GAP_AWARE, 0.0, 0.0, true, .bound = 0.0},
    {"sa-asgd", DCPS_CONSISTENCY_ASP, 0, DCPS_COMPENSATE_NONE, 0.0, 0.0, false, .step_size = DCPS_STEP_STALENESS},
    {"adadelay", DCPS_CONSISTENCY_ASP, 0, DCPS_COMPENSATE_NONE, 0.0, 0.0, false, .step_size = DCPS_STEP_ADADELAY},
    {"dana-zero", DCPS_CONSISTENCY_ASP, 0, DCPS_COMPENSATE_NONE, 0.0, 0.0, false, .optimizer = DCPS_OPTIMIZER_DANA,
     .momentum = 0.9, .looks_ahead = true},
    {"dana-dc", DCPS_CONSISTENCY_ASP, 0, DCPS_COMPENSATE_DC_C, 2.0, 0.0, true, .optimizer = DCPS_OPTIMIZER_DANA,
     .momentum = 0.9, .looks_ahead = true},
    {"ormo", DCPS_CONSISTENCY_ASP, 0, DCPS_COMPENSATE_NONE, 0.0, 0.0, false, .optimizer = DCPS_OPTIMIZER_ORMO,
     .momentum = 0.9},
    {"ringmaster", DCPS_CONSISTENCY_ASP, 0, DCPS_COMPENSATE_NONE, 0.0, 0.0, false, .cuts_off = true},
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
    ck_assert_int_eq(algorithm.rule.optimizer, e->optimizer == 0 ? DCPS_OPTIMIZER_SGD : e->optimizer);
    ck_assert_double_eq(algorithm.rule.momentum, e->momentum);
    ck_assert_double_eq(algorithm.rule.correction_bound, e->bound);
    ck_assert_int_eq(algorithm.rule.step_size, e->step_size);
    ck_assert_int_eq(algorithm.rule.then, 0);
    ck_assert_int_eq(algorithm.cuts_off, e->cuts_off);
    ck_assert_int_eq(dcps_algorithm_check(&algorithm, 4), DCPS_OK);
    ck_assert_double_eq(algorithm.rule.weight_decay, 0.0);

    dcps_rule *rule = NULL;
    ck_assert_int_eq(dcps_rule_create(&algorithm.rule, &rule), DCPS_OK);
    ck_assert_int_eq(dcps_rule_needs_pulled_weights(rule) != 0, e->needs_pulled);
    ck_assert_int_eq(dcps_rule_looks_ahead(rule) != 0, e->looks_ahead);
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
        for (size_t k = 0; k < PRESETS; k++) {
            ck_assert_ptr_nonnull(strstr(dcps_error_message(), expected[k].name));
        }
    }
}
END_TEST

static void expect_bad(const dcps_algorithm *algorithm, const char *word)
{
    ck_assert_int_eq(dcps_algorithm_check(algorithm, 4), DCPS_INVALID);
    ck_assert_msg(strstr(dcps_error_message(), word) != NULL, "no \"%s\" in: %s", word, dcps_error_message());
}

START_TEST(test_parts_that_do_not_go_together)
{
    dcps_algorithm algorithm;
    ck_assert_int_eq(dcps_algorithm_preset("dana-zero", &algorithm), DCPS_OK);
    ck_assert_int_eq(dcps_algorithm_set_consistency(&algorithm, "bsp"), DCPS_OK);
    expect_bad(&algorithm, "round");
    ck_assert_int_eq(dcps_algorithm_preset("dc-asgd-a", &algorithm), DCPS_OK);
    ck_assert_int_eq(dcps_algorithm_set_consistency(&algorithm, "bsp"), DCPS_OK);
    ck_assert_int_eq(dcps_algorithm_check(&algorithm, 4), DCPS_OK);
    algorithm.rule.mean_square_each_worker = true;
    expect_bad(&algorithm, "mean_square");
    ck_assert_int_eq(dcps_algorithm_preset("ringmaster", &algorithm), DCPS_OK);
    ck_assert_int_eq(dcps_algorithm_set_consistency(&algorithm, "bsp"), DCPS_OK);
    expect_bad(&algorithm, "staleness");
    ck_assert_int_eq(dcps_algorithm_preset("asgd", &algorithm), DCPS_OK);
    algorithm.backup_workers = 1;
    expect_bad(&algorithm, "bsp");
    ck_assert_int_eq(dcps_algorithm_preset("ssgd", &algorithm), DCPS_OK);
    algorithm.backup_workers = 3;
    ck_assert_int_eq(dcps_algorithm_check(&algorithm, 4), DCPS_OK);
    algorithm.backup_workers = 4;
    expect_bad(&algorithm, "at most 3");
}
END_TEST

START_TEST(test_parts_are_exchanged_by_name)
{
    dcps_algorithm algorithm;
    ck_assert_int_eq(dcps_algorithm_preset("asgd", &algorithm), DCPS_OK);
    ck_assert_int_eq(dcps_algorithm_set_compensation(&algorithm, "dc-b,gap-aware"), DCPS_OK);
    ck_assert_int_eq(algorithm.rule.compensation, DCPS_COMPENSATE_DC_B);
    ck_assert_int_eq(algorithm.rule.then, DCPS_COMPENSATE_GAP_AWARE);
    ck_assert_double_eq(algorithm.rule.lambda, 128.0); /* as dc-asgd-b has it */
    ck_assert_double_eq(algorithm.rule.mean_square_decay, 0.95);
    ck_assert_double_eq(algorithm.rule.correction_bound, 1.0);
    ck_assert_int_eq(dcps_algorithm_set_optimizer(&algorithm, "nesterov"), DCPS_OK);
    ck_assert_double_eq(algorithm.rule.momentum, 0.9);
    ck_assert_int_eq(dcps_algorithm_set_step_size(&algorithm, "adadelay"), DCPS_OK);
    ck_assert_double_eq(algorithm.rule.adadelay_offset, 1.0);
    ck_assert_int_eq(dcps_algorithm_set_consistency(&algorithm, "ssp"), DCPS_OK);
    ck_assert_uint_eq(algorithm.ssp_bound, 3);
    ck_assert_int_eq(dcps_algorithm_check(&algorithm, 4), DCPS_OK);
    ck_assert(dcps_algorithm_uses(&algorithm, "correction-bound") && dcps_algorithm_uses(&algorithm, "ssp-bound"));
    ck_assert(!dcps_algorithm_uses(&algorithm, "backup-workers"));
    ck_assert_int_eq(dcps_algorithm_set_compensation(&algorithm, "dc-c,dc-a"), DCPS_OK);
    expect_bad(&algorithm, "twice");
    static const char *const bad[] = {"", "dc", "dc-a,", ",dc-a", "dc-a,gap-aware,none", "none dc-a"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        ck_assert_int_eq(dcps_algorithm_set_compensation(&algorithm, bad[i]), DCPS_INVALID);
    }
    ck_assert_int_eq(dcps_algorithm_set_consistency(&algorithm, "async"), DCPS_INVALID);
    ck_assert_int_eq(dcps_algorithm_set_step_size(&algorithm, "const"), DCPS_INVALID);
    ck_assert_int_eq(dcps_algorithm_set_optimizer(&algorithm, "adam"), DCPS_INVALID);
}
END_TEST

/* Every choice that a parameter needs can be made, and gives the parameter its effect; the presets asgd and ssgd have none of them but their own consistency. */
START_TEST(test_parameters_need_parts_that_there_are)
{
    uint32_t seen = 0;
    for (const dcps_algorithm_parameter *needs = dcps_algorithm_parameters; needs->flag != NULL; needs++) {
        const dcps_algorithm_part *part = dcps_algorithm_parts;
        while (part->flag != NULL && strcmp(part->flag, needs->part) != 0) {
            part++;
        }
        ck_assert_msg(part->flag != NULL, "no part %s", needs->part);
        dcps_algorithm algorithm;
        ck_assert_int_eq(dcps_algorithm_preset(strcmp(needs->choices, "bsp") == 0 ? "asgd" : "ssgd", &algorithm),
                         DCPS_OK);
        ck_assert_msg(!dcps_algorithm_uses(&algorithm, needs->flag), "%s", needs->flag);
        char choices[64];
        (void)snprintf(choices, sizeof(choices), "%s", needs->choices);
        for (char *rest, *choice = strtok_r(choices, "|", &rest); choice != NULL; choice = strtok_r(NULL, "|", &rest)) {
            ck_assert_msg(part->set(&algorithm, choice) == DCPS_OK, "%s", dcps_error_message());
            ck_assert_msg(dcps_algorithm_uses(&algorithm, needs->flag), "%s with %s", needs->flag, choice);
        }
        seen++;
    }
    ck_assert_uint_eq(seen, 9);
}
END_TEST

/* Longer and shorter names than one that is known, and the second of a chain. */
START_TEST(test_use_goes_by_whole_names)
{
    dcps_algorithm algorithm;
    ck_assert_int_eq(dcps_algorithm_preset("asgd", &algorithm), DCPS_OK);
    ck_assert(!dcps_algorithm_uses(&algorithm, "momentum") && !dcps_algorithm_uses(&algorithm, "mean") &&
              !dcps_algorithm_uses(&algorithm, ""));
    ck_assert_int_eq(dcps_algorithm_set_compensation(&algorithm, "gap-aware,dc-i"), DCPS_OK);
    ck_assert(dcps_algorithm_uses(&algorithm, "lambda") && dcps_algorithm_uses(&algorithm, "correction-bound"));
    ck_assert(!dcps_algorithm_uses(&algorithm, "mean-square") && !dcps_algorithm_uses(&algorithm, "mean-square-decay"));
}
END_TEST

START_TEST(test_unknown_parts_are_told_the_choices)
{
    dcps_algorithm algorithm;
    ck_assert_int_eq(dcps_algorithm_preset("asgd", &algorithm), DCPS_OK);
    static const char *const choices[] = {"bsp|ssp|asp", "none|dc-c|dc-a|dc-b|dc-i|gap-aware",
                                          "constant|staleness|adadelay", "sgd|momentum|nesterov|dana|ormo"};
    for (uint32_t i = 0; i < 4; i++) {
        ck_assert_int_eq(dcps_algorithm_parts[i].set(&algorithm, "sorcery"), DCPS_INVALID);
        ck_assert_msg(strstr(dcps_error_message(), choices[i]) != NULL, "no %s in: %s", choices[i],
                      dcps_error_message());
    }
}
END_TEST

/* Every name that messages list is one that is described, and each can be chosen. */
START_TEST(test_choices_are_those_of_the_names)
{
    static const char *const names[] = {DCPS_CONSISTENCY_NAMES, DCPS_COMPENSATION_NAMES, DCPS_STEP_SIZE_NAMES,
                                        DCPS_OPTIMIZER_NAMES};
    for (uint32_t i = 0; dcps_algorithm_parts[i].flag != NULL; i++) {
        char listed[128] = "";
        for (const dcps_algorithm_choice *choice = dcps_algorithm_parts[i].choices; choice->name != NULL; choice++) {
            dcps_algorithm algorithm;
            ck_assert_int_eq(dcps_algorithm_preset("asgd", &algorithm), DCPS_OK);
            ck_assert_int_eq(dcps_algorithm_parts[i].set(&algorithm, choice->name), DCPS_OK);
            ck_assert_uint_gt(strlen(choice->about), 5);
            const size_t used = strlen(listed);
            (void)snprintf(listed + used, sizeof(listed) - used, "%s%s", used > 0 ? "|" : "", choice->name);
        }
        ck_assert_str_eq(listed, names[i]);
    }
}
END_TEST

/* What is done beside the stages is said: the mean of a round, the wait of ssp, the cut-off; and nothing where nothing is. */
START_TEST(test_formulas_beside_the_stages)
{
    static const struct {
        const char *name;
        const char *said;
    } presets[] = {{"ssgd", "mean"}, {"ssp", "waits"}, {"ringmaster", "tau >= R"}, {"dc-asgd-a", NULL}};
    for (size_t i = 0; i < sizeof(presets) / sizeof(presets[0]); i++) {
        dcps_algorithm algorithm;
        ck_assert_int_eq(dcps_algorithm_preset(presets[i].name, &algorithm), DCPS_OK);
        const char *line = dcps_algorithm_formula(&algorithm, 0);
        ck_assert_msg((line == NULL) == (presets[i].said == NULL), "%s", presets[i].name);
        ck_assert_msg(line == NULL || strstr(line, presets[i].said) != NULL, "%s: %s", presets[i].name, line);
        ck_assert_ptr_null(dcps_algorithm_formula(&algorithm, 1));
    }
    dcps_algorithm both;
    ck_assert_int_eq(dcps_algorithm_preset("ssp", &both), DCPS_OK);
    both.cuts_off = true;
    ck_assert_ptr_nonnull(strstr(dcps_algorithm_formula(&both, 1), "tau >= R"));
    ck_assert_ptr_null(dcps_algorithm_formula(&both, 2));
}
END_TEST

START_TEST(test_names_are_those_of_the_presets)
{
    const char *names = dcps_algorithm_names();
    const char *about;
    const dcps_algorithm *algorithm;
    for (uint32_t i = 0; (algorithm = dcps_algorithm_at(i, &about)) != NULL; i++) {
        const size_t length = strlen(algorithm->name);
        ck_assert_msg(strncmp(names, algorithm->name, length) == 0, "%s, expected %s", names, algorithm->name);
        names += length;
        ck_assert(*names == '|' || *names == '\0');
        names += *names == '|' ? 1 : 0;
        ck_assert_uint_gt(strlen(about), 10);
    }
    ck_assert_str_eq(names, "");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("algorithm");
    TCase *tests = tcase_create("algorithm");
    tcase_add_loop_test(tests, test_preset, 0, PRESETS);
    tcase_add_test(tests, test_unknown_name);
    tcase_add_test(tests, test_names_are_those_of_the_presets);
    tcase_add_test(tests, test_parts_that_do_not_go_together);
    tcase_add_test(tests, test_parts_are_exchanged_by_name);
    tcase_add_test(tests, test_parameters_need_parts_that_there_are);
    tcase_add_test(tests, test_use_goes_by_whole_names);
    tcase_add_test(tests, test_choices_are_those_of_the_names);
    tcase_add_test(tests, test_formulas_beside_the_stages);
    tcase_add_test(tests, test_unknown_parts_are_told_the_choices);
    suite_add_tcase(suite, tests);
    return check_run(suite);
}
