#include "cli/settings/run_options.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/options.h"
#include "base/text.h"
#include "proto/limits.h"
#include "server/engine/algorithm.h"
#include "worker/model_options.h"
#include "worker/plugin.h"

/* An option that goes to servers as it was typed: they say what it may be. */
#define DCPS_SERVER_OPTION(option_name, value, text)                                                                   \
    {                                                                                                                  \
        .name = (option_name), .type = DCPS_OPTION_TEXT, .value_name = (value), .help = (text)                         \
    }

/* What dcps run and dcps sim begin with. */
#define DCPS_ONE_RUN_OPTIONS                                                                                           \
    {.name = "algorithm",                                                                                              \
     .type = DCPS_OPTION_TEXT,                                                                                         \
     .default_text = "asgd",                                                                                           \
     .value_name = "NAME",                                                                                             \
     .help = "Update rule and consistency, by name: 'dcps algorithms' lists them"},                                    \
    {                                                                                                                  \
        .name = "workers", .type = DCPS_OPTION_INTEGER, .default_text = "4", .value_name = "N",                        \
        .help = "Worker processes", .minimum = 1, .maximum = DCPS_MAX_WORKERS                                          \
    }

#define DCPS_TRACE_OPTIONS                                                                                             \
    DCPS_SERVER_OPTION("record-trace", "DIR", "Record there what every shard does"),                                   \
        DCPS_SERVER_OPTION(                                                                                            \
            "replay-trace", "DIR",                                                                                     \
            "Do the run that was recorded there once more, to the last bit; settings are taken from there")

#define DCPS_SEED_OPTION                                                                                               \
    {                                                                                                                  \
        .name = "seed", .type = DCPS_OPTION_INTEGER, .default_text = "1", .value_name = "N",                           \
        .help = "Seed of initial weights and sample order", .minimum = 0, .maximum = 9007199254740991.0                \
    }

const dcps_option dcps_run_options[] = {
    DCPS_ONE_RUN_OPTIONS,
#include "cli/settings/run_options_shared.inc"
#include "cli/settings/process_options_shared.inc"
    DCPS_SEED_OPTION,
    DCPS_SERVER_OPTION("checkpoint-dir", "DIR", "Keep checkpoints here; a dead server then resumes"),
    DCPS_SERVER_OPTION("checkpoint-every", "SECONDS", "Time between checkpoints"),
    DCPS_SERVER_OPTION("resume", "no|yes|auto",
                       "Go on from the newest checkpoint; auto: begin anew where there is none"),
    DCPS_TRACE_OPTIONS,
    {.name = "evaluate",
     .type = DCPS_OPTION_FLAG,
     .default_text = "true",
     .help = "Evaluate the weights of every epoch"},
    {.name = "out", .type = DCPS_OPTION_TEXT, .value_name = "DIR", .help = "Write results.json and report.html here"},
    {.name = NULL},
};

const dcps_option dcps_compare_options[] = {
    {.name = "runs",
     .type = DCPS_OPTION_TEXT,
     .default_text = "sgd@1,ssgd@4,asgd@4,dc-asgd-c@4,dc-asgd-a@4",
     .value_name = "NAME@WORKERS,…",
     .help = "What to compare: algorithms, or ALGORITHM+OPTION=VALUE… with a training setting of its own"},
    {.name = "seeds",
     .type = DCPS_OPTION_INTEGER,
     .default_text = "1",
     .value_name = "K",
     .help = "Repeat each run with seeds SEED … SEED+K-1, the same for all",
     .minimum = 1,
     .maximum = DCPS_MAX_SEEDS},
    {.name = "target",
     .type = DCPS_OPTION_TEXT,
     .value_name = "[METRIC=]X",
     .help = "Also tell how long it took until this value was reached: test_error=0.12"},
    {.name = "sweep",
     .type = DCPS_OPTION_TEXT,
     .value_name = "[RUN:]OPTION=X:X…,OPTION=…",
     .help = "First choose these training options for each run, or for RUN, on the validation split",
     .repeatable = true},
    {.name = "tune-seeds",
     .type = DCPS_OPTION_INTEGER,
     .default_text = "1",
     .value_name = "K",
     .help = "Seeds of each combination of a sweep, others than those of the comparison",
     .minimum = 1,
     .maximum = DCPS_MAX_SEEDS},
    {.name = "tune-epochs",
     .type = DCPS_OPTION_INTEGER,
     .value_name = "N",
     .help = "Epochs of each combination of a sweep, instead of --epochs",
     .minimum = 1,
     .maximum = 1000000},
    {.name = "tune-decay-epochs",
     .type = DCPS_OPTION_REALS,
     .value_name = "X,X…",
     .help = "Epochs after which the learning rate falls in each combination of a sweep, instead of --decay-epochs",
     .minimum = 0,
     .maximum = 1000000},
    {.name = "validation",
     .type = DCPS_OPTION_INTEGER,
     .value_name = "N",
     .help = "Training samples held out while a sweep chooses; unless given a tenth, at most 5000",
     .minimum = 1,
     .maximum = 4294967295.0},
    {.name = "virtual",
     .type = DCPS_OPTION_FLAG,
     .default_text = "false",
     .help = "Simulate the cluster in virtual time (dcps sim) instead of running it"},
    {.name = "jobs",
     .type = DCPS_OPTION_INTEGER,
     .default_text = "0",
     .value_name = "N",
     .help = "Simulations at the same time; 0: as many as there are processors",
     .minimum = 0,
     .maximum = 1024},
    {.name = "fresh",
     .type = DCPS_OPTION_FLAG,
     .default_text = "false",
     .help = "Run everything again, also what --out holds already"},
#include "cli/settings/sim_options_shared.inc"
#include "cli/settings/run_options_shared.inc"
#include "cli/settings/process_options_shared.inc"
    {.name = "seed",
     .type = DCPS_OPTION_INTEGER,
     .default_text = "1",
     .value_name = "N",
     .help = "First seed",
     .minimum = 0,
     .maximum = 9007199254740991.0},
    {.name = "out",
     .type = DCPS_OPTION_TEXT,
     .default_text = "runs/compare",
     .value_name = "DIR",
     .help =
         "Keep every run, results.json, tables and report.html here; the same command goes on where it was stopped"},
    {.name = NULL},
};

const dcps_option dcps_sim_options[] = {
    DCPS_ONE_RUN_OPTIONS,
#include "cli/settings/run_options_shared.inc"
#include "cli/settings/sim_options_shared.inc"
    DCPS_SEED_OPTION,
    DCPS_TRACE_OPTIONS,
    {.name = "threads",
     .type = DCPS_OPTION_INTEGER,
     .default_text = "0",
     .value_name = "N",
     .help = "Gradients computed side by side, 0: one for each processor; results do not depend on it",
     .minimum = 0,
     .maximum = 1024},
    {.name = "json",
     .type = DCPS_OPTION_FLAG,
     .default_text = "false",
     .help = "Print progress and result as lines of JSON"},
    {.name = "probe",
     .type = DCPS_OPTION_TEXT,
     .value_name = "DIR",
     .help = "Hold compensations of late gradients against the gradients they stand for; write probe.csv and "
             "tensors.csv here. Changes nothing of the run"},
    {.name = "probe-every",
     .type = DCPS_OPTION_INTEGER,
     .default_text = "50",
     .value_name = "N",
     .help = "Gradients from one probe to the next",
     .minimum = 1,
     .maximum = 1e9},
    {.name = "probe-rules",
     .type = DCPS_OPTION_TEXT,
     .default_text = "dc-c:lambda=0.04;dc-c:lambda=128;dc-a:lambda=2;dc-a:lambda=32;dc-b:lambda=8;dc-b:lambda=128;dc-i;"
                     "gap-aware;dc-b,gap-aware:lambda=512",
     .value_name = "RULE;…",
     .help = "Compensations to probe beside that of the run: as --compensation names them, with :lambda=X, "
             ":mean-square-decay=X and :correction-bound=X"},
    {.name = "probe-vectors",
     .type = DCPS_OPTION_INTEGER,
     .default_text = "8",
     .value_name = "K",
     .help = "Random vectors that estimate the diagonal of the Hessian, two gradients each; 1: leave it out",
     .minimum = 1,
     .maximum = 100000},
    {.name = "probe-samples",
     .type = DCPS_OPTION_FLAG,
     .default_text = "true",
     .help = "Probe the mean square of the gradients of single samples, too: as many gradients as a mini-batch has"},
    {.name = "out", .type = DCPS_OPTION_TEXT, .value_name = "DIR", .help = "Write results.json and report.html here"},
    {.name = NULL},
};

dcps_status dcps_run_spec_read(const dcps_options *options, dcps_run_spec *spec)
{
    const char *name = dcps_options_text(options, "algorithm");
    dcps_algorithm algorithm;
    *spec = (dcps_run_spec){.workers = (uint32_t)dcps_options_integer(options, "workers")};
    dcps_status status = dcps_algorithm_preset(name, &algorithm);
    status = status == DCPS_OK ? dcps_format(spec->algorithm, sizeof(spec->algorithm), "%s", name) : status;
    return status == DCPS_OK ? dcps_device_check(dcps_options_text(options, "device")) : status;
}

const char *const dcps_server_pass_through[] = {
    DCPS_TRAINING_OPTION_NAMES, "lease-ms", "start-grace-ms", "round-timeout-ms", "block-params", "log-level", NULL};
const char *const dcps_worker_pass_through[] = {"model", "data", "device", "log-level", NULL};

/* Options of `dcps run` alone that servers take. */
static const char *const single_run_names[] = {"checkpoint-dir", "checkpoint-every", "resume",
                                               "record-trace",   "replay-trace",     NULL};

dcps_status dcps_run_recommend(dcps_options *options)
{
    const char *name = dcps_options_given(options, "model");
    dcps_plugin *plugin = NULL;
    char source[DCPS_RUN_NAME_BYTES + 16];
    dcps_status status = dcps_plugin_open(name, &plugin);
    if (status != DCPS_OK) {
        return status;
    }
    const dcps_model *model = dcps_plugin_model(plugin);
    (void)snprintf(source, sizeof(source), "model %.*s", (int)DCPS_RUN_NAME_BYTES, model->name);
    for (const dcps_setting *setting = model->settings; setting != NULL && setting->name != NULL; setting++) {
        status = dcps_options_recommend(options, source, setting->name, setting->value);
        if (status != DCPS_OK) {
            break;
        }
    }
    dcps_plugin_close(&plugin);
    return status;
}

const char *dcps_run_setting(const dcps_options *options, const dcps_overrides *overrides, const char *name)
{
    const dcps_override *own = dcps_overrides_find(overrides, name);
    if (own != NULL) {
        return own->left_out ? NULL : own->value;
    }
    return dcps_options_text(options, name);
}

static void add_if_set(dcps_args *args, const char *name, const char *value)
{
    if (value != NULL) {
        dcps_args_add_flag(args, name, value);
    }
}

void dcps_server_args_add(dcps_args *args, const dcps_options *options, const dcps_run_spec *spec, uint64_t seed,
                          bool single_run)
{
    dcps_args_add_flag(args, "algorithm", spec->algorithm);
    dcps_args_add(args, "--workers");
    dcps_args_add(args, "%" PRIu32, spec->workers);
    dcps_args_add(args, "--shards");
    dcps_args_add(args, "%" PRId64, dcps_options_integer(options, "shards"));
    dcps_args_add(args, "--seed");
    dcps_args_add(args, "%" PRIu64, seed);
    if (!single_run || dcps_options_flag(options, "evaluate")) { /* each snapshot is a copy of the model */
        dcps_args_add_flag(args, "snapshot-every-samples", "epoch");
    }
    for (size_t i = 0; dcps_server_pass_through[i] != NULL; i++) {
        const char *name = dcps_server_pass_through[i];
        add_if_set(args, name, dcps_run_setting(options, &spec->overrides, name));
    }
    for (size_t i = 0; single_run && single_run_names[i] != NULL; i++) {
        add_if_set(args, single_run_names[i], dcps_options_text(options, single_run_names[i]));
    }
}

/* The values of a repeatable option come as lines. */
static void add_each_line(dcps_args *args, const char *name, const char *lines)
{
    while (lines != NULL && *lines != '\0') {
        size_t length = strcspn(lines, "\n");
        dcps_args_add(args, "--%s", name);
        dcps_args_add(args, "%.*s", (int)length, lines);
        lines += length + (lines[length] == '\n');
    }
}

void dcps_model_args_add(dcps_args *args, const dcps_options *options, const dcps_run_spec *spec)
{
    add_each_line(args, "model-opt", dcps_options_text(options, "model-opt"));
    if (spec->hold_out > 0) {
        dcps_args_add(args, "--model-opt");
        dcps_args_add(args, DCPS_HOLD_OUT_OPTION "=%" PRIu32, spec->hold_out);
    }
}

void dcps_worker_args_add(dcps_args *args, const dcps_options *options, const dcps_run_spec *spec, uint32_t threads)
{
    for (size_t i = 0; dcps_worker_pass_through[i] != NULL; i++) {
        add_if_set(args, dcps_worker_pass_through[i], dcps_options_text(options, dcps_worker_pass_through[i]));
    }
    dcps_model_args_add(args, options, spec);
    dcps_args_add(args, "--threads");
    dcps_args_add(args, "%" PRIu32, threads);
}

/* Appends [name, value] where there is a value. */
static void add_pair(json_t *array, const char *name, const char *value)
{
    if (value != NULL) {
        (void)json_array_append_new(array, json_pack("[s, s]", name, value));
    }
}

json_t *dcps_run_settings_json(const dcps_options *options)
{
    json_t *array = json_array();
    char number[32];
    add_pair(array, "model", dcps_options_text(options, "model"));
    add_pair(array, "model options", dcps_options_text(options, "model-opt"));
    (void)snprintf(number, sizeof(number), "%" PRId64, dcps_options_integer(options, "servers"));
    add_pair(array, "servers", number);
    (void)snprintf(number, sizeof(number), "%" PRId64, dcps_options_integer(options, "shards"));
    add_pair(array, "shards", number);
    add_pair(array, "groups", dcps_options_text(options, "groups"));
    (void)snprintf(number, sizeof(number), "%" PRId64, dcps_options_integer(options, "seed"));
    add_pair(array, "first seed", number);
    for (size_t i = 0; dcps_server_pass_through[i] != NULL; i++) {
        const char *name = dcps_server_pass_through[i];
        if (strcmp(name, "log-level") != 0) { /* says nothing of the training */
            add_pair(array, name, dcps_options_text(options, name));
        }
    }
    return array;
}
