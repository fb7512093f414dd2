/* The commands of the dcps program. Each takes its own arguments, argv[0] being its name, and returns an exit code (base/exit_code.h). */
#ifndef DCPS_CLI_COMMANDS_H
#define DCPS_CLI_COMMANDS_H

int dcps_command_run(int argc, char **argv);
int dcps_command_compare(int argc, char **argv);
int dcps_command_sim(int argc, char **argv);
int dcps_command_algorithms(int argc, char **argv);
int dcps_command_status(int argc, char **argv);
int dcps_command_checkpoint(int argc, char **argv);
int dcps_command_doctor(int argc, char **argv);

#endif
