#include "worker/program.h"

#include "base/descriptors.h"
#include "base/exit_code.h"
#include "base/streams.h"
#include "dcps/worker.h"
#include "worker/client.h"
#include "worker/device.h"
#include "worker/evaluate.h"
#include "worker/model_list.h"
#include "worker/trainer.h"

/* Connected and ready to work: what one run needs. */
typedef struct worker_run {
    const dcps_worker_settings *settings;
    dcps_compute compute;
    dcps_loaded_model loaded;
    dcps_stop *stop;
    dcps_client *client;
} worker_run;

static dcps_status connect_servers(worker_run *run)
{
    const dcps_worker_settings *settings = run->settings;
    dcps_client_config config = {.servers = settings->servers,
                                 .name = settings->name,
                                 .observer = settings->task == DCPS_TASK_EVALUATE,
                                 .timeout_ms = settings->timeout_ms};
    dcps_status status = dcps_client_create(&config, &run->client);
    if (status != DCPS_OK) {
        return status;
    }
    dcps_stop_watch(run->stop, run->client, 0);
    status = dcps_client_join(run->client);
    if (status != DCPS_OK) {
        dcps_stop_watch(run->stop, NULL, 0);
        dcps_client_destroy(&run->client);
    }
    return status;
}

static dcps_status train(worker_run *run)
{
    const dcps_run_info *info = dcps_client_run_info(run->client);
    dcps_trainer_config config = {.loaded = &run->loaded,
                                  .backend = run->compute.backend,
                                  .device = run->compute.device,
                                  .stop = run->stop,
                                  .slowdown = run->settings->slowdown};
    dcps_trainer_report report;
    dcps_info("worker %u (%u expected) trains %s with %s: batch size %u, %u epochs, seed %llu", info->worker,
              info->workers, run->loaded.model->name, info->algorithm, info->batch_size, info->epochs,
              (unsigned long long)info->seed);
    dcps_status status = dcps_trainer_run(&config, &run->client, &report);
    dcps_trainer_report_print(&report, stdout);
    return status;
}

static dcps_status evaluate(worker_run *run)
{
    dcps_evaluate_config config = {.loaded = &run->loaded,
                                   .backend = run->compute.backend,
                                   .device = run->compute.device,
                                   .split = run->settings->split,
                                   .out = stdout,
                                   .stop = run->stop};
    return dcps_evaluate_run(&config, &run->client);
}

/* *usage: the failure is one of what was typed. */
static dcps_status work(const dcps_worker_settings *settings, bool *usage)
{
    worker_run run = {.settings = settings};
    dcps_status status = dcps_stop_create(&run.stop);
    if (status != DCPS_OK) {
        return status;
    }
    status = dcps_compute_open(settings->device, settings->threads, &run.compute);
    if (status == DCPS_OK) {
        status = dcps_loaded_model_open(settings->model, settings->model_options.texts, settings->model_options.count,
                                        settings->data_dir, &run.loaded);
        *usage = status == DCPS_INVALID;
    }
    if (status == DCPS_OK) {
        status = connect_servers(&run);
    }
    if (status == DCPS_OK) {
        status = settings->task == DCPS_TASK_EVALUATE ? evaluate(&run) : train(&run);
    }
    dcps_loaded_model_close(&run.loaded);
    dcps_compute_close(&run.compute);
    if (status == DCPS_CANCELLED && dcps_stop_requested(run.stop)) {
        status = DCPS_OK;
    }
    dcps_stop_destroy(&run.stop);
    return status;
}

static dcps_status run_task(const dcps_worker_settings *settings, bool *usage)
{
    switch (settings->task) {
    case DCPS_TASK_LIST_MODELS:
        return dcps_model_list_print(stdout);
    case DCPS_TASK_HELP_MODEL:
        return dcps_model_help_print(settings->model, stdout);
    default:
        return work(settings, usage);
    }
}

int dcps_worker_main(int argc, char **argv)
{
    dcps_worker_settings settings = {.options = NULL};
    dcps_parse_outcome outcome = DCPS_PARSE_RUN;
    bool usage = false;
    dcps_open_standard_streams();
    dcps_ignore_write_signals();
    dcps_allow_descriptors();
    dcps_log_setup("dcps-worker", DCPS_LOG_INFO, false);
    dcps_status status = dcps_worker_settings_parse(argc, argv, &settings, &outcome);
    if (status != DCPS_OK) {
        dcps_error("%s", dcps_error_message());
        return dcps_exit_code_of_usage(status);
    }
    if (outcome == DCPS_PARSE_RUN) {
        dcps_log_setup("dcps-worker", settings.log_level, settings.log_json);
        status = run_task(&settings, &usage);
    }
    if (status != DCPS_OK) {
        dcps_error("%s", dcps_error_message());
    }
    dcps_worker_settings_fini(&settings);
    return usage ? DCPS_EXIT_BAD_USAGE : dcps_exit_code(status);
}
