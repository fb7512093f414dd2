/* A model ready for use: its plugin loaded, options read, data open and layout declared. */
#ifndef DCPS_WORKER_LOADED_MODEL_H
#define DCPS_WORKER_LOADED_MODEL_H

#include "worker/plugin.h"

typedef struct dcps_loaded_model {
    dcps_plugin *plugin;
    const dcps_model *model; /* the plugin's table */
    dcps_options *options;
    void *state;
    bool is_open; /* `state` is to be closed */
    dcps_model_info info;
    dcps_layout *layout;
} dcps_loaded_model;

/* `name` as for dcps_plugin_open; `assignments` [count] are model options "key=value". On failure nothing is kept; a zeroed struct is fine to close. Errors: those of
 * dcps_plugin_open and of the model; DCPS_INVALID with the option named. */
DCPS_MUST_CHECK dcps_status dcps_loaded_model_open(const char *name, const char *const *assignments, size_t count,
                                                   const char *data_dir, dcps_loaded_model *loaded);
void dcps_loaded_model_close(dcps_loaded_model *loaded);

#endif
