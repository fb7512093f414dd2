#include "sim/world.h"

#include <assert.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "proto/wire.h"
#include "sim/world_state.h"

#define FIRST_NS 1u /* before it nobody asks for anything: engines take 0 for a time that has not come */
#define EVENTS_BETWEEN_TELLING 4096u /* where nothing is learnt, so that a person can end the run */

void dcps_world_fail(dcps_world *world, dcps_status status)
{
    world->failure = world->failure == DCPS_OK ? status : world->failure;
}

void dcps_world_diverge(dcps_world *world)
{
    world->outcome.diverged = true;
}

void dcps_world_at(dcps_world *world, uint64_t at_ns, dcps_event_fn run, void *context)
{
    dcps_status status = dcps_events_add(&world->events, at_ns, run, context);
    if (status != DCPS_OK) {
        dcps_world_fail(world, status);
    }
}

uint64_t dcps_world_between(dcps_rng *rng, uint64_t low, uint64_t high)
{
    return low + dcps_rng_below(rng, high - low + 1u);
}

static void start_client(void *context, uint64_t now_ns)
{
    dcps_world *world = context;
    (void)now_ns;
    world->starts_due--;
    assert(world->processes + 1u < world->process_capacity); /* a crash brings one more, and there are only so many */
    dcps_sim_client *client = &world->clients[world->processes++];
    client->pushes = world->pushes + (size_t)client->process * world->partition.block_count;
    dcps_sim_client_start(client);
}

static void start_observer(void *context, uint64_t now_ns)
{
    (void)now_ns;
    dcps_sim_client_start(context);
}

static void plan_start(dcps_world *world, uint64_t at_ns)
{
    world->starts_due++;
    dcps_world_at(world, at_ns, start_client, world);
}

static bool is_running(const dcps_sim_client *client)
{
    return client->phase != DCPS_SIM_ABSENT && client->phase != DCPS_SIM_ENDED;
}

/* A running client process chosen at random; NULL if there is none. */
static dcps_sim_client *choose_client(dcps_world *world)
{
    uint64_t running = 0;
    for (uint32_t i = 0; i < world->processes; i++) {
        running += is_running(&world->clients[i]) ? 1 : 0;
    }
    if (running == 0) {
        return NULL;
    }
    uint64_t chosen = dcps_rng_below(&world->trouble_rng, running);
    uint32_t i = 0;
    while (!is_running(&world->clients[i]) || chosen-- > 0) {
        i++;
    }
    return &world->clients[i];
}

static void crash_client(void *context, uint64_t now_ns)
{
    dcps_world *world = context;
    dcps_sim_client *client = choose_client(world);
    if (client != NULL) {
        dcps_sim_client_crash(client);
        plan_start(world,
                   now_ns + dcps_world_between(&world->trouble_rng, 0, 3u * world->config.lease_ms * DCPS_NS_PER_MS));
    }
}

static void stall_client(void *context, uint64_t now_ns)
{
    dcps_world *world = context;
    dcps_sim_client *client = choose_client(world);
    if (client != NULL) {
        dcps_sim_client_stall(
            client, now_ns + dcps_world_between(&world->trouble_rng, 0, 3u * world->config.lease_ms * DCPS_NS_PER_MS));
    }
}

static void restart_server(void *context, uint64_t now_ns)
{
    (void)now_ns;
    dcps_sim_server_start(context);
}

static void crash_server(void *context, uint64_t now_ns)
{
    dcps_world *world = context;
    dcps_sim_server *server = &world->servers[dcps_rng_below(&world->trouble_rng, world->config.servers)];
    if (server->up) {
        dcps_sim_server_crash(server);
        world->outcome.server_crashes++;
        uint64_t later_ns = dcps_world_between(&world->trouble_rng, DCPS_NS_PER_MS, 10u * DCPS_NS_PER_S);
        dcps_world_at(world, now_ns + later_ns, restart_server, server);
    }
}

static void checkpoint(void *context, uint64_t now_ns)
{
    dcps_world *world = context;
    for (uint32_t i = 0; i < world->config.servers; i++) {
        dcps_sim_server_checkpoint(&world->servers[i]);
    }
    dcps_world_at(world, now_ns + world->config.checkpoint_every_ns, checkpoint, world);
}

static void plan_trouble(dcps_world *world, uint32_t count, dcps_event_fn run)
{
    for (uint32_t i = 0; i < count; i++) {
        dcps_world_at(world, dcps_rng_below(&world->trouble_rng, world->config.trouble_ns), run, world);
    }
}

/* The places of shards come after those of processes. */
static dcps_status make_threads(dcps_world *world)
{
    uint32_t places = world->process_capacity;
    for (uint32_t i = 0; i < world->config.servers; i++) {
        for (uint32_t shard = 0; shard < world->config.shards_per_server; shard++) {
            world->servers[i].threads[shard] = (dcps_sim_thread){.world = world, .place = places++};
        }
    }
    return dcps_world_work_init(world, places);
}

/* Every process knows its place before it starts. */
static dcps_status make_processes(dcps_world *world)
{
    const dcps_world_config *config = &world->config;
    world->process_capacity = config->workers + config->client_crashes + 1u;
    world->servers = dcps_alloc(config->servers, sizeof(*world->servers));
    world->clients = dcps_alloc(world->process_capacity, sizeof(*world->clients));
    if (world->servers == NULL || world->clients == NULL) {
        return dcps_fail(DCPS_NO_MEMORY, "no memory for a simulated world");
    }
    for (uint32_t i = 0; i < config->servers; i++) {
        world->servers[i].world = world;
        world->servers[i].index = i;
    }
    for (uint32_t i = 0; i < world->process_capacity; i++) {
        world->clients[i].world = world;
        world->clients[i].process = i;
    }
    dcps_status status = make_threads(world);
    if (status != DCPS_OK) {
        return status;
    }
    uint64_t mark_every;
    return dcps_plan_marks(config->snapshot_every_samples, config->samples_per_epoch, config->epochs, &mark_every,
                           &dcps_world_observer(world)->mark_count);
}

static dcps_status make_vectors(dcps_world *world)
{
    uint32_t blocks = world->partition.block_count;
    world->weights = dcps_alloc(world->partition.total_params, sizeof(float));
    world->versions = dcps_alloc(blocks, sizeof(*world->versions));
    world->samples = dcps_alloc(blocks, sizeof(*world->samples));
    world->pushes = dcps_alloc((size_t)world->process_capacity * blocks, sizeof(*world->pushes));
    world->waits = dcps_alloc(world->process_capacity, sizeof(*world->waits));
    bool watches = world->config.watch != NULL;
    world->watched = watches ? dcps_alloc_aligned(world->partition.total_params, sizeof(float)) : NULL;
    bool complete = world->weights != NULL && world->versions != NULL && world->samples != NULL &&
                    world->pushes != NULL && world->waits != NULL && (world->watched != NULL || !watches);
    return complete ? DCPS_OK : dcps_fail(DCPS_NO_MEMORY, "no memory for a simulated world");
}

static dcps_status make(dcps_world *world)
{
    const dcps_world_config *config = &world->config;
    dcps_status status = dcps_arena_init(&world->arena, DCPS_WIRE_ARENA_BYTES);
    if (status == DCPS_OK) {
        status = dcps_partition_init(&world->partition, dcps_layout_total_params(config->layout), config->block_params,
                                     config->servers, config->shards_per_server);
    }
    if (status == DCPS_OK) {
        status = make_processes(world);
    }
    return status == DCPS_OK ? make_vectors(world) : status;
}

static void plan(dcps_world *world)
{
    const dcps_world_config *config = &world->config;
    for (uint32_t i = 0; i < config->servers; i++) {
        dcps_sim_trace_open(&world->servers[i]);
        dcps_sim_server_start(&world->servers[i]);
        dcps_world_at(world, 0, dcps_sim_server_tick, &world->servers[i]);
    }
    for (uint32_t i = 0; i < config->workers; i++) {
        plan_start(world, FIRST_NS + dcps_world_between(&world->trouble_rng, 0, config->start_spread_ns));
    }
    if (config->model.evaluate != NULL) {
        dcps_world_at(world, 0, start_observer, dcps_world_observer(world));
    }
    plan_trouble(world, config->client_crashes, crash_client);
    plan_trouble(world, config->client_stalls, stall_client);
    plan_trouble(world, config->server_crashes, crash_server);
    if (config->checkpoint_every_ns > 0) {
        dcps_world_at(world, config->checkpoint_every_ns, checkpoint, world);
    }
}

dcps_status dcps_world_create(const dcps_world_config *config, dcps_world **world)
{
    dcps_world *made = dcps_alloc(1, sizeof(*made));
    if (made == NULL) {
        return dcps_fail(DCPS_NO_MEMORY, "no memory for a simulated world");
    }
    made->config = *config;
    dcps_rng_seed_stream(&made->network_rng, config->seed, "network", 0);
    dcps_rng_seed_stream(&made->trouble_rng, config->seed, "trouble", 0);
    dcps_rng_seed_stream(&made->token_rng, config->seed, "token", 0);
    dcps_status status = make(made);
    if (status == DCPS_OK) {
        plan(made);
        status = made->failure;
    }
    if (status != DCPS_OK) {
        dcps_world_destroy(&made);
        return status;
    }
    *world = made;
    return DCPS_OK;
}

static bool all_ended(const dcps_world *world)
{
    for (uint32_t i = 0; i < world->processes; i++) {
        if (is_running(&world->clients[i])) {
            return false;
        }
    }
    bool evaluates = world->config.model.evaluate != NULL;
    return world->starts_due == 0 && (!evaluates || dcps_world_observer(world)->phase == DCPS_SIM_ENDED);
}

static bool all_up(const dcps_world *world)
{
    for (uint32_t i = 0; i < world->config.servers; i++) {
        if (!world->servers[i].up) {
            return false;
        }
    }
    return true;
}

/* Whether there is reason to go on. */
static bool goes_on(const dcps_world *world)
{
    return world->failure == DCPS_OK && !world->outcome.diverged && !world->outcome.stopped &&
           !(all_ended(world) && all_up(world));
}

static void tell_progress(dcps_world *world, uint64_t told_samples)
{
    const dcps_world_config *config = &world->config;
    bool due = world->samples_done != told_samples || world->events_run % EVENTS_BETWEEN_TELLING == 0;
    if (config->progress != NULL && due &&
        !config->progress(config->progress_context, world->samples_done, world->now_ns)) {
        world->outcome.stopped = true;
    }
}

static void report(dcps_world *world)
{
    dcps_world_outcome *outcome = &world->outcome;
    outcome->finished = all_ended(world);
    outcome->ended_ns = world->now_ns;
    outcome->weights_final = true;
    outcome->recorded = world->config.record_dir != NULL;
    for (uint32_t i = 0; i < world->config.servers; i++) {
        dcps_sim_server_report(&world->servers[i]);
    }
    outcome->processes = world->processes;
    outcome->block_count = world->partition.block_count;
    outcome->total_params = world->partition.total_params;
    outcome->weights = world->weights;
    outcome->versions = world->versions;
    outcome->samples = world->samples;
    outcome->pushes = world->pushes;
    for (uint32_t i = 0; i < world->processes; i++) {
        dcps_sim_client_report(&world->clients[i]);
    }
    outcome->waits = world->waits;
    outcome->statistics = &world->statistics;
}

dcps_status dcps_world_run(dcps_world *world, dcps_world_outcome *outcome)
{
    dcps_event event;
    while (goes_on(world) && dcps_events_next(&world->events, &event)) {
        uint64_t samples = world->samples_done;
        if (event.at_ns > world->config.deadline_ns) {
            break;
        }
        world->now_ns = event.at_ns;
        event.run(event.context, event.at_ns);
        world->events_run++;
        tell_progress(world, samples);
    }
    report(world);
    *outcome = world->outcome;
    return world->failure;
}

void dcps_world_destroy(dcps_world **world)
{
    dcps_world *old = *world;
    if (old == NULL) {
        return;
    }
    dcps_network_drain(old);
    for (uint32_t i = 0; old->clients != NULL && i < old->process_capacity; i++) {
        dcps_sim_client_fini(&old->clients[i]);
    }
    for (uint32_t i = 0; old->servers != NULL && i < old->config.servers; i++) {
        dcps_sim_server_fini(&old->servers[i]);
    }
    dcps_free(old->clients);
    dcps_free(old->servers);
    dcps_world_work_fini(old);
    dcps_events_fini(&old->events);
    dcps_arena_fini(&old->arena);
    dcps_free(old->weights);
    dcps_free(old->versions);
    dcps_free(old->samples);
    dcps_free(old->watched);
    dcps_free(old->pushes);
    dcps_free(old->waits);
    dcps_run_statistics_fini(&old->statistics);
    dcps_free(old);
    *world = NULL;
}
