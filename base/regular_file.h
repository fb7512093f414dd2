/* Opening files that somebody named. */
#ifndef DCPS_BASE_REGULAR_FILE_H
#define DCPS_BASE_REGULAR_FILE_H

#include <stdio.h>

#include "dcps/status.h"

/* Opens a file for reading, and nothing but a file: a pipe would have us wait for a writer, a device for ever give more. Errors, with the path: DCPS_NOT_FOUND, DCPS_IO, DCPS_CORRUPT (no file). */
DCPS_MUST_CHECK dcps_status dcps_regular_file_open(const char *path, int *fd);
/* … as a stream. */
DCPS_MUST_CHECK dcps_status dcps_regular_file_stream(const char *path, FILE **file);

#endif
