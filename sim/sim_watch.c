/* What who watches the simulated world is shown: a gradient, beside the weights that the servers have by now. */
#include <string.h>

#include "sim/world_state.h"

/* Looks at one block; false where its server is down or knows nothing of the worker. */
static bool view_block(const dcps_world *world, uint32_t block, uint32_t worker, dcps_block_view *view)
{
    uint32_t shard = dcps_partition_shard_of(&world->partition, block);
    const dcps_sim_server *server = &world->servers[shard / world->config.shards_per_server];
    return server->up && dcps_shard_view(server->shards[shard % world->config.shards_per_server], block, worker, view);
}

/* Copies the weights of all blocks; what is told of the push is that of block 0. */
static bool view_servers(dcps_world *world, dcps_world_push *push)
{
    for (uint32_t block = world->partition.block_count; block-- > 0;) {
        dcps_block_view view;
        if (!view_block(world, block, push->worker, &view)) {
            return false;
        }
        memcpy(world->watched + dcps_partition_block_offset(&world->partition, block), view.weights,
               dcps_partition_block_length(&world->partition, block) * sizeof(float));
        push->seen = view.samples;
        push->staleness = view.version - view.pulled_version;
    }
    return true;
}

dcps_status dcps_sim_watch(const dcps_sim_client *client, uint32_t samples)
{
    dcps_world *world = client->world;
    if (world->watched == NULL) {
        return DCPS_OK;
    }
    dcps_world_push push = {.process = client->process,
                            .worker = dcps_client_core_welcome(client->core)->session.worker,
                            .batch = client->batch,
                            .samples = samples,
                            .gradient = client->gradient,
                            .pulled = client->weights,
                            .weights = world->watched};
    bool seen = view_servers(world, &push);
    return seen ? world->config.watch(world->config.watch_context, &push) : DCPS_OK;
}
