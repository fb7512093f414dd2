/* A plugin's table, looked at before it is used: plugins come from anyone, compiled against any version. */
#include <stdio.h>
#include <string.h>

#include "base/options.h"
#include "worker/plugin.h"

#define MAX_OPTIONS 64u
#define MAX_NAME_BYTES 64u

static dcps_status head_check(const char *path, const dcps_model *model)
{
    if (model->abi != DCPS_MODEL_ABI) {
        return dcps_fail(DCPS_MISMATCH, "model %s: expected ABI %u, seen %u: rebuild it against this dcps", path,
                         DCPS_MODEL_ABI, model->abi);
    }
    if (model->struct_bytes != sizeof(*model)) {
        return dcps_fail(DCPS_MISMATCH,
                         "model %s: expected a table of %zu bytes, seen %u: rebuild it against this dcps", path,
                         sizeof(*model), model->struct_bytes);
    }
    return DCPS_OK;
}

static dcps_status functions_check(const char *path, const dcps_model *model)
{
    const struct {
        const char *name;
        bool present;
    } required[] = {{"name", model->name != NULL && model->name[0] != '\0'},
                    {"summary", model->summary != NULL},
                    {"open", model->open != NULL},
                    {"describe", model->describe != NULL},
                    {"declare", model->declare != NULL},
                    {"load", model->load != NULL},
                    {"loss", model->loss != NULL},
                    {"evaluate", model->evaluate != NULL},
                    {"close", model->close != NULL}};
    for (size_t i = 0; i < sizeof(required) / sizeof(required[0]); i++) {
        if (!required[i].present) {
            return dcps_fail(DCPS_INVALID, "model %s: expected every field of dcps_model to be set, seen %s = NULL",
                             path, required[i].name);
        }
    }
    return DCPS_OK;
}

static bool name_is_sane(const char *name)
{
    size_t bytes = strnlen(name, MAX_NAME_BYTES + 1);
    return bytes >= 1 && bytes <= MAX_NAME_BYTES && strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == bytes &&
           name[0] != '-';
}

static bool name_is_taken(const dcps_option *options, uint32_t index)
{
    for (uint32_t i = 0; i < index; i++) {
        if (strcmp(options[i].name, options[index].name) == 0) {
            return true;
        }
    }
    return false;
}

static dcps_status option_check(const char *path, const dcps_option *options, uint32_t index)
{
    const dcps_option *option = &options[index];
    if (!name_is_sane(option->name)) {
        return dcps_fail(DCPS_INVALID, "model %s: option %u: expected a name of 1 to %u of [a-z0-9-], seen another",
                         path, index, MAX_NAME_BYTES);
    }
    if (name_is_taken(options, index)) {
        return dcps_fail(DCPS_INVALID, "model %s: option %s is in the table twice", path, option->name);
    }
    if (option->type < DCPS_OPTION_FLAG || option->type > DCPS_OPTION_REALS) {
        return dcps_fail(DCPS_INVALID, "model %s: option %s: expected a type from %d to %d, seen %d", path,
                         option->name, DCPS_OPTION_FLAG, DCPS_OPTION_REALS, (int)option->type);
    }
    if (option->help == NULL) {
        return dcps_fail(DCPS_INVALID, "model %s: option %s: expected a help text, seen NULL", path, option->name);
    }
    if (!(option->minimum <= option->maximum)) {
        return dcps_fail(DCPS_INVALID, "model %s: option %s: expected minimum ≤ maximum, seen %g and %g", path,
                         option->name, option->minimum, option->maximum);
    }
    return DCPS_OK;
}

/* Defaults must pass the checks that a user's values pass. */
static dcps_status defaults_check(const char *path, const dcps_model *model)
{
    dcps_options *options = NULL;
    char owner[128];
    snprintf(owner, sizeof(owner), "model %s", model->name);
    dcps_status status = dcps_options_from_assignments(owner, model->options, NULL, 0, &options);
    if (status != DCPS_OK) {
        char why[512];
        snprintf(why, sizeof(why), "%s", dcps_error_message());
        return dcps_fail(status, "model %s: a default of its options is unusable: %s", path, why);
    }
    dcps_options_destroy(&options);
    return DCPS_OK;
}

static const char *const setting_names[] = {"epochs",        "batch-size",   "learning-rate",
                                            "warmup-epochs", "decay-epochs", "decay-factor",
                                            "optimizer",     "momentum",     "weight-decay"};
#define SETTING_COUNT (sizeof(setting_names) / sizeof(setting_names[0]))

static bool is_setting(const char *name)
{
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        if (strcmp(setting_names[i], name) == 0) {
            return true;
        }
    }
    return false;
}

static dcps_status settings_check(const char *path, const dcps_setting *settings)
{
    for (uint32_t i = 0; settings != NULL && settings[i].name != NULL; i++) {
        if (i == SETTING_COUNT) {
            return dcps_fail(
                DCPS_INVALID,
                "model %s: expected each setting once and then an entry whose name is NULL, seen more than "
                "%zu",
                path, SETTING_COUNT);
        }
        if (!is_setting(settings[i].name)) {
            return dcps_fail(DCPS_INVALID,
                             "model %s: setting %u: expected epochs, batch-size, learning-rate, warmup-epochs, "
                             "decay-epochs, decay-factor, optimizer, momentum or weight-decay, seen %.64s",
                             path, i, settings[i].name);
        }
        if (settings[i].value == NULL) {
            return dcps_fail(DCPS_INVALID, "model %s: setting %s: expected a value, seen NULL", path, settings[i].name);
        }
    }
    return DCPS_OK;
}

dcps_status dcps_plugin_check(const char *path, const dcps_model *model)
{
    dcps_status status = head_check(path, model);
    if (status == DCPS_OK) {
        status = functions_check(path, model);
    }
    if (status == DCPS_OK) {
        status = settings_check(path, model->settings);
    }
    if (status != DCPS_OK || model->options == NULL) {
        return status;
    }
    for (uint32_t i = 0; model->options[i].name != NULL; i++) {
        if (i == MAX_OPTIONS) {
            return dcps_fail(
                DCPS_INVALID,
                "model %s: expected at most %u options before the entry whose name is NULL, seen none by then", path,
                MAX_OPTIONS);
        }
        status = option_check(path, model->options, i);
        if (status != DCPS_OK) {
            return status;
        }
    }
    return defaults_check(path, model);
}
