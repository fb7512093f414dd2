/* The command line of dcps-worker. dcps/worker.h has the program itself. */
#ifndef DCPS_WORKER_PROGRAM_H
#define DCPS_WORKER_PROGRAM_H

#include "base/log.h"
#include "base/options.h"
#include "dcps/model.h"
#include "worker/assignments.h"

typedef enum dcps_worker_task {
    DCPS_TASK_TRAIN = 1,
    DCPS_TASK_EVALUATE,
    DCPS_TASK_LIST_MODELS,
    DCPS_TASK_HELP_MODEL,
} dcps_worker_task;

/* What the command line asks for. Texts belong to `options`. */
typedef struct dcps_worker_settings {
    dcps_options *options;
    dcps_worker_task task;
    const char *servers;
    const char *model;
    dcps_assignments model_options;
    const char *data_dir;
    const char *name;
    const char *device;
    uint32_t threads;
    dcps_split split;
    uint32_t timeout_ms;
    double slowdown;
    dcps_log_level log_level;
    bool log_json;
} dcps_worker_settings;

/* Errors: DCPS_INVALID and what dcps_options_parse gives: wrong usage; DCPS_NO_MEMORY. On success to be released with fini. */
DCPS_MUST_CHECK dcps_status dcps_worker_settings_parse(int argc, char **argv, dcps_worker_settings *settings,
                                                       dcps_parse_outcome *outcome);
void dcps_worker_settings_fini(dcps_worker_settings *settings);

#endif
