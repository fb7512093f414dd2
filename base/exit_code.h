/* What all programs tell by the code that they end with. */
#ifndef DCPS_BASE_EXIT_CODE_H
#define DCPS_BASE_EXIT_CODE_H

#include "dcps/status.h"

#define DCPS_EXIT_GOOD 0
#define DCPS_EXIT_FAILED 1
#define DCPS_EXIT_BAD_USAGE 2
#define DCPS_EXIT_TRY_AGAIN 75 /* EX_TEMPFAIL of sysexits.h: not possible now, or nobody answered in time */

/* For what a program came to. */
int dcps_exit_code(dcps_status status);
/* For reading what was typed: whatever is wrong with that is bad usage. */
int dcps_exit_code_of_usage(dcps_status status);

#endif
