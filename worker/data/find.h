/* Finds the files of a data set in the folders where people keep them. */
#ifndef DCPS_WORKER_DATA_FIND_H
#define DCPS_WORKER_DATA_FIND_H

#include <limits.h>

#include "dcps/status.h"

/* Where a data set may be. */
typedef struct dcps_data_place {
    const char *name;          /* of the set */
    const char *marker;        /* the file that stands for all of them, without .gz or .xz */
    const char *subfolders[3]; /* of the user's folder, looked into before that itself; ended by NULL */
    const char *system_folder; /* where a Debian package puts it; NULL: none does */
    const char *advice;        /* ends the error when it is not found */
} dcps_data_place;

/* The first folder with the marker: below `dir` (NULL: none was given), `dir`, the system's. Errors: DCPS_NOT_FOUND (with the places looked at), DCPS_LIMIT. */
DCPS_MUST_CHECK dcps_status dcps_data_find_folder(const dcps_data_place *place, const char *dir, char folder[PATH_MAX]);
/* FOLDER/FILE, FOLDER/FILE.gz or FOLDER/FILE.xz, the first that is there. Errors: DCPS_NOT_FOUND. */
DCPS_MUST_CHECK dcps_status dcps_data_find_file(const char *folder, const char *file, char path[PATH_MAX]);

#endif
