/* Recording what the shards do, and doing what they did. */
#include <stdio.h>

#include "base/clock.h"
#include "base/log.h"
#include "server/daemon_state.h"

/* The settings of this run, as they stand in a trace. */
static dcps_trace_run describe(const dcps_server_config *config)
{
    dcps_trace_run run = {.server_index = config->index,
                          .server_count = config->server_count,
                          .shards_per_server = config->shards,
                          .workers = config->workers,
                          .seed = config->seed,
                          .batch_size = config->batch_size,
                          .epochs = config->epochs};
    (void)snprintf(run.settings, sizeof(run.settings), "%s", config->settings);
    return run;
}

static dcps_status begin_record(dcps_daemon *daemon, const dcps_trace_run *run)
{
    const dcps_server_config *config = daemon->config;
    if (config->resume != DCPS_RESUME_NO && dcps_trace_run_exists(config->record_dir, config->index)) {
        dcps_warn("the trace in %s ended with an earlier life of this server and stays incomplete", config->record_dir);
        return DCPS_OK;
    }
    dcps_status status = dcps_trace_record_begin(&daemon->traces.record, run, config->record_dir, dcps_clock_ns());
    daemon->traces.recording = status == DCPS_OK;
    return status;
}

dcps_status dcps_daemon_open_traces(dcps_daemon *daemon)
{
    const dcps_server_config *config = daemon->config;
    const dcps_trace_run run = describe(config);
    dcps_status status = DCPS_OK;
    if (config->replay_dir != NULL) {
        status = dcps_trace_replay_open(&daemon->traces.replay, &run, config->replay_dir);
    }
    return status == DCPS_OK && config->record_dir != NULL ? begin_record(daemon, &run) : status;
}

dcps_status dcps_daemon_trace_model(dcps_daemon *daemon, const dcps_partition *partition, uint64_t samples_per_epoch)
{
    dcps_trace_record_model(&daemon->traces.record, partition, samples_per_epoch);
    return daemon->config->replay_dir == NULL
               ? DCPS_OK
               : dcps_trace_run_check_model(&daemon->traces.replay.run, partition, samples_per_epoch);
}

/* What shards and control engine said last. */
static dcps_trace_ending find_ending(const dcps_daemon *daemon, uint64_t *replay_left)
{
    dcps_control_stats stats = {0};
    if (daemon->control != NULL) {
        dcps_control_stats_get(daemon->control, &stats);
    }
    dcps_trace_ending ending = {.resumed = daemon->resumes,
                                .run_over = daemon->traces.run_over,
                                .joins = daemon->traces.joins,
                                .finished = stats.workers_finished,
                                .lost = stats.workers_lost};
    *replay_left = 0;
    for (uint32_t i = 0; i < daemon->config->shards; i++) {
        dcps_shard_published published;
        dcps_shard_thread_published(daemon->shards[i], &published);
        ending.early_starts += published.stats.early_starts;
        ending.weights_digest += published.stats.weights_final ? published.stats.weights_digest : 0;
        *replay_left += published.replay_left;
    }
    return ending;
}

static void end_record(dcps_daemon *daemon, const dcps_trace_ending *ending)
{
    dcps_trace_record *record = &daemon->traces.record;
    if (dcps_trace_record_end(record, ending) != DCPS_OK) {
        dcps_error("the trace is lost: %s", dcps_error_message());
    } else if (record->run.complete) {
        dcps_info("trace recorded: %s", record->dir);
    } else {
        dcps_warn("the trace in %s is not complete and cannot be replayed: %s", record->dir, record->run.reason);
    }
}

/* The proof of a replay are its weights. One that was stopped early has nothing to prove. */
static void end_replay(dcps_daemon *daemon, uint64_t left, uint64_t weights_digest)
{
    const dcps_trace_replay *replay = &daemon->traces.replay;
    dcps_status status = dcps_trace_replay_check(replay, left, weights_digest);
    if (status == DCPS_OK) {
        dcps_info("replayed %s: the weights are the same to the last bit", replay->dir);
    } else if (left > 0) {
        dcps_warn("%s", dcps_error_message());
    } else {
        dcps_error("%s", dcps_error_message());
        daemon->result = daemon->result != DCPS_OK ? daemon->result : status;
    }
}

/* How it went. All shards are there. */
static void conclude(dcps_daemon *daemon)
{
    uint64_t left;
    dcps_trace_ending ending = find_ending(daemon, &left);
    if (daemon->traces.recording) {
        end_record(daemon, &ending);
    }
    if (daemon->config->replay_dir != NULL) {
        end_replay(daemon, left, ending.weights_digest);
    }
}

void dcps_daemon_close_traces(dcps_daemon *daemon)
{
    if (daemon->shards[daemon->config->shards - 1u] != NULL) {
        conclude(daemon);
    }
    dcps_trace_record_fini(&daemon->traces.record);
}
