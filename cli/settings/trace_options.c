#include "cli/settings/trace_options.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/folder.h"
#include "base/text.h"
#include "cli/settings/run_options.h"
#include "server/trace/trace.h"

#define MAX_THREADS 1024 /* as dcps-worker has it */

/* Those of servers that say nothing of what becomes of the weights. */
static const char *const untraced[] = {"lease-ms", "start-grace-ms", "round-timeout-ms", "log-level", NULL};
/* The others, besides those of servers and besides the number of threads. */
static const char *const also_traced[] = {"algorithm", "workers", "servers",   "shards", "seed",
                                          "model",     "device",  "model-opt", NULL};

static bool is_among(const char *const *names, const char *name)
{
    for (size_t i = 0; names[i] != NULL; i++) {
        if (strcmp(names[i], name) == 0) {
            return true;
        }
    }
    return false;
}

static dcps_status add_option(dcps_trace_settings *settings, const dcps_options *options, const char *name)
{
    const char *value = dcps_options_given(options, name);
    return value == NULL ? DCPS_OK : dcps_trace_settings_add(settings, name, value);
}

static dcps_status gather(const dcps_options *options, uint32_t threads, dcps_trace_settings *settings)
{
    char number[16];
    (void)snprintf(number, sizeof(number), "%" PRIu32, threads);
    dcps_status status = dcps_trace_settings_add(settings, "threads", number);
    for (size_t i = 0; status == DCPS_OK && also_traced[i] != NULL; i++) {
        status = add_option(settings, options, also_traced[i]);
    }
    for (size_t i = 0; status == DCPS_OK && dcps_server_pass_through[i] != NULL; i++) {
        if (!is_among(untraced, dcps_server_pass_through[i])) {
            status = add_option(settings, options, dcps_server_pass_through[i]);
        }
    }
    return status;
}

dcps_status dcps_trace_options_write(const dcps_options *options, uint32_t threads, const char *dir)
{
    dcps_trace_settings settings = {0};
    dcps_status status = dcps_folder_make_writable(dir);
    if (status == DCPS_OK && dcps_trace_run_exists(dir, 0)) {
        status = dcps_fail(DCPS_INVALID, "%s holds a trace already: choose another folder", dir);
    }
    if (status == DCPS_OK) {
        status = gather(options, threads, &settings);
    }
    if (status == DCPS_OK) {
        status = dcps_trace_settings_write(&settings, dir);
    }
    dcps_trace_settings_fini(&settings);
    return status;
}

/* "0.10" is 0.1. */
static bool means_the_same(const char *a, const char *b)
{
    double first;
    double second;
    if (strcmp(a, b) == 0) {
        return true;
    }
    return dcps_parse_real("", a, &first) == DCPS_OK && dcps_parse_real("", b, &second) == DCPS_OK && first == second;
}

/* `recorded` NULL: the option was not given then. */
static dcps_status follow_option(dcps_options *options, const char *dir, const char *name, const char *recorded)
{
    dcps_status status = recorded == NULL ? DCPS_OK : dcps_options_recommend(options, "--replay-trace", name, recorded);
    const char *now = dcps_options_given(options, name);
    if (status != DCPS_OK || (recorded == NULL && now == NULL)) {
        return status;
    }
    if (recorded == NULL || !means_the_same(now, recorded)) {
        return dcps_fail(DCPS_INVALID, "--%s is %.100s, but the trace in %s was recorded with %.100s: leave it out",
                         name, now, dir, recorded == NULL ? "none" : recorded);
    }
    return DCPS_OK;
}

static bool is_traced(const char *name)
{
    return strcmp(name, "threads") == 0 || is_among(also_traced, name) ||
           (is_among(dcps_server_pass_through, name) && !is_among(untraced, name));
}

static dcps_status follow_settings(dcps_options *options, const char *dir, const dcps_trace_settings *settings)
{
    for (size_t i = 0; i < settings->count; i++) {
        if (!is_traced(settings->items[i].name)) {
            return dcps_fail(DCPS_CORRUPT, "%s/run.json has an option \"%.64s\" that no trace has", dir,
                             settings->items[i].name);
        }
    }
    dcps_status status = DCPS_OK;
    for (size_t i = 0; status == DCPS_OK && also_traced[i] != NULL; i++) {
        status = follow_option(options, dir, also_traced[i], dcps_trace_settings_find(settings, also_traced[i]));
    }
    for (size_t i = 0; status == DCPS_OK && dcps_server_pass_through[i] != NULL; i++) {
        const char *name = dcps_server_pass_through[i];
        if (!is_among(untraced, name)) {
            status = follow_option(options, dir, name, dcps_trace_settings_find(settings, name));
        }
    }
    return status;
}

static dcps_status follow(dcps_options *options, const char *dir, bool threads)
{
    dcps_trace_settings settings = {0};
    dcps_status status = dcps_trace_settings_read(dir, &settings);
    if (status == DCPS_OK) {
        status = follow_settings(options, dir, &settings);
    }
    if (status == DCPS_OK && threads) {
        status = follow_option(options, dir, "threads", dcps_trace_settings_find(&settings, "threads"));
    }
    dcps_trace_settings_fini(&settings);
    return status;
}

dcps_status dcps_trace_options_follow(dcps_options *options, const char *dir)
{
    return follow(options, dir, true);
}

dcps_status dcps_trace_options_follow_virtually(dcps_options *options, const char *dir)
{
    return follow(options, dir, false);
}

dcps_status dcps_trace_options_threads(const char *dir, uint32_t *threads)
{
    dcps_trace_settings settings = {0};
    int64_t found = 0;
    dcps_status status = dcps_trace_settings_read(dir, &settings);
    if (status != DCPS_OK) {
        return status;
    }
    const char *text = dcps_trace_settings_find(&settings, "threads");
    if (text == NULL || dcps_parse_integer("threads", text, &found) != DCPS_OK || found < 1 || found > MAX_THREADS) {
        status = dcps_fail(DCPS_CORRUPT, "%s/run.json: threads must be a number from 1 to %d", dir, MAX_THREADS);
    } else {
        *threads = (uint32_t)found;
    }
    dcps_trace_settings_fini(&settings);
    return status;
}
