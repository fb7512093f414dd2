/* Blocks that a checkpoint has set back, or that are ahead of a server 0 that was set back, go on where the run is. */
#include <check.h>

#include "support/check_main.h"
#include "support/engine_harness.h"

#define N 16u
#define OBSERVER 500u

static engine shard;
static engine restored;
static const float zero[N];

/* Two workers with batches of 8: blocks may differ by 32 samples. Marks after each epoch of 48 samples, three in all. */
static dcps_shard_config two_workers(void)
{
    dcps_shard_config config = engine_config("asgd");
    config.workers = 2;
    config.snapshot_every_samples = 48;
    return config;
}

static void open_two_blocks(engine *self)
{
    dcps_shard_config config = two_workers();
    engine_open(self, &config, 2 * N, N, 1);
}

static uint64_t samples_of(const engine *self, uint32_t block)
{
    dcps_shard_image image;
    ck_assert_int_eq(dcps_shard_export(self->shard, &image), DCPS_OK);
    ck_assert_uint_eq(image.block_count, 2);
    uint64_t samples = image.blocks[block].samples;
    dcps_shard_image_fini(&image);
    return samples;
}

static void push(engine *self, uint32_t block)
{
    engine_push(self, 0, block, zero);
    engine_expect(self, 0, DCPS_MESSAGE_WEIGHTS);
}

/* The answer to a snapshot request; its samples, or 0 where there is none. */
static uint64_t mark_of(engine *self, uint32_t block, uint32_t index)
{
    engine_snapshot(self, OBSERVER, block, index, false);
    engine_answer answer = engine_take(self, OBSERVER, DCPS_MESSAGE_SNAPSHOT_REPLY);
    uint64_t samples = answer.message.body.snapshot_reply.available ? answer.message.body.snapshot_reply.samples : 0;
    engine_drop(&answer);
    return samples;
}

START_TEST(test_a_block_behind_catches_up)
{
    open_two_blocks(&shard);
    engine_begin(&shard, 2, 0, zero);
    engine_begin(&shard, 2, 1, zero);
    shard.run_samples = 32; /* may be pushes on their way */
    push(&shard, 1);
    ck_assert_uint_eq(samples_of(&shard, 1), 8);
    shard.run_samples = 80;
    push(&shard, 1);
    ck_assert_uint_eq(samples_of(&shard, 1), 88);
    ck_assert_uint_eq(mark_of(&shard, 1, 0), 0); /* jumped over */
    push(&shard, 1);
    ck_assert_uint_eq(mark_of(&shard, 1, 1), 96);
    push(&shard, 0); /* leads, whatever a worker says */
    ck_assert_uint_eq(samples_of(&shard, 0), 8);
    ck_assert_uint_eq(engine_stats(&shard).blocks_moved, 1);
    shard.run_samples = UINT64_MAX; /* nonsense ends with the run */
    push(&shard, 1);
    ck_assert_uint_eq(samples_of(&shard, 1), 144 + 8);
    engine_close(&shard);
}
END_TEST

/* A worker may be far behind itself, so only a block fresh from a checkpoint goes back. */
START_TEST(test_only_a_restored_block_goes_back)
{
    open_two_blocks(&shard);
    engine_begin(&shard, 2, 0, zero);
    engine_begin(&shard, 2, 1, zero);
    for (uint32_t k = 0; k < 12; k++) {
        push(&shard, 1);
    }
    shard.run_samples = 24;
    push(&shard, 1);
    ck_assert_uint_eq(samples_of(&shard, 1), 104);
    dcps_shard_image image;
    ck_assert_int_eq(dcps_shard_export(shard.shard, &image), DCPS_OK);
    open_two_blocks(&restored);
    ck_assert_int_eq(dcps_shard_import(restored.shard, &image), DCPS_OK);
    dcps_shard_image_fini(&image);
    ck_assert_uint_eq(mark_of(&restored, 1, 1), 104);
    restored.incarnation[0] = 2;
    engine_join(&restored, 0);
    engine_pull(&restored, 0, 1); /* a worker that knows nothing yet */
    engine_expect(&restored, 0, DCPS_MESSAGE_WEIGHTS);
    ck_assert_uint_eq(samples_of(&restored, 1), 104);
    restored.run_samples = 24;
    push(&restored, 1);
    ck_assert_uint_eq(samples_of(&restored, 1), 32);
    push(&restored, 1);
    push(&restored, 1);
    ck_assert_uint_eq(mark_of(&restored, 1, 0), 48);
    for (uint32_t k = 0; k < 6; k++) {
        push(&restored, 1);
    }
    ck_assert_uint_eq(samples_of(&restored, 1), 96);
    ck_assert_uint_eq(mark_of(&restored, 1, 1), 96); /* reached anew */
    ck_assert_uint_eq(engine_stats(&restored).blocks_moved, 1);
    engine_close(&shard);
    engine_close(&restored);
}
END_TEST

/* A block that drops what block 0 applies falls behind it, and was set back by nobody: its marks are reached as it learns. */
START_TEST(test_dropped_gradients_move_nothing)
{
    dcps_shard_config config = two_workers();
    config.algorithm.cuts_off = true;
    config.algorithm.max_staleness = 1;
    config.epochs = 9;
    engine_open(&shard, &config, 2 * N, N, 1);
    engine_begin(&shard, 2, 0, zero);
    engine_begin(&shard, 2, 1, zero);
    for (uint32_t k = 0; k < 9; k++) {
        engine_push(&shard, 1, 1, zero);
        engine_expect(&shard, 1, DCPS_MESSAGE_WEIGHTS);
        shard.run_samples += 16;
        push(&shard, 1); /* late by one */
    }
    ck_assert_uint_eq(engine_stats(&shard).pushes_dropped, 9);
    ck_assert_uint_eq(samples_of(&shard, 1), 72);
    ck_assert_uint_eq(mark_of(&shard, 1, 0), 48);
    ck_assert_uint_eq(engine_stats(&shard).blocks_moved, 0);
    shard.run_samples = 72 + 72 + 32 + 1; /* more than dropped here or on the way */
    push(&shard, 1);
    ck_assert_uint_eq(engine_stats(&shard).blocks_moved, 1);
    engine_close(&shard);
}
END_TEST

/* A worker whose session this server alone has ended pushes what block 0 applies and this block refuses: no block was set back. */
START_TEST(test_refused_gradients_move_nothing)
{
    dcps_shard_config config = two_workers();
    config.epochs = 9;
    engine_open(&shard, &config, 2 * N, N, 1);
    engine_begin(&shard, 2, 0, zero);
    engine_begin(&shard, 2, 1, zero);
    for (uint32_t k = 0; k < 6; k++) {
        engine_leave(&shard, 0);
        engine_join(&shard, 0);
        engine_push(&shard, 0, 1, zero);
        engine_expect(&shard, 0, DCPS_MESSAGE_ERROR);
        shard.run_samples += 8;
        engine_pull(&shard, 0, 1);
        engine_expect(&shard, 0, DCPS_MESSAGE_WEIGHTS);
    }
    ck_assert_uint_eq(engine_stats(&shard).blocks_moved, 0);
    shard.run_samples = 48 + 32 + 1; /* more than refused here or on the way */
    push(&shard, 1);
    ck_assert_uint_eq(engine_stats(&shard).blocks_moved, 1);
    engine_close(&shard);
}
END_TEST

/* Two workers push in turn to block 1, the second one always too late: half of `pushes` are dropped. */
static void push_half_too_late(uint32_t pushes)
{
    dcps_shard_config config = two_workers();
    config.algorithm.cuts_off = true;
    config.algorithm.max_staleness = 1;
    engine_open(&shard, &config, 2 * N, N, 1);
    engine_begin(&shard, 2, 0, zero);
    engine_begin(&shard, 2, 1, zero);
    for (uint32_t k = 0; k < pushes / 2; k++) {
        engine_push(&shard, 1, 1, zero);
        engine_expect(&shard, 1, DCPS_MESSAGE_WEIGHTS);
        push(&shard, 1);
    }
    engine_finish(&shard, 0);
    engine_finish(&shard, 1);
}

/* Block 0 learns from all batches of a run, and evaluation looks at its last mark: a block that dropped many has its final weights by then. */
START_TEST(test_a_block_that_dropped_has_the_last_mark)
{
    push_half_too_late(18);
    ck_assert_uint_eq(samples_of(&shard, 1), 72);
    ck_assert_uint_eq(mark_of(&shard, 1, 0), 48);
    ck_assert_uint_eq(mark_of(&shard, 1, 1), 72);
    ck_assert_uint_eq(mark_of(&shard, 1, 2), 72);
    ck_assert_uint_eq(mark_of(&shard, 1, 3), 0); /* of no run */
    engine_close(&shard);
}
END_TEST

/* Of a run that was stopped there are no marks beyond what it came to. */
START_TEST(test_a_block_that_dropped_in_a_run_that_was_stopped)
{
    push_half_too_late(12);
    ck_assert_uint_eq(mark_of(&shard, 1, 0), 48);
    ck_assert_uint_eq(samples_of(&shard, 1), 48);
    ck_assert_uint_eq(mark_of(&shard, 1, 1), 48);
    ck_assert_uint_eq(mark_of(&shard, 1, 2), 0);
    engine_close(&shard);
}
END_TEST

/* Block 0 has no other to follow: what it dropped it does not count. */
START_TEST(test_block_0_does_not_count_what_it_dropped)
{
    dcps_shard_config config = two_workers();
    config.algorithm.cuts_off = true;
    config.algorithm.max_staleness = 1;
    engine_open(&shard, &config, 2 * N, N, 1);
    engine_begin(&shard, 2, 0, zero);
    engine_begin(&shard, 2, 1, zero);
    for (uint32_t k = 0; k < 7; k++) {
        engine_push(&shard, 1, 0, zero);
        engine_expect(&shard, 1, DCPS_MESSAGE_WEIGHTS);
        push(&shard, 0);
    }
    dcps_shard_drain(shard.shard, shard.now_ns);
    engine_finish(&shard, 0);
    engine_finish(&shard, 1);
    ck_assert_uint_eq(samples_of(&shard, 0), 56);
    ck_assert_uint_eq(mark_of(&shard, 0, 1), 56);
    ck_assert_uint_eq(mark_of(&shard, 0, 2), 0);
    engine_close(&shard);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {test_a_block_behind_catches_up,
                                  test_only_a_restored_block_goes_back,
                                  test_dropped_gradients_move_nothing,
                                  test_refused_gradients_move_nothing,
                                  test_a_block_that_dropped_has_the_last_mark,
                                  test_a_block_that_dropped_in_a_run_that_was_stopped,
                                  test_block_0_does_not_count_what_it_dropped};
    return CHECK_MAIN("shard follow", tests);
}
