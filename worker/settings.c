/* Flags of dcps-worker. */
#include <string.h>

#include "worker/device.h"
#include "worker/evaluate.h"
#include "worker/model_options.h"
#include "worker/program.h"

static const dcps_option worker_options[] = {
    {.name = "servers",
     .type = DCPS_OPTION_TEXT,
     .value_name = "HOST:PORT,…",
     .help = "All servers of the run, server 0 first"},
    DCPS_MODEL_OPTIONS(NULL),
    DCPS_THREADS_OPTION,
    {.name = "evaluate",
     .type = DCPS_OPTION_FLAG,
     .default_text = "false",
     .help = "Train nothing: evaluate the snapshots that the servers keep, one JSON line each"},
    {.name = "split",
     .type = DCPS_OPTION_TEXT,
     .default_text = "test",
     .choices = "test|validation|train",
     .help = "Data to evaluate on"},
    {.name = "timeout",
     .type = DCPS_OPTION_REAL,
     .default_text = "60",
     .value_name = "SECONDS",
     .minimum = 0.1,
     .maximum = 1000000.0,
     .help = "Give up after a server, or a shard of it, was silent this long"},
    {.name = "slowdown",
     .type = DCPS_OPTION_REAL,
     .default_text = "1",
     .value_name = "FACTOR",
     .minimum = 1.0,
     .maximum = 1000000.0,
     .help = "Take FACTOR times as long for each gradient, as a slower machine would; for experiments"},
    {.name = "name",
     .type = DCPS_OPTION_TEXT,
     .value_name = "TEXT",
     .help = "Name shown to people; by default host:process"},
    {.name = "list-models",
     .type = DCPS_OPTION_FLAG,
     .default_text = "false",
     .help = "Show the models that are found by name, and leave"},
    {.name = "help-model",
     .type = DCPS_OPTION_FLAG,
     .default_text = "false",
     .help = "Show the options of --model, and leave"},
    {.name = "log-format",
     .type = DCPS_OPTION_TEXT,
     .default_text = "text",
     .choices = "text|json",
     .help = "Of the lines on stderr"},
    {.name = "log-level",
     .type = DCPS_OPTION_TEXT,
     .default_text = "info",
     .choices = DCPS_LOG_LEVEL_NAMES,
     .help = "Least important lines to show"},
    {.name = NULL},
};

static const dcps_program worker_program = {
    .name = "dcps-worker",
    .summary = "Trains a model with parameter servers: pulls weights, computes gradients on its own mini-batches, "
               "pushes them. Settings of the run "
               "(algorithm, learning rate, batch size, epochs, seed) are the servers'. When training ends it prints "
               "one JSON line.",
    .options = worker_options,
};

static dcps_worker_task task_of(const dcps_options *options)
{
    if (dcps_options_flag(options, "list-models")) {
        return DCPS_TASK_LIST_MODELS;
    }
    if (dcps_options_flag(options, "help-model")) {
        return DCPS_TASK_HELP_MODEL;
    }
    return dcps_options_flag(options, "evaluate") ? DCPS_TASK_EVALUATE : DCPS_TASK_TRAIN;
}

static dcps_status check(const dcps_worker_settings *settings)
{
    bool runs = settings->task == DCPS_TASK_TRAIN || settings->task == DCPS_TASK_EVALUATE;
    if (settings->task != DCPS_TASK_LIST_MODELS && settings->model == NULL) {
        return dcps_fail(DCPS_INVALID, "--model is missing: name a model; --list-models shows them");
    }
    if (runs && settings->servers == NULL) {
        return dcps_fail(DCPS_INVALID, "--servers is missing: HOST:PORT of every server, separated by commas");
    }
    return dcps_device_check(settings->device);
}

static dcps_status take_options(dcps_worker_settings *settings)
{
    const dcps_options *options = settings->options;
    settings->task = task_of(options);
    settings->servers = dcps_options_text(options, "servers");
    settings->model = dcps_options_text(options, "model");
    settings->data_dir = dcps_options_text(options, "data");
    settings->name = dcps_options_text(options, "name");
    settings->device = dcps_options_text(options, "device");
    settings->threads = (uint32_t)dcps_options_integer(options, "threads");
    settings->split = dcps_split_named(dcps_options_text(options, "split"));
    settings->timeout_ms = (uint32_t)(dcps_options_real(options, "timeout") * 1e3);
    settings->slowdown = dcps_options_real(options, "slowdown");
    settings->log_level = dcps_log_level_named(dcps_options_text(options, "log-level"));
    settings->log_json = strcmp(dcps_options_text(options, "log-format"), "json") == 0;
    dcps_status status = check(settings);
    return status == DCPS_OK ? dcps_assignments_init(dcps_options_text(options, "model-opt"), &settings->model_options)
                             : status;
}

dcps_status dcps_worker_settings_parse(int argc, char **argv, dcps_worker_settings *settings,
                                       dcps_parse_outcome *outcome)
{
    dcps_worker_settings made = {.options = NULL};
    int positional = argc;
    dcps_status status = dcps_options_parse(&worker_program, argc, argv, &made.options, &positional, outcome);
    if (status == DCPS_OK && *outcome == DCPS_PARSE_RUN) {
        status = take_options(&made);
    }
    if (status != DCPS_OK) {
        dcps_worker_settings_fini(&made);
        return status;
    }
    *settings = made;
    return DCPS_OK;
}

void dcps_worker_settings_fini(dcps_worker_settings *settings)
{
    dcps_assignments_fini(&settings->model_options);
    dcps_options_destroy(&settings->options);
    *settings = (dcps_worker_settings){.options = NULL};
}
