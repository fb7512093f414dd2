/* dcps run: one run of a local cluster. */
#include <stdio.h>

#include "cli/commands/commands.h"
#include "cli/common/command.h"
#include "cli/run/job.h"
#include "cli/settings/run_check.h"
#include "cli/settings/run_options.h"
#include "cli/settings/trace_options.h"

/* A replay takes its settings from the trace, any other run those that suit the model. */
static dcps_status recommend(dcps_options *options)
{
    const char *replayed = dcps_options_given(options, "replay-trace");
    return replayed == NULL ? dcps_run_recommend(options) : dcps_trace_options_follow(options, replayed);
}

static const dcps_program program = {
    .name = "dcps run",
    .summary = "Starts servers and workers on this machine, trains a model, evaluates it and ends with a summary.\n"
               "Training settings that are not given are those that suit the model (dcps-worker --model NAME "
               "--help-model), else the servers' defaults.",
    .options = dcps_run_options,
    .recommend = recommend};

/* Returns the exit code. What a failed run came to is shown like the result of a good one. */
static int run(dcps_job *job, const dcps_run_spec *spec)
{
    char title[DCPS_RUN_NAME_BYTES + 16];
    (void)snprintf(title, sizeof(title), "%s@%u", spec->algorithm, spec->workers);
    dcps_status status = dcps_job_run(job, spec, (uint64_t)dcps_options_integer(job->options, "seed"), title);
    int code = dcps_command_code(status, job->results.run_count > 0);
    if (status == DCPS_OK || dcps_job_has_results(job)) {
        dcps_status concluded = dcps_job_conclude(job);
        int concluded_code = dcps_command_code(concluded, false);
        code = status == DCPS_OK ? concluded_code : DCPS_EXIT_FAILED;
    }
    return code;
}

int dcps_command_run(int argc, char **argv)
{
    dcps_options *options = NULL;
    int positional = 0;
    int code = 0;
    if (!dcps_command_parse(&program, argc, argv, &options, &positional, &code)) {
        return code;
    }
    dcps_run_spec spec;
    dcps_groups groups;
    dcps_job job;
    dcps_status status = dcps_run_spec_read(options, &spec);
    if (status == DCPS_OK) {
        status = dcps_job_groups(options, &spec, 1, &groups);
    }
    if (status != DCPS_OK) {
        (void)dcps_command_code(status, false);
        code = DCPS_EXIT_BAD_USAGE;
        goto options_out;
    }
    if (!dcps_options_is_set(options, "replay-trace")) {
        dcps_run_warn_of_momentum(options, &spec);
    }
    status = dcps_job_init(&job, options, dcps_options_flag(options, "evaluate"), true, argc, argv);
    if (status != DCPS_OK) {
        code = dcps_command_code(status, false);
        goto options_out;
    }
    job.groups = groups;
    job.show_details = true;
    code = run(&job, &spec);
    dcps_job_fini(&job);
options_out:
    dcps_options_destroy(&options);
    return code;
}
