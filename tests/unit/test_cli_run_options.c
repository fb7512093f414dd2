/* What becomes of options on the command lines of servers and workers. */
#include <stdlib.h>
#include <string.h>

#include "base/options.h"
#include "cli/run_options.h"
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
    const dcps_run_spec spec = {.algorithm = "dc-asgd-a", .workers = 4};
    dcps_args args = {0};
    dcps_server_args_add(&args, options, &spec, 9, false);
    check_args(&args, "--algorithm dc-asgd-a --workers 4 --shards 2 --seed 9 --snapshot-every-samples epoch --epochs "
                      "10 --batch-size 128 --learning-rate 0.15 --warmup-epochs 1 --decay-epochs 7,9 "
                      "--decay-factor 0.3 --log-level warn");
    dcps_worker_args_add(&args, options, 2);
    check_args(&args, "--model mlp --device cpu --log-level warn --threads 2");
    dcps_options_destroy(&options);
}
END_TEST

START_TEST(test_what_is_set_is_passed_on)
{
    char *argv[] = {"run", "--model",  "./my.so", "--model-opt",      "a=1", "--model-opt", "b=x y", "--lambda",
                    "2.5", "--epochs", "3",       "--checkpoint-dir", "/ck", "--resume",    "auto",  "--decay-epochs",
                    "1,2", "--data",   "/d",      "--shards=3"};
    dcps_options *options = parse(dcps_run_options, false, (int)(sizeof(argv) / sizeof(argv[0])), argv);
    const dcps_run_spec spec = {.algorithm = "asgd", .workers = 1};
    dcps_args args = {0};
    dcps_server_args_add(&args, options, &spec, 1, true);
    check_args(
        &args,
        "--algorithm asgd --workers 1 --shards 3 --seed 1 --snapshot-every-samples epoch --epochs 3 --decay-epochs 1,2 "
        "--lambda 2.5 --log-level warn --checkpoint-dir /ck --resume auto");
    dcps_worker_args_add(&args, options, 1);
    check_args(&args,
               "--model ./my.so --data /d --device cpu --log-level warn --model-opt a=1 --model-opt b=x y --threads 1");
    json_t *settings = dcps_run_settings_json(options);
    ck_assert_str_eq(json_string_value(json_array_get(json_array_get(settings, 0), 1)), "./my.so");
    json_decref(settings);
    dcps_options_destroy(&options);
}
END_TEST

/* A name that a table lacks would be a bug that only shows when a run starts. */
START_TEST(test_every_name_is_in_both_tables)
{
    const dcps_option *const tables[] = {dcps_run_options, dcps_compare_options};
    for (size_t t = 0; t < 2; t++) {
        char *argv[] = {"test"};
        dcps_options *options = parse(tables[t], false, 1, argv);
        for (size_t i = 0; dcps_server_pass_through[i] != NULL; i++)
            (void)dcps_options_text(options, dcps_server_pass_through[i]);
        for (size_t i = 0; dcps_worker_pass_through[i] != NULL; i++)
            (void)dcps_options_text(options, dcps_worker_pass_through[i]);
        dcps_options_destroy(&options);
    }
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {test_defaults_suit_the_model, test_what_is_set_is_passed_on,
                                  test_every_name_is_in_both_tables};
    return CHECK_MAIN("cli run options", tests);
}
