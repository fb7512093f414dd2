#include "proto/partition.h"

#include <assert.h>

#include "dcps/layout.h"
#include "proto/limits.h"

#define ALIGN DCPS_LAYOUT_ALIGN_PARAMS
#define USUAL_MIN_PARAMS (16u * 1024u) /* smaller blocks cost more in messages than they gain in overlap */
#define SMALLEST_AUTO_PARAMS 1024u     /* accepted only where shards would own nothing otherwise */
#define WANTED_BLOCKS 8u               /* lets communication overlap with back-propagation */

_Static_assert(DCPS_MAX_PARAMS / DCPS_MAX_BLOCK_PARAMS <= DCPS_MAX_BLOCKS,
               "the largest model fits the number of blocks");
_Static_assert(DCPS_MAX_BLOCK_PARAMS % ALIGN == 0, "blocks are aligned");

static uint64_t divide_up(uint64_t dividend, uint64_t divisor)
{
    return (dividend + divisor - 1) / divisor;
}

/* A multiple of 16 that cuts `total` into `wanted` equal blocks, or into a few more where rounding up would give fewer. */
static uint64_t equal_blocks(uint64_t total, uint64_t wanted)
{
    uint64_t up = divide_up(divide_up(total, wanted), ALIGN) * ALIGN;
    if (divide_up(total, up) >= wanted || up == ALIGN) {
        return up;
    }
    uint64_t down = total / wanted / ALIGN * ALIGN;
    return down == 0 ? ALIGN : down;
}

static uint32_t choose_block_params(uint64_t total, uint32_t shards)
{
    uint64_t params = equal_blocks(total, shards > WANTED_BLOCKS ? shards : WANTED_BLOCKS);
    if (params < USUAL_MIN_PARAMS) {
        params = USUAL_MIN_PARAMS;
    }
    if (divide_up(total, params) < shards) {
        params = equal_blocks(total, shards);
        if (params < SMALLEST_AUTO_PARAMS) {
            params = SMALLEST_AUTO_PARAMS;
        }
    }
    uint64_t whole = divide_up(total, ALIGN) * ALIGN;
    uint64_t most = whole < DCPS_MAX_BLOCK_PARAMS ? whole : DCPS_MAX_BLOCK_PARAMS;
    return (uint32_t)(params < most ? params : most);
}

static dcps_status check_arguments(uint64_t total_params, uint32_t block_params, uint32_t server_count,
                                   uint32_t shards_per_server)
{
    if (total_params == 0) {
        return dcps_fail(DCPS_INVALID, "partition: the model has no parameters");
    }
    if (total_params > DCPS_MAX_PARAMS) {
        return dcps_fail(DCPS_LIMIT, "partition: %llu parameters, at most %llu are possible",
                         (unsigned long long)total_params, (unsigned long long)DCPS_MAX_PARAMS);
    }
    if (server_count == 0 || shards_per_server == 0) {
        return dcps_fail(DCPS_INVALID, "partition: %u servers of %u shards, expected at least one of each",
                         server_count, shards_per_server);
    }
    if (server_count > DCPS_MAX_SERVERS || shards_per_server > DCPS_MAX_SHARDS) {
        return dcps_fail(DCPS_LIMIT, "partition: %u servers of %u shards, at most %u of %u are possible", server_count,
                         shards_per_server, DCPS_MAX_SERVERS, DCPS_MAX_SHARDS);
    }
    if (block_params % ALIGN != 0) {
        return dcps_fail(DCPS_INVALID, "partition: blocks of %u parameters, expected a multiple of %u", block_params,
                         ALIGN);
    }
    if (block_params > DCPS_MAX_BLOCK_PARAMS) {
        return dcps_fail(DCPS_LIMIT, "partition: blocks of %u parameters, at most %u are possible", block_params,
                         DCPS_MAX_BLOCK_PARAMS);
    }
    return DCPS_OK;
}

dcps_status dcps_partition_init(dcps_partition *partition, uint64_t total_params, uint32_t block_params,
                                uint32_t server_count, uint32_t shards_per_server)
{
    dcps_status status = check_arguments(total_params, block_params, server_count, shards_per_server);
    if (status != DCPS_OK) {
        return status;
    }
    if (block_params == 0) {
        block_params = choose_block_params(total_params, server_count * shards_per_server);
    }
    uint64_t blocks = divide_up(total_params, block_params);
    if (blocks > DCPS_MAX_BLOCKS) {
        return dcps_fail(
            DCPS_LIMIT,
            "partition: blocks of %u parameters cut the model into %llu, at most %u are possible: choose larger ones",
            block_params, (unsigned long long)blocks, DCPS_MAX_BLOCKS);
    }
    *partition = (dcps_partition){.total_params = total_params,
                                  .block_params = block_params,
                                  .block_count = (uint32_t)blocks,
                                  .server_count = server_count,
                                  .shards_per_server = shards_per_server};
    return DCPS_OK;
}

/* Item `index` of `parts` shares of `count` items begins here: the first `count % parts` shares have one item more, so empty ones come last. */
static uint32_t share_begin(uint32_t count, uint32_t parts, uint32_t index)
{
    uint32_t extra = count % parts;
    return index * (count / parts) + (index < extra ? index : extra);
}

/* The share that holds an item. */
static uint32_t share_of(uint32_t count, uint32_t parts, uint32_t item)
{
    uint32_t each = count / parts;
    uint32_t extra = count % parts;
    uint32_t in_larger = extra * (each + 1);
    return item < in_larger ? item / (each + 1) : extra + (item - in_larger) / each;
}

/* Blocks are shared out among servers first and then among each server's shards, so that what a server owns, and keeps in its checkpoint, does not depend on
 * the number of shards. */
uint32_t dcps_partition_first_block(const dcps_partition *partition, uint32_t shard)
{
    assert(shard <= partition->server_count * partition->shards_per_server);
    uint32_t server = shard / partition->shards_per_server;
    uint32_t begin = share_begin(partition->block_count, partition->server_count, server);
    if (server == partition->server_count) {
        return begin;
    }
    uint32_t end = share_begin(partition->block_count, partition->server_count, server + 1);
    return begin + share_begin(end - begin, partition->shards_per_server, shard % partition->shards_per_server);
}

uint32_t dcps_partition_shard_of(const dcps_partition *partition, uint32_t block)
{
    assert(block < partition->block_count);
    uint32_t server = share_of(partition->block_count, partition->server_count, block);
    uint32_t begin = share_begin(partition->block_count, partition->server_count, server);
    uint32_t end = share_begin(partition->block_count, partition->server_count, server + 1);
    return server * partition->shards_per_server + share_of(end - begin, partition->shards_per_server, block - begin);
}

uint64_t dcps_partition_block_offset(const dcps_partition *partition, uint32_t block)
{
    assert(block < partition->block_count);
    return (uint64_t)block * partition->block_params;
}

uint32_t dcps_partition_block_length(const dcps_partition *partition, uint32_t block)
{
    uint64_t rest = partition->total_params - dcps_partition_block_offset(partition, block);
    return rest < partition->block_params ? (uint32_t)rest : partition->block_params;
}
