/* Gradients that come too late: a largest staleness under asp, rounds that close without their slowest under bsp. */
#include <check.h>

#include "base/alloc.h"
#include "support/check_main.h"
#include "support/engine_harness.h"

#define N ENGINE_BLOCK

static engine shard;
static const float zero[N];

static void open_ringmaster(uint64_t limit, uint32_t workers)
{
    dcps_shard_config config = engine_config("ringmaster");
    config.algorithm.max_staleness = limit;
    config.workers = workers;
    engine_open(&shard, &config, N, N, 1);
    engine_begin(&shard, workers, 0, zero);
}

static dcps_weights push(uint32_t worker, float gradient, float expected)
{
    engine_push(&shard, worker, 0, engine_all(gradient));
    return engine_expect_all(&shard, worker, expected);
}

START_TEST(test_too_late_is_dropped)
{
    open_ringmaster(2, 2); /* tickets 0 and 1 are out */
    (void)push(0, 2.0F, -1.0F);
    (void)push(0, 2.0F, -2.0F);
    uint64_t seq = shard.clients[1][0].seq + 1u;
    dcps_weights answer = push(1, 100.0F, -2.0F); /* τ = 2 */
    ck_assert_uint_eq(answer.version, 2);
    ck_assert_uint_eq(answer.ticket.kind, DCPS_TICKET_BATCH);
    ck_assert_uint_eq(answer.ticket.number, 1); /* to be computed once more */
    dcps_shard_stats stats = engine_stats(&shard);
    ck_assert_uint_eq(stats.pushes_dropped, 1);
    ck_assert_uint_eq(stats.pushes_applied, 2);
    ck_assert_uint_eq(stats.samples, 16);
    ck_assert_uint_eq(stats.staleness.of[2], 0);
    engine_request(&shard, 1, DCPS_MESSAGE_PUSH_PULL, 0, seq, 1, 8, engine_all(100.0F),
                   N); /* the repeat is no second one */
    (void)engine_expect_all(&shard, 1, -2.0F);
    ck_assert_uint_eq(engine_stats(&shard).pushes_dropped, 1);
    (void)push(0, 2.0F, -3.0F);
    (void)push(1, 2.0F, -4.0F); /* τ = 1 */
    ck_assert_uint_eq(engine_stats(&shard).pushes_dropped, 1);
    ck_assert_uint_eq(engine_stats(&shard).staleness.of[1], 1);
    engine_expect_quiet(&shard);
    engine_close(&shard);
}
END_TEST

START_TEST(test_limit_is_twice_the_workers_unless_given)
{
    open_ringmaster(0, 2);
    for (uint32_t i = 1; i <= 3; i++) {
        (void)push(0, 2.0F, -(float)i);
    }
    (void)push(1, 2.0F, -4.0F); /* τ = 3 */
    for (uint32_t i = 5; i <= 8; i++) {
        (void)push(0, 2.0F, -(float)i);
    }
    (void)push(1, 2.0F, -8.0F); /* τ = 4 */
    ck_assert_uint_eq(engine_stats(&shard).pushes_dropped, 1);
    engine_close(&shard);
}
END_TEST

/* The last batches: one waits for what the other may give back. */
START_TEST(test_dropped_batch_is_learnt_from_in_the_end)
{
    dcps_shard_config config = engine_config("ringmaster");
    config.algorithm.max_staleness = 2;
    config.epochs = 1;
    config.batch_size = 16; /* three batches */
    engine_open(&shard, &config, N, N, 1);
    engine_begin(&shard, 2, 0, zero);
    (void)push(0, 2.0F, -1.0F);
    engine_push(&shard, 0, 0, engine_all(2.0F)); /* batch 2; none is left, batch 1 is out */
    engine_expect_quiet(&shard);
    engine_push(&shard, 1, 0, engine_all(100.0F)); /* τ = 2: batch 1 goes back, to whoever asked first */
    ck_assert_uint_eq(engine_expect_all(&shard, 0, -2.0F).ticket.number, 1);
    engine_expect_quiet(&shard); /* and worker 1 waits now */
    engine_push(&shard, 0, 0, engine_all(2.0F));
    ck_assert_uint_eq(engine_expect_all(&shard, 0, -3.0F).ticket.kind, DCPS_TICKET_DONE);
    ck_assert_uint_eq(engine_expect_all(&shard, 1, -3.0F).ticket.kind, DCPS_TICKET_DONE);
    ck_assert_uint_eq(engine_stats(&shard).samples, 48);
    ck_assert_int_eq(engine_stats(&shard).state, DCPS_RUN_DONE);
    engine_close(&shard);
}
END_TEST

static void open_backup(uint32_t workers, uint32_t backup, uint32_t epochs)
{
    dcps_shard_config config = engine_config("ssgd");
    config.workers = workers;
    config.algorithm.backup_workers = backup;
    config.epochs = epochs;
    config.batch_size = 16; /* three an epoch */
    engine_open(&shard, &config, N, N, 1);
    engine_begin(&shard, workers, 0, zero);
}

START_TEST(test_round_closes_without_the_slowest)
{
    open_backup(3, 1, 9); /* tickets 0, 1 and 2 are out */
    engine_push(&shard, 2, 0, engine_all(3.0F));
    engine_expect_quiet(&shard); /* two are missing */
    engine_push(&shard, 0, 0, engine_all(1.0F));
    (void)engine_expect_all(&shard, 0, -1.0F); /* mean 2 */
    (void)engine_expect_all(&shard, 2, -1.0F);
    dcps_weights late = push(1, 100.0F, -1.0F);
    ck_assert_uint_eq(late.clock, 1);
    ck_assert_uint_eq(late.ticket.number, 1); /* once more */
    dcps_shard_stats stats = engine_stats(&shard);
    ck_assert_uint_eq(stats.pushes_dropped, 1);
    ck_assert_uint_eq(stats.pushes_applied, 2);
    ck_assert_uint_eq(stats.updates, 1);
    /* Now it is among the first, and worker 0 is not. */
    engine_push(&shard, 1, 0, engine_all(5.0F));
    engine_push(&shard, 2, 0, engine_all(7.0F));
    (void)engine_expect_all(&shard, 1, -4.0F);
    (void)engine_expect_all(&shard, 2, -4.0F);
    engine_expect_quiet(&shard);
    engine_close(&shard);
}
END_TEST

/* Several rounds late: it goes on with the one that is open. */
START_TEST(test_straggler_skips_rounds)
{
    open_backup(2, 1, 9);
    (void)push(0, 2.0F, -1.0F);
    (void)push(0, 2.0F, -2.0F);
    (void)push(0, 2.0F, -3.0F);
    dcps_weights late = push(1, 100.0F, -3.0F);
    ck_assert_uint_eq(late.clock, 3);
    (void)push(1, 2.0F, -4.0F); /* step 4, alone and first */
    ck_assert_uint_eq(engine_stats(&shard).pushes_dropped, 1);
    (void)push(0, 100.0F, -4.0F); /* and now the other is late */
    ck_assert_uint_eq(engine_stats(&shard).pushes_dropped, 2);
    engine_close(&shard);
}
END_TEST

/* The slowest has the last batch: the others abstain, and their round waits for it. */
START_TEST(test_abstaining_rounds_wait)
{
    open_backup(2, 1, 1); /* batches 0 and 1 are out, 2 is left */
    (void)push(0, 2.0F, -1.0F);
    engine_push(&shard, 0, 0, engine_all(2.0F));
    ck_assert_uint_eq(engine_expect_all(&shard, 0, -2.0F).ticket.kind, DCPS_TICKET_ABSTAIN);
    engine_abstain(&shard, 0, 0); /* step 3 */
    engine_expect_quiet(&shard);
    dcps_weights late = push(1, 100.0F, -2.0F); /* of step 1 */
    ck_assert_uint_eq(late.ticket.number, 1);
    engine_expect_quiet(&shard);
    engine_push(&shard, 1, 0, engine_all(2.0F)); /* step 3 */
    ck_assert_uint_eq(engine_expect_all(&shard, 0, -3.0F).ticket.kind, DCPS_TICKET_DONE);
    ck_assert_uint_eq(engine_expect_all(&shard, 1, -3.0F).ticket.kind, DCPS_TICKET_DONE);
    ck_assert_uint_eq(engine_stats(&shard).samples, 48);
    engine_close(&shard);
}
END_TEST

/* Fewer live workers than backups: the round still needs somebody. */
START_TEST(test_last_worker_goes_on)
{
    open_backup(3, 2, 9);
    engine_leave(&shard, 1);
    engine_leave(&shard, 2);
    engine_expect_quiet(&shard);
    (void)push(0, 2.0F, -1.0F);
    engine_close(&shard);
}
END_TEST

/* Pushes of workers 0 and 2, which close the round. Their answers are kept, so that snapshots run out and memory is asked for in the end: there is none. */
static bool round_fails(void)
{
    engine_push(&shard, 0, 0, engine_all(1.0F));
    dcps_alloc_fail_after(1); /* 0 is the harness's copy of the payload */
    engine_push(&shard, 2, 0, engine_all(3.0F));
    dcps_alloc_fail_after(UINT64_MAX);
    return shard.answers[shard.answer_count - 1].message.type == DCPS_MESSAGE_ERROR;
}

/* A round that could not be applied has not closed: its pushes come again, and are not late. */
START_TEST(test_round_without_memory_is_not_closed)
{
    open_backup(3, 1, 9);
    uint32_t rounds = 0;
    while (!round_fails()) {
        ck_assert_uint_lt(rounds++, 10);
    }
    engine_expect_block(&shard, 0, engine_all(-(float)rounds), N);
    for (uint32_t worker = 0; worker < 3; worker += 2) {
        const engine_client *client = &shard.clients[worker][0];
        engine_request(&shard, worker, DCPS_MESSAGE_PUSH_PULL, 0, client->seq, client->step, 16,
                       engine_all(1.0F + (float)worker), N);
    }
    engine_expect_block(&shard, 0, engine_all(-(float)(rounds + 1u)), N);
    ck_assert_uint_eq(engine_stats(&shard).updates, rounds + 1u);
    ck_assert_uint_eq(engine_stats(&shard).pushes_dropped, 0);
    engine_close(&shard);
}
END_TEST

START_TEST(test_without_backups_nobody_is_late)
{
    open_backup(2, 0, 9);
    engine_push(&shard, 0, 0, engine_all(2.0F));
    engine_expect_quiet(&shard);
    engine_push(&shard, 1, 0, engine_all(2.0F));
    (void)engine_expect_all(&shard, 0, -1.0F);
    (void)engine_expect_all(&shard, 1, -1.0F);
    ck_assert_uint_eq(engine_stats(&shard).pushes_dropped, 0);
    engine_close(&shard);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {test_too_late_is_dropped,
                                  test_limit_is_twice_the_workers_unless_given,
                                  test_dropped_batch_is_learnt_from_in_the_end,
                                  test_round_closes_without_the_slowest,
                                  test_straggler_skips_rounds,
                                  test_abstaining_rounds_wait,
                                  test_last_worker_goes_on,
                                  test_round_without_memory_is_not_closed,
                                  test_without_backups_nobody_is_late};
    return CHECK_MAIN("shard late", tests);
}
