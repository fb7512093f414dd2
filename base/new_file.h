/* Writes a file so that its name always stands for a complete one: under a temporary name, synced, then renamed, and the folder synced. Single-threaded. */
#ifndef DCPS_BASE_NEW_FILE_H
#define DCPS_BASE_NEW_FILE_H

#include <limits.h>
#include <stdbool.h>
#include <stdio.h>

#include "dcps/status.h"

typedef struct dcps_new_file {
    int fd;
    FILE *file; /* of fd; NULL where it was opened without */
    char path[PATH_MAX];
    char temporary[PATH_MAX];
} dcps_new_file;

/* For writing through made->file. Others may write the same file at the same time: the last to close is heard. Errors: DCPS_IO with path and reason, DCPS_LIMIT. */
DCPS_MUST_CHECK dcps_status dcps_new_file_open(dcps_new_file *made, const char *path);
/* For writing through made->fd, under PATH.tmp, over what a crash may have left there: for large files that nobody else writes; nobody but their owner may. Errors as above. */
DCPS_MUST_CHECK dcps_status dcps_new_file_open_large(dcps_new_file *made, const char *path);

/* Puts it in place if it was written well and `good`, else takes it away. DCPS_IO: it is not there, or may be gone after a crash of the system; with path and reason. */
DCPS_MUST_CHECK dcps_status dcps_new_file_close(dcps_new_file *made, bool good);
/* Takes it away and says nothing. */
void dcps_new_file_abandon(dcps_new_file *made);

#endif
