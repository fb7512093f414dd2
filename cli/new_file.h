/* Writes a file so that its name always stands for a complete one: under a temporary name, synced, then renamed, and the folder synced. Single-threaded. */
#ifndef DCPS_CLI_NEW_FILE_H
#define DCPS_CLI_NEW_FILE_H

#include <limits.h>
#include <stdbool.h>
#include <stdio.h>

#include <jansson.h>

#include "dcps/status.h"

typedef struct dcps_new_file {
    FILE *file; /* write here */
    char path[PATH_MAX];
    char temporary[PATH_MAX];
} dcps_new_file;

/* Errors: DCPS_IO with path and reason, DCPS_LIMIT. */
DCPS_MUST_CHECK dcps_status dcps_new_file_open(dcps_new_file *made, const char *path);
/* Puts it in place if it was written well and `good`, else takes it away. DCPS_IO: it is not there, or may be gone after a crash of the system; with path and reason. */
DCPS_MUST_CHECK dcps_status dcps_new_file_close(dcps_new_file *made, bool good);

/* Writes a document, for people to read; reals with 12 digits: what a figure is worth, without the noise of binary fractions ("0.0865", not "0.086499999999999994"). */
DCPS_MUST_CHECK dcps_status dcps_document_write(json_t *document, const char *path);

#endif
