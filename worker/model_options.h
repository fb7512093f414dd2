/* Options that every program that opens a model has: entries of a table of dcps_option. */
#ifndef DCPS_WORKER_MODEL_OPTIONS_H
#define DCPS_WORKER_MODEL_OPTIONS_H

#include "base/options.h"
#include "worker/device.h"

/* What is computed, and what computes. `default_model`: NULL where it must be named. */
#define DCPS_MODEL_OPTIONS(default_model)                                                                              \
    {.name = "model",                                                                                                  \
     .type = DCPS_OPTION_TEXT,                                                                                         \
     .default_text = (default_model),                                                                                  \
     .value_name = "NAME|PATH.so",                                                                                     \
     .help = "Model plugin: a name, or the path of its file"},                                                         \
        {.name = "model-opt",                                                                                          \
         .type = DCPS_OPTION_TEXT,                                                                                     \
         .value_name = "KEY=VALUE",                                                                                    \
         .repeatable = true,                                                                                           \
         .help = "Option of the model"},                                                                               \
        {.name = "data",                                                                                               \
         .type = DCPS_OPTION_TEXT,                                                                                     \
         .value_name = "DIR",                                                                                          \
         .help = "Folder of the data sets (docs/operations.md says what is looked for in it)"},                        \
    {                                                                                                                  \
        .name = "device", .type = DCPS_OPTION_TEXT, .default_text = "cpu", .value_name = DCPS_DEVICE_VALUE_NAME,       \
        .help = "What computes: processors, or a GPU, which workers share"                                             \
    }

/* Of one process that computes. */
#define DCPS_THREADS_OPTION                                                                                            \
    {                                                                                                                  \
        .name = "threads", .type = DCPS_OPTION_INTEGER, .default_text = "1", .value_name = "N", .minimum = 1,          \
        .maximum = 1024, .help = "Threads that compute"                                                                \
    }

#endif
