/* dcps sim: one run in virtual time. */
#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/log.h"
#include "cli/commands/commands.h"
#include "cli/common/command.h"
#include "cli/common/table.h"
#include "cli/run/job.h"
#include "cli/run/virtual_run.h"
#include "cli/settings/run_check.h"
#include "cli/settings/run_options.h"
#include "cli/settings/trace_options.h"
#include "worker/device.h"

#define TELL_NS (DCPS_NS_PER_S / 2)

/* A replay takes its settings from the trace, any other run those that suit the model. */
static dcps_status recommend(dcps_options *options)
{
    const char *replayed = dcps_options_given(options, "replay-trace");
    return replayed == NULL ? dcps_run_recommend(options) : dcps_trace_options_follow_virtually(options, replayed);
}

static const dcps_program program = {
    .name = "dcps sim",
    .summary = "Trains a model on a simulated cluster: the code of servers and workers in one process, under a virtual "
               "clock. The same command gives the same result to the last bit, "
               "whatever the number of --threads, which here compute gradients side by side. With --no-gradients it "
               "predicts the speed of a cluster without training anything.\n"
               "Training settings that are not given are those that suit the model (dcps-worker --model NAME "
               "--help-model), else the servers' defaults.",
    .options = dcps_sim_options,
    .recommend = recommend};

/* Who is told of progress. */
typedef struct dcps_simulation {
    dcps_job job;
    bool json;
    const char *title;
    uint64_t began_ns;
    uint64_t told_ns;
} dcps_simulation;

static void show_progress(dcps_simulation *sim, uint64_t samples, uint64_t total, double seconds, uint64_t now_ns)
{
    double share = (double)samples / (double)total;
    double left = (double)(now_ns - sim->began_ns) / (double)DCPS_NS_PER_S * (1.0 - share) / share;
    char line[DCPS_SCREEN_LIVE_BYTES];
    char text[32];
    bool known = share >= 0.02; /* before, the time of opening the data would count for too much */
    (void)snprintf(line, sizeof(line), "%s  %3.0f %%  %.1f s of virtual time%s%s%s", sim->title, 100.0 * share, seconds,
                   known ? "  " : "", known ? dcps_format_duration(left, text, sizeof(text)) : "",
                   known ? " left" : "");
    dcps_screen_live(&sim->job.screen, line, now_ns);
}

static bool progress(void *context, uint64_t samples, uint64_t total, double seconds)
{
    dcps_simulation *sim = context;
    uint64_t now_ns = dcps_clock_ns();
    if (now_ns - sim->told_ns < TELL_NS) {
        return true;
    }
    sim->told_ns = now_ns;
    if (sim->json) {
        (void)printf("{\"progress\":{\"samples\":%" PRIu64 ",\"of\":%" PRIu64 ",\"seconds\":%.3f}}\n", samples, total,
                     seconds);
        (void)fflush(stdout);
    } else if (samples > 0) {
        show_progress(sim, samples, total, seconds, now_ns);
    }
    dcps_supervisor_step(sim->job.supervisor);
    return dcps_supervisor_interrupts(sim->job.supervisor) == 0;
}

/* One line for a program that reads it. */
static dcps_status print_json(const dcps_results *results)
{
    json_t *document = dcps_results_json(results);
    json_t *runs = json_object_get(document, "runs");
    json_t *line = json_pack("{s:O, s:O, s:O}", "model", json_object_get(document, "model"), "dataset",
                             json_object_get(document, "dataset"), "run", json_array_get(runs, 0));
    bool good = line != NULL && json_dumpf(line, stdout, JSON_COMPACT | JSON_REAL_PRECISION(17)) == 0;
    good = good && fputc('\n', stdout) != EOF && fflush(stdout) == 0;
    json_decref(line);
    json_decref(document);
    return good ? DCPS_OK : dcps_fail(DCPS_IO, "cannot print the result");
}

static dcps_status conclude(dcps_simulation *sim)
{
    sim->job.results.virtual_time = true;
    sim->job.show_details = true;
    dcps_screen_clear(&sim->job.screen);
    return sim->json ? print_json(&sim->job.results) : dcps_job_conclude(&sim->job);
}

static dcps_status simulate(dcps_simulation *sim, const dcps_run_spec *spec)
{
    const dcps_options *options = sim->job.options;
    dcps_result_run *run = NULL;
    dcps_status status = dcps_results_add(&sim->job.results, &run);
    if (status != DCPS_OK) {
        return status;
    }
    const dcps_virtual_run_config config = {.options = options,
                                            .spec = spec,
                                            .seed = (uint64_t)dcps_options_integer(options, "seed"),
                                            .progress = progress,
                                            .progress_context = sim};
    (void)snprintf(run->algorithm, sizeof(run->algorithm), "%s", spec->algorithm);
    run->workers = spec->workers;
    run->seed = config.seed;
    sim->began_ns = dcps_clock_ns();
    status = dcps_virtual_run(&config, run, sim->job.results.dataset);
    return status == DCPS_OK ? conclude(sim) : status;
}

int dcps_command_sim(int argc, char **argv)
{
    dcps_options *options = NULL;
    int positional = 0;
    int code = 0;
    if (!dcps_command_parse(&program, argc, argv, &options, &positional, &code)) {
        return code;
    }
    dcps_run_spec spec;
    char title[DCPS_RUN_NAME_BYTES + 16];
    dcps_simulation sim = {.json = dcps_options_flag(options, "json"), .title = title};
    dcps_status status = dcps_run_spec_read(options, &spec);
    if (status == DCPS_OK) {
        (void)snprintf(title, sizeof(title), "%s@%u", spec.algorithm, spec.workers);
        if (!dcps_options_is_set(options, "replay-trace") && !dcps_options_flag(options, "no-gradients")) {
            dcps_run_warn_of_momentum(options, &spec);
        }
        status = dcps_job_init(&sim.job, options, true, false, argc, argv);
    } else {
        status = DCPS_INVALID;
    }
    if (status == DCPS_OK) {
        status = simulate(&sim, &spec);
        dcps_screen_clear(&sim.job.screen);
        code = dcps_command_code(status, status == DCPS_CANCELLED);
        dcps_job_fini(&sim.job);
    } else {
        code = dcps_command_code(status, false);
    }
    dcps_options_destroy(&options);
    return code;
}
