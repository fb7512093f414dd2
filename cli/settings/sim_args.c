#include "cli/settings/sim_args.h"

#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

#include "base/options.h"
#include "cli/settings/run_options.h"
#include "proto/limits.h"

static const dcps_option sim_options[] = {
#include "cli/settings/sim_options_shared.inc"
    {.name = NULL},
};

/* The only one of them that says nothing of a cluster; the runs decide it. */
static bool is_split(const dcps_option *option)
{
    return strcmp(option->name, "split") == 0;
}

/* Whether an option says something other than its default. */
static bool is_said(const dcps_options *options, const dcps_option *option)
{
    const char *text = dcps_options_given(options, option->name);
    return text != NULL && (option->default_text == NULL || strcmp(text, option->default_text) != 0);
}

static void add_sim_options(dcps_args *args, const dcps_options *options)
{
    for (const dcps_option *option = sim_options; option->name != NULL; option++) {
        if (is_split(option) || !is_said(options, option)) {
            continue;
        }
        if (option->type == DCPS_OPTION_FLAG) {
            dcps_args_add(args, "--%s", option->name);
        } else {
            dcps_args_add_flag(args, option->name, dcps_options_given(options, option->name));
        }
    }
}

const char *dcps_step_trace(const char *step_time)
{
    static const char mark[] = "trace:";
    size_t length = sizeof(mark) - 1;
    return strncmp(step_time, mark, length) == 0 ? step_time + length : NULL;
}

uint32_t dcps_sim_threads(const dcps_options *options)
{
    int64_t threads = dcps_options_integer(options, "threads");
    return threads > 0 ? (uint32_t)threads : 1;
}

static void add_setting(dcps_args *args, const dcps_options *options, const dcps_run_spec *spec, const char *name)
{
    const char *value = dcps_run_setting(options, &spec->overrides, name);
    if (value != NULL) {
        dcps_args_add_flag(args, name, value);
    }
}

static void add_model(dcps_args *args, const dcps_options *options, const dcps_run_spec *spec)
{
    static const char *const names[] = {"model", "data", "device"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        add_setting(args, options, spec, names[i]);
    }
    dcps_model_args_add(args, options, spec);
    dcps_args_add_flag(args, "split", spec->validation ? "validation" : "test");
}

void dcps_sim_args_add(dcps_args *args, const dcps_options *options, const dcps_run_spec *spec, uint64_t seed)
{
    static const char *const server_options[] = {"block-params", "lease-ms", "start-grace-ms", "round-timeout-ms"};
    dcps_args_add(args, "sim");
    dcps_args_add_flag(args, "algorithm", spec->algorithm);
    dcps_args_add(args, "--workers");
    dcps_args_add(args, "%" PRIu32, spec->workers);
    dcps_args_add(args, "--seed");
    dcps_args_add(args, "%" PRIu64, seed);
    dcps_args_add(args, "--servers");
    dcps_args_add(args, "%" PRId64, dcps_options_integer(options, "servers"));
    dcps_args_add(args, "--shards");
    dcps_args_add(args, "%" PRId64, dcps_options_integer(options, "shards"));
    for (size_t i = 0; dcps_training_options[i] != NULL; i++) {
        add_setting(args, options, spec, dcps_training_options[i]);
    }
    for (size_t i = 0; i < sizeof(server_options) / sizeof(server_options[0]); i++) {
        add_setting(args, options, spec, server_options[i]);
    }
    if (spec->workers > 1) {
        add_setting(args, options, spec, "groups");
    }
    if (!dcps_options_flag(options, "no-gradients")) {
        add_model(args, options, spec);
    }
    add_sim_options(args, options);
    dcps_args_add(args, "--threads");
    dcps_args_add(args, "%" PRIu32, dcps_sim_threads(options));
    dcps_args_add(args, "--json");
}

dcps_status dcps_sim_options_check(const dcps_options *options)
{
    bool simulated = dcps_options_flag(options, "virtual");
    for (const dcps_option *option = sim_options; !simulated && option->name != NULL; option++) {
        if (!is_split(option) && is_said(options, option)) {
            return dcps_fail(DCPS_INVALID, "--%s describes a simulated cluster: it needs --virtual", option->name);
        }
    }
    if (simulated && dcps_options_is_set(options, "transport")) {
        return dcps_fail(DCPS_INVALID, "--transport is for real processes: it has no meaning with --virtual");
    }
    return DCPS_OK;
}
