/* Finds, checks and loads model plugins. A file that is no model, or one for another dcps, is refused by name with what was expected and seen. */
#ifndef DCPS_WORKER_PLUGIN_H
#define DCPS_WORKER_PLUGIN_H

#include "dcps/model.h"

typedef struct dcps_plugin dcps_plugin;

/* `model`: a path when it holds a '/' or ends in ".so"; otherwise the name of NAME.so in the folders of DCPS_MODELS (colon-separated), then in
 * ../lib/dcps/models and in dcps/models, seen from the folder of the program and from that of libdcps. Loading runs the plugin's constructors: trust it
 * as you trust the program. Errors: DCPS_NOT_FOUND (places looked at), DCPS_CORRUPT (no shared object of this machine, or cut short), DCPS_MISMATCH (ABI or
 * struct size), DCPS_INVALID (symbol or function missing, unusable option table), DCPS_NO_MEMORY. */
DCPS_MUST_CHECK dcps_status dcps_plugin_open(const char *model, dcps_plugin **plugin);

/* Valid until dcps_plugin_close. */
const dcps_model *dcps_plugin_model(const dcps_plugin *plugin);
const char *dcps_plugin_path(const dcps_plugin *plugin);

/* Unloads the plugin; its model must be closed. Accepts NULL inside. */
void dcps_plugin_close(dcps_plugin **plugin);

/* Checks a table as dcps_plugin_open does; `path` names it in errors. */
DCPS_MUST_CHECK dcps_status dcps_plugin_check(const char *path, const dcps_model *model);

#endif
