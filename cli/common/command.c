#include "cli/common/command.h"

#include "base/log.h"
#include "base/text.h"

int dcps_command_code(dcps_status status, bool said)
{
    if (status != DCPS_OK && !said) {
        dcps_error("%s", dcps_error_message());
    }
    return status == DCPS_INVALID ? DCPS_EXIT_BAD_USAGE : dcps_exit_code(status);
}

/* Results and reports are UTF-8, and name what a run was told: better now than after it. */
static dcps_status check_texts(const dcps_program *program, const dcps_options *options, int argc, char **argv)
{
    for (const dcps_option *option = program->options; option->name != NULL; option++) {
        const char *given = dcps_options_given(options, option->name);
        if (given != NULL && !dcps_text_is_utf8(given)) {
            return dcps_fail(DCPS_INVALID, "--%s: '%s' is no UTF-8 text, as everything that is written about a run is",
                             option->name, given);
        }
    }
    for (int i = 0; i < argc; i++) {
        if (!dcps_text_is_utf8(argv[i])) {
            return dcps_fail(DCPS_INVALID, "argument %d, '%s', is no UTF-8 text", i, argv[i]);
        }
    }
    return DCPS_OK;
}

bool dcps_command_parse(const dcps_program *program, int argc, char **argv, dcps_options **options,
                        int *positional_index, int *code)
{
    dcps_parse_outcome outcome;
    dcps_status status = dcps_options_parse(program, argc, argv, options, positional_index, &outcome);
    if (status != DCPS_OK) {
        (void)dcps_command_code(status, false);
        *code = dcps_exit_code_of_usage(status);
        return false;
    }
    if (outcome == DCPS_PARSE_EXIT) {
        dcps_options_destroy(options);
        *code = DCPS_EXIT_GOOD;
        return false;
    }
    status = check_texts(program, *options, argc, argv);
    if (status != DCPS_OK) {
        dcps_options_destroy(options);
        *code = dcps_command_code(status, false);
        return false;
    }
    return true;
}
