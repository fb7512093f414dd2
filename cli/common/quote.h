/* A command line as one text that a shell reads back as the same arguments. */
#ifndef DCPS_CLI_QUOTE_H
#define DCPS_CLI_QUOTE_H

#include "dcps/status.h"

/* "PROGRAM ARGUMENT…"; the program's name stands as it is. *text belongs to the caller (dcps_free). DCPS_NO_MEMORY. */
DCPS_MUST_CHECK dcps_status dcps_quote_command(const char *program, int argc, char **argv, char **text);

#endif
