#include "base/options.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "support/capture.h"
#include "support/check_main.h"
#include "support/options_fixture.h"

static char captured[16384];

static void refuse(const char *arguments, const char *line, const char *expected)
{
    fixture_result result;
    fixture_parse(&result, arguments, line);
    ck_assert_msg(result.status == DCPS_INVALID, "\"%s\" was taken", line);
    ck_assert_msg(strstr(dcps_error_message(), expected) != NULL, "\"%s\" gave: %s", line, dcps_error_message());
    ck_assert_ptr_null(result.options);
    ck_assert_int_eq(result.positional_index, -1);
}

START_TEST(defaults_apply)
{
    fixture_result result;
    fixture_parse(&result, NULL, "");
    ck_assert_int_eq(result.status, DCPS_OK);
    ck_assert_int_eq(result.outcome, DCPS_PARSE_RUN);
    ck_assert_int_eq(dcps_options_integer(result.options, "batch-size"), 64);
    ck_assert(dcps_options_real(result.options, "learning-rate") == 0.1);
    ck_assert_str_eq(dcps_options_text(result.options, "algorithm"), "asgd");
    ck_assert_ptr_null(dcps_options_text(result.options, "model-opt"));
    ck_assert(!dcps_options_is_set(result.options, "model-opt"));
    ck_assert(dcps_options_is_set(result.options, "algorithm"));
    ck_assert(!dcps_options_flag(result.options, "verbose"));
    size_t count = 0;
    const int64_t *hidden = dcps_options_integers(result.options, "hidden", &count);
    ck_assert_uint_eq(count, 2);
    ck_assert_int_eq(hidden[0], 256);
    ck_assert_int_eq(hidden[1], 128);
    ck_assert_ptr_null(dcps_options_reals(result.options, "decay", &count));
    ck_assert_uint_eq(count, 0);
    dcps_options_destroy(&result.options);
    ck_assert_ptr_null(result.options);
    dcps_options_destroy(&result.options);
}
END_TEST

START_TEST(flags_set_every_type)
{
    fixture_result result;
    fixture_parse(
        &result, NULL,
        "--batch-size=8 --learning-rate 1e-3 --algorithm=ssgd --hidden= --decay 0.5,0.75 --seed -9 --verbose");
    ck_assert_int_eq(result.status, DCPS_OK);
    ck_assert_int_eq(dcps_options_integer(result.options, "batch-size"), 8);
    ck_assert(dcps_options_real(result.options, "learning-rate") == 1e-3);
    ck_assert_str_eq(dcps_options_text(result.options, "algorithm"), "ssgd");
    ck_assert_int_eq(dcps_options_integer(result.options, "seed"), -9);
    ck_assert(dcps_options_flag(result.options, "verbose"));
    size_t count = 7;
    ck_assert_ptr_null(dcps_options_integers(result.options, "hidden", &count));
    ck_assert_uint_eq(count, 0);
    const double *decay = dcps_options_reals(result.options, "decay", &count);
    ck_assert_uint_eq(count, 2);
    ck_assert(decay[0] == 0.5 && decay[1] == 0.75);
    dcps_options_destroy(&result.options);
}
END_TEST

START_TEST(the_last_of_equal_flags_counts_and_repeatable_ones_join)
{
    fixture_result result;
    fixture_parse(&result, NULL,
                  "--batch-size=1 --batch-size=2 --model-opt a=1 --verbose --model-opt=b=2 --verbose=no");
    ck_assert_int_eq(result.status, DCPS_OK);
    ck_assert_int_eq(dcps_options_integer(result.options, "batch-size"), 2);
    ck_assert_str_eq(dcps_options_text(result.options, "model-opt"), "a=1\nb=2");
    ck_assert(!dcps_options_flag(result.options, "verbose"));
    dcps_options_destroy(&result.options);
}
END_TEST

START_TEST(wrong_values_are_refused_with_name_value_expectation_and_source)
{
    refuse(NULL, "--batch-size=0", "--batch-size: expected an integer from 1 to 65536, got \"0\" (flag)");
    refuse(NULL, "--batch-size=65537", "got \"65537\"");
    refuse(NULL, "--batch-size=12x", "got \"12x\"");
    refuse(NULL, "--batch-size=", "got \"\"");
    refuse(NULL, "--batch-size=9223372036854775808", "--batch-size: expected an integer");
    refuse(NULL, "--batch-size=1e3", "got \"1e3\"");
    refuse(NULL, "--learning-rate=-1", "--learning-rate: expected a decimal number from 0 to 1e+09, got \"-1\"");
    refuse(NULL, "--learning-rate=nan", "got \"nan\"");
    refuse(NULL, "--learning-rate=inf", "got \"inf\"");
    refuse(NULL, "--learning-rate=0x1p1", "got \"0x1p1\"");
    refuse(NULL, "--algorithm=sgd", "--algorithm: expected one of asgd|ssgd, got \"sgd\"");
    refuse(NULL, "--algorithm=asgd|ssgd", "expected one of");
    refuse(NULL, "--algorithm=asg", "expected one of");
    refuse(NULL, "--algorithm=", "expected one of");
    refuse(NULL, "--verbose=maybe", "--verbose: expected true or false, got \"maybe\"");
    refuse(NULL, "--hidden=1,,2", "--hidden: expected up to 64 integers from 1 to 9999, separated by commas");
    refuse(NULL, "--hidden=,", "--hidden");
    refuse(NULL, "--hidden=1,10000", "--hidden");
    refuse(NULL, "--hidden=1;2", "--hidden");
    refuse(NULL, "--decay=0.5,abc", "--decay: expected up to 64 decimal numbers, separated by commas");
}
END_TEST

START_TEST(long_lists_are_refused)
{
    char line[512] = "--hidden=1";
    for (int i = 1; i < 64; i++) {
        strncat(line, ",1", 3);
    }
    fixture_result result;
    fixture_parse(&result, NULL, line);
    ck_assert_int_eq(result.status, DCPS_OK);
    size_t count = 0;
    (void)dcps_options_integers(result.options, "hidden", &count);
    ck_assert_uint_eq(count, 64);
    dcps_options_destroy(&result.options);
    strncat(line, ",1", 3);
    refuse(NULL, line, "up to 64 integers");
}
END_TEST

START_TEST(wrong_flags_are_refused_by_name)
{
    refuse(NULL, "--nonsense", "unknown option \"--nonsense\"");
    refuse(NULL, "--batch-size 3 --nonsense=4", "unknown option \"--nonsense=4\"");
    refuse(NULL, "--batch-size 3 -x", "unknown option \"-x\"");
    refuse(NULL, "-batch-size 3", "unknown option \"-batch-size\"");
    refuse(NULL, "--batch-size", "option --batch-size needs a value");
    refuse(NULL, "--verbose --learning-rate", "option --learning-rate needs a value");
    refuse(NULL, "--ver", "option \"--ver\" is ambiguous"); /* verbose, version */
    refuse(NULL, "--help=x", "option \"--help=x\" takes no value");
    refuse(NULL, "stray", "unexpected argument \"stray\"");
    refuse(NULL, "--verbose stray", "unexpected argument \"stray\"");
    refuse("FILE", "file --nonsense", "unknown option \"--nonsense\"");
}
END_TEST

START_TEST(positional_arguments_are_found)
{
    fixture_result result;
    fixture_parse(&result, "FILE…", "one --batch-size=2 two -- --three");
    ck_assert_int_eq(result.status, DCPS_OK);
    ck_assert_int_eq(result.argc - result.positional_index, 3);
    ck_assert_str_eq(result.argv[result.positional_index], "one");
    ck_assert_str_eq(result.argv[result.positional_index + 1], "two");
    ck_assert_str_eq(result.argv[result.positional_index + 2], "--three");
    ck_assert_int_eq(dcps_options_integer(result.options, "batch-size"), 2);
    dcps_options_destroy(&result.options);
    fixture_parse(&result, "FILE…", "--batch-size=2");
    ck_assert_int_eq(result.positional_index, result.argc);
    dcps_options_destroy(&result.options);
}
END_TEST

START_TEST(no_arguments_at_all_are_refused)
{
    const dcps_program program = {.name = "prog", .summary = "Does things.", .options = fixture_table};
    char *argv[] = {NULL};
    dcps_options *options = NULL;
    int positional = -1;
    dcps_parse_outcome outcome;
    ck_assert_int_eq(dcps_options_parse(&program, 0, argv, &options, &positional, &outcome), DCPS_INVALID);
}
END_TEST

/* Runs a command line that is answered on stdout. */
static void answer(const char *line)
{
    fixture_result result;
    capture output;
    capture_start(&output, STDOUT_FILENO);
    fixture_parse(&result, NULL, line);
    capture_end(&output, captured, sizeof(captured));
    ck_assert_int_eq(result.status, DCPS_OK);
    ck_assert_int_eq(result.outcome, DCPS_PARSE_EXIT);
    ck_assert_ptr_null(result.options);
}

START_TEST(help_names_options_defaults_and_ranges)
{
    answer("--help --nonsense");
    ck_assert_ptr_nonnull(strstr(captured, "Usage: prog"));
    ck_assert_ptr_nonnull(strstr(captured, "Does things."));
    ck_assert_ptr_nonnull(
        strstr(captured, "  --batch-size=N\n        Samples a step (an integer from 1 to 65536; default: 64)"));
    ck_assert_ptr_nonnull(strstr(captured, "Rule (one of asgd|ssgd; default: asgd)"));
    ck_assert_ptr_nonnull(strstr(captured, "  --verbose\n        Say more\n"));
    ck_assert_ptr_nonnull(strstr(captured, "--print-config"));
}
END_TEST

START_TEST(version_is_told)
{
    answer("--version");
    ck_assert_int_eq(strncmp(captured, "prog 0.", 7), 0);
}
END_TEST

START_TEST(an_answer_that_cannot_be_written_is_a_failure)
{
    fixture_result result;
    ck_assert_ptr_nonnull(freopen("/dev/full", "w", stdout));
    fixture_parse(&result, NULL, "--help");
    ck_assert_int_eq(result.status, DCPS_IO);
}
END_TEST

START_TEST(assignments_fill_a_table)
{
    static const char *const assignments[] = {"hidden=32", "algorithm=ssgd", "model-opt=a=b", "model-opt=c"};
    dcps_options *options = NULL;
    ck_assert_int_eq(dcps_options_from_assignments("model mlp", fixture_table, assignments, 4, &options), DCPS_OK);
    size_t count = 0;
    ck_assert_int_eq(dcps_options_integers(options, "hidden", &count)[0], 32);
    ck_assert_str_eq(dcps_options_text(options, "algorithm"), "ssgd");
    ck_assert_str_eq(dcps_options_text(options, "model-opt"), "a=b\nc");
    ck_assert_int_eq(dcps_options_integer(options, "batch-size"), 64);
    dcps_options_destroy(&options);
    ck_assert_int_eq(dcps_options_from_assignments("model mlp", NULL, NULL, 0, &options), DCPS_OK);
    dcps_options_destroy(&options);
}
END_TEST

START_TEST(wrong_assignments_are_refused)
{
    static const struct {
        const char *text;
        const char *expected;
    } bad[] = {{"hiddn=3", "model mlp has no option \"hiddn\"; it has: batch-size, learning-rate, algorithm"},
               {"hidden", "expected an option as NAME=VALUE, got \"hidden\""},
               {"=3", "NAME=VALUE"},
               {"", "NAME=VALUE"},
               {"hidden=x", "model mlp, option hidden: expected up to 64 integers from 1 to 9999"},
               {"batch-size=-1", "got \"-1\""}};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        dcps_options *options = NULL;
        dcps_status status = dcps_options_from_assignments("model mlp", fixture_table, &bad[i].text, 1, &options);
        ck_assert_int_eq(status, DCPS_INVALID);
        ck_assert_msg(strstr(dcps_error_message(), bad[i].expected) != NULL, "%s", dcps_error_message());
        ck_assert_ptr_null(options);
    }
}
END_TEST

START_TEST(a_table_with_a_wrong_default_or_type_is_refused)
{
    static const dcps_option wrong_default[] = {{.name = "n", .type = DCPS_OPTION_INTEGER, .default_text = "many"},
                                                {0}};
    static const dcps_option wrong_type[] = {{.name = "n", .type = (dcps_option_type)77, .default_text = "1"}, {0}};
    dcps_options *options = NULL;
    ck_assert_int_eq(dcps_options_from_assignments("model x", wrong_default, NULL, 0, &options), DCPS_INVALID);
    ck_assert_int_eq(dcps_options_from_assignments("model x", wrong_type, NULL, 0, &options), DCPS_INVALID);
    ck_assert_ptr_null(options);
}
END_TEST

START_TEST(every_allocation_may_fail)
{
    uint64_t n = 0;
    for (;; n++) {
        fixture_result result;
        dcps_alloc_fail_after(n);
        fixture_parse(&result, NULL, "--model-opt=a --model-opt=b --decay=1,2,3");
        dcps_alloc_fail_after(UINT64_MAX);
        dcps_options_destroy(&result.options);
        if (result.status == DCPS_OK) {
            break;
        }
        ck_assert_int_eq(result.status, DCPS_NO_MEMORY);
    }
    ck_assert_uint_gt(n, 8);
    static const char *const assignments[] = {"hidden=32", "algorithm=ssgd"};
    for (n = 0;; n++) {
        dcps_options *options = NULL;
        dcps_alloc_fail_after(n);
        dcps_status status = dcps_options_from_assignments("model mlp", fixture_table, assignments, 2, &options);
        dcps_alloc_fail_after(UINT64_MAX);
        dcps_options_destroy(&options);
        if (status == DCPS_OK) {
            break;
        }
        ck_assert_int_eq(status, DCPS_NO_MEMORY);
    }
    ck_assert_uint_gt(n, 4);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {defaults_apply,
                                  flags_set_every_type,
                                  the_last_of_equal_flags_counts_and_repeatable_ones_join,
                                  wrong_values_are_refused_with_name_value_expectation_and_source,
                                  long_lists_are_refused,
                                  wrong_flags_are_refused_by_name,
                                  positional_arguments_are_found,
                                  no_arguments_at_all_are_refused,
                                  help_names_options_defaults_and_ranges,
                                  version_is_told,
                                  an_answer_that_cannot_be_written_is_a_failure,
                                  assignments_fill_a_table,
                                  wrong_assignments_are_refused,
                                  a_table_with_a_wrong_default_or_type_is_refused,
                                  every_allocation_may_fail};
    (void)unsetenv("DCPS_CONFIG");
    return CHECK_MAIN("options", tests);
}
