/* What becomes of options on the command lines of servers and workers. */
#include <stdlib.h>
#include <string.h>

#include "base/options.h"
#include "cli/run/job.h"
#include "cli/settings/run_options.h"
#include "cli/settings/sim_args.h"
#include "support/check_main.h"

static dcps_options *parse(const dcps_option *table, bool recommend, int argc, char **argv)
{
    const dcps_program program = {
        .name = "test", .summary = "s", .options = table, .recommend = recommend ? dcps_run_recommend : NULL};
    dcps_options *options = NULL;
    int positional = 0;
    dcps_parse_outcome outcome;
    ck_assert_msg(dcps_options_parse(&program, argc, argv, &options, &positional, &outcome) == DCPS_OK, "%s",
                  dcps_error_message());
    ck_assert_int_eq(outcome, DCPS_PARSE_RUN);
    return options;
}

static void check_args(dcps_args *args, const char *expected)
{
    char joined[2048] = "";
    for (size_t i = 0; i < args->count; i++) {
        strncat(joined, i == 0 ? "" : " ", sizeof(joined) - strlen(joined) - 1);
        strncat(joined, args->items[i], sizeof(joined) - strlen(joined) - 1);
    }
    ck_assert_str_eq(joined, expected);
    dcps_args_fini(args);
}

START_TEST(test_defaults_suit_the_model)
{
    char *argv[] = {"compare"};
    dcps_options *options = parse(dcps_compare_options, true, 1, argv);
    const dcps_run_spec spec = {.algorithm = "dc-asgd-a", .workers = 4, .hold_out = 5000};
    dcps_args args = {0};
    dcps_server_args_add(&args, options, &spec, 9, false);
    check_args(&args, "--algorithm dc-asgd-a --workers 4 --shards 2 --seed 9 --snapshot-every-samples epoch --epochs "
                      "10 --batch-size 128 --learning-rate 0.15 --warmup-epochs 1 --decay-epochs 7,9 "
                      "--decay-factor 0.3 --log-level warn");
    dcps_worker_args_add(&args, options, &spec, 2);
    check_args(&args, "--model mlp --device cpu --log-level warn --model-opt validation=5000 --threads 2");
    dcps_options_destroy(&options);
}
END_TEST

/* Whoever does not evaluate needs no snapshots: they would be a copy of the model for each epoch. */
START_TEST(test_no_snapshots_without_evaluation)
{
    char *argv[] = {"run", "--model", "mlp", "--evaluate=false"};
    dcps_options *options = parse(dcps_run_options, false, 4, argv);
    const dcps_run_spec spec = {.algorithm = "asgd", .workers = 1};
    dcps_args args = {0};
    dcps_server_args_add(&args, options, &spec, 1, true);
    check_args(&args, "--algorithm asgd --workers 1 --shards 2 --seed 1 --log-level warn");
    dcps_options_destroy(&options);
}
END_TEST

START_TEST(test_what_is_set_is_passed_on)
{
    char *argv[] = {"run",
                    "--model",
                    "./my.so",
                    "--model-opt",
                    "a=1",
                    "--model-opt",
                    "b=x y",
                    "--lambda",
                    "2.5",
                    "--epochs",
                    "3",
                    "--checkpoint-dir",
                    "/ck",
                    "--resume",
                    "auto",
                    "--decay-epochs",
                    "1,2",
                    "--data",
                    "/d",
                    "--shards=3",
                    "--round-timeout-ms=70"};
    dcps_options *options = parse(dcps_run_options, false, (int)(sizeof(argv) / sizeof(argv[0])), argv);
    dcps_run_spec spec = {.algorithm = "asgd", .workers = 1};
    dcps_args args = {0};
    dcps_server_args_add(&args, options, &spec, 1, true);
    check_args(
        &args,
        "--algorithm asgd --workers 1 --shards 3 --seed 1 --snapshot-every-samples epoch --epochs 3 --decay-epochs 1,2 "
        "--lambda 2.5 --round-timeout-ms 70 --log-level warn --checkpoint-dir /ck --resume auto");
    /* A setting of the run's own goes before that of the command line, or leaves it out. */
    ck_assert_int_eq(dcps_overrides_set(&spec.overrides, "epochs", "5"), DCPS_OK);
    ck_assert_int_eq(dcps_overrides_set(&spec.overrides, "momentum", "0.9"), DCPS_OK);
    ck_assert_int_eq(dcps_overrides_leave_out(&spec.overrides, "lambda"), DCPS_OK);
    dcps_server_args_add(&args, options, &spec, 1, false);
    check_args(&args, "--algorithm asgd --workers 1 --shards 3 --seed 1 --snapshot-every-samples epoch --epochs 5 "
                      "--decay-epochs 1,2 --momentum 0.9 --round-timeout-ms 70 --log-level warn");
    dcps_worker_args_add(&args, options, &spec, 1);
    check_args(&args,
               "--model ./my.so --data /d --device cpu --log-level warn --model-opt a=1 --model-opt b=x y --threads 1");
    json_t *settings = dcps_run_settings_json(options);
    ck_assert_str_eq(json_string_value(json_array_get(json_array_get(settings, 0), 1)), "./my.so");
    json_decref(settings);
    dcps_options_destroy(&options);
}
END_TEST

START_TEST(test_arguments_of_a_simulation)
{
    char *argv[] = {"compare",
                    "--virtual",
                    "--step-time",
                    "constant:5ms",
                    "--lease-ms",
                    "500",
                    "--groups",
                    "slow:4:3",
                    "--latency",
                    "50",
                    "--round-timeout-ms",
                    "70",
                    "--no-gradients",
                    "--params",
                    "1000",
                    "--data",
                    "/d",
                    "--threads",
                    "2",
                    "--lambda",
                    "1",
                    "--epochs",
                    "3"};
    dcps_options *options = parse(dcps_compare_options, false, (int)(sizeof(argv) / sizeof(argv[0])), argv);
    dcps_run_spec spec = {.algorithm = "dc-asgd-a", .workers = 16, .validation = true};
    dcps_args args = {0};
    ck_assert_int_eq(dcps_sim_options_check(options), DCPS_OK);
    dcps_sim_args_add(&args, options, &spec, 7);
    check_args(
        &args,
        "sim --algorithm dc-asgd-a --workers 16 --seed 7 --servers 1 --shards 2 --epochs 3 --lambda 1 --lease-ms 500 "
        "--round-timeout-ms 70 --groups slow:4:3 "
        "--step-time constant:5ms --latency 50 --no-gradients --params 1000 "
        "--threads 2 --json");
    dcps_options_destroy(&options);

    char *plain[] = {"compare", "--virtual", "--model-opt", "a=1"};
    options = parse(dcps_compare_options, false, 4, plain);
    spec.hold_out = 10;
    ck_assert_int_eq(dcps_overrides_set(&spec.overrides, "learning-rate", "0.5"), DCPS_OK);
    dcps_sim_args_add(&args, options, &spec, 7);
    check_args(&args, "sim --algorithm dc-asgd-a --workers 16 --seed 7 --servers 1 --shards 2 --learning-rate 0.5 "
                      "--model mlp --device cpu --model-opt a=1 --model-opt validation=10 --split validation "
                      "--threads 1 --json");
    dcps_options_destroy(&options);
}
END_TEST

START_TEST(test_options_of_the_other_kind)
{
    char *needs_virtual[] = {"compare", "--stops", "60s:5s"};
    char *real_only[] = {"compare", "--virtual", "--transport", "ipc"};
    dcps_options *options = parse(dcps_compare_options, false, 3, needs_virtual);
    ck_assert_int_eq(dcps_sim_options_check(options), DCPS_INVALID);
    ck_assert_ptr_nonnull(strstr(dcps_error_message(), "--stops"));
    dcps_options_destroy(&options);
    options = parse(dcps_compare_options, false, 4, real_only);
    ck_assert_int_eq(dcps_sim_options_check(options), DCPS_INVALID);
    ck_assert_ptr_nonnull(strstr(dcps_error_message(), "--transport"));
    dcps_options_destroy(&options);
}
END_TEST

static dcps_cluster_limits limits_of(bool single_run, int argc, char **argv)
{
    dcps_options *options = parse(single_run ? dcps_run_options : dcps_compare_options, false, argc, argv);
    dcps_cluster_limits limits = dcps_job_limits(options, single_run);
    dcps_options_destroy(&options);
    return limits;
}

/* Servers that stop wait two leases for workers and then save; one that resumes loads first. */
START_TEST(test_deadlines)
{
    char *plain[] = {"compare"};
    dcps_cluster_limits limits = limits_of(false, 1, plain);
    ck_assert_uint_eq(limits.start_ms, 20000);
    ck_assert_uint_eq(limits.stop_ms, 2 * 4000 + 7000);
    ck_assert_uint_eq(limits.load_ms, 0);
    ck_assert_uint_eq(limits.stall_ms, 300000);
    char *lease[] = {"run", "--lease-ms", "3600000"};
    ck_assert_uint_eq(limits_of(true, 3, lease).stop_ms, 2 * 3600000 + 7000);
    char *saves[] = {"run", "--checkpoint-dir", "/ck", "--lease-ms", "10000"};
    limits = limits_of(true, 5, saves);
    ck_assert_uint_eq(limits.start_ms, 20000);
    ck_assert_uint_eq(limits.stop_ms, 2 * 10000 + 60000);
    ck_assert_uint_eq(limits.load_ms, 600000);
    char *loads[] = {"run", "--checkpoint-dir", "/ck", "--resume", "auto"};
    ck_assert_uint_eq(limits_of(true, 5, loads).start_ms, 600000);
    char *loads_not[] = {"run", "--checkpoint-dir", "/ck", "--resume", "no"};
    ck_assert_uint_eq(limits_of(true, 5, loads_not).start_ms, 20000);
    char *own[] = {"run",   "--checkpoint-dir", "/ck", "--resume", "yes", "--start-timeout",
                   "86400", "--stop-timeout",   "5"};
    limits = limits_of(true, 9, own);
    ck_assert_uint_eq(limits.start_ms, 86400000);
    ck_assert_uint_eq(limits.load_ms, 86400000);
    ck_assert_uint_eq(limits.stop_ms, 5000);
    const char *const refused[] = {"soon", "-5", "3600001", "99999999999999999999"};
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        char *argv[] = {"run", "--lease-ms", (char *)refused[i]};
        ck_assert_uint_eq(limits_of(true, 3, argv).stop_ms, 7000); /* the server will refuse it */
    }
}
END_TEST

/* A name that a table lacks would be a bug that only shows when a run starts. */
START_TEST(test_every_name_is_in_both_tables)
{
    const dcps_option *const tables[] = {dcps_run_options, dcps_compare_options};
    for (size_t t = 0; t < 2; t++) {
        char *argv[] = {"test"};
        dcps_options *options = parse(tables[t], false, 1, argv);
        for (size_t i = 0; dcps_server_pass_through[i] != NULL; i++) {
            (void)dcps_options_text(options, dcps_server_pass_through[i]);
        }
        for (size_t i = 0; dcps_worker_pass_through[i] != NULL; i++) {
            (void)dcps_options_text(options, dcps_worker_pass_through[i]);
        }
        for (size_t i = 0; dcps_training_options[i] != NULL; i++) {
            (void)dcps_options_text(options, dcps_training_options[i]);
        }
        dcps_options_destroy(&options);
    }
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {test_defaults_suit_the_model,     test_no_snapshots_without_evaluation,
                                  test_what_is_set_is_passed_on,    test_arguments_of_a_simulation,
                                  test_options_of_the_other_kind,   test_deadlines,
                                  test_every_name_is_in_both_tables};
    (void)unsetenv("DCPS_DATA"); /* of whoever runs the tests: it is an option of these tables */
    return CHECK_MAIN("cli run options", tests);
}
