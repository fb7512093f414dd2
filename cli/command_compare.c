/* dcps compare: several algorithms, one after another, and the table that compares them. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "base/clock.h"
#include "cli/commands.h"
#include "cli/job.h"
#include "cli/run_options.h"
#include "cli/table.h"
#include "worker/device.h"

static const dcps_program program = {
    .name = "dcps compare",
    .summary = "Trains one model with several algorithms, one after another, and compares error, speed and staleness.\n"
               "Training settings that are not given are those that suit the model (dcps-worker --model NAME "
               "--help-model), else the servers' defaults.",
    .options = dcps_compare_options,
    .recommend = dcps_run_recommend};

/* The whole comparison. */
typedef struct dcps_comparison {
    dcps_job job;
    dcps_run_spec specs[DCPS_MAX_RUN_SPECS];
    size_t spec_count;
    uint32_t seeds;
    uint32_t total; /* runs */
    uint32_t done;
    uint32_t failed;
    uint64_t start_ns;
    uint64_t run_start_ns;
} dcps_comparison;

/* What is left of the comparison beyond the current run: runs to come, at the mean duration of those so far. */
static void show_overall(void *context, double seconds_left, char *out, size_t capacity)
{
    const dcps_comparison *comparison = context;
    uint64_t now_ns = dcps_clock_ns();
    double here = isfinite(seconds_left) ? seconds_left : 0.0;
    double each = comparison->done > 0 ? (double)(comparison->run_start_ns - comparison->start_ns) /
                                             (double)DCPS_NS_PER_S / comparison->done
                                       : (double)(now_ns - comparison->run_start_ns) / (double)DCPS_NS_PER_S + here;
    double left = here + each * (comparison->total - comparison->done - 1);
    char text[32];
    if (left > 0.0 && (isfinite(seconds_left) || comparison->done > 0)) {
        (void)snprintf(out, capacity, "all in %s", dcps_format_duration(left, text, sizeof(text)));
    }
}

static dcps_status run_one(dcps_comparison *comparison, const dcps_run_spec *spec, uint32_t repeat)
{
    uint64_t seed = (uint64_t)dcps_options_integer(comparison->job.options, "seed") + repeat;
    char title[DCPS_RUN_NAME_BYTES + 64];
    int length = snprintf(title, sizeof(title), "[%" PRIu32 "/%" PRIu32 "] %s@%" PRIu32, comparison->done + 1,
                          comparison->total, spec->algorithm, spec->workers);
    if (comparison->seeds > 1 && length > 0) {
        (void)snprintf(title + length, sizeof(title) - (size_t)length, " seed %" PRIu64, seed);
    }
    comparison->run_start_ns = dcps_clock_ns();
    dcps_status status = dcps_job_run(&comparison->job, spec, seed, title);
    comparison->done++;
    comparison->failed += status != DCPS_OK;
    if (status == DCPS_OK) {
        const dcps_results *results = &comparison->job.results;
        const dcps_result_run *run = &results->runs[results->run_count - 1];
        char rate[32];
        dcps_screen_print(&comparison->job.screen, "%s  %.1f s of training, %s samples/s", title, run->seconds,
                          dcps_format_count(run->samples_per_second, rate, sizeof(rate)));
    }
    return status;
}

/* A failed run does not end the comparison. A person's wish and unusable flags do, and a first run that leaves nothing: what it lacked, the others lack, too. */
static dcps_status run_all(dcps_comparison *comparison)
{
    comparison->total = (uint32_t)comparison->spec_count * comparison->seeds;
    comparison->start_ns = dcps_clock_ns();
    for (size_t i = 0; i < comparison->spec_count; i++) {
        for (uint32_t repeat = 0; repeat < comparison->seeds; repeat++) {
            dcps_status status = run_one(comparison, &comparison->specs[i], repeat);
            bool hopeless = status == DCPS_CANCELLED || status == DCPS_INVALID || status == DCPS_NO_MEMORY;
            if (hopeless || (status != DCPS_OK && !dcps_job_has_results(&comparison->job))) {
                return status;
            }
        }
    }
    return DCPS_OK;
}

static int compare(dcps_comparison *comparison)
{
    dcps_status status = run_all(comparison);
    if (status != DCPS_OK && !dcps_job_has_results(&comparison->job)) {
        return dcps_command_code(status, comparison->failed > 0);
    }
    /* Stopped early, but with results: those are shown. */
    status = dcps_job_conclude(&comparison->job);
    int code = dcps_command_code(status, false);
    return code == DCPS_EXIT_GOOD && comparison->failed > 0 ? DCPS_EXIT_FAILED : code;
}

int dcps_command_compare(int argc, char **argv)
{
    dcps_options *options = NULL;
    int positional = 0;
    int code = 0;
    if (!dcps_command_parse(&program, argc, argv, &options, &positional, &code)) {
        return code;
    }
    dcps_comparison comparison = {.seeds = (uint32_t)dcps_options_integer(options, "seeds")};
    dcps_status status = dcps_run_specs_parse(dcps_options_text(options, "runs"), comparison.specs, DCPS_MAX_RUN_SPECS,
                                              &comparison.spec_count);
    if (status == DCPS_OK) {
        status = dcps_device_check(dcps_options_text(options, "device"));
    }
    dcps_groups groups;
    if (status == DCPS_OK) {
        status = dcps_job_groups(options, comparison.specs, comparison.spec_count, &groups);
    }
    if (status != DCPS_OK) {
        (void)dcps_command_code(status, false);
        code = DCPS_EXIT_BAD_USAGE;
        goto options_out;
    }
    status = dcps_job_init(&comparison.job, options, true, false, argc, argv);
    if (status != DCPS_OK) {
        code = dcps_command_code(status, false);
        goto options_out;
    }
    for (size_t i = 0; i < comparison.spec_count; i++) {
        uint32_t workers = comparison.specs[i].workers;
        comparison.job.most_workers = workers > comparison.job.most_workers ? workers : comparison.job.most_workers;
    }
    comparison.job.groups = groups;
    comparison.job.overall = show_overall;
    comparison.job.overall_context = &comparison;
    code = compare(&comparison);
    dcps_job_fini(&comparison.job);
options_out:
    dcps_options_destroy(&options);
    return code;
}
