#include "cli/commands.h"

#include "base/log.h"

int dcps_command_code(dcps_status status, bool said)
{
    if (status != DCPS_OK && !said) {
        dcps_error("%s", dcps_error_message());
    }
    switch (status) {
    case DCPS_OK:
        return DCPS_EXIT_GOOD;
    case DCPS_INVALID:
        return DCPS_EXIT_BAD_USAGE;
    case DCPS_AGAIN:
        return DCPS_EXIT_TRY_AGAIN;
    default:
        return DCPS_EXIT_FAILED;
    }
}

bool dcps_command_parse(const dcps_program *program, int argc, char **argv, dcps_options **options,
                        int *positional_index, int *code)
{
    dcps_parse_outcome outcome;
    dcps_status status = dcps_options_parse(program, argc, argv, options, positional_index, &outcome);
    if (status != DCPS_OK) {
        (void)dcps_command_code(status, false);
        *code = DCPS_EXIT_BAD_USAGE;
        return false;
    }
    if (outcome == DCPS_PARSE_EXIT) {
        dcps_options_destroy(options);
        *code = DCPS_EXIT_GOOD;
        return false;
    }
    return true;
}
