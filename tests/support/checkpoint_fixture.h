/* A run with two workers, known to the last number, cut into checkpoints of any number of servers. */
#ifndef DCPS_TESTS_SUPPORT_CHECKPOINT_FIXTURE_H
#define DCPS_TESTS_SUPPORT_CHECKPOINT_FIXTURE_H

#include "server/checkpoint.h"

/* Tensors [40, 7], [7], [] and [300] in 10 blocks of 64 parameters, the last one shorter. */
#define FIXTURE_BLOCK_PARAMS 64u
#define FIXTURE_BLOCKS 10u
#define FIXTURE_TOTAL_PARAMS 624u
#define FIXTURE_SEED UINT64_C(18446744073709551615)
#define FIXTURE_RUN UINT64_C(0xfedcba9876543000) /* plus the index of the server */
#define FIXTURE_BATCH 16u
#define FIXTURE_EPOCHS 3u

dcps_layout *fixture_layout(void);
/* dc-a with momentum: two state arrays; plain: none. */
dcps_rule *fixture_rule(bool plain);
/* What parameter `position` of the flat vector holds in array 0 (weights) or in state array − 1: 0 between tensors. */
float fixture_value(uint32_t array, uint32_t position);

/* The checkpoint of server `index` of `count` with `shards` each. */
void fixture_make(uint32_t index, uint32_t count, uint32_t shards, uint64_t generation, dcps_checkpoint *checkpoint);
/* Writes the files of all servers. */
void fixture_write(const char *dir, uint32_t count, uint32_t shards, uint64_t generation);
/* Loads for a target, with the states of fixture_rule(plain). */
dcps_status fixture_load(const char *dir, uint32_t index, uint32_t count, uint32_t shards, bool plain,
                         dcps_checkpoint *checkpoint);
/* Asserts that what was loaded is the whole truth about the blocks of server `index` of `count`. */
void fixture_check(const dcps_checkpoint *checkpoint, uint32_t index, uint32_t count, uint32_t shards);

#endif
