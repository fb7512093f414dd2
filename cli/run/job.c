#include "cli/run/job.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/folder.h"
#include "base/log.h"
#include "base/text.h"
#include "cli/common/document.h"
#include "cli/common/programs.h"
#include "cli/common/quote.h"
#include "cli/results/overview.h"
#include "cli/results/report.h"
#include "cli/settings/run_options.h"
#include "cli/settings/trace_options.h"
#include "server/config.h"

/* What dcps run chooses: checkpoints may have many gigabytes, and a server that dies instead of loading or saving them is seen at once. */
#define LOADING_MS 600000u
#define SAVING_MS 60000u
#define LEAVING_MS 7000u
#define MOST_LEASE_MS 3600000 /* as dcps-server has it */

dcps_status dcps_job_groups(const dcps_options *options, const dcps_run_spec *specs, size_t count, dcps_groups *groups)
{
    dcps_status status = dcps_groups_parse(dcps_options_text(options, "groups"), groups);
    for (size_t i = 0; status == DCPS_OK && i < count; i++) {
        char run[DCPS_RUN_NAME_BYTES + 16];
        (void)snprintf(run, sizeof(run), "%s@%" PRIu32, specs[i].algorithm, specs[i].workers);
        status = dcps_groups_check(groups, run, specs[i].workers);
    }
    return status;
}

dcps_status dcps_job_init(dcps_job *job, const dcps_options *options, bool evaluate, bool single_run, int argc,
                          char **argv)
{
    *job = (dcps_job){
        .options = options, .out = dcps_options_text(options, "out"), .evaluate = evaluate, .single_run = single_run};
    dcps_screen_init(&job->screen, stderr, isatty(STDERR_FILENO) == 1);
    (void)snprintf(job->results.model, sizeof(job->results.model), "%s", dcps_options_text(options, "model"));
    /* Before anything is trained for it. */
    dcps_status status = job->out == NULL ? DCPS_OK : dcps_folder_make_writable(job->out);
    if (status == DCPS_OK) {
        status = dcps_quote_command("dcps", argc, argv, &job->command);
    }
    if (status == DCPS_OK) {
        status = dcps_program_dir(job->program_dir, sizeof(job->program_dir));
    }
    if (status == DCPS_OK) {
        status = dcps_supervisor_create(&job->supervisor);
    }
    if (status != DCPS_OK) {
        dcps_job_fini(job);
    }
    return status;
}

void dcps_job_fini(dcps_job *job)
{
    dcps_supervisor_destroy(&job->supervisor);
    dcps_results_fini(&job->results);
    dcps_free(job->command);
    job->command = NULL;
}

/* Argument lists of one run. */
typedef struct dcps_run_args {
    dcps_args server;
    dcps_args worker;
    dcps_args evaluate;
} dcps_run_args;

/* Of each worker. */
static uint32_t threads_of(const dcps_job *job, const dcps_run_spec *spec)
{
    int64_t asked = dcps_options_integer(job->options, "threads");
    uint32_t workers = job->most_workers > spec->workers ? job->most_workers : spec->workers;
    uint32_t share = dcps_cores_online() / workers;
    return asked > 0 ? (uint32_t)asked : (share < 1 ? 1 : share);
}

/* Workers wait for a server that is started again as long as the run does. */
static void add_patience(dcps_args *args, const dcps_job *job)
{
    dcps_cluster_limits limits = dcps_job_limits(job->options, job->single_run);
    if (limits.load_ms > 0) {
        dcps_args_add(args, "--timeout");
        dcps_args_add(args, "%" PRIu32, (limits.lost_ms + limits.load_ms) / 1000u);
    }
}

static dcps_status run_args_init(dcps_run_args *args, const dcps_job *job, const dcps_run_spec *spec, uint64_t seed,
                                 uint32_t eval_threads)
{
    uint32_t threads = threads_of(job, spec);
    *args = (dcps_run_args){.server = {0}};
    dcps_server_args_add(&args->server, job->options, spec, seed, job->single_run);
    const char *transport = dcps_options_text(job->options, "transport");
    if (transport != NULL) {
        dcps_args_add_flag(&args->server, "transport", transport);
    }
    dcps_worker_args_add(&args->worker, job->options, spec, threads);
    dcps_args_add(&args->evaluate, "--evaluate");
    dcps_args_add_flag(&args->evaluate, "split", spec->validation ? "validation" : "test");
    dcps_worker_args_add(&args->evaluate, job->options, spec, eval_threads);
    add_patience(&args->worker, job);
    add_patience(&args->evaluate, job);
    dcps_status status = dcps_args_check(&args->server);
    status = status == DCPS_OK ? dcps_args_check(&args->worker) : status;
    return status == DCPS_OK ? dcps_args_check(&args->evaluate) : status;
}

static void run_args_fini(dcps_run_args *args)
{
    dcps_args_fini(&args->server);
    dcps_args_fini(&args->worker);
    dcps_args_fini(&args->evaluate);
}

/* Of the servers; a value that they refuse ends the run before it matters. */
static uint32_t lease_ms_of(const dcps_options *options)
{
    const char *text = dcps_options_text(options, "lease-ms");
    int64_t value = 0;
    for (const dcps_option *option = dcps_server_program.options; text == NULL && option->name != NULL; option++) {
        text = strcmp(option->name, "lease-ms") == 0 ? option->default_text : NULL;
    }
    bool good = text != NULL && dcps_parse_integer("--lease-ms", text, &value) == DCPS_OK && value > 0;
    return good && value <= MOST_LEASE_MS ? (uint32_t)value : 0;
}

/* An option in seconds; 0: what is chosen instead. */
static uint32_t seconds_or(const dcps_options *options, const char *name, uint32_t chosen_ms)
{
    uint32_t seconds = (uint32_t)dcps_options_integer(options, name);
    return seconds > 0 ? seconds * 1000u : chosen_ms;
}

dcps_cluster_limits dcps_job_limits(const dcps_options *options, bool single_run)
{
    const char *resume = single_run ? dcps_options_text(options, "resume") : NULL;
    bool saves = single_run && dcps_options_text(options, "checkpoint-dir") != NULL;
    bool loads = saves && resume != NULL && strcmp(resume, "no") != 0;
    /* Servers wait so long for goodbyes of workers that are busy or dead, and only then save. */
    uint32_t leases_ms = 2u * lease_ms_of(options);
    dcps_cluster_limits limits = dcps_cluster_default_limits;
    limits.start_ms = seconds_or(options, "start-timeout", loads ? LOADING_MS : limits.start_ms);
    limits.stop_ms = seconds_or(options, "stop-timeout", leases_ms + (saves ? SAVING_MS : LEAVING_MS));
    limits.stall_ms = (uint32_t)dcps_options_integer(options, "stall-timeout") * 1000u;
    limits.load_ms = saves ? seconds_or(options, "start-timeout", LOADING_MS) : 0;
    return limits;
}

/* A text option of a single run; NULL where it is not given or there are many runs. */
static const char *single_text(const dcps_job *job, const char *name)
{
    return job->single_run ? dcps_options_text(job->options, name) : NULL;
}

/* The argument lists, and what goes beside a trace. */
static dcps_status prepare(dcps_run_args *args, const dcps_job *job, const dcps_run_spec *spec, uint64_t seed,
                           uint32_t eval_threads)
{
    const char *trace = single_text(job, "record-trace");
    dcps_status status = run_args_init(args, job, spec, seed, eval_threads);
    return status == DCPS_OK && trace != NULL ? dcps_trace_options_write(job->options, threads_of(job, spec), trace)
                                              : status;
}

dcps_status dcps_job_run(dcps_job *job, const dcps_run_spec *spec, uint64_t seed, const char *title)
{
    dcps_result_run *run = NULL;
    dcps_status status = dcps_results_add(&job->results, &run);
    if (status != DCPS_OK) {
        return status;
    }
    (void)snprintf(run->algorithm, sizeof(run->algorithm), "%s", spec->algorithm);
    run->workers = spec->workers;
    run->seed = seed;
    uint32_t cores = dcps_cores_online();
    uint32_t servers = (uint32_t)dcps_options_integer(job->options, "servers");
    uint32_t busy = spec->workers + servers * (uint32_t)dcps_options_integer(job->options, "shards");
    bool beside = cores > busy;
    dcps_run_args args;
    status = prepare(&args, job, spec, seed, beside ? cores - busy : cores);
    if (status == DCPS_OK) {
        const dcps_cluster_config config = {.title = title,
                                            .program_dir = job->program_dir,
                                            .servers = servers,
                                            .workers = spec->workers,
                                            .groups = &job->groups,
                                            .server_args = &args.server,
                                            .worker_args = &args.worker,
                                            .evaluate_args = job->evaluate ? &args.evaluate : NULL,
                                            .evaluate_beside = beside,
                                            .can_resume = single_text(job, "checkpoint-dir") != NULL,
                                            .replays = single_text(job, "replay-trace") != NULL,
                                            .needs_all = !job->single_run,
                                            .max_restarts =
                                                (uint32_t)dcps_options_integer(job->options, "max-restarts"),
                                            .limits = dcps_job_limits(job->options, job->single_run),
                                            .supervisor = job->supervisor,
                                            .screen = &job->screen,
                                            .overall = job->overall,
                                            .overall_context = job->overall_context};
        status = dcps_cluster_run(&config, run, job->results.dataset);
    } else {
        dcps_error("%s failed: %s", title, dcps_error_message());
    }
    if (status != DCPS_OK) {
        run->failed = true;
        (void)snprintf(run->failure, sizeof(run->failure), "%s", dcps_error_message());
    }
    run_args_fini(&args);
    return status;
}

dcps_status dcps_job_arguments(const dcps_job *job, const dcps_run_spec *spec, uint64_t seed, dcps_args *args)
{
    dcps_run_args parts;
    dcps_status status = run_args_init(&parts, job, spec, seed, 1);
    *args = (dcps_args){0};
    if (status == DCPS_OK) {
        dcps_args_add(args, "%" PRId64, dcps_options_integer(job->options, "servers"));
        dcps_args_add(args, "dcps-server");
        dcps_args_append(args, &parts.server);
        dcps_args_add(args, "dcps-worker");
        dcps_args_append(args, &parts.worker);
        dcps_args_add(args, "dcps-worker");
        dcps_args_append(args, &parts.evaluate);
        if (spec->workers > 1 && dcps_options_is_set(job->options, "groups")) {
            dcps_args_add_flag(args, "groups", dcps_options_text(job->options, "groups"));
        }
        status = dcps_args_check(args);
    }
    run_args_fini(&parts);
    return status;
}

json_t *dcps_job_take_result(dcps_job *job)
{
    if (job->results.run_count == 0) {
        return NULL;
    }
    dcps_result_run *run = &job->results.runs[--job->results.run_count];
    json_t *result = dcps_result_json(run);
    dcps_result_fini(run);
    return result;
}

bool dcps_job_has_results(const dcps_job *job)
{
    for (uint32_t i = 0; i < job->results.run_count; i++) {
        const dcps_result_run *run = &job->results.runs[i];
        if (!run->failed || run->samples > 0 || run->point_count > 0) {
            return true;
        }
    }
    return false;
}

static dcps_status write_report(const dcps_job *job, json_t *document, json_t *settings, const char *path)
{
    char created[32] = "";
    time_t now = time(NULL);
    struct tm local;
    if (localtime_r(&now, &local) != NULL) {
        (void)strftime(created, sizeof(created), "%Y-%m-%d %H:%M", &local);
    }
    const dcps_report_page page = {.command = job->command, .created = created, .settings = settings};
    return dcps_report_write(document, &page, path);
}

dcps_status dcps_job_write(const dcps_job *job, json_t *document, json_t *settings)
{
    char json_path[PATH_MAX];
    char html_path[PATH_MAX];
    if (document == NULL || settings == NULL) {
        return dcps_fail(DCPS_NO_MEMORY, "no memory for results.json and report.html");
    }
    dcps_status status = dcps_format(json_path, sizeof(json_path), "%s/results.json", job->out);
    if (status == DCPS_OK) {
        status = dcps_format(html_path, sizeof(html_path), "%s/report.html", job->out);
    }
    if (status == DCPS_OK) {
        status = dcps_document_write(document, json_path);
    }
    if (status == DCPS_OK) {
        status = write_report(job, document, settings, html_path);
    }
    if (status == DCPS_OK) {
        (void)printf("\n%s\n%s\n", html_path, json_path);
    }
    return status;
}

static dcps_status print_overview(const dcps_results *results)
{
    dcps_overview *overview = NULL;
    dcps_status status = dcps_overview_create(results, NULL, &overview);
    if (status == DCPS_OK) {
        status = dcps_overview_print(overview, stdout);
        dcps_overview_destroy(&overview);
    }
    return status;
}

dcps_status dcps_job_conclude(dcps_job *job)
{
    dcps_results_fill_speedups(&job->results);
    dcps_status status = print_overview(&job->results);
    if (status == DCPS_OK && job->show_details) {
        status = dcps_results_print_details(&job->results, stdout);
    }
    if (status == DCPS_OK && job->out != NULL) {
        json_t *document = dcps_results_json(&job->results);
        json_t *settings = dcps_run_settings_json(job->options);
        status = dcps_job_write(job, document, settings);
        json_decref(document);
        json_decref(settings);
    }
    if (status == DCPS_OK && fflush(stdout) != 0) {
        status = dcps_fail(DCPS_IO, "cannot write the table: %s", strerror(errno));
    }
    return status;
}
