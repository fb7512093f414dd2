/* A worker process of the simulated world: the real client core, and a loop of compute and push. */
#include <assert.h>

#include "base/alloc.h"
#include "base/clock.h"
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
    if (client->phase == DCPS_CLIENT_ENDED) {
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

void dcps_sim_client_start(dcps_sim_client *client)
{
    dcps_world *world = client->world;
    dcps_client_core_config config = {
        .server_count = world->config.servers,
        .role = DCPS_ROLE_WORKER,
        .nonce = dcps_rng_next(&world->token_rng) | 1u,
        .name = "sim",
        .emit = emit,
        .notice = on_notice,
        .context = client,
    };
    uint64_t params = dcps_layout_total_params(world->layout);
    client->weights = dcps_alloc(params, sizeof(float));
    client->gradient = dcps_alloc(params, sizeof(float));
    if (client->weights == NULL || client->gradient == NULL) {
        dcps_world_fail(world, dcps_fail(DCPS_NO_MEMORY, "no memory for a client"));
        return;
    }
    dcps_status status = dcps_client_core_create(&config, &client->core);
    if (status != DCPS_OK) {
        dcps_world_fail(world, status);
        return;
    }
    dcps_rng_seed_stream(&client->rng, world->config.seed, "client", client->process);
    client->phase = DCPS_CLIENT_CONNECTING;
    dcps_client_core_start(client->core, world->now_ns);
    dcps_world_at(world, world->now_ns, tick, client);
}

static void end(dcps_sim_client *client)
{
    client->phase = DCPS_CLIENT_ENDED;
    dcps_client_core_destroy(&client->core);
}

void dcps_sim_client_crash(dcps_sim_client *client)
{
    end(client);
}

void dcps_sim_client_stall(dcps_sim_client *client, uint64_t until_ns)
{
    client->stalled_until_ns = until_ns;
}

/* All blocks in an order of their own, as back-propagation and the network would have it. */
static void push_all(dcps_sim_client *client, uint32_t samples, float loss)
{
    uint32_t order[DCPS_WORLD_MAX_BLOCKS];
    uint32_t count = client->world->block_count;
    dcps_rng_permutation(&client->rng, order, count);
    for (uint32_t i = 0; i < count; i++) {
        client->lost[order[i]] = false;
        dcps_client_core_push(client->core, order[i], samples, loss, client->world->now_ns);
    }
    client->phase = DCPS_CLIENT_WAITING;
}

static void computed(void *context, uint64_t now_ns)
{
    dcps_sim_client *client = context;
    dcps_world *world = client->world;
    if (client->phase != DCPS_CLIENT_COMPUTING) {
        return;
    }
    if (client->stalled_until_ns > now_ns) {
        dcps_world_at(world, client->stalled_until_ns, computed, client);
        return;
    }
    float loss = world->config.gradient(world->config.gradient_context, client->process, client->batch, client->weights,
                                        client->gradient);
    for (uint32_t block = 0; block < world->block_count; block++) {
        client->pushes[block].sent++;
    }
    client->pushed = true;
    push_all(client, world->config.batch_size, loss);
}

static void count_acknowledged(dcps_sim_client *client)
{
    for (uint32_t block = 0; client->pushed && block < client->world->block_count; block++) {
        client->pushes[block].acknowledged += client->lost[block] ? 0 : 1;
    }
    client->pushed = false;
}

static void follow(dcps_sim_client *client, dcps_ticket ticket)
{
    dcps_world *world = client->world;
    count_acknowledged(client);
    if (ticket.kind == DCPS_TICKET_BATCH) {
        client->batch = ticket.number;
        client->phase = DCPS_CLIENT_COMPUTING;
        uint64_t step_ns = dcps_world_between(&client->rng, world->config.step_min_ns, world->config.step_max_ns);
        dcps_world_at(world, world->now_ns + step_ns, computed, client);
    } else if (ticket.kind == DCPS_TICKET_ABSTAIN) {
        push_all(client, 0, 0.0F);
    } else {
        dcps_client_core_finish(client->core, world->now_ns);
        client->phase = DCPS_CLIENT_LEAVING;
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
    if (client->phase == DCPS_CLIENT_CONNECTING && dcps_client_core_welcome(client->core) != NULL) {
        client->phase = DCPS_CLIENT_WAITING;
        dcps_status status = dcps_client_core_declare(client->core, world->layout, world->config.samples_per_epoch,
                                                      client->weights, client->gradient, world->now_ns);
        if (status != DCPS_OK) {
            dcps_world_fail(world, status);
        }
    } else if (client->phase == DCPS_CLIENT_WAITING && dcps_client_core_ready(client->core, &ticket)) {
        follow(client, ticket);
    } else if (client->phase == DCPS_CLIENT_LEAVING && dcps_client_core_finished(client->core)) {
        end(client);
    }
}

void dcps_sim_client_receive(dcps_sim_client *client, dcps_route route, const dcps_message *message,
                             const void *payload, size_t payload_bytes)
{
    if (client->phase == DCPS_CLIENT_ABSENT || client->phase == DCPS_CLIENT_ENDED) {
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
}
