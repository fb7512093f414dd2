/* Folders. */
#ifndef DCPS_BASE_FOLDER_H
#define DCPS_BASE_FOLDER_H

#include "dcps/status.h"

/* Makes `dir` and whatever folders lead to it; good when they are there already. DCPS_IO names the one that cannot be made, DCPS_LIMIT: too long. */
DCPS_MUST_CHECK dcps_status dcps_folder_make(const char *dir);

/* The same, then makes sure that a file can be written there, by writing one and taking it away. DCPS_IO: it cannot. */
DCPS_MUST_CHECK dcps_status dcps_folder_make_writable(const char *dir);

/* Forces the folder that `path` lies in to disk: only then has the file there come to stay under its name. Where a folder may not be
 * read, or its file system forces none, there is nothing to be done. DCPS_IO. */
DCPS_MUST_CHECK dcps_status dcps_folder_sync(const char *path);

#endif
