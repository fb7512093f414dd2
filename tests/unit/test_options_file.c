/* Environment, configuration files, and which source wins. */
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/capture.h"
#include "support/check_main.h"
#include "support/options_fixture.h"

static char folder[] = "/tmp/dcps-options-XXXXXX";
static char path[64];
static char captured[16384];

/* Before any test runs. */
static bool make_folder(void)
{
    return mkdtemp(folder) != NULL && snprintf(path, sizeof(path), "%s/run.conf", folder) < (int)sizeof(path);
}

static void remove_folder(void)
{
    (void)unlink(path);
    (void)rmdir(folder);
}

static void write_bytes(const char *bytes, size_t count)
{
    FILE *file = fopen(path, "wb");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(bytes, 1, count, file), count);
    ck_assert_int_eq(fclose(file), 0);
}

static void write_config(const char *text)
{
    write_bytes(text, strlen(text));
}

/* Parses `flags` with the configuration file. */
static void parse_with_config(fixture_result *result, const char *flags)
{
    char line[256];
    ck_assert_int_lt(snprintf(line, sizeof(line), "%s --config %s", flags, path), (int)sizeof(line));
    fixture_parse(result, NULL, line);
}

START_TEST(a_file_sets_values)
{
    static const char config[] = "# a comment\n"
                                 "\n"
                                 "  batch-size = 32   # trailing comment\r\n"
                                 "algorithm=ssgd\n"
                                 "\tmodel-opt\t=\tcolour=#fff \n"
                                 "model-opt = two words\n"
                                 "hidden =\n"
                                 "batch-size = 33\n"
                                 "seed = 5"; /* without a line feed */
    write_config(config);
    fixture_result result;
    parse_with_config(&result, "");
    ck_assert_msg(result.status == DCPS_OK, "%s", dcps_error_message());
    ck_assert_int_eq(dcps_options_integer(result.options, "batch-size"), 33);
    ck_assert_str_eq(dcps_options_text(result.options, "algorithm"), "ssgd");
    ck_assert_str_eq(dcps_options_text(result.options, "model-opt"), "colour=#fff\ntwo words");
    ck_assert_int_eq(dcps_options_integer(result.options, "seed"), 5);
    size_t count = 1;
    ck_assert_ptr_null(dcps_options_integers(result.options, "hidden", &count));
    dcps_options_destroy(&result.options);
}
END_TEST

START_TEST(flags_beat_the_environment_which_beats_the_file_which_beats_defaults)
{
    write_config("batch-size = 3\nlearning-rate = 3\nseed = 3\nmodel-opt = 3\n");
    (void)setenv("DCPS_BATCH_SIZE", "2", 1);
    (void)setenv("DCPS_LEARNING_RATE", "2", 1);
    (void)setenv("DCPS_MODEL_OPT", "2", 1);
    (void)setenv("DCPS_ALGORITHM", "", 1); /* as good as unset */
    fixture_result result;
    parse_with_config(&result, "--batch-size=1");
    ck_assert_msg(result.status == DCPS_OK, "%s", dcps_error_message());
    ck_assert_int_eq(dcps_options_integer(result.options, "batch-size"), 1);
    ck_assert(dcps_options_real(result.options, "learning-rate") == 2);
    ck_assert_str_eq(dcps_options_text(result.options, "model-opt"), "2");
    ck_assert_int_eq(dcps_options_integer(result.options, "seed"), 3);
    ck_assert_str_eq(dcps_options_text(result.options, "algorithm"), "asgd");
    dcps_options_destroy(&result.options);
}
END_TEST

static const char *recommended_rate;

/* Sees what was given, and recommends three values. */
static dcps_status recommend(dcps_options *options)
{
    ck_assert_str_eq(dcps_options_given(options, "batch-size"), "512");
    ck_assert_str_eq(dcps_options_given(options, "learning-rate"), "0.1");
    ck_assert_ptr_null(dcps_options_given(options, "seed"));
    ck_assert_int_eq(dcps_options_recommend(options, "model m", "batch-size", "8"), DCPS_OK);
    ck_assert_int_eq(dcps_options_recommend(options, "model m", "seed", "9"), DCPS_OK);
    ck_assert_int_eq(dcps_options_recommend(options, "model m", "colour", "red"), DCPS_INVALID);
    ck_assert_str_eq(dcps_error_message(), "model m recommends colour = red: there is no such option");
    return dcps_options_recommend(options, "model m", "learning-rate", recommended_rate);
}

static dcps_status parse_with_recommendation(const char *rate, dcps_options **options)
{
    const dcps_program program = {
        .name = "prog", .summary = "Does things.", .options = fixture_table, .recommend = recommend};
    char *argv[] = {(char[]){"prog"}, (char[]){"--config"}, path};
    int positional = 0;
    dcps_parse_outcome outcome;
    recommended_rate = rate;
    return dcps_options_parse(&program, 3, argv, options, &positional, &outcome);
}

START_TEST(recommendations_beat_defaults_only)
{
    dcps_options *options = NULL;
    write_config("batch-size = 512\n");
    ck_assert_msg(parse_with_recommendation("0.5", &options) == DCPS_OK, "%s", dcps_error_message());
    ck_assert_int_eq(dcps_options_integer(options, "batch-size"), 512);
    ck_assert_int_eq(dcps_options_integer(options, "seed"), 9);
    ck_assert(dcps_options_real(options, "learning-rate") == 0.5);
    dcps_options_destroy(&options);
    ck_assert_int_eq(parse_with_recommendation("none", &options), DCPS_INVALID);
    ck_assert_ptr_nonnull(strstr(dcps_error_message(), "--learning-rate: expected a decimal number"));
    ck_assert_ptr_nonnull(strstr(dcps_error_message(), "got \"none\" (model m)"));
}
END_TEST

START_TEST(the_environment_may_name_the_file)
{
    write_config("seed = 11\n");
    (void)setenv("DCPS_CONFIG", path, 1);
    fixture_result result;
    fixture_parse(&result, NULL, "");
    ck_assert_int_eq(result.status, DCPS_OK);
    ck_assert_int_eq(dcps_options_integer(result.options, "seed"), 11);
    dcps_options_destroy(&result.options);
}
END_TEST

START_TEST(errors_name_their_source)
{
    fixture_result result;
    (void)setenv("DCPS_BATCH_SIZE", "-1", 1);
    fixture_parse(&result, NULL, "");
    ck_assert_int_eq(result.status, DCPS_INVALID);
    ck_assert_ptr_nonnull(strstr(dcps_error_message(), "got \"-1\" (environment DCPS_BATCH_SIZE)"));
    (void)unsetenv("DCPS_BATCH_SIZE");

    write_config("\nseed = x\n");
    parse_with_config(&result, "");
    ck_assert_int_eq(result.status, DCPS_INVALID);
    char expected[128];
    ck_assert_int_lt(snprintf(expected, sizeof(expected), "got \"x\" (file %s:2)", path), (int)sizeof(expected));
    ck_assert_msg(strstr(dcps_error_message(), expected) != NULL, "%s", dcps_error_message());
}
END_TEST

START_TEST(broken_files_are_refused_with_their_line)
{
    static char long_line[5000];
    memset(long_line, 'a', sizeof(long_line));
    const struct {
        const char *bytes;
        size_t count;
        const char *expected;
    } bad[] = {{"seed\n", 5, "run.conf:1: expected NAME = VALUE, got \"seed\""},
               {"\n= 3\n", 5, "run.conf:2: expected NAME = VALUE"},
               {"nonsense = 3\n", 13, "run.conf:1: unknown option \"nonsense\""},
               {"config = x\n", 11, "unknown option \"config\""},
               {"seed = 3\nse\0ed = 4\n", 19, "run.conf:2: expected a text line"},
               {"\0", 1, "run.conf:1: expected a text line"},
               {long_line, sizeof(long_line), "run.conf:1: expected a text line below 4095 bytes"}};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        write_bytes(bad[i].bytes, bad[i].count);
        fixture_result result;
        parse_with_config(&result, "");
        ck_assert_int_eq(result.status, DCPS_CORRUPT);
        ck_assert_msg(strstr(dcps_error_message(), bad[i].expected) != NULL, "%s", dcps_error_message());
        ck_assert_ptr_null(result.options);
    }
}
END_TEST

START_TEST(missing_and_unreadable_files_are_named)
{
    fixture_result result;
    fixture_parse(&result, NULL, "--config /nowhere/run.conf");
    ck_assert_int_eq(result.status, DCPS_NOT_FOUND);
    ck_assert_ptr_nonnull(strstr(dcps_error_message(), "/nowhere/run.conf"));
    fixture_parse(&result, NULL, "--config /");
    ck_assert_int_eq(result.status, DCPS_CORRUPT);
    /* Nobody writes into this pipe. */
    (void)unlink(path);
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    parse_with_config(&result, "");
    ck_assert_int_eq(result.status, DCPS_CORRUPT);
    ck_assert_ptr_nonnull(strstr(dcps_error_message(), "expected a regular file"));
    ck_assert_int_eq(unlink(path), 0);
}
END_TEST

START_TEST(print_config_shows_values_and_sources)
{
    write_config("algorithm = ssgd\n");
    (void)setenv("DCPS_LEARNING_RATE", "0.5", 1);
    fixture_result result;
    capture output;
    capture_start(&output, STDOUT_FILENO);
    parse_with_config(&result, "--print-config --batch-size=7 --model-opt=a --model-opt=b");
    capture_end(&output, captured, sizeof(captured));
    ck_assert_int_eq(result.outcome, DCPS_PARSE_EXIT);
    char expected[1024];
    ck_assert_int_lt(snprintf(expected, sizeof(expected),
                              "batch-size = 7  # flag\n"
                              "learning-rate = 0.5  # environment DCPS_LEARNING_RATE\n"
                              "algorithm = ssgd  # file %s:1\n"
                              "model-opt = a  # flag\n"
                              "model-opt = b  # flag\n"
                              "hidden = 256,128  # default\n"
                              "# decay is unset\n"
                              "# seed is unset\n"
                              "verbose = false  # default\n",
                              path),
                     (int)sizeof(expected));
    ck_assert_str_eq(captured, expected);
}
END_TEST

START_TEST(printed_configuration_can_be_read_again)
{
    fixture_result result;
    capture output;
    capture_start(&output, STDOUT_FILENO);
    fixture_parse(&result, NULL, "--print-config --batch-size=7 --model-opt=a#1 --model-opt=b --hidden=");
    capture_end(&output, captured, sizeof(captured));
    write_config(captured);
    parse_with_config(&result, "");
    ck_assert_msg(result.status == DCPS_OK, "%s", dcps_error_message());
    ck_assert_int_eq(dcps_options_integer(result.options, "batch-size"), 7);
    ck_assert_str_eq(dcps_options_text(result.options, "model-opt"), "a#1\nb");
    size_t count = 1;
    ck_assert_ptr_null(dcps_options_integers(result.options, "hidden", &count));
    ck_assert(!dcps_options_is_set(result.options, "seed"));
    dcps_options_destroy(&result.options);
}
END_TEST

static void clear_environment(void)
{
    static const char *const names[] = {"DCPS_BATCH_SIZE", "DCPS_LEARNING_RATE", "DCPS_ALGORITHM", "DCPS_MODEL_OPT",
                                        "DCPS_SEED",       "DCPS_CONFIG",        "DCPS_HIDDEN",    "DCPS_VERBOSE"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        (void)unsetenv(names[i]);
    }
}

int main(void)
{
    const TTest *const tests[] = {a_file_sets_values,
                                  flags_beat_the_environment_which_beats_the_file_which_beats_defaults,
                                  recommendations_beat_defaults_only,
                                  the_environment_may_name_the_file,
                                  errors_name_their_source,
                                  broken_files_are_refused_with_their_line,
                                  missing_and_unreadable_files_are_named,
                                  print_config_shows_values_and_sources,
                                  printed_configuration_can_be_read_again};
    clear_environment();
    if (!make_folder()) {
        return EXIT_FAILURE;
    }
    int result = CHECK_MAIN("options_file", tests);
    remove_folder();
    return result;
}
