/* What the commands of the dcps program share. */
#ifndef DCPS_CLI_COMMAND_H
#define DCPS_CLI_COMMAND_H

#include "base/exit_code.h"
#include "base/options.h"
#include "dcps/status.h"

/* Parses a command's options; on false the command returns *code, everything having been said. */
bool dcps_command_parse(const dcps_program *program, int argc, char **argv, dcps_options **options,
                        int *positional_index, int *code);
/* The exit code for a status, DCPS_INVALID being bad usage; says what failed unless `said`. */
int dcps_command_code(dcps_status status, bool said);

#endif
