#include "cli/run/virtual_run.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/options.h"
#include "base/text.h"
#include "cli/common/args.h"
#include "cli/common/programs.h"
#include "cli/run/job.h"
#include "cli/run/probe_run.h"
#include "cli/settings/run_check.h"
#include "cli/settings/sim_args.h"
#include "cli/settings/trace_options.h"
#include "server/config.h"
#include "server/trace/trace.h"
#include "sim/gradients.h"
#include "sim/world.h"
#include "worker/assignments.h"
#include "worker/evaluate.h"

#define TIMING_BLOCK_PARAMS DCPS_LAYOUT_ALIGN_PARAMS /* what a block is made of when only time is looked at */
#define TIMING_STEPS 20u                             /* of each worker over the run, unless told */
#define LONGEST_RUN_NS (10000000 * DCPS_NS_PER_S) /* sixteen weeks: engines look at their clocks ten times a second */

/* What one run is made of. */
typedef struct virtual_run {
    const dcps_virtual_run_config *config;
    dcps_options *server_options;
    dcps_server_config server;
    dcps_assignments assignments;
    dcps_gradients *gradients; /* NULL: timing only */
    dcps_layout *layout;       /* of timing only */
    dcps_world_config world;
    dcps_groups groups;
    double *slowdowns;         /* of the workers */
    uint32_t gradient_threads; /* of each gradient */
    dcps_trace_times times;    /* recorded */
    dcps_recorded_steps recorded[DCPS_MAX_WORKERS];
    dcps_probe_run probe;
    uint64_t total_samples;
    uint64_t told_ns;
    dcps_result_run *result;
    dcps_status failure; /* of noting a result */
} virtual_run;

/* "60s:5s". */
static dcps_status read_stops(const char *text, dcps_world_config *world)
{
    char every[64];
    size_t length = strcspn(text, ":");
    double every_ns = 0.0;
    double for_ns = 0.0;
    dcps_status status = DCPS_INVALID;
    if (text[length] == ':' && length < sizeof(every)) {
        (void)snprintf(every, sizeof(every), "%.*s", (int)length, text);
        status = dcps_duration_parse("--stops", every, &every_ns);
        status = status == DCPS_OK ? dcps_duration_parse("--stops", text + length + 1, &for_ns) : status;
    }
    if (status != DCPS_OK || every_ns < 1.0) {
        return dcps_fail(DCPS_INVALID, "--stops is '%.80s', expected EVERY:FOR, two durations, as 60s:5s", text);
    }
    world->stop_every_ns = (uint64_t)every_ns;
    world->stop_ns = (uint64_t)for_ns;
    return DCPS_OK;
}

static dcps_status read_groups(virtual_run *self)
{
    uint32_t workers = self->world.workers;
    dcps_status status = dcps_job_groups(self->config->options, self->config->spec, 1, &self->groups);
    if (status != DCPS_OK) {
        return status;
    }
    self->slowdowns = dcps_alloc(workers, sizeof(*self->slowdowns));
    if (self->slowdowns == NULL) {
        return dcps_fail(DCPS_NO_MEMORY, "no memory for %" PRIu32 " workers", workers);
    }
    for (uint32_t i = 0; i < workers; i++) {
        const dcps_group *group = dcps_groups_find(&self->groups, i, workers);
        self->slowdowns[i] = group == NULL ? 1.0 : group->factor;
    }
    self->world.slowdowns = self->slowdowns;
    return DCPS_OK;
}

/* A distribution, or "trace:DIR". */
static dcps_status read_step_times(virtual_run *self)
{
    const char *text = dcps_options_text(self->config->options, "step-time");
    const char *trace = dcps_step_trace(text);
    dcps_step_times *times = &self->world.step_times;
    if (trace == NULL) {
        return dcps_step_times_parse("--step-time", text, times);
    }
    dcps_status status = dcps_trace_read_times(trace, &self->times);
    for (uint32_t i = 0; status == DCPS_OK && i < self->times.workers; i++) {
        self->recorded[i] =
            (dcps_recorded_steps){.times_ns = self->times.steps[i].step_ns, .count = self->times.steps[i].count};
    }
    *times = (dcps_step_times){
        .distribution = DCPS_STEP_RECORDED, .recorded = self->recorded, .recorded_count = self->times.workers};
    return status;
}

/* What is recorded and what is followed. */
static dcps_status read_traces(virtual_run *self)
{
    const dcps_options *options = self->config->options;
    dcps_world_config *world = &self->world;
    dcps_status status = DCPS_OK;
    world->settings = self->server.settings;
    world->record_dir = dcps_options_text(options, "record-trace");
    world->replay_dir = dcps_options_text(options, "replay-trace");
    bool traces = world->record_dir != NULL || world->replay_dir != NULL;
    if (traces && dcps_options_flag(options, "no-gradients")) {
        return dcps_fail(DCPS_INVALID,
                         "--record-trace and --replay-trace are for runs that train, not for --no-gradients");
    }
    self->gradient_threads = 1;
    if (world->replay_dir != NULL) {
        status = dcps_trace_options_threads(world->replay_dir, &self->gradient_threads);
    }
    if (status == DCPS_OK && world->record_dir != NULL) {
        status = dcps_trace_options_write(options, self->gradient_threads, world->record_dir);
    }
    return status;
}

/* The cluster: machines and network. */
static dcps_status read_cluster(virtual_run *self)
{
    const dcps_options *options = self->config->options;
    dcps_world_config *world = &self->world;
    const char *stops = dcps_options_text(options, "stops");
    world->network.latency_ns = (uint64_t)(dcps_options_real(options, "latency") * 1e3);
    world->network.bytes_per_second = dcps_options_real(options, "bandwidth") * 1e6 / 8.0;
    world->cores = (uint32_t)dcps_options_integer(options, "cores");
    world->params_per_second = dcps_options_real(options, "update-rate");
    dcps_status status = read_step_times(self);
    if (status == DCPS_OK && stops != NULL) {
        status = read_stops(stops, world);
    }
    return status == DCPS_OK ? read_groups(self) : status;
}

static void take_server_settings(virtual_run *self)
{
    const dcps_server_config *server = &self->server;
    dcps_world_config *world = &self->world;
    world->seed = server->seed;
    world->algorithm = server->algorithm;
    world->schedule = server->schedule;
    world->servers = (uint32_t)dcps_options_integer(self->config->options, "servers");
    world->shards_per_server = server->shards;
    world->workers = server->workers;
    world->epochs = server->epochs;
    world->batch_size = server->batch_size;
    world->snapshot_every_samples = server->snapshot_every_samples;
    world->block_params = server->block_params;
    world->lease_ms = server->lease_ms;
    world->start_grace_ns = server->start_grace_ns;
    world->round_timeout_ns = server->round_timeout_ns;
    world->deadline_ns = LONGEST_RUN_NS;
    world->stop_diverged = true;
}

static double finite_or_nan(double value)
{
    return isfinite(value) ? value : (double)NAN;
}

static void note_evaluation(void *context, const dcps_snapshot_reply *info, const dcps_metrics *metrics)
{
    virtual_run *self = context;
    dcps_curve_point point = {.epoch = (double)info->samples / (double)self->world.samples_per_epoch,
                              .seconds = (double)info->training_ns / (double)DCPS_NS_PER_S,
                              .train_loss = finite_or_nan(info->train_loss)};
    for (uint32_t i = 0; i < metrics->count && i < DCPS_RESULT_MAX_METRICS; i++) {
        point.metrics[point.metric_count++] = metrics->items[i];
    }
    dcps_status status = dcps_result_add_point(self->result, &point);
    self->failure = self->failure == DCPS_OK ? status : self->failure;
}

static dcps_status open_model(virtual_run *self, char *dataset)
{
    const dcps_options *options = self->config->options;
    uint32_t threads = (uint32_t)dcps_options_integer(options, "threads");
    dcps_status status = dcps_assignments_init(dcps_options_text(options, "model-opt"), &self->assignments);
    if (status != DCPS_OK) {
        return status;
    }
    dcps_gradients_config config = {.model = dcps_options_text(options, "model"),
                                    .assignments = self->assignments.texts,
                                    .assignment_count = self->assignments.count,
                                    .data_dir = dcps_options_text(options, "data"),
                                    .device = dcps_options_text(options, "device"),
                                    .threads = threads > 0 ? threads : dcps_cores_online(),
                                    .each_threads = self->gradient_threads,
                                    .workers = self->world.workers,
                                    .processes = self->world.workers,
                                    .seed = self->world.seed,
                                    .batch_size = self->world.batch_size,
                                    .split = dcps_split_named(dcps_options_text(options, "split")),
                                    .again = dcps_options_text(options, "probe") != NULL,
                                    .evaluated = note_evaluation,
                                    .evaluated_context = self};
    status = dcps_gradients_create(&config, &self->gradients);
    if (status == DCPS_OK) {
        const dcps_model_info *info = dcps_gradients_info(self->gradients);
        self->world.layout = dcps_gradients_layout(self->gradients);
        self->world.samples_per_epoch = info->train_samples;
        self->world.model = dcps_gradients_model(self->gradients);
        dcps_text_fit(dataset, DCPS_RESULT_NAME_BYTES, info->dataset == NULL ? "" : info->dataset);
        status = dcps_probe_run_open(options, self->gradients, &self->world, &self->probe);
    }
    return status;
}

/* Timing only: as many blocks as the model would have, each as small as can be, and messages that count as much as theirs. */
static dcps_status make_stand_in(virtual_run *self)
{
    const dcps_options *options = self->config->options;
    dcps_world_config *world = &self->world;
    if (!dcps_options_is_set(options, "params")) {
        return dcps_fail(DCPS_INVALID, "--no-gradients needs --params: the number of parameters of the model");
    }
    if (dcps_options_text(options, "probe") != NULL) {
        return dcps_fail(DCPS_INVALID, "--probe looks at gradients, and with --no-gradients there are none");
    }
    uint64_t params = (uint64_t)dcps_options_integer(options, "params");
    dcps_partition partition;
    dcps_status status =
        dcps_partition_init(&partition, params, world->block_params, world->servers, world->shards_per_server);
    if (status != DCPS_OK) {
        return status;
    }
    const size_t dims[] = {(size_t)partition.block_count * TIMING_BLOCK_PARAMS};
    status = dcps_layout_create(&self->layout);
    if (status == DCPS_OK) {
        status = dcps_layout_add(self->layout, "weights", DCPS_INIT_ZERO, 1, dims, NULL);
    }
    world->layout = self->layout;
    world->block_params = TIMING_BLOCK_PARAMS;
    world->samples_per_epoch =
        dcps_options_is_set(options, "samples")
            ? (uint64_t)dcps_options_integer(options, "samples")
            : ((uint64_t)world->workers * world->batch_size * TIMING_STEPS - 1) / world->epochs + 1;
    world->snapshot_every_samples = 0;
    world->network.payload_scale = (double)params / (double)dims[0];
    return status;
}

static bool tell(void *context, uint64_t samples, uint64_t now_ns)
{
    virtual_run *self = context;
    const dcps_virtual_run_config *config = self->config;
    return config->progress == NULL || config->progress(config->progress_context, samples, self->total_samples,
                                                        (double)now_ns / (double)DCPS_NS_PER_S);
}

/* Of a worker that several processes were in turn, the last one's waiting. */
static dcps_status note_details(const virtual_run *self, const dcps_world_outcome *outcome)
{
    dcps_result_run *run = self->result;
    dcps_status status = dcps_result_details_keep(&run->details, outcome->statistics, &outcome->staleness,
                                                  &self->groups, self->world.workers);
    run->details_known = status == DCPS_OK;
    for (uint32_t i = 0; status == DCPS_OK && i < outcome->processes; i++) {
        const dcps_world_wait *wait = &outcome->waits[i];
        dcps_summary summary;
        dcps_histogram_summarise(&wait->wait_ns, &summary);
        if (summary.count > 0 && wait->trained_ns > 0) {
            dcps_result_details_set_wait(&run->details, wait->worker, &summary, &wait->wait_ns,
                                         (double)wait->wait_ns.sum / (double)wait->trained_ns);
        }
    }
    return status;
}

static void note_outcome(const virtual_run *self, const dcps_world_outcome *outcome)
{
    dcps_result_run *run = self->result;
    run->measured = true;
    run->epochs = self->world.epochs;
    run->updates = outcome->versions[0];
    run->samples = outcome->samples[0];
    run->seconds = (double)outcome->training_ns / (double)DCPS_NS_PER_S;
    run->samples_per_second = run->seconds > 0.0 ? (double)run->samples / run->seconds : (double)NAN;
    run->loss_known = self->gradients != NULL;
    run->train_loss = outcome->diverged || !run->loss_known ? (double)NAN : outcome->train_loss;
    dcps_counts_summarise(&outcome->staleness, &run->staleness);
    run->weights_final = outcome->weights_final && self->gradients != NULL;
    run->weights_digest = outcome->weights_digest;
}

/* A run that ended early because it diverged says so at the end of its curve, too. */
static dcps_status note_divergence(virtual_run *self, const dcps_world_outcome *outcome)
{
    dcps_curve_point point = {.epoch = (double)outcome->samples[0] / (double)self->world.samples_per_epoch,
                              .seconds = self->result->seconds,
                              .train_loss = (double)NAN};
    return outcome->diverged ? dcps_result_add_point(self->result, &point) : DCPS_OK;
}

static dcps_status simulate(virtual_run *self)
{
    dcps_world *world = NULL;
    dcps_world_outcome outcome;
    self->total_samples = self->world.samples_per_epoch * self->world.epochs;
    self->world.progress = tell;
    self->world.progress_context = self;
    dcps_status status = dcps_world_create(&self->world, &world);
    if (status == DCPS_OK) {
        status = dcps_world_run(world, &outcome);
    }
    if (status == DCPS_OK) {
        note_outcome(self, &outcome);
        status = note_details(self, &outcome);
    }
    if (status == DCPS_OK) {
        status = note_divergence(self, &outcome);
    }
    if (status == DCPS_OK && outcome.stopped) {
        status = dcps_fail(DCPS_CANCELLED, "stopped");
    } else if (status == DCPS_OK && !outcome.finished && !outcome.diverged) {
        status =
            dcps_fail(DCPS_TIMEOUT,
                      "the simulated run still goes on after %" PRIu64
                      " s of virtual time: see --step-time, --groups, --stops, --latency, --bandwidth, --update-rate",
                      outcome.ended_ns / DCPS_NS_PER_S);
    }
    dcps_world_destroy(&world);
    return status == DCPS_OK ? self->failure : status;
}

dcps_status dcps_virtual_run(const dcps_virtual_run_config *config, dcps_result_run *run, char *dataset)
{
    virtual_run self = {.config = config, .result = run, .failure = DCPS_OK};
    dcps_status status =
        dcps_run_server_config(config->options, config->spec, config->seed, &self.server_options, &self.server);
    if (status == DCPS_OK) {
        take_server_settings(&self);
        status = read_cluster(&self);
    }
    if (status == DCPS_OK) {
        status = read_traces(&self);
    }
    if (status == DCPS_OK) {
        bool computes = !dcps_options_flag(config->options, "no-gradients");
        status = computes ? open_model(&self, dataset) : make_stand_in(&self);
    }
    if (status == DCPS_OK) {
        status = simulate(&self);
    }
    dcps_status probed = dcps_probe_run_close(&self.probe);
    status = status == DCPS_OK ? probed : status;
    dcps_gradients_destroy(&self.gradients);
    dcps_layout_destroy(&self.layout);
    dcps_trace_times_fini(&self.times);
    dcps_assignments_fini(&self.assignments);
    dcps_options_destroy(&self.server_options);
    dcps_free(self.slowdowns);
    return status;
}
