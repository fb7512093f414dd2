/* Images that contradict themselves or the engine are refused, and no allocation that fails takes the engine with it. */
#include <check.h>
#include <string.h>

#include "base/alloc.h"
#include "support/check_main.h"
#include "support/engine_harness.h"

#define N 40u /* blocks of 16, 16 and 8 */
#define BLOCK 16u
#define BLOCKS 3u

static engine shards[2];
static const float zero[BLOCK];

/* An image of one block, to be spoilt. Its arrays are static, its buffers references that spoil_fini gives back. */
typedef struct spoilt {
    dcps_shard_image image;
    dcps_image_block blocks[2];
    dcps_image_seq seqs[2];
    uint64_t open[2];
} spoilt;

static void spoilt_init(spoilt *self, size_t bytes)
{
    static const float values[2 * BLOCK];
    *self = (spoilt){.image = {.block_count = 1, .has_tickets = true, .ticket_next = 3, .ticket_open_count = 2},
                     .seqs = {{.worker = 0, .incarnation = 1, .seq = 4}, {.worker = 1, .incarnation = 1, .seq = 4}},
                     .open = {0, 2}};
    self->blocks[0] = (dcps_image_block){.block = 0, .version = 3, .samples = 24, .seq_count = 2};
    self->blocks[0].seqs = self->seqs;
    self->image.blocks = self->blocks;
    self->image.ticket_open = self->open;
    ck_assert_int_eq(dcps_buffer_copy(values, bytes, &self->blocks[0].weights), DCPS_OK);
}

static void spoilt_fini(spoilt *self)
{
    dcps_buffer_unref(&self->blocks[0].weights);
    dcps_buffer_unref(&self->blocks[0].states[0]);
}

/* Imports into a fresh engine with momentum. */
static void expect_import(spoilt *self, dcps_status expected)
{
    dcps_shard_config config = engine_config("asgd");
    config.algorithm.rule.optimizer = DCPS_OPTIMIZER_MOMENTUM;
    engine_open(&shards[0], &config, BLOCK * 2, BLOCK, 1);
    dcps_status status = dcps_shard_import(shards[0].shard, &self->image);
    ck_assert_msg(status == expected, "import: %s (%s), expected %s", dcps_status_name(status), dcps_error_message(),
                  dcps_status_name(expected));
    engine_close(&shards[0]);
    spoilt_fini(self);
}

START_TEST(test_wrong_sizes_are_refused)
{
    const size_t bytes = BLOCK * sizeof(float);
    const size_t wrong[] = {0, 1, bytes - 1, bytes - 4, bytes + 1, bytes + 4, 2 * bytes};
    spoilt bad;
    spoilt_init(&bad, bytes);
    expect_import(&bad, DCPS_OK);
    for (uint32_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        spoilt_init(&bad, wrong[i]);
        expect_import(&bad, DCPS_MISMATCH);
        static const float values[2 * BLOCK];
        spoilt_init(&bad, bytes);
        ck_assert_int_eq(dcps_buffer_copy(values, wrong[i], &bad.blocks[0].states[0]), DCPS_OK);
        expect_import(&bad, DCPS_MISMATCH);
    }
    spoilt_init(&bad, bytes);
    dcps_buffer_unref(&bad.blocks[0].weights);
    expect_import(&bad, DCPS_MISMATCH);
}
END_TEST

START_TEST(test_wrong_numbers_are_refused)
{
    const size_t bytes = BLOCK * sizeof(float);
    spoilt bad;
    const uint32_t workers[] = {DCPS_MAX_WORKERS, DCPS_MAX_WORKERS + 1, UINT32_MAX};
    for (uint32_t i = 0; i < 3; i++) {
        spoilt_init(&bad, bytes);
        bad.seqs[1].worker = workers[i];
        expect_import(&bad, DCPS_CORRUPT);
    }
    spoilt_init(&bad, bytes);
    bad.seqs[1].worker = DCPS_MAX_WORKERS - 1; /* unlikely, but possible */
    expect_import(&bad, DCPS_OK);
    spoilt_init(&bad, bytes);
    bad.image.ticket_next = 19; /* the run has 18 */
    expect_import(&bad, DCPS_CORRUPT);
    spoilt_init(&bad, bytes);
    bad.open[1] = 3;
    expect_import(&bad, DCPS_CORRUPT);
    spoilt_init(&bad, bytes);
    bad.open[0] = 2;
    expect_import(&bad, DCPS_CORRUPT);
    spoilt_init(&bad, bytes);
    bad.image.ticket_open_count = UINT32_MAX;
    expect_import(&bad, DCPS_CORRUPT);
}
END_TEST

/* Blocks of others are passed over, wherever they claim to lie; the same block twice is the same block. */
START_TEST(test_blocks_of_others)
{
    const size_t bytes = BLOCK * sizeof(float);
    const uint32_t elsewhere[] = {2, 3, DCPS_MAX_BLOCKS, UINT32_MAX};
    spoilt bad;
    for (uint32_t i = 0; i < 4; i++) {
        spoilt_init(&bad, 1); /* of a size that would be refused here */
        bad.blocks[0].block = elsewhere[i];
        expect_import(&bad, DCPS_OK);
    }
    spoilt_init(&bad, bytes);
    bad.image.block_count = 2;
    bad.blocks[1] = bad.blocks[0];
    expect_import(&bad, DCPS_OK);
}
END_TEST

/* A count of samples beyond all sense neither hangs nor crashes what follows. */
START_TEST(test_absurd_samples)
{
    const uint64_t counts[] = {UINT64_MAX, UINT64_MAX - 7, UINT64_C(1) << 32, (UINT64_C(1) << 32) - 1};
    for (uint32_t i = 0; i < 4; i++) {
        dcps_shard_config config = engine_config("asgd");
        config.snapshot_every_samples = 1;
        spoilt bad;
        spoilt_init(&bad, BLOCK * sizeof(float));
        bad.blocks[0].samples = counts[i];
        bad.blocks[0].version = UINT64_MAX;
        engine_open(&shards[0], &config, BLOCK * 2, BLOCK, 1);
        dcps_status status = dcps_shard_import(shards[0].shard, &bad.image);
        ck_assert(status == DCPS_OK || status == DCPS_CORRUPT);
        if (status == DCPS_OK) {
            engine_join(&shards[0], 2);
            engine_pull(&shards[0], 2, 0);
            engine_push(&shards[0], 2, 0, zero);
            engine_push(&shards[0], 2, 0, zero);
            engine_snapshot(&shards[0], 500, 0, UINT32_MAX, false);
        }
        engine_close(&shards[0]);
        spoilt_fini(&bad);
    }
}
END_TEST

/* States that the image lacks, because another rule made it, start at zero. */
START_TEST(test_missing_states_start_at_zero)
{
    float ones[BLOCK];
    float expected[BLOCK];
    spoilt image;
    for (uint32_t i = 0; i < BLOCK; i++) {
        ones[i] = 1.0F;
        expected[i] = -0.5F;
    }
    dcps_shard_config config = engine_config("asgd");
    config.algorithm.rule.optimizer = DCPS_OPTIMIZER_MOMENTUM;
    config.algorithm.rule.momentum = 0.5;
    engine_open(&shards[0], &config, BLOCK * 2, BLOCK, 1);
    spoilt_init(&image, sizeof(ones));
    ck_assert_int_eq(dcps_shard_import(shards[0].shard, &image.image), DCPS_OK);
    engine_join(&shards[0], 0);
    shards[0].clients[0][0].seq = 4;
    engine_pull(&shards[0], 0, 0);
    (void)engine_expect_weights(&shards[0], 0, zero, BLOCK);
    engine_push(&shards[0], 0, 0, ones);
    (void)engine_expect_weights(&shards[0], 0, expected, BLOCK);
    for (uint32_t i = 0; i < BLOCK; i++) {
        expected[i] = -0.5F - 0.5F * 1.5F;
    }
    engine_push(&shards[0], 0, 0, ones);
    (void)engine_expect_weights(&shards[0], 0, expected, BLOCK);
    engine_close(&shards[0]);
    spoilt_fini(&image);
}
END_TEST

/* ---- memory ---- */

static dcps_shard_config rich_config(void)
{
    dcps_shard_config config = engine_config("dc-asgd-a");
    config.algorithm.rule.optimizer = DCPS_OPTIMIZER_MOMENTUM;
    config.algorithm.rule.momentum = 0.9;
    return config;
}

static void begin_rich(void)
{
    dcps_shard_config config = rich_config();
    engine_open(&shards[0], &config, N, BLOCK, 1);
    for (uint32_t block = 0; block < BLOCKS; block++) {
        engine_begin(&shards[0], 2, block, zero);
    }
}

START_TEST(test_create_without_memory)
{
    dcps_shard_config config = rich_config();
    dcps_status status = DCPS_NO_MEMORY;
    uint64_t n = 0;
    for (; status != DCPS_OK; n++) {
        dcps_shard *made = NULL;
        dcps_alloc_fail_after(n);
        status = dcps_shard_create(&config, &made);
        dcps_alloc_fail_after(UINT64_MAX);
        ck_assert(status == DCPS_OK || (status == DCPS_NO_MEMORY && made == NULL));
        dcps_shard_destroy(&made);
    }
    ck_assert_uint_gt(n, 2);
}
END_TEST

/* What is left after a failure can be used, asked and destroyed. */
static void poke(engine *self)
{
    dcps_shard_image image;
    engine_join(self, 0);
    engine_pull(self, 0, 0);
    engine_snapshot(self, 500, 0, 0, false);
    dcps_shard_tick(self->shard, 99);
    dcps_shard_drain(self->shard, 99);
    engine_leave(self, 0);
    (void)engine_stats(self);
    ck_assert_int_eq(dcps_shard_export(self->shard, &image), DCPS_OK);
    dcps_shard_image_fini(&image);
}

START_TEST(test_partition_without_memory)
{
    dcps_shard_config config = rich_config();
    config.snapshot_every_samples = 8;
    dcps_status status = DCPS_NO_MEMORY;
    for (uint64_t n = 0; status != DCPS_OK; n++) {
        engine_open_bare(&shards[0], &config);
        ck_assert_int_eq(dcps_partition_init(&shards[0].partition, N, BLOCK, 1, 1), DCPS_OK);
        dcps_alloc_fail_after(n);
        status = dcps_shard_set_partition(shards[0].shard, &shards[0].partition, NULL, 48);
        dcps_alloc_fail_after(UINT64_MAX);
        ck_assert(status == DCPS_OK || (status == DCPS_NO_MEMORY && n < 100));
        poke(&shards[0]);
        engine_close(&shards[0]);
    }
}
END_TEST

START_TEST(test_import_without_memory)
{
    begin_rich();
    engine_join(&shards[0], 9);
    engine_pull(&shards[0], 9, 0);
    engine_expect(&shards[0], 9, DCPS_MESSAGE_WEIGHTS);
    dcps_shard_image image;
    ck_assert_int_eq(dcps_shard_export(shards[0].shard, &image), DCPS_OK);
    dcps_shard_config config = rich_config();
    dcps_status status = DCPS_NO_MEMORY;
    uint64_t n = 0;
    for (; status != DCPS_OK; n++) {
        engine_open(&shards[1], &config, N, BLOCK, 1);
        dcps_alloc_fail_after(n);
        status = dcps_shard_import(shards[1].shard, &image);
        dcps_alloc_fail_after(UINT64_MAX);
        ck_assert(status == DCPS_OK || status == DCPS_NO_MEMORY);
        poke(&shards[1]);
        engine_close(&shards[1]);
    }
    ck_assert_uint_gt(n, BLOCKS); /* worker 9 needs a place in each block */
    dcps_shard_image_fini(&image);
    engine_expect_quiet(&shards[0]);
    engine_close(&shards[0]);
}
END_TEST

/* A worker beyond those expected needs room; without it, it is not let in, and the others go on. */
START_TEST(test_join_without_memory)
{
    begin_rich();
    dcps_session session = {.worker = 12, .incarnation = 1, .token = 1012};
    dcps_status status = DCPS_NO_MEMORY;
    for (uint64_t n = 0; status != DCPS_OK; n++) {
        dcps_alloc_fail_after(n);
        status = dcps_shard_worker_join(shards[0].shard, &session, shards[0].now_ns);
        dcps_alloc_fail_after(UINT64_MAX);
        ck_assert(status == DCPS_OK || (status == DCPS_NO_MEMORY && n < 100));
        if (status != DCPS_OK) {
            engine_request(&shards[0], 12, DCPS_MESSAGE_PULL, 0, 1, 0, 0, NULL, 0);
            engine_expect_error(&shards[0], 12, DCPS_SESSION, 0, 1);
        }
        engine_push(&shards[0], 1, 2, zero);
        engine_expect(&shards[0], 1, DCPS_MESSAGE_WEIGHTS);
    }
    engine_pull(&shards[0], 12, 0);
    engine_expect(&shards[0], 12, DCPS_MESSAGE_WEIGHTS);
    engine_expect_quiet(&shards[0]);
    engine_close(&shards[0]);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        test_wrong_sizes_are_refused,  test_wrong_numbers_are_refused,    test_blocks_of_others,
        test_absurd_samples,           test_missing_states_start_at_zero, test_create_without_memory,
        test_partition_without_memory, test_import_without_memory,        test_join_without_memory};
    return CHECK_MAIN("shard image hostile", tests);
}
