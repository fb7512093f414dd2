/* dcps compare: several algorithms, each with several seeds, and the tables that compare them. */
#include <stdio.h>

#include "cli/commands/commands.h"
#include "cli/common/command.h"
#include "cli/common/programs.h"
#include "cli/compare/comparison.h"
#include "cli/compare/fingerprint.h"
#include "cli/settings/inputs.h"
#include "cli/settings/run_options.h"
#include "cli/settings/sim_args.h"
#include "worker/device.h"

static const dcps_program program = {
    .name = "dcps compare",
    .summary = "Trains one model with several algorithms and compares error, speed and staleness, real processes one "
               "run after another or, with\n"
               "--virtual, simulations side by side. All algorithms see the same seeds. What is finished is kept in "
               "--out: the same command goes on.\n"
               "Training settings that are not given are those that suit the model (dcps-worker --model NAME "
               "--help-model), else the servers' defaults.",
    .options = dcps_compare_options,
    .recommend = dcps_run_recommend};

/* What a person asked for; errors are of usage. */
static dcps_status read_options(dcps_comparison *comparison, const dcps_options *options)
{
    const char *target = dcps_options_text(options, "target");
    comparison->virtual_time = dcps_options_flag(options, "virtual");
    comparison->has_target = target != NULL;
    dcps_status status = dcps_device_check(dcps_options_text(options, "device"));
    status = status == DCPS_OK ? dcps_sim_options_check(options) : status;
    if (status == DCPS_OK && target != NULL) {
        status = dcps_target_parse(target, &comparison->target);
    }
    status = status == DCPS_OK ? dcps_plan_create(options, &comparison->plan) : status;
    for (uint32_t i = 0; status == DCPS_OK && i < comparison->plan->entry_count; i++) {
        const dcps_run_spec *spec = &comparison->plan->entries[i].spec;
        status = dcps_job_groups(options, spec, spec->workers > 1, &comparison->groups);
    }
    return status;
}

/* Opens the model for what its data decide. */
static dcps_status look_at_inputs(dcps_comparison *comparison, const dcps_options *options)
{
    dcps_model_facts facts;
    if (dcps_options_flag(options, "no-gradients")) {
        return dcps_inputs_add(&comparison->inputs, options, NULL);
    }
    dcps_status status = dcps_model_facts_read(options, &facts);
    status = status == DCPS_OK ? dcps_plan_hold_out(comparison->plan, &facts) : status;
    return status == DCPS_OK ? dcps_inputs_add(&comparison->inputs, options, &facts) : status;
}

/* Simulations at the same time: as asked, else as many as there are processors for. */
static uint32_t jobs_of(const dcps_comparison *comparison, const dcps_options *options)
{
    uint32_t asked = (uint32_t)dcps_options_integer(options, "jobs");
    uint32_t fitting = dcps_cores_online() / dcps_sim_threads(options);
    return !comparison->virtual_time ? 1 : asked > 0 ? asked : fitting > 0 ? fitting : 1;
}

static dcps_status prepare(dcps_comparison *comparison, const dcps_options *options, int argc, char **argv)
{
    comparison->jobs = jobs_of(comparison, options);
    dcps_status status = dcps_job_init(&comparison->job, options, true, false, argc, argv);
    if (status != DCPS_OK) {
        return status;
    }
    for (uint32_t i = 0; i < comparison->plan->entry_count; i++) {
        uint32_t workers = comparison->plan->entries[i].spec.workers;
        comparison->job.most_workers = workers > comparison->job.most_workers ? workers : comparison->job.most_workers;
    }
    const char *processes = comparison->virtual_time ? NULL : comparison->job.program_dir;
    status = dcps_fingerprint_build(DCPS_VERSION, dcps_options_text(options, "model"), processes, comparison->version,
                                    sizeof(comparison->version));
    if (status == DCPS_OK) {
        status = dcps_run_store_init(&comparison->store, comparison->job.out, comparison->version);
    }
    if (status == DCPS_OK && dcps_options_flag(options, "fresh")) {
        status = dcps_run_store_clear(&comparison->store);
    }
    if (status != DCPS_OK) {
        dcps_job_fini(&comparison->job);
    }
    return status;
}

static int compare(dcps_comparison *comparison)
{
    dcps_status status =
        comparison->virtual_time ? dcps_comparison_run_virtual(comparison) : dcps_comparison_run_real(comparison);
    int code = dcps_command_code(status, comparison->failed > 0);
    if (status != DCPS_OK && !dcps_comparison_has_results(comparison)) {
        return code;
    }
    /* Stopped early, but with results: those are shown. */
    dcps_status concluded = dcps_comparison_conclude(comparison);
    int concluded_code = dcps_command_code(concluded, false);
    bool complete = dcps_plan_count(comparison->plan, DCPS_PLAN_DONE) == comparison->plan->run_count;
    return concluded_code != DCPS_EXIT_GOOD ? concluded_code : complete ? DCPS_EXIT_GOOD : DCPS_EXIT_FAILED;
}

int dcps_command_compare(int argc, char **argv)
{
    dcps_options *options = NULL;
    int positional = 0;
    int code = 0;
    if (!dcps_command_parse(&program, argc, argv, &options, &positional, &code)) {
        return code;
    }
    dcps_comparison comparison = {.failed = 0};
    dcps_status status = read_options(&comparison, options);
    if (status != DCPS_OK) {
        (void)dcps_command_code(status, false);
        code = DCPS_EXIT_BAD_USAGE;
        goto plan_out;
    }
    status = look_at_inputs(&comparison, options);
    status = status == DCPS_OK ? prepare(&comparison, options, argc, argv) : status;
    if (status != DCPS_OK) {
        code = dcps_command_code(status, false);
        goto plan_out;
    }
    code = compare(&comparison);
    dcps_job_fini(&comparison.job);
plan_out:
    dcps_args_fini(&comparison.inputs);
    dcps_plan_destroy(&comparison.plan);
    dcps_options_destroy(&options);
    return code;
}
