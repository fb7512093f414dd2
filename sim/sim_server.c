/* A server process of the simulated world: the shell round the engines, with restarts from checkpoints. */
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "sim/world_state.h"

static dcps_peer peer_of(uint32_t process)
{
    dcps_peer peer = {.length = sizeof(process)};
    memcpy(peer.bytes, &process, sizeof(process));
    return peer;
}

void dcps_sim_server_emit(void *context, const dcps_peer *peer, const dcps_message *message, dcps_buffer *payload)
{
    dcps_sim_server *server = context;
    uint32_t process;
    memcpy(&process, peer->bytes, sizeof(process));
    dcps_address to = {.is_client = true, .process = process};
    dcps_network_send(server->world, server->sending, to, message, payload == NULL ? NULL : payload->data,
                      payload == NULL ? 0 : payload->bytes);
}

static void select_socket(dcps_sim_server *server, uint32_t shard)
{
    server->sending = (dcps_address){.route = {.server = server->index, .shard = shard}};
}

static void tell_shard(dcps_sim_server *server, uint32_t shard, const dcps_control_event *event)
{
    dcps_world *world = server->world;
    dcps_status status = DCPS_OK;
    select_socket(server, shard);
    dcps_sim_trace_event(server, shard, event);
    if (event->kind == DCPS_CONTROL_JOIN) {
        status = dcps_shard_worker_join(server->shards[shard], &event->session, world->now_ns);
    } else if (event->kind == DCPS_CONTROL_LEAVE) {
        dcps_shard_worker_leave(server->shards[shard], event->session.worker, event->departure, world->now_ns);
    } else {
        status =
            dcps_shard_set_partition(server->shards[shard], &event->partition, event->layout, event->samples_per_epoch);
    }
    if (status != DCPS_OK) {
        dcps_world_fail(world, status);
    }
}

static void on_control_event(void *context, const dcps_control_event *event)
{
    dcps_sim_server *server = context;
    server->leases_expired += event->kind == DCPS_CONTROL_LEAVE && event->departure == DCPS_DEPARTURE_LOST ? 1 : 0;
    for (uint32_t shard = 0; shard < server->world->config.shards_per_server; shard++) {
        tell_shard(server, shard, event);
    }
    select_socket(server, DCPS_ROUTE_CONTROL);
}

static uint64_t draw_token(void *context)
{
    dcps_sim_server *server = context;
    return dcps_rng_next(&server->world->token_rng) | 1u;
}

static dcps_status create_control(dcps_sim_server *server)
{
    const dcps_world_config *config = &server->world->config;
    const char *endpoints[DCPS_MAX_SHARDS];
    for (uint32_t i = 0; i < config->shards_per_server; i++) {
        endpoints[i] = "mem://shard";
    }
    dcps_control_config control = {
        .server_index = server->index,
        .server_count = config->servers,
        .shards_per_server = config->shards_per_server,
        .endpoints = endpoints,
        .lease_ms = config->lease_ms,
        .workers = config->workers,
        .seed = config->seed,
        .batch_size = config->batch_size,
        .epochs = config->epochs,
        .snapshot_every_samples = config->snapshot_every_samples,
        .block_params = config->block_params,
        .algorithm = config->algorithm.name,
        .settings = config->settings,
        .emit = dcps_sim_server_emit,
        .event = on_control_event,
        .token = draw_token,
        .context = server,
    };
    return dcps_control_create(&control, &server->control);
}

static dcps_status create_shards(dcps_sim_server *server)
{
    const dcps_world_config *config = &server->world->config;
    dcps_status status = DCPS_OK;
    for (uint32_t i = 0; status == DCPS_OK && i < config->shards_per_server; i++) {
        dcps_shard_config shard = {
            .shard = server->index * config->shards_per_server + i,
            .algorithm = config->algorithm,
            .schedule = config->schedule,
            .workers = config->workers,
            .start_grace_ns = config->replay_dir == NULL ? config->start_grace_ns : 0,
            .epochs = config->epochs,
            .batch_size = config->batch_size,
            .snapshot_every_samples = config->snapshot_every_samples,
            .emit = dcps_sim_server_emit,
            .emit_context = server,
        };
        dcps_sim_trace_listen(server, &shard);
        status = dcps_shard_create(&shard, &server->shards[i]);
    }
    return status;
}

static dcps_status restore(dcps_sim_server *server)
{
    dcps_status status = dcps_control_import(server->control, &server->control_image);
    for (uint32_t i = 0; status == DCPS_OK && i < server->world->config.shards_per_server; i++) {
        status = dcps_shard_import(server->shards[i], &server->images[i]);
    }
    return status;
}

/* Goes on without those whom others have waited for too long; not in a replay, which has everybody who was there. */
static void watch_awaited(dcps_sim_server *server, uint64_t now_ns)
{
    const dcps_world_config *config = &server->world->config;
    dcps_awaited_list list = {.count = 0};
    if (config->round_timeout_ns == 0 || config->replay_dir != NULL) {
        return;
    }
    for (uint32_t i = 0; i < config->shards_per_server; i++) {
        dcps_shard_awaited(server->shards[i], 0, now_ns, &list);
    }
    for (uint32_t i = 0; i < list.count; i++) {
        if (list.items[i].waited_ns >= config->round_timeout_ns) {
            dcps_control_expel(server->control, &list.items[i].session, list.items[i].waited_ns / DCPS_NS_PER_MS);
        }
    }
}

void dcps_sim_server_tick(void *context, uint64_t now_ns)
{
    dcps_sim_server *server = context;
    if (server->up) {
        select_socket(server, DCPS_ROUTE_CONTROL);
        dcps_control_tick(server->control, now_ns);
        watch_awaited(server, now_ns);
        for (uint32_t i = 0; i < server->world->config.shards_per_server; i++) {
            select_socket(server, i);
            dcps_shard_tick(server->shards[i], now_ns);
        }
    }
    dcps_world_at(server->world, now_ns + DCPS_SIM_TICK_NS, dcps_sim_server_tick, server);
}

void dcps_sim_server_start(dcps_sim_server *server)
{
    dcps_status status = create_control(server);
    if (status == DCPS_OK) {
        status = create_shards(server);
    }
    if (status == DCPS_OK && server->has_image) {
        status = restore(server);
    }
    if (status != DCPS_OK) {
        dcps_world_fail(server->world, status);
        return;
    }
    server->up = true;
}

/* What a shard counted of workers in a life that ends is kept. */
static void add_workers(dcps_world *world, const dcps_shard *shard)
{
    dcps_status status = DCPS_OK;
    for (uint32_t i = 0; status == DCPS_OK && i < dcps_shard_worker_capacity(shard); i++) {
        const dcps_worker_statistics *worker = dcps_shard_worker(shard, i);
        if (worker->held_ns.count + worker->pushes.applied + worker->pushes.duplicates > 0) {
            status = dcps_worker_table_add(&world->statistics.workers, worker);
        }
    }
    if (status != DCPS_OK) {
        dcps_world_fail(world, status);
    }
}

/* Shards as they are when the run ends. */
static void report_shards(dcps_sim_server *server)
{
    dcps_world *world = server->world;
    uint32_t shards = world->config.shards_per_server;
    for (uint32_t i = 0; i < shards && server->shards[i] != NULL; i++) {
        dcps_shard_stats stats;
        dcps_shard_statistics statistics;
        dcps_shard_histograms histograms;
        dcps_shard_stats_get(server->shards[i], &stats);
        dcps_shard_stats_describe(&stats, server->index * shards + i, &statistics);
        dcps_shard_stats_histograms(&stats, &histograms);
        dcps_status status = dcps_run_statistics_add_shard(&world->statistics, &statistics, &histograms);
        if (status != DCPS_OK) {
            dcps_world_fail(world, status);
        }
    }
}

/* Counters of a life that ends are kept. */
static void add_stats(dcps_sim_server *server)
{
    for (uint32_t i = 0; i < server->world->config.shards_per_server && server->shards[i] != NULL; i++) {
        dcps_shard_stats stats;
        dcps_shard_stats_get(server->shards[i], &stats);
        add_workers(server->world, server->shards[i]);
        server->past.pushes_applied += stats.pushes_applied;
        server->past.pushes_dropped += stats.pushes_dropped;
        server->past.duplicates_ignored += stats.duplicates_ignored;
        server->past.stale_ignored += stats.stale_ignored;
        server->past.rejected += stats.rejected;
        server->past.early_starts += stats.early_starts;
        server->past.weights_digest += stats.weights_digest;
        server->past.weights_final = stats.weights_final && (i == 0 || server->past.weights_final);
        dcps_counts_merge(&server->past.staleness, &stats.staleness);
        if (server->index == 0 && i == 0) {
            server->past.training_ns = stats.training_ns;
            server->past.train_loss = stats.train_loss;
        }
    }
}

static void destroy_engines(dcps_sim_server *server)
{
    for (uint32_t i = 0; i < server->world->config.shards_per_server; i++) {
        dcps_shard_destroy(&server->shards[i]);
    }
    dcps_control_destroy(&server->control);
}

void dcps_sim_server_crash(dcps_sim_server *server)
{
    add_stats(server);
    dcps_sim_trace_crash(server);
    destroy_engines(server);
    server->up = false;
}

static void drop_images(dcps_sim_server *server)
{
    if (server->has_image) {
        dcps_control_image_fini(&server->control_image);
        for (uint32_t i = 0; i < server->world->config.shards_per_server; i++) {
            dcps_shard_image_fini(&server->images[i]);
        }
    }
    server->has_image = false;
}

void dcps_sim_server_checkpoint(dcps_sim_server *server)
{
    dcps_control_image control;
    if (!server->up || dcps_control_export(server->control, &control) != DCPS_OK) {
        return;
    }
    drop_images(server);
    server->control_image = control;
    for (uint32_t i = 0; i < server->world->config.shards_per_server; i++) {
        dcps_status status = dcps_shard_export(server->shards[i], &server->images[i]);
        if (status != DCPS_OK) {
            dcps_world_fail(server->world, status);
            return;
        }
    }
    server->has_image = true;
}

void dcps_sim_server_receive(dcps_sim_server *server, uint32_t shard, uint32_t process, const dcps_message *message,
                             dcps_buffer *payload)
{
    dcps_peer peer = peer_of(process);
    select_socket(server, shard);
    if (shard == DCPS_ROUTE_CONTROL) {
        dcps_control_receive(server->control, &peer, message, server->world->now_ns);
        if (!server->has_image && server->world->config.server_crashes > 0) {
            dcps_sim_server_checkpoint(server); /* the first: as soon as there is a model */
        }
    } else {
        dcps_sim_trace_receive(server, shard, &peer, message, payload);
    }
}

static void report_block(dcps_world *world, const dcps_image_block *block)
{
    memcpy(world->weights + dcps_partition_block_offset(&world->partition, block->block), block->weights->data,
           block->weights->bytes);
    world->versions[block->block] = block->version;
    world->samples[block->block] = block->samples;
}

void dcps_sim_server_report(dcps_sim_server *server)
{
    dcps_world *world = server->world;
    add_stats(server);
    dcps_sim_trace_close(server);
    report_shards(server);
    world->outcome.pushes_applied += server->past.pushes_applied;
    world->outcome.pushes_dropped += server->past.pushes_dropped;
    world->outcome.duplicates_ignored += server->past.duplicates_ignored;
    world->outcome.stale_ignored += server->past.stale_ignored;
    world->outcome.rejected += server->past.rejected;
    dcps_counts_merge(&world->outcome.staleness, &server->past.staleness);
    if (server->index == 0) {
        world->outcome.training_ns = server->past.training_ns;
        world->outcome.train_loss = server->past.train_loss;
    }
    world->outcome.leases_expired += server->leases_expired;
    world->outcome.weights_final = world->outcome.weights_final && server->past.weights_final;
    world->outcome.weights_digest += server->past.weights_digest;
    dcps_sim_server_checkpoint(server);
    for (uint32_t i = 0; server->has_image && i < world->config.shards_per_server; i++) {
        for (uint32_t k = 0; k < server->images[i].block_count; k++) {
            report_block(world, &server->images[i].blocks[k]);
        }
    }
}

void dcps_sim_server_fini(dcps_sim_server *server)
{
    drop_images(server);
    dcps_sim_trace_fini(server);
    destroy_engines(server);
}
