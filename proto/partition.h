/* Cuts the flat vector into blocks and hands contiguous runs of blocks to shards. Pure, so that every process computes the same. */
#ifndef DCPS_PROTO_PARTITION_H
#define DCPS_PROTO_PARTITION_H

#include <stdint.h>

#include "dcps/status.h"

/* Equal blocks of `block_params` (the last may be shorter); shard k of all `shard_count` shards (those of server 0 first) owns blocks
 * [first(k), first(k + 1)). Blocks are shared out among servers first, then among each server's shards; where there are fewer blocks than shards, a server's last
 * shards own none. */
typedef struct dcps_partition {
    uint64_t total_params;
    uint32_t block_params; /* multiple of 16, at most DCPS_MAX_BLOCK_PARAMS */
    uint32_t block_count;
    uint32_t server_count;
    uint32_t shards_per_server;
} dcps_partition;

/* block_params 0 chooses: at least 8 blocks and one a shard where the model is large enough for blocks of 16,384 parameters, and at most
 * DCPS_MAX_BLOCK_PARAMS. Errors: DCPS_INVALID (no parameters, no shards, odd block size), DCPS_LIMIT. */
DCPS_MUST_CHECK dcps_status dcps_partition_init(dcps_partition *partition, uint64_t total_params, uint32_t block_params,
                                                uint32_t server_count, uint32_t shards_per_server);

/* First block of a shard (global shard index, 0 … server_count * shards_per_server; the last gives block_count). */
uint32_t dcps_partition_first_block(const dcps_partition *partition, uint32_t shard);
/* Global shard index of a block. block < block_count. */
uint32_t dcps_partition_shard_of(const dcps_partition *partition, uint32_t block);
/* Where a block starts in the flat vector, and its length, in parameters. */
uint64_t dcps_partition_block_offset(const dcps_partition *partition, uint32_t block);
uint32_t dcps_partition_block_length(const dcps_partition *partition, uint32_t block);

#endif
