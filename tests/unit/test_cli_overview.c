/* What several seeds say together, against figures worked out by hand. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/results/overview.h"
#include "support/check_main.h"

/* A run of two evaluations, at 10 and 20 seconds. */
static void add(dcps_results *results, const char *name, uint32_t workers, uint64_t seed, double first, double last)
{
    dcps_result_run *run = NULL;
    ck_assert_int_eq(dcps_results_add(results, &run), DCPS_OK);
    (void)snprintf(run->name, sizeof(run->name), "%s", name);
    (void)snprintf(run->algorithm, sizeof(run->algorithm), "%.*s", (int)strcspn(name, "+"), name);
    run->workers = workers;
    run->seed = seed;
    run->measured = true;
    run->seconds = 20.0;
    run->samples_per_second = 100.0 * workers;
    const double errors[] = {first, last};
    for (size_t i = 0; i < 2; i++) {
        dcps_curve_point point = {
            .epoch = 1.0 + (double)i, .seconds = 10.0 + 10.0 * (double)i, .train_loss = 1.0, .metric_count = 1};
        (void)snprintf(point.metrics[0].name, sizeof(point.metrics[0].name), "test_error");
        point.metrics[0].value = errors[i];
        ck_assert_int_eq(dcps_result_add_point(run, &point), DCPS_OK);
    }
}

/* Pairs as in the test of the ratio with three: asgd − rule is 1.2, 0.8, 1.1 and asgd − sgd is 2.9, 2.5, 3.1 points. */
static void add_three_seeds(dcps_results *results)
{
    const double sgd[] = {0.100, 0.102, 0.099};
    const double gap[] = {0.029, 0.025, 0.031};
    const double won[] = {0.012, 0.008, 0.011};
    for (size_t i = 0; i < 3; i++) {
        add(results, "sgd", 1, i, 0.3, sgd[i]);
        add(results, "asgd", 4, i, 0.3, sgd[i] + gap[i]);
        add(results, "dc-asgd-a", 4, i, 0.3, sgd[i] + gap[i] - won[i]);
    }
}

START_TEST(test_gap_and_differences)
{
    dcps_results results = {.model = "m"};
    dcps_overview *overview = NULL;
    add_three_seeds(&results);
    ck_assert_int_eq(dcps_overview_create(&results, NULL, &overview), DCPS_OK);
    ck_assert_uint_eq(overview->row_count, 3);
    const dcps_overview_row *rule = dcps_overview_find(overview, "dc-asgd-a", 4);
    ck_assert_ptr_nonnull(rule);
    ck_assert_int_eq(rule->gap.kind, DCPS_RATIO_KNOWN);
    ck_assert_double_eq_tol(rule->gap.value, 0.3647058823529412, 1e-9);
    ck_assert_double_eq_tol(rule->gap.low, 0.22954186885874991, 1e-7);
    ck_assert_double_eq_tol(rule->gap.high, 0.46791453677057276, 1e-7);
    /* −0.012, −0.008, −0.011: mean −0.031/3, deviation 0.002082. */
    ck_assert_double_eq_tol(rule->over_asgd.mean, -0.031 / 3.0, 1e-12);
    ck_assert_double_eq_tol(rule->over_asgd.standard_error, 0.0012018504251546633, 1e-12);
    ck_assert_double_eq_tol(rule->over_sgd.mean, 0.054 / 3.0, 1e-12);
    ck_assert_int_eq(dcps_overview_find(overview, "asgd", 4)->gap.kind, DCPS_RATIO_NONE);
    ck_assert_uint_eq(dcps_overview_find(overview, "asgd", 4)->over_asgd.count, 0);
    ck_assert_uint_eq(dcps_overview_find(overview, "sgd", 1)->over_sgd.count, 0);
    ck_assert_ptr_null(dcps_overview_find(overview, "asgd", 8));
    dcps_overview_destroy(&overview);
    dcps_results_fini(&results);
}
END_TEST

/* Only seeds that all three have count, and no failed run. */
START_TEST(test_pairs_are_of_one_seed)
{
    dcps_results results = {.model = "m"};
    dcps_overview *overview = NULL;
    add_three_seeds(&results);
    add(&results, "dc-asgd-a", 4, 3, 0.3, 0.5);
    add(&results, "asgd", 4, 4, 0.3, 0.9);
    results.runs[results.run_count - 1].failed = true;
    ck_assert_int_eq(dcps_overview_create(&results, NULL, &overview), DCPS_OK);
    const dcps_overview_row *rule = dcps_overview_find(overview, "dc-asgd-a", 4);
    ck_assert_uint_eq(rule->run_count, 4);
    ck_assert_uint_eq(rule->gap.count, 3);
    ck_assert_double_eq_tol(rule->gap.value, 0.3647058823529412, 1e-9);
    ck_assert_uint_eq(dcps_overview_find(overview, "asgd", 4)->failed, 1);
    ck_assert_double_eq_tol(dcps_overview_find(overview, "asgd", 4)->metrics[0].mean, (0.129 + 0.127 + 0.130) / 3.0,
                            1e-12);
    dcps_overview_destroy(&overview);
    dcps_results_fini(&results);
}
END_TEST

/* A rule with momentum is held against ASGD with momentum. */
START_TEST(test_bases_have_the_same_settings)
{
    dcps_results results = {.model = "m"};
    dcps_overview *overview = NULL;
    add(&results, "sgd", 1, 1, 0.3, 0.10);
    add(&results, "sgd+momentum=0.9", 1, 1, 0.3, 0.08);
    add(&results, "asgd", 4, 1, 0.3, 0.20);
    add(&results, "asgd+momentum=0.9", 4, 1, 0.3, 0.28);
    add(&results, "dc-asgd-a+momentum=0.9", 4, 1, 0.3, 0.18);
    add(&results, "dc-asgd-a+lambda=1", 4, 1, 0.3, 0.18);
    add(&results, "asgd+compensation=dc-b,gap-aware+lambda=512+momentum=0.9", 4, 1, 0.3, 0.13);
    ck_assert_int_eq(dcps_overview_create(&results, NULL, &overview), DCPS_OK);
    const dcps_ratio alike = dcps_overview_find(overview, "dc-asgd-a+momentum=0.9", 4)->gap;
    const dcps_ratio plain = dcps_overview_find(overview, "dc-asgd-a+lambda=1", 4)->gap;
    ck_assert_int_eq(alike.kind, DCPS_RATIO_POINT);
    ck_assert_double_eq_tol(alike.value, 0.5, 1e-12);
    ck_assert_double_eq_tol(plain.value, 0.2, 1e-12);
    const dcps_ratio chain =
        dcps_overview_find(overview, "asgd+compensation=dc-b,gap-aware+lambda=512+momentum=0.9", 4)->gap;
    ck_assert_double_eq_tol(chain.value, 0.75, 1e-12);
    dcps_overview_destroy(&overview);
    dcps_results_fini(&results);
}
END_TEST

START_TEST(test_target)
{
    dcps_results results = {.model = "m"};
    dcps_overview *overview = NULL;
    dcps_target target;
    add(&results, "asgd", 4, 1, 0.3, 0.1); /* 0.2 at 15 s */
    add(&results, "asgd", 4, 2, 0.4, 0.1); /* at 16.67 s */
    add(&results, "asgd", 4, 3, 0.4, 0.3); /* never */
    add(&results, "ssgd", 4, 1, 0.3, 0.1);
    add(&results, "ssgd", 4, 2, 0.4, 0.1);
    add(&results, "ssp", 4, 1, 0.4, 0.3);
    results.runs[results.run_count - 1].seconds = 30.0;
    add(&results, "ssp", 4, 2, 0.4, 0.3);
    ck_assert_int_eq(dcps_target_parse("0.2", &target), DCPS_OK);
    ck_assert_int_eq(dcps_overview_create(&results, &target, &overview), DCPS_OK);
    ck_assert_uint_eq(overview->rows[0].reached, 2);
    ck_assert(isnan(overview->rows[0].seconds_to_target.mean)); /* one that never got there is not passed over */
    ck_assert_double_eq(overview->rows[0].seconds_short_of_target, 20.0);
    ck_assert_double_eq_tol(overview->rows[1].seconds_to_target.mean, (15.0 + 50.0 / 3.0) / 2.0, 1e-12);
    ck_assert_double_eq_tol(overview->rows[1].seconds_to_target.standard_error, 5.0 / 6.0, 1e-12);
    ck_assert(isnan(overview->rows[1].seconds_short_of_target));
    ck_assert_uint_eq(overview->rows[2].reached, 0);
    ck_assert_double_eq(overview->rows[2].seconds_short_of_target, 30.0);
    char *text = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);
    ck_assert_int_eq(dcps_overview_print(overview, out), DCPS_OK);
    (void)fclose(out);
    static const char *const times[] = {" 2 of 3 ", " 15.8 ± 0.8 ", " > 30.0 "};
    for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
        ck_assert_msg(strstr(text, times[i]) != NULL, "no %s in:\n%s", times[i], text);
    }
    ck_assert_ptr_nonnull(strstr(text, "Target: test_error 0.2.\n"));
    free(text);
    dcps_overview_destroy(&overview);
    ck_assert_int_eq(dcps_target_parse("tset_error=0.2", &target), DCPS_OK);
    ck_assert_int_eq(dcps_overview_create(&results, &target, &overview), DCPS_OK);
    out = open_memstream(&text, &length);
    ck_assert_int_eq(dcps_overview_print(overview, out), DCPS_OK);
    (void)fclose(out);
    ck_assert_ptr_nonnull(strstr(text, "Target: tset_error 0.2, which no run measures.\n"));
    free(text);
    dcps_overview_destroy(&overview);
    dcps_results_fini(&results);
    ck_assert_int_eq(dcps_target_parse("test_loss=1.5", &target), DCPS_OK);
    ck_assert_str_eq(target.metric, "test_loss");
    ck_assert_double_eq(target.value, 1.5);
    static const char *const bad[] = {"",    "=0.1",   "x", "test_error=", "test_error=0.1x", "0.1=test_error",
                                      "nan", "a=b=0.1"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        ck_assert_msg(dcps_target_parse(bad[i], &target) == DCPS_INVALID, "'%s'", bad[i]);
    }
}
END_TEST

START_TEST(test_table_of_gaps)
{
    dcps_results results = {.model = "m"};
    dcps_overview *overview = NULL;
    add_three_seeds(&results);
    for (uint64_t seed = 0; seed < 3; seed++) {
        add(&results, "asgd", 2, seed, 0.3, 0.100 + 0.002 * (double)seed); /* all but none lost */
        add(&results, "dc-asgd-a", 2, seed, 0.3, 0.101);
        add(&results, "asgd", 3, seed, 0.3, 0.05);
        add(&results, "dc-asgd-a", 3, seed, 0.3, 0.05);
    }
    static const char expected[] =
        "algorithm  workers      test error  gap recovered  train loss  seconds  samples/s  speed-up  staleness  p99\n"
        "───────────────────────────────────────────────────────────────────────────────────────────────────────────\n"
        "sgd              1  10.03 ± 0.09 %              –      1.0000     20.0        100     1.00x          –    –\n"
        "asgd             4  12.87 ± 0.09 %              –      1.0000     20.0        400     4.00x          –    –\n"
        "dc-asgd-a        4  11.83 ± 0.07 %  36 % [23, 47]      1.0000     20.0        400     4.00x          –    –\n"
        "asgd             2  10.20 ± 0.12 %              –      1.0000     20.0        200     2.00x          –    –\n"
        "dc-asgd-a        2  10.10 ± 0.00 %   no clear gap      1.0000     20.0        200     2.00x          –    –\n"
        "asgd             3   5.00 ± 0.00 %              –      1.0000     20.0        300     3.00x          –    –\n"
        "dc-asgd-a        3   5.00 ± 0.00 %         no gap      1.0000     20.0        300     3.00x          –    –\n"
        "Means over 3 seeds, ± standard error.\n"
        "Gap recovered: (asgd - this) / (asgd - sgd@1), pairs of the same seed, with the 95 % interval of Fieller.\n";
    dcps_results_fill_speedups(&results);
    ck_assert_int_eq(dcps_overview_create(&results, NULL, &overview), DCPS_OK);
    char *text = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);
    ck_assert_int_eq(dcps_overview_print(overview, out), DCPS_OK);
    (void)fclose(out);
    ck_assert_msg(strcmp(text, expected) == 0, "%.3000s", text);
    free(text);
    dcps_overview_destroy(&overview);
    dcps_results_fini(&results);
}
END_TEST

/* A seed that collapsed counts, but does not hide in the mean. */
START_TEST(test_seeds_far_apart)
{
    dcps_results results = {.model = "m"};
    dcps_overview *overview = NULL;
    add_three_seeds(&results);
    results.runs[7].points[1].metrics[0].value = 0.9; /* asgd, seed 2 */
    ck_assert_int_eq(dcps_overview_create(&results, NULL, &overview), DCPS_OK);
    char *text = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);
    ck_assert_int_eq(dcps_overview_print(overview, out), DCPS_OK);
    (void)fclose(out);
    const char *said = strstr(text, "its seeds ended far apart");
    ck_assert_ptr_nonnull(said);
    ck_assert_ptr_null(strstr(said + 1, "its seeds ended far apart"));
    ck_assert_ptr_nonnull(strstr(text, "\nasgd@4: its seeds ended far apart, with a test error from 12.70 to 90.00 %, "
                                       "median 12.90 %\n"));
    free(text);
    json_t *rows = dcps_overview_json(overview);
    ck_assert(json_is_false(json_object_get(json_array_get(rows, 0), "far_apart")));
    ck_assert(json_is_true(json_object_get(json_array_get(rows, 1), "far_apart")));
    json_decref(rows);
    dcps_overview_destroy(&overview);
    dcps_results_fini(&results);
}
END_TEST

START_TEST(test_json)
{
    dcps_results results = {.model = "m"};
    dcps_overview *overview = NULL;
    dcps_target target = {.value = 0.2};
    add(&results, "sgd", 1, 1, 0.3, 0.1);
    add(&results, "asgd", 2, 1, 0.3, 0.3);
    add(&results, "ssgd", 2, 1, 0.3, 0.25);
    ck_assert_int_eq(dcps_overview_create(&results, &target, &overview), DCPS_OK);
    json_t *rows = dcps_overview_json(overview);
    char *text = json_dumps(json_array_get(rows, 2), JSON_COMPACT | JSON_REAL_PRECISION(6));
    ck_assert_str_eq(
        text,
        "{\"name\":\"ssgd\",\"algorithm\":\"ssgd\",\"workers\":2,\"runs\":1,\"failed\":0,\"diverged\":0,\"far_apart\":"
        "false,"
        "\"metrics\":{\"test_error\":{\"mean\":0.25,\"se\":null,\"median\":0.25,\"min\":0.25,\"max\":0.25,\"n\":1}},"
        "\"minus_asgd\":{\"mean\":-0.05,\"se\":null,\"median\":-0.05,\"min\":-0.05,\"max\":-0.05,\"n\":1},\"minus_"
        "sgd\":{\"mean\":0.15,\"se\":null,\"median\":0.15,\"min\":0.15,\"max\":0.15,\"n\":1},"
        "\"gap_recovered\":{\"value\":0.25,\"low\":null,\"high\":null,\"n\":1,\"state\":\"one seed\"},"
        "\"seconds_to_target\":{\"metric\":\"test_error\",\"target\":0.2,\"reached\":0,\"of\":1,\"mean\":null,\"se\":"
        "null,\"short_of\":20.0},"
        "\"train_loss\":{\"mean\":1.0,\"se\":null,\"median\":1.0,\"min\":1.0,\"max\":1.0,\"n\":1},\"seconds\":{"
        "\"mean\":20.0,\"se\":null,\"median\":20.0,\"min\":20.0,\"max\":20.0,\"n\":1},"
        "\"samples_per_second\":{\"mean\":200.0,\"se\":null,\"median\":200.0,\"min\":200.0,\"max\":200.0,\"n\":1},"
        "\"speedup\":{\"mean\":null,\"se\":null,\"median\":null,\"min\":null,\"max\":null,\"n\":1},"
        "\"staleness_mean\":{\"mean\":null,\"se\":null,\"median\":null,\"min\":null,\"max\":null,\"n\":1},\"staleness_"
        "p99\":{\"mean\":null,\"se\":null,\"median\":null,\"min\":null,\"max\":null,\"n\":1}"
        "}");
    free(text);
    json_decref(rows);
    dcps_overview_destroy(&overview);
    dcps_results_fini(&results);
}
END_TEST

/* A seed that diverged before it was evaluated leaves no mean, and is not passed over. */
START_TEST(test_divergence)
{
    dcps_results results = {.model = "m"};
    dcps_overview *overview = NULL;
    dcps_result_run *run = NULL;
    ck_assert_int_eq(dcps_results_add(&results, &run), DCPS_OK);
    (void)snprintf(run->algorithm, sizeof(run->algorithm), "asgd");
    run->workers = 4;
    run->samples = 10;
    run->loss_known = true;
    add(&results, "asgd", 4, 1, 0.3, 0.1);
    ck_assert_int_eq(dcps_overview_create(&results, NULL, &overview), DCPS_OK);
    ck_assert_uint_eq(overview->row_count, 1);
    ck_assert_uint_eq(overview->rows[0].diverged, 1);
    ck_assert_uint_eq(overview->rows[0].metric_count, 1);
    ck_assert_str_eq(overview->rows[0].metric_names[0], "test_error");
    ck_assert(isnan(overview->rows[0].metrics[0].mean));
    ck_assert_uint_eq(overview->rows[0].metrics[0].count, 2);
    dcps_overview_destroy(&overview);
    dcps_results_fini(&results);
}
END_TEST

/* Nor is it in a difference or a gap, be it of the rule or of what that is held against. */
START_TEST(test_pairs_with_divergence)
{
    for (uint32_t diverged = 0; diverged < 3; diverged++) {
        dcps_results results = {.model = "m"};
        dcps_overview *overview = NULL;
        add_three_seeds(&results);
        dcps_result_run *run = &results.runs[3 + diverged]; /* sgd, asgd or the rule with seed 1 */
        run->points[1].metrics[0].value = 1.0;              /* what a classifier makes of weights that are no numbers */
        run->points[1].train_loss = (double)NAN;
        ck_assert_int_eq(dcps_overview_create(&results, NULL, &overview), DCPS_OK);
        const dcps_overview_row *row = dcps_overview_find(overview, dcps_result_name(run), run->workers);
        ck_assert(isnan(row->metrics[0].mean));
        ck_assert(isnan(row->figures[DCPS_FIGURE_TRAIN_LOSS].mean));
        const dcps_overview_row *rule = dcps_overview_find(overview, "dc-asgd-a", 4);
        ck_assert_int_eq(rule->gap.kind, DCPS_RATIO_NONE);
        ck_assert_int_eq(isnan(rule->over_asgd.mean), diverged != 0);
        ck_assert_int_eq(isnan(rule->over_sgd.mean), diverged != 1);
        ck_assert_uint_eq(rule->over_asgd.count, 3);
        dcps_overview_destroy(&overview);
        dcps_results_fini(&results);
    }
}
END_TEST

START_TEST(test_nothing)
{
    dcps_results results = {.model = "m"};
    dcps_overview *overview = NULL;
    dcps_target target = {.value = 0.2};
    ck_assert_int_eq(dcps_overview_create(&results, &target, &overview), DCPS_OK);
    ck_assert_uint_eq(overview->row_count, 0);
    ck_assert(!overview->has_target);
    dcps_overview_destroy(&overview);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {test_gap_and_differences,
                                  test_pairs_are_of_one_seed,
                                  test_bases_have_the_same_settings,
                                  test_target,
                                  test_table_of_gaps,
                                  test_json,
                                  test_seeds_far_apart,
                                  test_divergence,
                                  test_pairs_with_divergence,
                                  test_nothing};
    return CHECK_MAIN("cli overview", tests);
}
