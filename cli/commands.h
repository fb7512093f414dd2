/* The commands of the dcps program. Each takes its own arguments, argv[0] being its name, and returns an exit code (base/exit_code.h). */
#ifndef DCPS_CLI_COMMANDS_H
#define DCPS_CLI_COMMANDS_H

#include "base/exit_code.h"
#include "base/options.h"
#include "dcps/status.h"

int dcps_command_run(int argc, char **argv);
int dcps_command_compare(int argc, char **argv);
int dcps_command_sim(int argc, char **argv);
int dcps_command_algorithms(int argc, char **argv);
int dcps_command_status(int argc, char **argv);
int dcps_command_checkpoint(int argc, char **argv);
int dcps_command_doctor(int argc, char **argv);

/* Parses a command's options; on false the command returns *code, everything having been said. */
bool dcps_command_parse(const dcps_program *program, int argc, char **argv, dcps_options **options,
                        int *positional_index, int *code);
/* The exit code for a status, DCPS_INVALID being bad usage; says what failed unless `said`. */
int dcps_command_code(dcps_status status, bool said);

#endif
