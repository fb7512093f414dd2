/* Flags, environment and configuration file of a program. */
#include <argp.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/options_table.h"

#ifndef DCPS_VERSION
#define DCPS_VERSION "unknown"
#endif

/* Keys of argp beyond those that stand for a letter, so that there are no short options. Option i of the table is FIRST + i. */
enum { KEY_HELP = 0x100, KEY_VERSION, KEY_CONFIG, KEY_PRINT_CONFIG, KEY_FIRST };

static const dcps_option common_options[] = {
    {.name = "config", .type = DCPS_OPTION_TEXT, .value_name = "FILE", .help = "Read options from lines NAME = VALUE"},
    {.name = "print-config",
     .type = DCPS_OPTION_FLAG,
     .default_text = "false",
     .help = "Print every option's value and where it came from, and leave"},
    {.name = "help", .type = DCPS_OPTION_FLAG, .default_text = "false", .help = "Print this text and leave"},
    {.name = "version", .type = DCPS_OPTION_FLAG, .default_text = "false", .help = "Print the version and leave"},
    {0}};
static const int common_keys[] = {KEY_CONFIG, KEY_PRINT_CONFIG, KEY_HELP, KEY_VERSION};
#define COMMON_COUNT (sizeof(common_keys) / sizeof(common_keys[0]))

/* State of one argp_parse. */
typedef struct command_line {
    const dcps_program *program;
    dcps_options *options;
    const char *config_path; /* in argv or the environment */
    int stop_key;            /* KEY_HELP or KEY_VERSION, once seen; 0 */
    bool print_config;
    dcps_status status; /* of dcps_options_offer */
    int failed_at;      /* argp's next argument when it gave up; 0: it did not */
} command_line;

static error_t take_option(int key, char *argument, struct argp_state *state)
{
    command_line *line = state->input;
    switch (key) {
    case KEY_HELP:
    case KEY_VERSION:
        line->stop_key = key;
        return ECANCELED; /* the rest does not matter any more */
    case KEY_CONFIG:
        line->config_path = argument;
        return 0;
    case KEY_PRINT_CONFIG:
        line->print_config = true;
        return 0;
    case ARGP_KEY_ERROR:
        line->failed_at = state->next;
        return 0;
    default:
        break;
    }
    if (key < KEY_FIRST || (size_t)(key - KEY_FIRST) >= line->options->count) {
        return ARGP_ERR_UNKNOWN; /* positional arguments too: argp_parse then tells where they begin */
    }
    const char *text = argument != NULL ? argument : "true";
    line->status = dcps_options_offer(line->options, (size_t)(key - KEY_FIRST), DCPS_ORIGIN_FLAG, 0, text);
    return line->status == DCPS_OK ? 0 : ENOMEM;
}

static struct argp_option *make_argp_options(const dcps_options *options)
{
    struct argp_option *made = dcps_alloc(options->count + COMMON_COUNT + 1, sizeof(*made));
    if (made == NULL) {
        return NULL;
    }
    for (size_t i = 0; i < options->count + COMMON_COUNT; i++) {
        bool common = i < COMMON_COUNT;
        const dcps_option *option = common ? &common_options[i] : &options->table[i - COMMON_COUNT];
        made[i].name = option->name;
        made[i].key = common ? common_keys[i] : KEY_FIRST + (int)(i - COMMON_COUNT);
        if (option->type == DCPS_OPTION_FLAG) {
            made[i].arg = common ? NULL : "true|false";
            made[i].flags = OPTION_ARG_OPTIONAL;
        } else {
            made[i].arg = option->value_name != NULL ? option->value_name : "VALUE";
        }
    }
    return made;
}

/* Options, common or not, that `text` ("--name", "--name=value") may abbreviate; *exact: the name is complete. */
static size_t count_matches(const dcps_options *options, const char *text, bool *exact)
{
    size_t length = strcspn(text + 2, "=");
    size_t matches = 0;
    *exact = false;
    for (size_t i = 0; i < options->count + COMMON_COUNT; i++) {
        const char *name = i < COMMON_COUNT ? common_options[i].name : options->table[i - COMMON_COUNT].name;
        if (strncmp(name, text + 2, length) == 0) {
            matches++;
            *exact = *exact || name[length] == '\0';
        }
    }
    return matches;
}

/* argp tells only where it stopped; find out why. */
static dcps_status fail_flag(const command_line *line, int argc, char **argv)
{
    const char *program = line->program->name;
    int at = line->failed_at - 1; /* a long option is consumed before it is refused, a short one is not */
    if (at < 1 || at >= argc || strncmp(argv[at], "--", 2) != 0) {
        at = line->failed_at < argc ? line->failed_at : argc - 1;
    }
    const char *text = argv[at];
    if (strncmp(text, "--", 2) != 0) {
        return dcps_fail(DCPS_INVALID, "unknown option \"%.200s\": options of %s begin with two dashes; see %s --help",
                         text, program, program);
    }
    bool exact;
    size_t matches = count_matches(line->options, text, &exact);
    if (matches == 0) {
        return dcps_fail(DCPS_INVALID, "unknown option \"%.200s\"; see %s --help", text, program);
    }
    if (matches > 1 && !exact) {
        return dcps_fail(DCPS_INVALID, "option \"%.200s\" is ambiguous; see %s --help", text, program);
    }
    if (strchr(text, '=') != NULL) {
        return dcps_fail(DCPS_INVALID, "option \"%.200s\" takes no value; see %s --help", text, program);
    }
    return dcps_fail(DCPS_INVALID, "option %s needs a value, got none; see %s --help", text, program);
}

static dcps_status parse_flags(command_line *line, int argc, char **argv, int *positional_index)
{
    struct argp_option *argp_options = make_argp_options(line->options);
    if (argp_options == NULL) {
        return dcps_fail(DCPS_NO_MEMORY, "no memory for the command line of %s", line->program->name);
    }
    struct argp parser = {.options = argp_options, .parser = take_option};
    int first = argc;
    const unsigned flags = ARGP_NO_EXIT | ARGP_NO_ERRS | ARGP_NO_HELP;
    error_t result = argp_parse(&parser, argc, argv, flags, &first, line);
    dcps_free(argp_options);
    if (line->stop_key != 0) {
        return DCPS_OK;
    }
    if (line->status != DCPS_OK) {
        return line->status;
    }
    if (result == ENOMEM) {
        return dcps_fail(DCPS_NO_MEMORY, "no memory for the command line of %s", line->program->name);
    }
    if (result != 0) {
        return fail_flag(line, argc, argv);
    }
    if (first < argc && line->program->arguments == NULL) {
        return dcps_fail(DCPS_INVALID, "unexpected argument \"%.200s\": %s takes only options; see %s --help",
                         argv[first], line->program->name, line->program->name);
    }
    *positional_index = first;
    return DCPS_OK;
}

/* NULL where unset or empty: an empty variable is how shells say "not set". */
static const char *variable_of(const char *name)
{
    char variable[DCPS_OPTIONS_MAX_TEXT_BYTES];
    dcps_options_variable(name, variable);
    const char *text = getenv(variable);
    return text != NULL && *text != '\0' ? text : NULL;
}

static dcps_status read_environment(dcps_options *options)
{
    for (size_t i = 0; i < options->count; i++) {
        const char *text = variable_of(options->table[i].name);
        dcps_status status = DCPS_OK;
        if (text != NULL) {
            status = dcps_options_offer(options, i, DCPS_ORIGIN_ENVIRONMENT, 0, text);
        }
        if (status != DCPS_OK) {
            return status;
        }
    }
    return DCPS_OK;
}

static dcps_status read_config(dcps_options *options, const char *path)
{
    options->config_path = dcps_strdup(path);
    if (options->config_path == NULL) {
        return dcps_fail(DCPS_NO_MEMORY, "no memory for the name of the configuration file");
    }
    return dcps_options_read_file(options, path);
}

static void print_help(const dcps_program *program)
{
    printf("Usage: %s [OPTION…]%s%s\n%s\n\n", program->name, program->arguments != NULL ? " " : "",
           program->arguments != NULL ? program->arguments : "", program->summary);
    dcps_options_print_help(program->options, stdout);
    dcps_options_print_help(common_options, stdout);
    printf("\nAn option --some-name may also be set by the environment variable DCPS_SOME_NAME or in the\n"
           "configuration file. Flags go before the environment, that before the file, that before defaults.\n");
}

/* A reader that has seen enough is no failure. */
static dcps_status flush_answer(void)
{
    if ((fflush(stdout) != 0 || ferror(stdout)) && errno != EPIPE) {
        return dcps_fail(DCPS_IO, "cannot write to standard output: %s", strerror(errno));
    }
    return DCPS_OK;
}

/* Everything but creating and destroying line->options. */
static dcps_status parse(command_line *line, int argc, char **argv, int *positional_index, dcps_parse_outcome *outcome)
{
    dcps_status status = parse_flags(line, argc, argv, positional_index);
    if (status != DCPS_OK) {
        return status;
    }
    *outcome = line->stop_key != 0 || line->print_config ? DCPS_PARSE_EXIT : DCPS_PARSE_RUN;
    if (line->stop_key == KEY_HELP) {
        print_help(line->program);
    } else if (line->stop_key == KEY_VERSION) {
        printf("%s %s\n", line->program->name, DCPS_VERSION);
    }
    if (line->stop_key != 0) {
        return flush_answer();
    }

    const char *config_path = line->config_path != NULL ? line->config_path : variable_of("config");
    status = read_environment(line->options);
    if (status == DCPS_OK && config_path != NULL) {
        status = read_config(line->options, config_path);
    }
    if (status == DCPS_OK && line->program->recommend != NULL) {
        status = line->program->recommend(line->options);
    }
    if (status == DCPS_OK) {
        status = dcps_options_resolve(line->options);
    }
    if (status == DCPS_OK && line->print_config) {
        dcps_options_print(line->options, stdout);
        status = flush_answer();
    }
    return status;
}

dcps_status dcps_options_parse(const dcps_program *program, int argc, char **argv, dcps_options **options,
                               int *positional_index, dcps_parse_outcome *outcome)
{
    if (argc < 1) {
        return dcps_fail(DCPS_INVALID, "%s was started without even a name in its arguments", program->name);
    }
    command_line line = {.program = program};
    dcps_status status = dcps_options_create(program->options, NULL, &line.options);
    if (status != DCPS_OK) {
        return status;
    }
    int first = argc;
    dcps_parse_outcome parsed = DCPS_PARSE_RUN;
    status = parse(&line, argc, argv, &first, &parsed);
    if (status != DCPS_OK || parsed == DCPS_PARSE_EXIT) {
        dcps_options_destroy(&line.options); /* leaves NULL */
    }
    if (status != DCPS_OK) {
        return status;
    }
    *options = line.options;
    *positional_index = first;
    *outcome = parsed;
    return DCPS_OK;
}
