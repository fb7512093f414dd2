/* Shows the models that can be named. */
#ifndef DCPS_WORKER_MODEL_LIST_H
#define DCPS_WORKER_MODEL_LIST_H

#include <stddef.h>
#include <stdio.h>

#include "dcps/status.h"

/* One line for each model in the folders of dcps_plugin_folders_visit, by name: name, summary, path; or why the file cannot be used. Errors: DCPS_NOT_FOUND (none there, with the
 * places looked at), DCPS_NO_MEMORY. */
DCPS_MUST_CHECK dcps_status dcps_model_list_print(FILE *out);

/* Their names alone, "cnn mlp", in order, cut where they do not fit into out[capacity]. Errors as above. */
DCPS_MUST_CHECK dcps_status dcps_model_list_names(char *out, size_t capacity);

/* Name, summary, options and settings of one model. Errors: those of dcps_plugin_open. */
DCPS_MUST_CHECK dcps_status dcps_model_help_print(const char *model, FILE *out);

#endif
