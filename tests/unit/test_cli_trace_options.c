/* Settings that go into a trace, and come back for a replay. */
#include <stdio.h>
#include <string.h>

#include "base/options.h"
#include "cli/settings/run_options.h"
#include "cli/settings/trace_options.h"
#include "server/trace/trace.h"
#include "support/check_main.h"
#include "support/temp_folder.h"

static temp_folder folder;

static void setup(void)
{
    temp_folder_create(&folder);
}

static void teardown(void)
{
    temp_folder_delete(&folder);
}

static dcps_status follow(dcps_options *options)
{
    return dcps_trace_options_follow(options, folder.path);
}

static dcps_status follow_virtually(dcps_options *options)
{
    return dcps_trace_options_follow_virtually(options, folder.path);
}

#define MAX_FLAGS 12

/* Flags of dcps run, ended by NULL. */
static dcps_status parse(const char *const flags[MAX_FLAGS], bool replay, dcps_options **options)
{
    const dcps_program program = {
        .name = "test", .summary = "s", .options = dcps_run_options, .recommend = replay ? follow : NULL};
    char *argv[MAX_FLAGS + 1] = {"run"};
    int argc = 1;
    int positional = 0;
    dcps_parse_outcome outcome;
    for (size_t i = 0; flags[i] != NULL; i++) {
        argv[argc++] = (char *)flags[i];
    }
    return dcps_options_parse(&program, argc, argv, options, &positional, &outcome);
}

static const char *const recorded[MAX_FLAGS] = {"--algorithm=dc-asgd-a",
                                                "--workers=3",
                                                "--learning-rate=0.10",
                                                "--model=./my.so",
                                                "--model-opt=a=1",
                                                "--model-opt=b=2",
                                                "--lambda=2",
                                                "--lease-ms=900",
                                                "--out=/o",
                                                "--servers=2",
                                                NULL};

static void record(uint32_t threads)
{
    dcps_options *options = NULL;
    ck_assert_msg(parse(recorded, false, &options) == DCPS_OK, "%s", dcps_error_message());
    ck_assert_msg(dcps_trace_options_write(options, threads, folder.path) == DCPS_OK, "%s", dcps_error_message());
    dcps_options_destroy(&options);
}

START_TEST(what_matters_is_written)
{
    dcps_trace_settings settings;
    record(5);
    ck_assert_int_eq(dcps_trace_settings_read(folder.path, &settings), DCPS_OK);
    static const char *const expected[][2] = {{"algorithm", "dc-asgd-a"},
                                              {"workers", "3"},
                                              {"servers", "2"},
                                              {"shards", "2"},
                                              {"seed", "1"},
                                              {"threads", "5"},
                                              {"model", "./my.so"},
                                              {"model-opt", "a=1\nb=2"},
                                              {"device", "cpu"},
                                              {"learning-rate", "0.10"},
                                              {"lambda", "2"}};
    ck_assert_uint_eq(settings.count, sizeof(expected) / sizeof(expected[0]));
    for (size_t i = 0; i < settings.count; i++) {
        ck_assert_str_eq(dcps_trace_settings_find(&settings, expected[i][0]), expected[i][1]);
    }
    dcps_trace_settings_fini(&settings);
}
END_TEST

START_TEST(a_replay_takes_them_up)
{
    dcps_options *options = NULL;
    const char *const none[MAX_FLAGS] = {NULL};
    record(5);
    ck_assert_msg(parse(none, true, &options) == DCPS_OK, "%s", dcps_error_message());
    ck_assert_str_eq(dcps_options_text(options, "algorithm"), "dc-asgd-a");
    ck_assert_int_eq(dcps_options_integer(options, "workers"), 3);
    ck_assert_int_eq(dcps_options_integer(options, "servers"), 2);
    ck_assert_int_eq(dcps_options_integer(options, "threads"), 5);
    ck_assert_str_eq(dcps_options_text(options, "model-opt"), "a=1\nb=2");
    ck_assert_str_eq(dcps_options_text(options, "learning-rate"), "0.10");
    ck_assert_ptr_null(dcps_options_text(options, "momentum"));
    ck_assert_ptr_null(dcps_options_text(options, "lease-ms"));
    dcps_options_destroy(&options);
}
END_TEST

/* Its --threads compute gradients side by side, each with as many threads as the trace says. */
START_TEST(a_simulation_takes_them_up_but_for_its_threads)
{
    const dcps_program program = {
        .name = "test", .summary = "s", .options = dcps_sim_options, .recommend = follow_virtually};
    char *argv[] = {"sim", "--threads=9"};
    dcps_options *options = NULL;
    int positional = 0;
    dcps_parse_outcome outcome;
    uint32_t threads = 0;
    record(5);
    ck_assert_msg(dcps_options_parse(&program, 2, argv, &options, &positional, &outcome) == DCPS_OK, "%s",
                  dcps_error_message());
    ck_assert_str_eq(dcps_options_text(options, "algorithm"), "dc-asgd-a");
    ck_assert_int_eq(dcps_options_integer(options, "threads"), 9);
    ck_assert_int_eq(dcps_trace_options_threads(folder.path, &threads), DCPS_OK);
    ck_assert_uint_eq(threads, 5);
    dcps_options_destroy(&options);
}
END_TEST

START_TEST(odd_numbers_of_threads_are_refused)
{
    static const char *const values[] = {"\"threads\": \"0\"", "\"threads\": \"1025\"", "\"threads\": \"x\"",
                                         "\"seed\": \"1\""};
    uint32_t threads = 7;
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        char text[128];
        int length = snprintf(text, sizeof(text), "{\"schema\": \"dcps-trace/1\", \"options\": {%s}}", values[i]);
        temp_write(&folder, "run.json", text, (size_t)length, false);
        ck_assert_int_eq(dcps_trace_options_threads(folder.path, &threads), DCPS_CORRUPT);
        ck_assert_uint_eq(threads, 7);
    }
}
END_TEST

START_TEST(the_same_may_be_said_again)
{
    dcps_options *options = NULL;
    const char *const again[MAX_FLAGS] = {"--learning-rate=0.1", "--workers=3", "--lease-ms=500", "--threads=5", NULL};
    record(5);
    ck_assert_msg(parse(again, true, &options) == DCPS_OK, "%s", dcps_error_message());
    dcps_options_destroy(&options);
}
END_TEST

static const struct {
    const char *flag;
    const char *part;
} differences[] = {{"--learning-rate=0.11", "--learning-rate is 0.11, but the trace"},
                   {"--workers=4", "was recorded with 3: leave it out"},
                   {"--algorithm=asgd", "--algorithm is asgd"},
                   {"--threads=1", "--threads is 1"},
                   {"--model-opt=a=1", "--model-opt is a=1"},
                   {"--momentum=0.5", "--momentum is 0.5, but the trace"},
                   {"--seed=2", "--seed is 2"}};

START_TEST(what_differs_is_named)
{
    dcps_options *options = NULL;
    const char *const flags[MAX_FLAGS] = {differences[_i].flag, NULL};
    record(5);
    ck_assert_int_eq(parse(flags, true, &options), DCPS_INVALID);
    ck_assert_msg(strstr(dcps_error_message(), differences[_i].part) != NULL, "%s", dcps_error_message());
}
END_TEST

START_TEST(a_trace_cannot_set_other_options)
{
    static const char text[] = "{\"schema\": \"dcps-trace/1\", \"options\": {\"out\": \"/etc\"}}";
    dcps_options *options = NULL;
    const char *const none[MAX_FLAGS] = {NULL};
    temp_write(&folder, "run.json", text, sizeof(text) - 1, false);
    ck_assert_int_eq(parse(none, true, &options), DCPS_CORRUPT);
    ck_assert_ptr_nonnull(strstr(dcps_error_message(), "\"out\""));
}
END_TEST

START_TEST(no_trace_is_written_over)
{
    dcps_options *options = NULL;
    const dcps_trace_run run = {.server_count = 1, .shards_per_server = 1, .workers = 1, .batch_size = 1, .epochs = 1};
    ck_assert_int_eq(dcps_trace_run_write(&run, folder.path), DCPS_OK);
    ck_assert_int_eq(parse(recorded, false, &options), DCPS_OK);
    ck_assert_int_eq(dcps_trace_options_write(options, 1, folder.path), DCPS_INVALID);
    ck_assert_ptr_nonnull(strstr(dcps_error_message(), "holds a trace already"));
    ck_assert_int_eq(dcps_trace_options_write(options, 1, "/dev/null/x"), DCPS_IO);
    dcps_options_destroy(&options);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {what_matters_is_written,
                                  a_replay_takes_them_up,
                                  a_simulation_takes_them_up_but_for_its_threads,
                                  odd_numbers_of_threads_are_refused,
                                  the_same_may_be_said_again,
                                  a_trace_cannot_set_other_options,
                                  no_trace_is_written_over};
    Suite *suite = suite_create("options of traces");
    TCase *group = tcase_create("options");
    tcase_add_checked_fixture(group, setup, teardown);
    for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
        tcase_add_test(group, tests[i]);
    }
    tcase_add_loop_test(group, what_differs_is_named, 0, sizeof(differences) / sizeof(differences[0]));
    suite_add_tcase(suite, group);
    return check_run(suite);
}
