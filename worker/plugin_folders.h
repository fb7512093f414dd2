/* Where models lie. */
#ifndef DCPS_WORKER_PLUGIN_FOLDERS_H
#define DCPS_WORKER_PLUGIN_FOLDERS_H

#include <stdbool.h>

/* Returns true to end the visit. */
typedef bool (*dcps_plugin_folder_fn)(void *context, const char *folder);

/* Visits, in the order in which they are searched, the folders of DCPS_MODELS (colon-separated), then ../lib/dcps/models and dcps/models seen from the folder of the program
 * and from that of libdcps. They may not exist, and two may be one. True if a visit ended it. */
bool dcps_plugin_folders_visit(dcps_plugin_folder_fn visit, void *context);

#endif
