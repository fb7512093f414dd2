/* results.json and the summary table, against literal expectations. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "cli/common/document.h"
#include "cli/results/overview.h"
#include "cli/results/results.h"
#include "support/check_main.h"

static dcps_result_run *add_run(dcps_results *results, const char *algorithm, uint32_t workers, uint64_t seed,
                                double rate)
{
    dcps_result_run *run = NULL;
    ck_assert_int_eq(dcps_results_add(results, &run), DCPS_OK);
    (void)snprintf(run->algorithm, sizeof(run->algorithm), "%s", algorithm);
    run->workers = workers;
    run->seed = seed;
    run->measured = true;
    run->epochs = 2;
    run->updates = 10;
    run->samples = 1200;
    run->seconds = 1200.0 / rate;
    run->samples_per_second = rate;
    run->staleness = (dcps_summary){.mean = 1.5, .p50 = 1, .p99 = 3, .max = 4, .count = 10};
    return run;
}

static void add_point(dcps_result_run *run, double epoch, double loss, double error)
{
    dcps_curve_point point = {.epoch = epoch, .seconds = epoch * 2.0, .train_loss = loss, .metric_count = 2};
    (void)snprintf(point.metrics[0].name, sizeof(point.metrics[0].name), "test_loss");
    point.metrics[0].value = loss + 1.0;
    (void)snprintf(point.metrics[1].name, sizeof(point.metrics[1].name), "test_error");
    point.metrics[1].value = error;
    ck_assert_int_eq(dcps_result_add_point(run, &point), DCPS_OK);
}

static void check_json(const dcps_results *results, const char *expected)
{
    json_t *document = dcps_results_json(results);
    ck_assert_ptr_nonnull(document);
    char *text = json_dumps(document, JSON_COMPACT | JSON_REAL_PRECISION(12));
    ck_assert_str_eq(text, expected);
    free(text);
    json_decref(document);
}

START_TEST(test_document)
{
    dcps_results results = {.model = "mlp", .dataset = "fashion-mnist"};
    dcps_result_run *run = add_run(&results, "asgd", 4, 7, 600.0);
    add_point(run, 1.0, 0.5, 0.25);
    add_point(run, 2.0, 0.25, 0.0865);
    dcps_results_fill_speedups(&results);
    check_json(
        &results,
        "{\"schema\":\"dcps-results/1\",\"model\":\"mlp\",\"dataset\":\"fashion-mnist\",\"virtual\":false,\"runs\":["
        "{\"algorithm\":\"asgd\",\"workers\":4,\"seed\":7,\"epochs\":2,\"updates\":10,\"samples\":1200,\"seconds\":2.0,"
        "\"samples_per_second\":600.0,\"speedup\":null,\"train_loss\":0.25,\"metrics\":{\"test_loss\":1.25,\"test_"
        "error\":0.0865},"
        "\"diverged\":false,\"restarts\":0,\"workers_lost\":0,\"staleness\":{\"mean\":1.5,\"p50\":1,\"p99\":3,\"max\":"
        "4},\"curve\":["
        "{\"epoch\":1.0,\"seconds\":2.0,\"train_loss\":0.5,\"metrics\":{\"test_loss\":1.5,\"test_error\":0.25}},"
        "{\"epoch\":2.0,\"seconds\":4.0,\"train_loss\":0.25,\"metrics\":{\"test_loss\":1.25,\"test_error\":0.0865}}]}]"
        "}");
    dcps_results_fini(&results);
}
END_TEST

/* 64 bits are more than readers of JSON need to keep of a number. */
START_TEST(test_digest_of_the_weights)
{
    dcps_results results = {.model = "m"};
    dcps_result_run *run = add_run(&results, "asgd", 4, 7, 600.0);
    run->weights_final = true;
    run->weights_digest = UINT64_C(0x0123456789abcdef);
    json_t *document = dcps_results_json(&results);
    const json_t *shown = json_array_get(json_object_get(document, "runs"), 0);
    ck_assert_str_eq(json_string_value(json_object_get(shown, "weights_digest")), "0123456789abcdef");
    json_decref(document);
    run->weights_final = false;
    document = dcps_results_json(&results);
    ck_assert_ptr_null(json_object_get(json_array_get(json_object_get(document, "runs"), 0), "weights_digest"));
    json_decref(document);
    dcps_results_fini(&results);
}
END_TEST

START_TEST(test_what_is_not_finite_is_null)
{
    dcps_results results = {.model = "m\"\\<"};
    dcps_result_run *run = add_run(&results, "asgd", 1, 1, 600.0);
    run->seconds = (double)INFINITY;
    run->samples_per_second = (double)NAN;
    run->staleness.mean = (double)NAN;
    add_point(run, 1.0, (double)NAN, (double)-INFINITY);
    dcps_results_fill_speedups(&results);
    check_json(
        &results,
        "{\"schema\":\"dcps-results/1\",\"model\":\"m\\\"\\\\<\",\"dataset\":null,\"virtual\":false,\"runs\":["
        "{\"algorithm\":\"asgd\",\"workers\":1,\"seed\":1,\"epochs\":2,\"updates\":10,\"samples\":1200,\"seconds\":"
        "null,"
        "\"samples_per_second\":null,\"speedup\":null,\"train_loss\":null,\"metrics\":{\"test_loss\":null,\"test_"
        "error\":null},"
        "\"diverged\":true,\"restarts\":0,\"workers_lost\":0,\"staleness\":{\"mean\":null,\"p50\":1,\"p99\":3,\"max\":"
        "4},\"curve\":["
        "{\"epoch\":1.0,\"seconds\":2.0,\"train_loss\":null,\"metrics\":{\"test_loss\":null,\"test_error\":null}}]}]}");
    dcps_results_fini(&results);
}
END_TEST

/* Of what never came to be, nothing is said. */
START_TEST(test_failed_run_is_kept)
{
    dcps_results results = {.model = "m"};
    dcps_result_run *run = add_run(&results, "asgd", 4, 7, 600.0);
    add_point(run, 1.0, 0.5, 0.25);
    run->failed = true;
    (void)snprintf(run->failure, sizeof(run->failure), "the disk is full");
    ck_assert_int_eq(dcps_results_add(&results, &run), DCPS_OK);
    (void)snprintf(run->algorithm, sizeof(run->algorithm), "ssgd");
    run->failed = true;
    check_json(
        &results,
        "{\"schema\":\"dcps-results/1\",\"model\":\"m\",\"dataset\":null,\"virtual\":false,\"runs\":["
        "{\"algorithm\":\"asgd\",\"workers\":4,\"seed\":7,\"epochs\":2,\"updates\":10,\"samples\":1200,\"seconds\":2.0,"
        "\"samples_per_second\":600.0,\"speedup\":null,\"train_loss\":0.5,\"metrics\":{\"test_loss\":1.5,\"test_"
        "error\":0.25},"
        "\"diverged\":false,\"restarts\":0,\"workers_lost\":0,\"staleness\":{\"mean\":1.5,\"p50\":1,\"p99\":3,\"max\":"
        "4},\"curve\":["
        "{\"epoch\":1.0,\"seconds\":2.0,\"train_loss\":0.5,\"metrics\":{\"test_loss\":1.5,\"test_error\":0.25}}],"
        "\"failure\":\"the disk is full\"},"
        "{\"algorithm\":\"ssgd\",\"workers\":0,\"seed\":0,\"epochs\":null,\"updates\":null,\"samples\":null,"
        "\"seconds\":null,"
        "\"samples_per_second\":null,\"speedup\":null,\"train_loss\":null,\"metrics\":{},"
        "\"diverged\":false,\"restarts\":0,\"workers_lost\":0,\"staleness\":{\"mean\":null,\"p50\":null,\"p99\":null,"
        "\"max\":null},\"curve\":[],"
        "\"failure\":\"\"}]}");
    dcps_results_fini(&results);
}
END_TEST

START_TEST(test_speedups)
{
    dcps_results results = {.model = "m"};
    add_run(&results, "asgd", 1, 1, 50.0);
    add_run(&results, "sgd", 1, 1, 100.0);
    add_run(&results, "sgd", 1, 2, 300.0);
    add_run(&results, "asgd", 4, 1, 500.0);
    add_run(&results, "sgd", 1, 3, 1e9)->failed = true;
    dcps_results_fill_speedups(&results);
    ck_assert_double_eq_tol(results.runs[3].speedup, 2.5, 1e-12);
    ck_assert_double_eq_tol(results.runs[1].speedup, 0.5, 1e-12);
    results.runs[1].failed = results.runs[2].failed = true; /* no sgd: any run with one worker serves */
    dcps_results_fill_speedups(&results);
    ck_assert_double_eq_tol(results.runs[3].speedup, 10.0, 1e-12);
    results.runs[0].failed = true;
    dcps_results_fill_speedups(&results);
    ck_assert(isnan(results.runs[3].speedup));
    dcps_results_fini(&results);
}
END_TEST

static void check_table(const dcps_results *results, const char *expected)
{
    char *text = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);
    dcps_overview *summary = NULL;
    ck_assert_int_eq(dcps_overview_create(results, NULL, &summary), DCPS_OK);
    ck_assert_int_eq(dcps_overview_print(summary, out), DCPS_OK);
    (void)fclose(out);
    ck_assert_str_eq(text, expected);
    free(text);
    dcps_overview_destroy(&summary);
}

START_TEST(test_table)
{
    dcps_results results = {.model = "mlp"};
    add_point(add_run(&results, "sgd", 1, 1, 1000.0), 2.0, 0.5, 0.125);
    add_point(add_run(&results, "sgd", 1, 2, 3000.0), 2.0, 0.25, 0.145);
    add_point(add_run(&results, "asgd", 4, 1, 5000.0), 2.0, 0.75, 0.11);
    dcps_results_fill_speedups(&results);
    check_table(&results,
                "algorithm  workers      test error  train loss  seconds  samples/s  speed-up  staleness  p99\n"
                "────────────────────────────────────────────────────────────────────────────────────────────\n"
                "sgd              1  13.50 ± 1.00 %      0.3750      0.8      2,000     1.00x       1.50    3\n"
                "asgd             4         11.00 %      0.7500      0.2      5,000     2.50x       1.50    3\n"
                "Means over 2 seeds, ± standard error.\n");
    dcps_results_fini(&results);
}
END_TEST

/* That of one run is shown; of many, they are in results.json. */
START_TEST(test_table_with_digest)
{
    dcps_results results = {.model = "mlp"};
    dcps_result_run *run = add_run(&results, "sgd", 1, 1, 1000.0);
    run->weights_final = true;
    run->weights_digest = 0xbeef;
    add_point(run, 2.0, 0.5, 0.125);
    check_table(&results, "algorithm  workers  test error  train loss  seconds  samples/s  speed-up  staleness  p99\n"
                          "────────────────────────────────────────────────────────────────────────────────────────\n"
                          "sgd              1     12.50 %      0.5000      1.2      1,000         –       1.50    3\n"
                          "digest of the final weights: 000000000000beef\n");
    dcps_results_fini(&results);
}
END_TEST

START_TEST(test_table_with_failures)
{
    dcps_results results = {.model = "mlp"};
    dcps_result_run *run = add_run(&results, "sgd", 1, 1, 1000.0); /* as far as it came */
    run->failed = true;
    run->train_loss = 0.75;
    (void)snprintf(run->failure, sizeof(run->failure), "the disk is full");
    run = add_run(&results, "asgd", 4, 1, 5000.0);
    run->staleness = (dcps_summary){.mean = (double)NAN};
    run = add_run(&results, "asgd", 4, 2, 1.0); /* does not count beside a good one */
    run->failed = true;
    (void)snprintf(run->failure, sizeof(run->failure), "a person asked for it");
    dcps_results_fill_speedups(&results);
    check_table(&results,
                "algorithm  workers  train loss  seconds  samples/s  speed-up  staleness  p99  runs\n"
                "───────────────────────────────────────────────────────────────────────────────────────────\n"
                "sgd              1      0.7500      1.2      1,000         –       1.50    3  1 of 1 failed\n"
                "asgd             4           –      0.2      5,000         –          –    –  1 of 2 failed\n"
                "sgd@1 failed: the disk is full\n"
                "asgd@4 seed 2 failed: a person asked for it\n");
    dcps_results_fini(&results);
}
END_TEST

/* What happened to its processes stays with a run: in the file, and in the remarks below the table. */
START_TEST(test_processes_that_died)
{
    dcps_results results = {.model = "m"};
    add_point(add_run(&results, "sgd", 1, 1, 1000.0), 1.0, 0.5, 0.5);
    add_point(add_run(&results, "asgd", 4, 1, 1000.0), 1.0, 0.5, 0.5);
    results.runs[0].restarts = 1;
    results.runs[1].restarts = 6;
    results.runs[1].workers_lost = 2;
    json_t *object = dcps_result_json(&results.runs[1]);
    dcps_result_run read;
    ck_assert_int_eq(dcps_result_parse(object, &read), DCPS_OK);
    ck_assert_uint_eq(read.restarts, 6);
    ck_assert_uint_eq(read.workers_lost, 2);
    dcps_result_fini(&read);
    (void)json_object_set_new(object, "workers_lost", json_integer(-1));
    ck_assert_int_eq(dcps_result_parse(object, &read), DCPS_CORRUPT);
    json_decref(object);
    check_table(&results, "algorithm  workers  test error  train loss  seconds  samples/s  speed-up  staleness  p99\n"
                          "────────────────────────────────────────────────────────────────────────────────────────\n"
                          "sgd              1     50.00 %      0.5000      1.2      1,000         –       1.50    3\n"
                          "asgd             4     50.00 %      0.5000      1.2      1,000         –       1.50    3\n"
                          "sgd@1: processes that died were started again 1 time\n"
                          "asgd@4: processes that died were started again 6 times\n"
                          "asgd@4 lost 2 of its workers, which died too often, and went on without\n");
    dcps_results_fini(&results);
}
END_TEST

START_TEST(test_table_with_divergence)
{
    dcps_results results = {.model = "mlp"};
    add_point(add_run(&results, "sgd", 1, 1, 1000.0), 2.0, 3.0383e20, 0.125);
    add_point(add_run(&results, "asgd", 4, 1, 5000.0), 2.0, (double)NAN, 0.9);
    dcps_result_run *run = add_run(&results, "asgd", 4, 2, 5000.0);
    run->loss_known = true; /* not evaluated */
    run->train_loss = (double)INFINITY;
    dcps_results_fill_speedups(&results);
    check_table(&results, "algorithm  workers  test error  train loss  seconds  samples/s  speed-up  staleness  p99\n"
                          "────────────────────────────────────────────────────────────────────────────────────────\n"
                          "sgd              1     12.50 %    3.04e+20      1.2      1,000     1.00x       1.50    3\n"
                          "asgd             4           –    diverged      0.2      5,000     5.00x       1.50    3\n"
                          "Means over 2 seeds, ± standard error.\n"
                          "asgd@4 seed 1 diverged: its last figures are not numbers; try a smaller --learning-rate\n"
                          "asgd@4 seed 2 diverged: its last figures are not numbers; try a smaller --learning-rate\n");
    dcps_results_fini(&results);
}
END_TEST

/* What a model measures is what is shown, be it no share. */
START_TEST(test_table_of_perplexities)
{
    dcps_results results = {.model = "lstm"};
    const dcps_curve_point point = {.epoch = 13.0,
                                    .train_loss = 91.53,
                                    .metric_count = 2,
                                    .metrics = {{"test_perplexity", 114.8257}, {"test_loss", 4.74}}};
    const dcps_curve_point other = {.epoch = 13.0,
                                    .train_loss = 188.125,
                                    .metric_count = 2,
                                    .metrics = {{"test_perplexity", 98.25}, {"test_loss", 4.6}}};
    ck_assert_int_eq(dcps_result_add_point(add_run(&results, "sgd", 1, 1, 1000.0), &point), DCPS_OK);
    ck_assert_int_eq(dcps_result_add_point(add_run(&results, "asgd", 4, 1, 5000.0), &other), DCPS_OK);
    ck_assert_str_eq(dcps_results_main_metric(&results), "test_perplexity");
    check_table(&results,
                "algorithm  workers  test perplexity  train loss  seconds  samples/s  speed-up  staleness  p99\n"
                "─────────────────────────────────────────────────────────────────────────────────────────────\n"
                "sgd              1           114.83     91.5300      1.2      1,000         –       1.50    3\n"
                "asgd             4          98.2500      188.12      0.2      5,000         –       1.50    3\n");
    dcps_results_fini(&results);
}
END_TEST

START_TEST(test_file)
{
    char path[] = "/tmp/dcps-results-XXXXXX";
    int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    (void)close(fd);
    dcps_results results = {.model = "mlp"};
    add_point(add_run(&results, "sgd", 1, 1, 1000.0), 2.0, 0.5, 0.0865);
    json_t *document = dcps_results_json(&results);
    ck_assert_int_eq(dcps_document_write(document, path), DCPS_OK);
    json_t *read = json_load_file(path, JSON_REJECT_DUPLICATES, NULL);
    json_t *run = json_array_get(json_object_get(read, "runs"), 0);
    ck_assert_double_eq(json_real_value(json_object_get(json_object_get(run, "metrics"), "test_error")), 0.0865);
    json_decref(read);
    (void)unlink(path);
    ck_assert_int_eq(dcps_document_write(document, "/nonexistent/dir/results.json"), DCPS_IO);
    ck_assert_ptr_nonnull(strstr(dcps_error_message(), "/nonexistent/dir/results.json"));
    json_decref(document);
    dcps_results_fini(&results);
}
END_TEST

/* What was written comes back, whatever else is in the object. */
START_TEST(test_parse)
{
    dcps_results results = {.model = "m"};
    dcps_result_run *run = add_run(&results, "asgd", 4, 7, 600.0);
    add_point(run, 1.0, 0.5, (double)NAN);
    add_point(run, 2.0, (double)INFINITY, 0.0865);
    run->failed = true;
    (void)snprintf(run->failure, sizeof(run->failure), "late");
    json_t *object = dcps_result_json(run);
    (void)json_object_set_new(object, "name", json_string("asgd+momentum=0.9"));
    (void)json_object_set_new(object, "per_worker", json_pack("[{s:i}]", "pushes", 3));
    json_t *first = json_array_get(json_object_get(object, "curve"), 0);
    (void)json_object_set_new(json_object_get(first, "metrics"), "\x1b[2J",
                              json_real(1.0)); /* would clear a terminal */
    dcps_result_run read;
    ck_assert_int_eq(dcps_result_parse(object, &read), DCPS_OK);
    ck_assert_str_eq(dcps_result_name(&read), "asgd+momentum=0.9");
    ck_assert_str_eq(read.failure, "late");
    ck_assert(dcps_result_diverged(&read));
    ck_assert_uint_eq(read.seed, 7);
    ck_assert_uint_eq(read.updates, 10);
    ck_assert_double_eq(read.seconds, 2.0);
    ck_assert_uint_eq(read.staleness.p99, 3);
    ck_assert_uint_eq(read.point_count, 2);
    ck_assert(isnan(read.points[0].metrics[1].value));
    ck_assert_str_eq(read.points[0].metrics[2].name, "?[2J");
    ck_assert_str_eq(read.points[1].metrics[1].name, "test_error");
    ck_assert_double_eq(read.points[1].metrics[1].value, 0.0865);
    ck_assert(isnan(dcps_result_metric(&read, "test_error")));
    dcps_result_fini(&read);
    json_decref(object);
    dcps_results_fini(&results);
}
END_TEST

/* Whatever is not a number at the end: the loss, or a metric although the loss is one. Earlier points are past. */
START_TEST(test_divergence)
{
    const struct {
        double loss;
        double error;
        bool diverged;
    } cases[] = {
        {0.5, 0.1, false}, {(double)NAN, 1.0, true}, {(double)INFINITY, 1.0, true}, {2.303, (double)NAN, true}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        dcps_results results = {.model = "m"};
        dcps_result_run *run = add_run(&results, "asgd", 4, 7, 600.0);
        add_point(run, 1.0, (double)NAN, (double)NAN);
        add_point(run, 2.0, cases[i].loss, cases[i].error);
        json_t *object = dcps_result_json(run);
        ck_assert_int_eq(dcps_result_diverged(run), cases[i].diverged);
        ck_assert_int_eq(isnan(dcps_result_metric(run, "test_error")), cases[i].diverged);
        ck_assert_int_eq(isnan(dcps_result_train_loss(run)), cases[i].diverged);
        ck_assert_int_eq(json_is_true(json_object_get(object, "diverged")), cases[i].diverged);
        json_decref(object);
        dcps_results_fini(&results);
    }
}
END_TEST

/* A run without a loss is one that computed nothing; one whose loss is null has diverged. */
START_TEST(test_timed_only)
{
    for (int computed = 0; computed < 2; computed++) {
        dcps_results results = {.model = "m"};
        dcps_result_run *run = add_run(&results, "asgd", 4, 7, 600.0);
        dcps_result_run read;
        run->loss_known = computed == 1;
        run->train_loss = (double)NAN;
        json_t *object = dcps_result_json(run);
        ck_assert_int_eq(json_object_get(object, "train_loss") != NULL, computed);
        ck_assert_int_eq(dcps_result_parse(object, &read), DCPS_OK);
        ck_assert_int_eq(dcps_result_diverged(&read), computed);
        dcps_result_fini(&read);
        json_decref(object);
        dcps_results_fini(&results);
    }
}
END_TEST

START_TEST(test_parse_hostile)
{
    static const char *const heads[] = {"[]", "{}", "null", "{\"algorithm\":\"asgd\",\"workers\":1}"};
    static const char *const changes[] = {"{\"workers\":-1}",
                                          "{\"workers\":4294967296}",
                                          "{\"workers\":1.5}",
                                          "{\"algorithm\":null}",
                                          "{\"seed\":\"1\"}",
                                          "{\"failure\":3}",
                                          "{\"seconds\":\"fast\"}",
                                          "{\"samples\":-3}",
                                          "{\"curve\":{}}",
                                          "{\"curve\":[3]}",
                                          "{\"curve\":[{\"epoch\":1,\"metrics\":[]}]}",
                                          "{\"curve\":[{\"epoch\":\"x\",\"metrics\":{}}]}",
                                          "{\"curve\":[{\"epoch\":1,\"metrics\":{\"e\":true}}]}",
                                          "{\"staleness\":[]}",
                                          "{\"staleness\":{\"p99\":-1}}"};
    dcps_result_run read;
    for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
        json_t *object = json_loads(heads[i], JSON_DECODE_ANY, NULL);
        ck_assert_msg(dcps_result_parse(object, &read) == DCPS_CORRUPT, "%s", heads[i]);
        json_decref(object);
    }
    for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
        dcps_results results = {.model = "m"};
        json_t *object = dcps_result_json(add_run(&results, "asgd", 4, 7, 600.0));
        json_t *change = json_loads(changes[i], 0, NULL);
        ck_assert_int_eq(dcps_result_parse(object, &read), DCPS_OK);
        dcps_result_fini(&read);
        ck_assert_int_eq(json_object_update(object, change), 0);
        ck_assert_msg(dcps_result_parse(object, &read) == DCPS_CORRUPT, "%s", changes[i]);
        json_decref(change);
        json_decref(object);
        dcps_results_fini(&results);
    }
}
END_TEST

START_TEST(test_seconds_to_a_target)
{
    dcps_results results = {.model = "m"};
    dcps_result_run *run = add_run(&results, "asgd", 4, 1, 600.0); /* evaluated at 2, 4, 6 and 8 seconds */
    add_point(run, 1.0, 1.0, 0.5);
    add_point(run, 2.0, 1.0, 0.3);
    add_point(run, 3.0, 1.0, 0.4);
    add_point(run, 4.0, 1.0, 0.2);
    ck_assert_double_eq_tol(dcps_result_seconds_to(run, "test_error", 0.35), 3.5, 1e-12);
    ck_assert_double_eq_tol(dcps_result_seconds_to(run, "test_error", 0.3), 4.0, 1e-12);
    ck_assert_double_eq_tol(dcps_result_seconds_to(run, "test_error", 0.25), 7.5, 1e-12);
    ck_assert_double_eq_tol(dcps_result_seconds_to(run, "test_error", 0.6), 2.0, 1e-12); /* not known when before */
    ck_assert(isnan(dcps_result_seconds_to(run, "test_error", 0.1)));
    ck_assert(isnan(dcps_result_seconds_to(run, "test_accuracy", 0.3)));
    dcps_results_fini(&results);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {test_document,
                                  test_digest_of_the_weights,
                                  test_what_is_not_finite_is_null,
                                  test_failed_run_is_kept,
                                  test_speedups,
                                  test_table,
                                  test_table_with_digest,
                                  test_table_with_failures,
                                  test_table_with_divergence,
                                  test_table_of_perplexities,
                                  test_file,
                                  test_parse,
                                  test_divergence,
                                  test_processes_that_died,
                                  test_timed_only,
                                  test_parse_hostile,
                                  test_seconds_to_a_target};
    return CHECK_MAIN("cli results", tests);
}
