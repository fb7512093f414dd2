/* A program's option table and a way to parse command lines written as one string. */
#ifndef DCPS_TESTS_SUPPORT_OPTIONS_FIXTURE_H
#define DCPS_TESTS_SUPPORT_OPTIONS_FIXTURE_H

#include <string.h>

#include "base/options.h"

static const dcps_option fixture_table[] = {
    {.name = "batch-size",
     .type = DCPS_OPTION_INTEGER,
     .default_text = "64",
     .help = "Samples a step",
     .value_name = "N",
     .minimum = 1,
     .maximum = 65536},
    {.name = "learning-rate", .type = DCPS_OPTION_REAL, .default_text = "0.1", .help = "Step size", .maximum = 1e9},
    {.name = "algorithm", .type = DCPS_OPTION_TEXT, .default_text = "asgd", .help = "Rule", .choices = "asgd|ssgd"},
    {.name = "model-opt", .type = DCPS_OPTION_TEXT, .help = "Option of the model", .repeatable = true},
    {.name = "hidden", .type = DCPS_OPTION_INTEGERS, .default_text = "256,128", .minimum = 1, .maximum = 9999},
    {.name = "decay", .type = DCPS_OPTION_REALS, .help = "Marks"},
    {.name = "seed", .type = DCPS_OPTION_INTEGER, .help = "Any number"},
    {.name = "verbose", .type = DCPS_OPTION_FLAG, .default_text = "false", .help = "Say more"},
    {0}};

typedef struct fixture_result {
    dcps_status status;
    dcps_options *options;
    int positional_index;
    dcps_parse_outcome outcome;
    char text[4096]; /* of the command line; argv points into it */
    char *argv[64];
    int argc;
} fixture_result;

/* Parses `line`, words separated by single blanks, of a program that takes positional arguments if `arguments` names them. */
static inline void fixture_parse(fixture_result *result, const char *arguments, const char *line)
{
    const dcps_program program = {
        .name = "prog", .summary = "Does things.", .arguments = arguments, .options = fixture_table};
    memset(result, 0, sizeof(*result));
    result->positional_index = -1;
    strncpy(result->text, line, sizeof(result->text) - 1);
    static char name[] = "prog";
    result->argv[result->argc++] = name;
    for (char *word = strtok(result->text, " "); word != NULL && result->argc < 63; word = strtok(NULL, " ")) {
        result->argv[result->argc++] = word;
    }
    result->status = dcps_options_parse(&program, result->argc, result->argv, &result->options,
                                        &result->positional_index, &result->outcome);
}

#endif
