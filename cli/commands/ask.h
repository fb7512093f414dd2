/* What dcps status and dcps checkpoint share: putting a question to running servers. */
#ifndef DCPS_CLI_ASK_H
#define DCPS_CLI_ASK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/options.h"
#include "cli/run/monitor.h"

/* Parses a command line with one positional argument, the list of servers, and connects to them. On false the command returns *code, everything having been
 * said; else options and monitor belong to the caller. */
bool dcps_ask_open(const dcps_program *program, int argc, char **argv, dcps_options **options, dcps_monitor **monitor,
                   int *code);

/* Waits until `known` holds for every server, at most timeout_s; names those for which it does not and returns their number. */
uint32_t dcps_ask_await(dcps_monitor *monitor, bool (*known)(const dcps_server_view *view), int64_t timeout_s);

#endif
