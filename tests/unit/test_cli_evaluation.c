/* Lines of the evaluating worker. */
#include <math.h>
#include <string.h>

#include "cli/results/evaluation.h"
#include "support/check_main.h"

START_TEST(test_line)
{
    dcps_evaluation evaluation;
    ck_assert_int_eq(dcps_evaluation_parse(
                         "{\"snapshot\": 3, \"epoch\": 4, \"samples\": 240000, \"seconds\": 5.25, \"train_loss\": 0.5,"
                         " \"dataset\": \"fashion-mnist\", \"metrics\": {\"test_error\": 0.125, \"test_loss\": 1}}",
                         &evaluation),
                     DCPS_OK);
    ck_assert_uint_eq(evaluation.snapshot, 3);
    ck_assert_uint_eq(evaluation.samples, 240000);
    ck_assert_double_eq(evaluation.point.epoch, 4.0);
    ck_assert_double_eq(evaluation.point.seconds, 5.25);
    ck_assert_double_eq(evaluation.point.train_loss, 0.5);
    ck_assert_uint_eq(evaluation.point.metric_count, 2);
    ck_assert_str_eq(evaluation.point.metrics[0].name, "test_error");
    ck_assert_double_eq(evaluation.point.metrics[0].value, 0.125);
    ck_assert_double_eq(evaluation.point.metrics[1].value, 1.0);
    ck_assert_str_eq(evaluation.dataset, "fashion-mnist");
}
END_TEST

START_TEST(test_diverged)
{
    dcps_evaluation evaluation;
    ck_assert_int_eq(
        dcps_evaluation_parse("{\"snapshot\":0,\"samples\":1,\"train_loss\":null,\"metrics\":{\"test_error\":null}}",
                              &evaluation),
        DCPS_OK);
    ck_assert(isnan(evaluation.point.train_loss));
    ck_assert(isnan(evaluation.point.epoch));
    ck_assert(isnan(evaluation.point.seconds));
    ck_assert(isnan(evaluation.point.metrics[0].value));
    ck_assert_str_eq(evaluation.dataset, "");
}
END_TEST

/* The name of a metric heads a column of a table. */
START_TEST(test_names_do_not_command_the_terminal)
{
    dcps_evaluation evaluation;
    ck_assert_int_eq(
        dcps_evaluation_parse("{\"snapshot\":0,\"samples\":1,\"dataset\":\"a\\nb\",\"metrics\":{\"\\u001b[2J\":1}}",
                              &evaluation),
        DCPS_OK);
    ck_assert_str_eq(evaluation.point.metrics[0].name, "?[2J");
    ck_assert_str_eq(evaluation.dataset, "a?b");
}
END_TEST

START_TEST(test_hostile_lines)
{
    static const char *const lines[] = {"",
                                        "x",
                                        "[]",
                                        "{}",
                                        "null",
                                        "{\"snapshot\":0,\"samples\":1}",
                                        "{\"snapshot\":0,\"samples\":1,\"metrics\":[]}",
                                        "{\"snapshot\":-1,\"samples\":1,\"metrics\":{}}",
                                        "{\"snapshot\":0.5,\"samples\":1,\"metrics\":{}}",
                                        "{\"snapshot\":0,\"samples\":-2,\"metrics\":{}}",
                                        "{\"snapshot\":0,\"samples\":1e30,\"metrics\":{}}",
                                        "{\"snapshot\":0,\"samples\":1,\"metrics\":{}",
                                        "{\"snapshot\":0,\"samples\":1,\"samples\":1,\"metrics\":{}}"};
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        dcps_evaluation evaluation;
        ck_assert_msg(dcps_evaluation_parse(lines[i], &evaluation) == DCPS_CORRUPT, "%s", lines[i]);
    }
}
END_TEST

START_TEST(test_too_many_metrics)
{
    char line[4096] = "{\"snapshot\":0,\"samples\":1,\"metrics\":{";
    for (int i = 0; i < 40; i++) {
        size_t used = strlen(line);
        (void)snprintf(line + used, sizeof(line) - used,
                       "%s\"a_very_long_name_of_a_metric_that_is_cut_somewhere_before_its_very_end_%02d\":1",
                       i == 0 ? "" : ",", i);
    }
    strncat(line, "}}", sizeof(line) - strlen(line) - 1);
    dcps_evaluation evaluation;
    ck_assert_int_eq(dcps_evaluation_parse(line, &evaluation), DCPS_OK);
    ck_assert_uint_eq(evaluation.point.metric_count, DCPS_RESULT_MAX_METRICS);
    ck_assert_uint_eq(strlen(evaluation.point.metrics[0].name), sizeof(evaluation.point.metrics[0].name) - 1);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {test_line, test_diverged, test_hostile_lines, test_names_do_not_command_the_terminal,
                                  test_too_many_metrics};
    return CHECK_MAIN("cli evaluation", tests);
}
