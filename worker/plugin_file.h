/* Looks at a plugin's file and table before anything of it is used. */
#ifndef DCPS_WORKER_PLUGIN_FILE_H
#define DCPS_WORKER_PLUGIN_FILE_H

#include "dcps/status.h"

/* The dynamic loader trusts a file: one that was cut short kills the process. So this checks that `path` is a shared object of this machine's kind and
 * holds every segment it announces. Errors: DCPS_NOT_FOUND, DCPS_IO, DCPS_CORRUPT. */
DCPS_MUST_CHECK dcps_status dcps_plugin_file_check(const char *path);

#endif
