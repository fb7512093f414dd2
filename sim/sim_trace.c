/* Simulated servers record what they do, and do what was recorded, as real ones. */
#include <stdio.h>

#include "sim/world_state.h"

static dcps_trace_run describe(const dcps_sim_server *server)
{
    const dcps_world_config *config = &server->world->config;
    dcps_trace_run run = {.server_index = server->index,
                          .server_count = config->servers,
                          .shards_per_server = config->shards_per_server,
                          .workers = config->workers,
                          .seed = config->seed,
                          .batch_size = config->batch_size,
                          .epochs = config->epochs};
    (void)snprintf(run.settings, sizeof(run.settings), "%s", config->settings == NULL ? "" : config->settings);
    return run;
}

static dcps_status open_replay(dcps_sim_server *server, const dcps_trace_run *run)
{
    const dcps_world *world = server->world;
    dcps_sim_traces *traces = &server->traces;
    dcps_status status = dcps_trace_replay_open(&traces->replay, run, world->config.replay_dir);
    if (status == DCPS_OK) {
        status = dcps_trace_run_check_model(&traces->replay.run, &world->partition, world->config.samples_per_epoch);
    }
    for (uint32_t i = 0; status == DCPS_OK && i < run->shards_per_server; i++) {
        status = dcps_replay_gate_create(&traces->replay.orders[i], dcps_sim_server_emit, server, &traces->gates[i]);
    }
    return status;
}

void dcps_sim_trace_open(dcps_sim_server *server)
{
    dcps_world *world = server->world;
    const dcps_world_config *config = &world->config;
    const dcps_trace_run run = describe(server);
    dcps_status status = config->replay_dir != NULL ? open_replay(server, &run) : DCPS_OK;
    if (status == DCPS_OK && config->record_dir != NULL) {
        status = dcps_trace_record_begin(&server->traces.record, &run, config->record_dir, 0);
        server->traces.recording = status == DCPS_OK;
    }
    if (status == DCPS_OK && server->traces.recording) {
        dcps_trace_record_model(&server->traces.record, &world->partition, config->samples_per_epoch);
    }
    if (status != DCPS_OK) {
        dcps_world_fail(world, status);
    }
}

static uint32_t shard_of(const dcps_sim_server *server, uint32_t block)
{
    const dcps_partition *partition = &server->world->partition;
    return dcps_partition_shard_of(partition, block) - server->index * partition->shards_per_server;
}

/* A dcps_taken_fn. */
static void on_taken(void *context, const dcps_taken *taken, uint64_t now_ns)
{
    dcps_sim_server *server = context;
    uint32_t shard = shard_of(server, taken->block);
    if (server->traces.gates[shard] != NULL) {
        dcps_replay_gate_taken(server->traces.gates[shard], taken);
    }
    if (server->traces.recording) {
        dcps_trace_writer_add(server->traces.record.writers[shard], taken, now_ns);
    }
}

void dcps_sim_trace_listen(dcps_sim_server *server, dcps_shard_config *shard)
{
    const dcps_world_config *config = &server->world->config;
    if (config->record_dir != NULL || config->replay_dir != NULL) {
        shard->taken = on_taken;
        shard->taken_context = server;
    }
}

/* A run that does not follow the order ends here. */
static void check_replay(const dcps_sim_server *server, uint32_t shard)
{
    const char *text;
    dcps_status status = dcps_replay_gate_failure(server->traces.gates[shard], &text);
    if (status != DCPS_OK) {
        dcps_world_fail(server->world, dcps_fail(status, "the run does not follow the trace: %s", text));
    }
}

void dcps_sim_trace_event(dcps_sim_server *server, uint32_t shard, const dcps_control_event *event)
{
    dcps_sim_traces *traces = &server->traces;
    bool first = shard == 0; /* each shard is told of each event */
    traces->joins += first && event->kind == DCPS_CONTROL_JOIN ? 1 : 0;
    if (event->kind != DCPS_CONTROL_LEAVE) {
        return;
    }
    traces->finished += first && event->departure == DCPS_DEPARTURE_DONE ? 1 : 0;
    if (traces->recording) {
        dcps_trace_record_leave(traces->record.writers[shard], server->shards[shard], event->session.worker,
                                event->departure);
    }
    if (traces->gates[shard] != NULL) {
        dcps_replay_gate_leave(traces->gates[shard], event->session.worker);
        check_replay(server, shard);
    }
}

void dcps_sim_trace_receive(dcps_sim_server *server, uint32_t shard, const dcps_peer *peer, const dcps_message *message,
                            dcps_buffer *payload)
{
    uint64_t now_ns = server->world->now_ns;
    dcps_replay_gate *gate = server->traces.gates[shard];
    if (gate == NULL) {
        dcps_shard_receive(server->shards[shard], peer, message, payload, now_ns);
        return;
    }
    dcps_replay_gate_receive(gate, server->shards[shard], peer, message, payload, now_ns);
    check_replay(server, shard);
}

void dcps_sim_trace_crash(dcps_sim_server *server)
{
    const dcps_sim_traces *traces = &server->traces;
    for (uint32_t i = 0; traces->recording && i < server->world->config.shards_per_server; i++) {
        dcps_trace_writer_spoil(traces->record.writers[i], "server %u crashed", server->index);
    }
    if (server->world->config.replay_dir != NULL) {
        dcps_world_fail(server->world, dcps_fail(DCPS_MISMATCH, "server %u crashed in a replay", server->index));
    }
}

static dcps_status end_record(dcps_sim_server *server)
{
    dcps_world_outcome *outcome = &server->world->outcome;
    dcps_sim_traces *traces = &server->traces;
    const dcps_trace_ending ending = {.run_over = outcome->finished,
                                      .joins = traces->joins,
                                      .finished = traces->finished,
                                      .lost = (uint32_t)server->leases_expired,
                                      .early_starts = server->past.early_starts,
                                      .weights_digest = server->past.weights_digest};
    dcps_status status = dcps_trace_record_end(&traces->record, &ending);
    outcome->recorded = outcome->recorded && status == DCPS_OK && traces->record.run.complete;
    return status;
}

static dcps_status end_replay(const dcps_sim_server *server)
{
    uint64_t left = 0;
    for (uint32_t i = 0; i < server->world->config.shards_per_server; i++) {
        left += dcps_replay_gate_left(server->traces.gates[i]);
    }
    return dcps_trace_replay_check(&server->traces.replay, left, server->past.weights_digest);
}

void dcps_sim_trace_close(dcps_sim_server *server)
{
    dcps_world *world = server->world;
    bool whole = world->failure == DCPS_OK && world->outcome.finished;
    dcps_status status = server->traces.recording ? end_record(server) : DCPS_OK;
    if (status == DCPS_OK && world->config.replay_dir != NULL && whole) {
        status = end_replay(server);
    }
    if (status != DCPS_OK) {
        dcps_world_fail(world, status);
    }
}

void dcps_sim_trace_fini(dcps_sim_server *server)
{
    dcps_sim_traces *traces = &server->traces;
    for (uint32_t i = 0; i < DCPS_MAX_SHARDS; i++) {
        dcps_replay_gate_destroy(&traces->gates[i]);
    }
    dcps_trace_replay_fini(&traces->replay);
    dcps_trace_record_fini(&traces->record);
}
