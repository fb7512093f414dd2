#include "worker/loaded_model.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "base/options.h"
#include "worker/model_call.h"

static dcps_status read_options(dcps_loaded_model *loaded, const char *const *assignments, size_t count)
{
    char owner[128];
    (void)snprintf(owner, sizeof(owner), "model %.100s", loaded->model->name);
    return dcps_options_from_assignments(owner, loaded->model->options, assignments, count, &loaded->options);
}

static dcps_status open_data(dcps_loaded_model *loaded, const char *data_dir)
{
    dcps_model_call_begin();
    dcps_status status = loaded->model->open(loaded->options, data_dir, &loaded->state);
    status = dcps_model_call_end(loaded->model, "open", status);
    if (status != DCPS_OK) {
        return status;
    }
    loaded->is_open = true;
    dcps_model_call_begin();
    status = loaded->model->describe(loaded->state, &loaded->info);
    status = dcps_model_call_end(loaded->model, "describe", status);
    if (status == DCPS_OK && (loaded->info.train_samples == 0 || loaded->info.train_samples > UINT32_MAX)) {
        status = dcps_fail(DCPS_INVALID, "model %s: describes %" PRIu64 " training samples, expected 1 to %u",
                           loaded->model->name, loaded->info.train_samples, UINT32_MAX);
    }
    if (status == DCPS_OK && !(loaded->info.clip_norm >= 0 && isfinite(loaded->info.clip_norm))) {
        status = dcps_fail(DCPS_INVALID, "model %s: describes a clip_norm of %g, expected a finite one of at least 0",
                           loaded->model->name, loaded->info.clip_norm);
    }
    return status;
}

static dcps_status declare(dcps_loaded_model *loaded)
{
    dcps_status status = dcps_layout_create(&loaded->layout);
    if (status == DCPS_OK) {
        dcps_model_call_begin();
        status = loaded->model->declare(loaded->state, loaded->layout);
        status = dcps_model_call_end(loaded->model, "declare", status);
    }
    if (status == DCPS_OK && dcps_layout_total_params(loaded->layout) == 0) {
        status = dcps_fail(DCPS_INVALID, "model %s: declares no parameters", loaded->model->name);
    }
    return status;
}

dcps_status dcps_loaded_model_open(const char *name, const char *const *assignments, size_t count, const char *data_dir,
                                   dcps_loaded_model *loaded)
{
    dcps_loaded_model made = {.plugin = NULL};
    dcps_status status = dcps_plugin_open(name, &made.plugin);
    if (status == DCPS_OK) {
        made.model = dcps_plugin_model(made.plugin);
        status = read_options(&made, assignments, count);
    }
    if (status == DCPS_OK) {
        status = open_data(&made, data_dir);
    }
    if (status == DCPS_OK) {
        status = declare(&made);
    }
    if (status != DCPS_OK) {
        dcps_loaded_model_close(&made);
        return status;
    }
    *loaded = made;
    return DCPS_OK;
}

void dcps_loaded_model_close(dcps_loaded_model *loaded)
{
    if (loaded->is_open) {
        loaded->model->close(loaded->state);
    }
    dcps_layout_destroy(&loaded->layout);
    dcps_options_destroy(&loaded->options);
    dcps_plugin_close(&loaded->plugin);
    *loaded = (dcps_loaded_model){.plugin = NULL};
}
