/* Whom others wait for: rounds, the bound and the last mini-batches. */
#include <check.h>

#include "support/check_main.h"
#include "support/engine_harness.h"

#define N 16u
#define BLOCKS 2u

static engine shard;
static uint64_t woke_ns;
static const float zero[N];

static void open_workers(const char *preset, uint32_t workers)
{
    dcps_shard_config config = engine_config(preset);
    config.workers = workers;
    config.epochs = 1;
    config.batch_size = 16; /* three batches */
    config.algorithm.ssp_bound = 1;
    engine_open(&shard, &config, N * BLOCKS, N, 1);
    engine_begin(&shard, workers, 0, zero);
}

static dcps_awaited_list look(void)
{
    dcps_awaited_list list = {.count = 0};
    dcps_shard_awaited(shard.shard, woke_ns, shard.now_ns, &list);
    return list;
}

static void expect_nobody(void)
{
    ck_assert_uint_eq(look().count, 0);
}

static void expect_one(uint32_t worker, uint32_t block, uint64_t waited_ns)
{
    dcps_awaited_list list = look();
    ck_assert_uint_eq(list.count, 1);
    ck_assert_uint_eq(list.items[0].session.worker, worker);
    ck_assert_uint_eq(list.items[0].session.token, engine_session(&shard, worker).token);
    ck_assert_uint_eq(list.items[0].block, block);
    ck_assert_uint_eq(list.items[0].waited_ns, waited_ns);
}

START_TEST(test_a_round_waits_for_who_has_not_pushed)
{
    open_workers("ssgd", 3);
    shard.now_ns = 5000;
    expect_nobody(); /* all compute */
    engine_push(&shard, 1, 0, zero);
    shard.now_ns = 5100;
    engine_push(&shard, 2, 0, zero);
    shard.now_ns = 5400;
    expect_one(0, 0, 400); /* since the first of them asked */
    engine_push(&shard, 0, 0, zero);
    expect_nobody();
    shard.now_ns = 9000;
    engine_push(&shard, 0, 0, zero);
    shard.now_ns = 9100;
    dcps_awaited_list list = look();
    ck_assert_uint_eq(list.count, 2);
    ck_assert_uint_eq(list.items[0].session.worker, 1);
    ck_assert_uint_eq(list.items[1].session.worker, 2);
    engine_leave(&shard, 1);
    engine_leave(&shard, 2);
    expect_nobody();
    engine_close(&shard);
}
END_TEST

/* Somebody who waits at one block is not to blame for what it has not sent to another. The longest wait counts. */
START_TEST(test_blocks_are_looked_at_together)
{
    open_workers("ssgd", 2);
    engine_pull(&shard, 0, 1);
    engine_expect(&shard, 0, DCPS_MESSAGE_NEED_INIT);
    engine_init(&shard, 0, 1, zero);
    engine_pull(&shard, 1, 1);
    engine_expect(&shard, 0, DCPS_MESSAGE_WEIGHTS);
    engine_expect(&shard, 1, DCPS_MESSAGE_WEIGHTS);
    shard.now_ns = 2000;
    engine_push(&shard, 0, 1, zero);
    shard.now_ns = 2100;
    engine_push(&shard, 0, 0, zero);
    shard.now_ns = 2200;
    expect_one(1, 1, 200);
    engine_push(&shard, 1, 1, zero); /* closes that round: worker 0 has its answer, and still waits at block 0 */
    expect_one(1, 0, 0);             /* for one that has just been heard */
    shard.now_ns = 2500;
    engine_query(&shard, 1, 1); /* asking again is no progress: its client does that by itself */
    expect_one(1, 0, 300);
    engine_close(&shard);
}
END_TEST

/* A server that stood still did not wait: what it had not read may be the very push. */
START_TEST(test_nobody_is_to_blame_for_a_pause)
{
    open_workers("ssgd", 2);
    shard.now_ns = 5000;
    engine_push(&shard, 1, 0, zero);
    shard.now_ns = 905000;
    woke_ns = 905000;
    expect_one(0, 0, 0);
    shard.now_ns = 905100;
    expect_one(0, 0, 100);
    engine_push(&shard, 0, 0, zero);
    expect_nobody();
    shard.now_ns = 907000; /* later waits are not touched by it */
    engine_push(&shard, 0, 0, zero);
    shard.now_ns = 907300;
    expect_one(1, 0, 300);
    woke_ns = 0;
    engine_close(&shard);
}
END_TEST

START_TEST(test_the_bound_waits_for_the_slowest)
{
    open_workers("ssp", 3);
    for (uint32_t worker = 1; worker < 3; worker++) {
        engine_push(&shard, worker, 0, zero);
        engine_expect(&shard, worker, DCPS_MESSAGE_WEIGHTS);
    }
    expect_nobody(); /* one ahead is within the bound */
    shard.now_ns = 3000;
    engine_push(&shard, 2, 0, zero);
    shard.now_ns = 3700;
    expect_one(0, 0, 700);
    engine_close(&shard);
}
END_TEST

START_TEST(test_the_end_waits_for_who_holds_a_batch)
{
    open_workers("asgd", 2);
    for (uint32_t k = 0; k < 2; k++) {
        engine_push(&shard, 1, 0, zero);
    }
    engine_expect(&shard, 1, DCPS_MESSAGE_WEIGHTS);
    engine_expect_quiet(&shard); /* batch 0 is still out */
    shard.now_ns = 7000;
    expect_one(0, 0, 6000);
    engine_join(&shard, 2);
    engine_pull(&shard, 2, 0); /* waits, too, and holds nothing */
    shard.now_ns = 7500;
    expect_one(0, 0, 6500);
    engine_leave(&shard, 0);
    engine_expect(&shard, 1, DCPS_MESSAGE_WEIGHTS); /* has the batch now: the wait for it begins anew */
    shard.now_ns = 7600;
    expect_one(1, 0, 100);
    engine_close(&shard);
}
END_TEST

/* With backup workers one that is missing may be any of the slowest. */
START_TEST(test_backup_workers)
{
    dcps_shard_config config = engine_config("ssgd");
    config.workers = 3;
    config.algorithm.backup_workers = 1;
    engine_open(&shard, &config, N, N, 1);
    engine_begin(&shard, 3, 0, zero);
    engine_push(&shard, 1, 0, zero);
    shard.now_ns += 50;
    ck_assert_uint_eq(look().count, 2);
    engine_push(&shard, 0, 0, zero);
    expect_nobody();
    engine_close(&shard);
}
END_TEST

START_TEST(test_the_longest_are_kept)
{
    dcps_awaited_list list = {.count = 0};
    for (uint32_t i = 0; i < DCPS_MAX_AWAITED + 2u; i++) {
        dcps_awaited one = {.session = {.worker = i, .incarnation = 1, .token = 7}, .waited_ns = 100u + i};
        dcps_awaited_add(&list, &one);
    }
    ck_assert_uint_eq(list.count, DCPS_MAX_AWAITED);
    dcps_awaited late = {.session = {.worker = 500, .incarnation = 1, .token = 7}, .waited_ns = 101};
    dcps_awaited_add(&list, &late); /* shorter than all */
    late = (dcps_awaited){.session = {.worker = 5, .incarnation = 1, .token = 7}, .block = 3, .waited_ns = 50};
    dcps_awaited_add(&list, &late); /* listed with a longer wait */
    uint64_t sum = 0;
    for (uint32_t i = 0; i < list.count; i++) {
        ck_assert_uint_ge(list.items[i].session.worker, 2);
        ck_assert_uint_eq(list.items[i].waited_ns, 100u + list.items[i].session.worker);
        ck_assert_uint_eq(list.items[i].block, 0);
        sum += list.items[i].session.worker;
    }
    ck_assert_uint_eq(sum, 2u + 3u + 4u + 5u + 6u + 7u + 8u + 9u + 10u + 11u + 12u + 13u + 14u + 15u + 16u + 17u);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {test_a_round_waits_for_who_has_not_pushed,
                                  test_blocks_are_looked_at_together,
                                  test_nobody_is_to_blame_for_a_pause,
                                  test_the_bound_waits_for_the_slowest,
                                  test_the_end_waits_for_who_holds_a_batch,
                                  test_backup_workers,
                                  test_the_longest_are_kept};
    return CHECK_MAIN("awaited workers", tests);
}
