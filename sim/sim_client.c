/* A worker process of the simulated world: the real client core, and a loop of compute and push. */
#include <math.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "sim/instant.h"
#include "sim/world_state.h"

static void proceed(dcps_sim_client *client);

static void emit(void *context, dcps_route route, const dcps_message *message, const void *payload,
                 size_t payload_bytes)
{
    dcps_sim_client *client = context;
    dcps_address from = {.is_client = true, .process = client->process};
    dcps_network_send(client->world, from, (dcps_address){.route = route}, message, payload, payload_bytes);
}

static void on_notice(void *context, const dcps_client_notice *notice)
{
    dcps_sim_client *client = context;
    if (notice->kind == DCPS_CLIENT_GRADIENT_LOST) {
        client->lost[notice->block] = true;
        client->world->outcome.gradients_lost++;
    } else if (notice->kind == DCPS_CLIENT_REJOINED) {
        client->world->outcome.rejoins++;
    }
}

static void tick(void *context, uint64_t now_ns)
{
    dcps_sim_client *client = context;
    if (client->phase == DCPS_SIM_ENDED) {
        return;
    }
    if (client->stalled_until_ns > now_ns) {
        dcps_world_at(client->world, client->stalled_until_ns, tick, client);
        return;
    }
    uint64_t next_ns = dcps_client_core_tick(client->core, now_ns);
    proceed(client);
    dcps_world_at(client->world, next_ns, tick, client);
}

static void stop_for_a_while(void *context, uint64_t now_ns);

/* Times between stops are exponential. */
static void plan_stop(dcps_sim_client *client)
{
    dcps_world *world = client->world;
    uint64_t from_ns = client->stalled_until_ns > world->now_ns ? client->stalled_until_ns : world->now_ns;
    double wait_ns = -log(1.0 - dcps_rng_uniform(&client->rng)) * (double)world->config.stop_every_ns;
    dcps_world_at(world, dcps_sim_after(from_ns, wait_ns), stop_for_a_while, client);
}

static void stop_for_a_while(void *context, uint64_t now_ns)
{
    dcps_sim_client *client = context;
    if (client->phase != DCPS_SIM_ENDED) {
        dcps_sim_client_stall(client, now_ns + client->world->config.stop_ns);
        plan_stop(client);
    }
}

static dcps_status make_vectors(dcps_sim_client *client, bool trains)
{
    const dcps_world *world = client->world;
    uint64_t params = dcps_layout_total_params(world->config.layout);
    client->weights = dcps_alloc_aligned(params, sizeof(float));
    client->gradient = trains ? dcps_alloc_aligned(params, sizeof(float)) : NULL;
    client->lost = dcps_alloc(world->partition.block_count, sizeof(*client->lost));
    if (client->weights == NULL || (trains && client->gradient == NULL) || client->lost == NULL) {
        return dcps_fail(DCPS_NO_MEMORY, "no memory for a client");
    }
    if (trains) {
        dcps_layout_initialise(world->config.layout, world->config.seed, client->weights);
    }
    return DCPS_OK;
}

void dcps_sim_client_start(dcps_sim_client *client)
{
    dcps_world *world = client->world;
    bool trains = client != dcps_world_observer(world);
    dcps_client_core_config config = {
        .server_count = world->config.servers,
        .role = trains ? DCPS_ROLE_WORKER : DCPS_ROLE_OBSERVER,
        .nonce = dcps_rng_next(&world->token_rng) | 1u,
        .name = "sim",
        .emit = emit,
        .notice = on_notice,
        .context = client,
    };
    dcps_status status = make_vectors(client, trains);
    if (status == DCPS_OK) {
        status = dcps_client_core_create(&config, &client->core);
    }
    if (status != DCPS_OK) {
        dcps_world_fail(world, status);
        return;
    }
    client->phase = DCPS_SIM_CONNECTING;
    dcps_client_core_start(client->core, world->now_ns);
    dcps_world_at(world, world->now_ns, tick, client);
    if (trains && world->config.stop_every_ns > 0) {
        dcps_rng_seed_stream(&client->rng, world->config.seed, "stops", client->process);
        plan_stop(client);
    }
}

void dcps_sim_client_report(const dcps_sim_client *client)
{
    dcps_world *world = client->world;
    bool running = client->phase != DCPS_SIM_ABSENT && client->phase != DCPS_SIM_ENDED;
    if (running && client->began) {
        world->waits[client->process].trained_ns = world->now_ns - client->began_ns;
    }
}

static void end(dcps_sim_client *client)
{
    dcps_world_work_end(client->world, client->process);
    if (client != dcps_world_observer(client->world)) {
        dcps_sim_client_report(client);
    }
    client->phase = DCPS_SIM_ENDED;
    dcps_client_core_destroy(&client->core);
}

void dcps_sim_client_crash(dcps_sim_client *client)
{
    end(client);
}

void dcps_sim_client_stall(dcps_sim_client *client, uint64_t until_ns)
{
    uint64_t from_ns =
        client->stalled_until_ns > client->world->now_ns ? client->stalled_until_ns : client->world->now_ns;
    if (until_ns > from_ns) {
        client->held_ns += until_ns - from_ns;
        client->stalled_until_ns = until_ns;
    }
}

/* All blocks from last to first, as back-propagation has them. */
static void push_all(dcps_sim_client *client, uint32_t samples, float loss)
{
    for (uint32_t block = client->world->partition.block_count; block-- > 0;) {
        client->lost[block] = false;
        dcps_client_core_push(client->core, block, samples, loss, client->world->now_ns);
    }
    client->phase = DCPS_SIM_WAITING;
    client->waits = true;
    client->waits_since_ns = client->world->now_ns;
}

static bool all_finite(const float *values, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        if (!isfinite(values[i])) {
            return false;
        }
    }
    return true;
}

void dcps_sim_client_check_weights(const dcps_sim_client *client)
{
    dcps_world *world = client->world;
    if (world->config.stop_diverged && !all_finite(client->weights, world->partition.total_params)) {
        dcps_world_diverge(world);
    }
}

static void computed(void *context, uint64_t now_ns)
{
    dcps_sim_client *client = context;
    dcps_world *world = client->world;
    if (client->phase != DCPS_SIM_COMPUTING) {
        return;
    }
    if (client->held_ns > 0) { /* it stood still for a while */
        dcps_world_at(world, now_ns + client->held_ns, computed, client);
        client->held_ns = 0;
        return;
    }
    const dcps_world_model *model = &world->config.model;
    float loss = 0.0F;
    uint32_t samples = world->config.batch_size;
    if (model->finish != NULL) {
        dcps_status status = model->finish(model->context, client->process, client->gradient, &loss, &samples);
        if (status != DCPS_OK) {
            dcps_world_fail(world, status);
            return;
        }
    }
    if (!isfinite(loss)) {
        dcps_sim_client_check_weights(client);
    }
    dcps_status watched = dcps_sim_watch(client, samples);
    if (watched != DCPS_OK) {
        dcps_world_fail(world, watched);
        return;
    }
    for (uint32_t block = 0; block < world->partition.block_count; block++) {
        client->pushes[block].sent++;
    }
    client->pushed = true;
    push_all(client, samples, loss);
}

static double slowdown_of(const dcps_sim_client *client, uint32_t worker)
{
    const dcps_world_config *config = &client->world->config;
    return config->slowdowns == NULL ? 1.0 : config->slowdowns[worker % config->workers];
}

static void begin_step(dcps_sim_client *client, uint64_t batch)
{
    dcps_world *world = client->world;
    const dcps_world_model *model = &world->config.model;
    uint32_t worker = dcps_client_core_welcome(client->core)->session.worker;
    dcps_world_step step = {.process = client->process, .worker = worker, .batch = batch};
    dcps_status status = model->begin == NULL ? DCPS_OK : model->begin(model->context, &step, client->weights);
    if (status != DCPS_OK) {
        dcps_world_fail(world, status);
        return;
    }
    uint64_t work_ns = dcps_step_times_draw(&world->config.step_times, world->config.seed, worker, client->steps++,
                                            slowdown_of(client, worker));
    client->batch = batch;
    client->phase = DCPS_SIM_COMPUTING;
    client->held_ns = 0;
    dcps_world_work(world, client->process, work_ns, computed, client);
}

static void count_acknowledged(dcps_sim_client *client)
{
    dcps_world *world = client->world;
    for (uint32_t block = 0; client->pushed && block < world->partition.block_count; block++) {
        client->pushes[block].acknowledged += client->lost[block] ? 0 : 1;
    }
    world->samples_done += client->pushed ? world->config.batch_size : 0;
    client->pushed = false;
}

/* As the trainer counts: the wait for the first weights is none. */
static void count_wait(dcps_sim_client *client)
{
    uint64_t now_ns = client->world->now_ns;
    dcps_world_wait *wait = &client->world->waits[client->process];
    if (client->waits) {
        dcps_histogram_add(&wait->wait_ns, now_ns - client->waits_since_ns);
    }
    client->waits = false;
    client->began_ns = client->began ? client->began_ns : now_ns;
    client->began = true;
    wait->worker = dcps_client_core_welcome(client->core)->session.worker;
}

static void follow(dcps_sim_client *client, dcps_ticket ticket)
{
    dcps_world *world = client->world;
    count_acknowledged(client);
    count_wait(client);
    if (ticket.kind == DCPS_TICKET_BATCH) {
        begin_step(client, ticket.number);
    } else if (ticket.kind == DCPS_TICKET_ABSTAIN) {
        push_all(client, 0, 0.0F);
    } else {
        dcps_client_core_finish(client->core, world->now_ns);
        client->phase = DCPS_SIM_LEAVING;
    }
}

static void declare(dcps_sim_client *client)
{
    const dcps_world_config *config = &client->world->config;
    client->phase = DCPS_SIM_WAITING;
    dcps_status status = dcps_client_core_declare(client->core, config->layout, config->samples_per_epoch,
                                                  client->weights, client->gradient, client->world->now_ns);
    if (status != DCPS_OK) {
        dcps_world_fail(client->world, status);
    }
}

static void proceed(dcps_sim_client *client)
{
    dcps_world *world = client->world;
    const char *text;
    dcps_status failure = dcps_client_core_failure(client->core, &text);
    if (failure != DCPS_OK) {
        dcps_world_fail(world, dcps_fail(failure, "client %u: %s", client->process, text));
        return;
    }
    dcps_ticket ticket;
    if (client->phase == DCPS_SIM_CONNECTING && dcps_client_core_welcome(client->core) != NULL) {
        declare(client);
    } else if (client == dcps_world_observer(world)) {
        dcps_sim_observer_proceed(client);
    } else if (client->phase == DCPS_SIM_WAITING && dcps_client_core_ready(client->core, &ticket)) {
        follow(client, ticket);
    } else if (client->phase == DCPS_SIM_LEAVING && dcps_client_core_finished(client->core)) {
        end(client);
    }
}

void dcps_sim_client_receive(dcps_sim_client *client, dcps_route route, const dcps_message *message,
                             const void *payload, size_t payload_bytes)
{
    if (client->phase == DCPS_SIM_ABSENT || client->phase == DCPS_SIM_ENDED) {
        return;
    }
    dcps_client_core_receive(client->core, route, message, payload, payload_bytes, client->world->now_ns);
    proceed(client);
}

void dcps_sim_client_fini(dcps_sim_client *client)
{
    dcps_client_core_destroy(&client->core);
    dcps_free(client->weights);
    dcps_free(client->gradient);
    dcps_free(client->lost);
}
