#include "sim/world.h"

#include <assert.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "proto/wire.h"
#include "sim/world_state.h"

void dcps_world_fail(dcps_world *world, dcps_status status)
{
    world->failure = world->failure == DCPS_OK ? status : world->failure;
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
    if (world->processes == DCPS_WORLD_MAX_PROCESSES) {
        dcps_world_fail(world, dcps_fail(DCPS_LIMIT, "more than %u client processes", DCPS_WORLD_MAX_PROCESSES));
        return;
    }
    dcps_sim_client *client = &world->clients[world->processes];
    client->world = world;
    client->process = world->processes;
    client->pushes = world->pushes + (size_t)world->processes * world->block_count;
    world->processes++;
    dcps_sim_client_start(client);
}

static void plan_start(dcps_world *world, uint64_t at_ns)
{
    world->starts_due++;
    dcps_world_at(world, at_ns, start_client, world);
}

static bool is_running(const dcps_sim_client *client)
{
    return client->phase != DCPS_CLIENT_ABSENT && client->phase != DCPS_CLIENT_ENDED;
}

/* A running client process chosen at random; NULL if there is none. */
static dcps_sim_client *choose_client(dcps_world *world)
{
    uint32_t running[DCPS_WORLD_MAX_PROCESSES];
    uint32_t count = 0;
    for (uint32_t i = 0; i < world->processes; i++) {
        if (is_running(&world->clients[i])) {
            running[count++] = i;
        }
    }
    return count == 0 ? NULL : &world->clients[running[dcps_rng_below(&world->trouble_rng, count)]];
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

static dcps_status allocate(dcps_world *world)
{
    const size_t dims[] = {world->config.params};
    dcps_status status = dcps_layout_create(&world->layout);
    if (status == DCPS_OK) {
        status = dcps_layout_add(world->layout, "w", DCPS_INIT_ZERO, 1, dims, NULL);
    }
    if (status == DCPS_OK) {
        status = dcps_arena_init(&world->arena, DCPS_WIRE_ARENA_BYTES);
    }
    if (status != DCPS_OK) {
        return status;
    }
    uint64_t params = dcps_layout_total_params(world->layout);
    world->block_count = (uint32_t)((params + world->config.block_params - 1u) / world->config.block_params);
    assert(world->block_count <= DCPS_WORLD_MAX_BLOCKS);
    world->weights = dcps_alloc(params, sizeof(float));
    world->versions = dcps_alloc(world->block_count, sizeof(*world->versions));
    world->samples = dcps_alloc(world->block_count, sizeof(*world->samples));
    world->pushes = dcps_alloc((size_t)DCPS_WORLD_MAX_PROCESSES * world->block_count, sizeof(*world->pushes));
    bool complete =
        world->weights != NULL && world->versions != NULL && world->samples != NULL && world->pushes != NULL;
    return complete ? DCPS_OK : dcps_fail(DCPS_NO_MEMORY, "no memory for a simulated world");
}

static void plan(dcps_world *world)
{
    const dcps_world_config *config = &world->config;
    for (uint32_t i = 0; i < config->servers; i++) {
        world->servers[i].world = world;
        world->servers[i].index = i;
        dcps_sim_server_start(&world->servers[i]);
        dcps_world_at(world, 0, dcps_sim_server_tick, &world->servers[i]);
    }
    for (uint32_t i = 0; i < config->workers; i++) {
        plan_start(world, dcps_rng_below(&world->trouble_rng, DCPS_NS_PER_S));
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
    dcps_status status = allocate(made);
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
    return world->starts_due == 0;
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

dcps_status dcps_world_run(dcps_world *world, dcps_world_outcome *outcome)
{
    dcps_event event;
    while (world->failure == DCPS_OK && !(all_ended(world) && all_up(world)) &&
           dcps_events_next(&world->events, &event)) {
        if (event.at_ns > world->config.deadline_ns) {
            break;
        }
        world->now_ns = event.at_ns;
        event.run(event.context, event.at_ns);
    }
    world->outcome.finished = all_ended(world);
    world->outcome.ended_ns = world->now_ns;
    for (uint32_t i = 0; i < world->config.servers; i++) {
        dcps_sim_server_report(&world->servers[i]);
    }
    world->outcome.processes = world->processes;
    world->outcome.block_count = world->block_count;
    world->outcome.weights = world->weights;
    world->outcome.versions = world->versions;
    world->outcome.samples = world->samples;
    world->outcome.pushes = world->pushes;
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
    for (uint32_t i = 0; i < old->processes; i++) {
        dcps_sim_client_fini(&old->clients[i]);
    }
    for (uint32_t i = 0; i < old->config.servers; i++) {
        if (old->servers[i].world != NULL) {
            dcps_sim_server_fini(&old->servers[i]);
        }
    }
    dcps_events_fini(&old->events);
    dcps_arena_fini(&old->arena);
    dcps_layout_destroy(&old->layout);
    dcps_free(old->weights);
    dcps_free(old->versions);
    dcps_free(old->samples);
    dcps_free(old->pushes);
    dcps_free(old);
    *world = NULL;
}
