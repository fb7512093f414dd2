/* How a model is cut into blocks and handed to shards. */
#include <check.h>
#include <stdbool.h>
#include <stdio.h>

#include "base/rng.h"
#include "proto/limits.h"
#include "proto/partition.h"
#include "support/check_main.h"

typedef struct choice {
    uint64_t total_params;
    uint32_t servers;
    uint32_t shards_per_server;
    uint32_t block_params;
    uint32_t block_count;
} choice;

/* Worked out by hand from the rule: eight blocks and one a shard, of 16,384 parameters at least, of 1,024 where shards would be idle. */
static const choice choices[] = {
    {1, 1, 1, 16, 1},                          /* never larger than the model */
    {1000, 1, 4, 1008, 1},                     /* too small to share */
    {8192, 1, 4, 2048, 4},                     /* small, but a block for every shard */
    {8192, 1, 16, 1024, 8},                    /* 1,024 is the end of that */
    {131072, 1, 2, 16384, 8},                  /* eight blocks */
    {131088, 1, 2, 16400, 8},                  /* still eight, equal ones */
    {268800, 1, 2, 33600, 8},                  /* an mlp of 784-256-256-10 */
    {268800, 2, 6, 22400, 12},                 /* one for each of twelve shards */
    {3000000, 1, 2, 262144, 12},               /* the largest block */
    {25600000, 2, 2, 262144, 98},              /* a ResNet-50 */
    {DCPS_MAX_PARAMS, 64, 64, 262144, 262144}, /* the largest model */
};

START_TEST(test_chosen_block_sizes)
{
    for (size_t i = 0; i < sizeof(choices) / sizeof(choices[0]); i++) {
        const choice *wanted = &choices[i];
        dcps_partition partition;
        ck_assert_int_eq(
            dcps_partition_init(&partition, wanted->total_params, 0, wanted->servers, wanted->shards_per_server),
            DCPS_OK);
        ck_assert_msg(partition.block_params == wanted->block_params && partition.block_count == wanted->block_count,
                      "%llu parameters: %u blocks of %u", (unsigned long long)wanted->total_params,
                      partition.block_count, partition.block_params);
    }
}
END_TEST

START_TEST(test_shards_by_hand)
{
    static const uint32_t first_blocks[] = {0, 3, 5, 8, 10};
    dcps_partition partition;
    ck_assert_int_eq(dcps_partition_init(&partition, 1000, 112, 2, 2), DCPS_OK);
    ck_assert_uint_eq(partition.block_count, 9);
    ck_assert_int_eq(dcps_partition_init(&partition, 1120, 112, 2, 2), DCPS_OK);
    ck_assert_uint_eq(partition.block_count, 10);
    for (uint32_t k = 0; k <= 4; k++) {
        ck_assert_uint_eq(dcps_partition_first_block(&partition, k), first_blocks[k]);
    }
    ck_assert_uint_eq(dcps_partition_shard_of(&partition, 4), 1);
    ck_assert_uint_eq(dcps_partition_shard_of(&partition, 5), 2);
    ck_assert_uint_eq(dcps_partition_block_offset(&partition, 9), 1008);
    ck_assert_uint_eq(dcps_partition_block_length(&partition, 9), 112);
    ck_assert_int_eq(dcps_partition_init(&partition, 1010, 112, 1, 3), DCPS_OK);
    ck_assert_uint_eq(partition.block_count, 10);
    ck_assert_uint_eq(dcps_partition_block_length(&partition, 9), 2);
}
END_TEST

START_TEST(test_shards_beyond_the_blocks_own_none)
{
    dcps_partition partition;
    ck_assert_int_eq(dcps_partition_init(&partition, 48, 16, 5, 1), DCPS_OK);
    ck_assert_uint_eq(partition.block_count, 3);
    for (uint32_t k = 0; k <= 5; k++) {
        ck_assert_uint_eq(dcps_partition_first_block(&partition, k), k < 3 ? k : 3);
    }
}
END_TEST

/* What must hold for every partition. */
static void check_partition(const dcps_partition *partition)
{
    uint32_t shards = partition->server_count * partition->shards_per_server;
    uint32_t least = UINT32_MAX;
    uint32_t most = 0;
    uint64_t next_params = 0;
    ck_assert_uint_eq(partition->block_params % 16, 0);
    ck_assert_uint_le(partition->block_params, DCPS_MAX_BLOCK_PARAMS);
    ck_assert_uint_eq(dcps_partition_first_block(partition, 0), 0);
    ck_assert_uint_eq(dcps_partition_first_block(partition, shards), partition->block_count);
    for (uint32_t k = 0; k < shards; k++) {
        uint32_t first = dcps_partition_first_block(partition, k);
        uint32_t end = dcps_partition_first_block(partition, k + 1);
        ck_assert_uint_le(first, end);
        least = end - first < least ? end - first : least;
        most = end - first > most ? end - first : most;
        for (uint32_t block = first; block < end; block++) {
            ck_assert_uint_eq(dcps_partition_shard_of(partition, block), k);
            ck_assert_uint_eq(dcps_partition_block_offset(partition, block), next_params);
            ck_assert_uint_gt(dcps_partition_block_length(partition, block), 0);
            next_params += dcps_partition_block_length(partition, block);
        }
    }
    ck_assert_uint_le(most - least, 1);
    ck_assert_uint_eq(next_params, partition->total_params);
}

START_TEST(test_properties)
{
    uint64_t seed = dcps_random_token();
    dcps_rng rng;
    (void)printf("seed %llu\n", (unsigned long long)seed);
    dcps_rng_seed(&rng, seed);
    for (int i = 0; i < 2000; i++) {
        dcps_partition partition;
        uint64_t total = 1 + dcps_rng_below(&rng, UINT64_C(1) << (1 + dcps_rng_below(&rng, 25)));
        uint32_t servers = 1 + (uint32_t)dcps_rng_below(&rng, 8);
        uint32_t shards = 1 + (uint32_t)dcps_rng_below(&rng, 16);
        ck_assert_int_eq(dcps_partition_init(&partition, total, 0, servers, shards), DCPS_OK);
        check_partition(&partition);
        bool enough = total >= UINT64_C(1024) * servers * shards * 2;
        ck_assert_msg(!enough || partition.block_count >= servers * shards, "%llu parameters, %u servers of %u shards",
                      (unsigned long long)total, servers, shards);
    }
}
END_TEST

/* A server that is started again with other shards must find its blocks in its checkpoint. */
START_TEST(test_servers_own_the_same_blocks_on_any_shards)
{
    uint64_t seed = dcps_random_token();
    dcps_rng rng;
    (void)printf("seed %llu\n", (unsigned long long)seed);
    dcps_rng_seed(&rng, seed);
    for (int i = 0; i < 500; i++) {
        uint64_t blocks = 1 + dcps_rng_below(&rng, 200);
        uint32_t servers = 1 + (uint32_t)dcps_rng_below(&rng, 8);
        uint32_t shards = 2 + (uint32_t)dcps_rng_below(&rng, DCPS_MAX_SHARDS - 1);
        dcps_partition one;
        dcps_partition many;
        ck_assert_int_eq(dcps_partition_init(&one, 16 * blocks, 16, servers, 1), DCPS_OK);
        ck_assert_int_eq(dcps_partition_init(&many, 16 * blocks, 16, servers, shards), DCPS_OK);
        check_partition(&many);
        for (uint32_t block = 0; block < blocks; block++) {
            uint32_t owner = dcps_partition_shard_of(&many, block) / shards;
            ck_assert_msg(dcps_partition_shard_of(&one, block) == owner,
                          "block %u of %llu, %u servers: server %u of one shard, %u of %u", block,
                          (unsigned long long)blocks, servers, dcps_partition_shard_of(&one, block), owner, shards);
        }
    }
}
END_TEST

START_TEST(test_mistakes)
{
    dcps_partition partition;
    ck_assert_int_eq(dcps_partition_init(&partition, 0, 0, 1, 1), DCPS_INVALID);
    ck_assert_int_eq(dcps_partition_init(&partition, 100, 0, 0, 1), DCPS_INVALID);
    ck_assert_int_eq(dcps_partition_init(&partition, 100, 0, 1, 0), DCPS_INVALID);
    ck_assert_int_eq(dcps_partition_init(&partition, 100, 24, 1, 1), DCPS_INVALID);
    ck_assert_int_eq(dcps_partition_init(&partition, DCPS_MAX_PARAMS + 1, 0, 1, 1), DCPS_LIMIT);
    ck_assert_int_eq(dcps_partition_init(&partition, 100, DCPS_MAX_BLOCK_PARAMS + 16, 1, 1), DCPS_LIMIT);
    ck_assert_int_eq(dcps_partition_init(&partition, 100, 0, DCPS_MAX_SERVERS + 1, 1), DCPS_LIMIT);
    ck_assert_int_eq(dcps_partition_init(&partition, 100, 0, 1, DCPS_MAX_SHARDS + 1), DCPS_LIMIT);
    ck_assert_int_eq(dcps_partition_init(&partition, UINT64_C(16) * DCPS_MAX_BLOCKS + 1, 16, 1, 1), DCPS_LIMIT);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        test_chosen_block_sizes,
        test_shards_by_hand,
        test_shards_beyond_the_blocks_own_none,
        test_properties,
        test_servers_own_the_same_blocks_on_any_shards,
        test_mistakes,
    };
    return CHECK_MAIN("partition", tests);
}
