/* Synchronous rounds: who takes part, when they close, and what is left of those who go. */
#include <check.h>
#include <string.h>

#include "base/alloc.h"
#include "support/check_main.h"
#include "support/engine_harness.h"

#define N ENGINE_BLOCK

static engine shard;
static const float zero[N];

START_TEST(test_applies_the_mean)
{
    engine_open_workers(&shard, "ssgd", 3, 1);
    engine_begin(&shard, 3, 0, zero);
    engine_push(&shard, 2, 0, engine_all(9.0F));
    engine_push(&shard, 0, 0, engine_all(1.0F));
    engine_expect_held(&shard, 0, 0);
    engine_expect_held(&shard, 2, 0);
    engine_expect_block(&shard, 0, zero, N);
    engine_push(&shard, 1, 0, engine_all(2.0F)); /* mean 4 */
    engine_answer answers[3];
    for (uint32_t worker = 0; worker < 3; worker++) {
        answers[worker] = engine_take(&shard, worker, DCPS_MESSAGE_WEIGHTS);
        ck_assert_ptr_eq(answers[worker].payload, answers[0].payload); /* one snapshot for all */
        ck_assert_uint_eq(answers[worker].message.body.weights.version, 1);
        ck_assert_uint_eq(answers[worker].message.body.weights.clock, 1);
        ck_assert_uint_eq(answers[worker].message.body.weights.ticket.number, 3 + worker);
    }
    ck_assert_mem_eq(answers[0].payload->data, engine_all(-2.0F), N * sizeof(float));
    for (uint32_t worker = 0; worker < 3; worker++) {
        engine_drop(&answers[worker]);
    }
    dcps_shard_stats stats = engine_stats(&shard);
    ck_assert_uint_eq(stats.updates, 1);
    ck_assert_uint_eq(stats.pushes_applied, 3);
    ck_assert_uint_eq(stats.samples, 24);
    engine_expect_quiet(&shard);
    engine_close(&shard);
}
END_TEST

START_TEST(test_abstain)
{
    engine_open_workers(&shard, "ssgd", 3, 1);
    engine_begin(&shard, 3, 0, zero);
    engine_push(&shard, 0, 0, engine_all(1.0F));
    engine_abstain(&shard, 1, 0);
    engine_expect_held(&shard, 1, 0);
    engine_push(&shard, 2, 0, engine_all(3.0F));
    for (uint32_t worker = 0; worker < 3; worker++) {
        (void)engine_expect_all(&shard, worker, -1.0F); /* the mean of two */
    }
    for (uint32_t worker = 0; worker < 3; worker++) { /* nobody contributes: no update */
        engine_abstain(&shard, worker, 0);
    }
    for (uint32_t worker = 0; worker < 3; worker++) {
        dcps_weights answer = engine_expect_all(&shard, worker, -1.0F);
        ck_assert_uint_eq(answer.version, 1);
        ck_assert_uint_eq(answer.clock, 2);
    }
    ck_assert_uint_eq(engine_stats(&shard).samples, 16);
    engine_expect_quiet(&shard);
    engine_close(&shard);
}
END_TEST

/* The worker that leaves takes its waiting push with it; when it is back, the push counts as new. */
START_TEST(test_leave_drops_the_push)
{
    engine_open_workers(&shard, "ssgd", 3, 1);
    engine_begin(&shard, 3, 0, zero);
    engine_push(&shard, 1, 0, engine_all(100.0F));
    uint64_t seq = shard.clients[1][0].seq;
    engine_push(&shard, 0, 0, engine_all(2.0F));
    engine_leave(&shard, 1);
    engine_expect_held(&shard, 0, 0);
    engine_push(&shard, 2, 0, engine_all(6.0F));
    (void)engine_expect_all(&shard, 0, -2.0F);
    (void)engine_expect_all(&shard, 2, -2.0F);
    ck_assert_uint_eq(engine_stats(&shard).pushes_applied, 2);

    engine_join(&shard, 1);
    engine_query(&shard, 1, 0);
    ck_assert_uint_eq(engine_take(&shard, 1, DCPS_MESSAGE_RESEND).message.body.notice.seq, seq);
    engine_request(&shard, 1, DCPS_MESSAGE_PUSH_PULL, 0, seq, 1, 8, engine_all(100.0F), N);
    engine_expect_error(&shard, 1, DCPS_NOT_PULLED, 0, seq); /* what it was computed at is gone */
    engine_pull(&shard, 1, 0);
    ck_assert_uint_eq(engine_expect_all(&shard, 1, -2.0F).clock, 1);
    for (uint32_t worker = 0; worker < 3; worker++) {
        engine_push(&shard, worker, 0, engine_all(2.0F));
    }
    for (uint32_t worker = 0; worker < 3; worker++) {
        (void)engine_expect_all(&shard, worker, -3.0F);
    }
    engine_expect_quiet(&shard);
    engine_close(&shard);
}
END_TEST

START_TEST(test_leave_closes_the_round)
{
    engine_open_workers(&shard, "ssgd", 3, 1);
    engine_begin(&shard, 3, 0, zero);
    engine_push(&shard, 0, 0, engine_all(2.0F));
    engine_push(&shard, 2, 0, engine_all(4.0F));
    engine_expect_quiet(&shard);
    engine_leave(&shard, 1);
    (void)engine_expect_all(&shard, 0, -1.5F);
    (void)engine_expect_all(&shard, 2, -1.5F);
    engine_finish(&shard, 2);
    engine_push(&shard, 0, 0, engine_all(1.0F));
    (void)engine_expect_all(&shard, 0, -2.0F);
    engine_expect_quiet(&shard);
    engine_close(&shard);
}
END_TEST

/* Somebody joins in mid-run, while a round is open: it takes part from the next one. */
START_TEST(test_late_joiner)
{
    engine_open_workers(&shard, "ssgd", 2, 1);
    engine_begin(&shard, 2, 0, zero);
    for (uint32_t k = 1; k <= 3; k++) {
        engine_push(&shard, 0, 0, engine_all(2.0F));
        engine_push(&shard, 1, 0, engine_all(2.0F));
        (void)engine_expect_all(&shard, 0, -(float)k);
        (void)engine_expect_all(&shard, 1, -(float)k);
    }
    engine_push(&shard, 0, 0, engine_all(2.0F)); /* round 4 is open */
    engine_join(&shard, 7);
    engine_pull(&shard, 7, 0);
    dcps_weights joined = engine_expect_all(&shard, 7, -3.0F);
    ck_assert_uint_eq(joined.clock, 4);
    engine_push(&shard, 1, 0, engine_all(4.0F)); /* closes without the newcomer */
    (void)engine_expect_all(&shard, 0, -4.5F);
    (void)engine_expect_all(&shard, 1, -4.5F);
    engine_push(&shard, 0, 0, engine_all(3.0F));
    engine_push(&shard, 1, 0, engine_all(3.0F));
    engine_expect_held(&shard, 1, 0);
    engine_push(&shard, 7, 0, engine_all(6.0F));
    (void)engine_expect_all(&shard, 0, -6.5F);
    (void)engine_expect_all(&shard, 1, -6.5F);
    ck_assert_uint_eq(engine_expect_all(&shard, 7, -6.5F).clock, 5);
    engine_expect_quiet(&shard);
    engine_close(&shard);
}
END_TEST

/* Two blocks and two workers; worker w has done step 5 at block w and step 4 at the other. Counted rounds would wait for each other in a circle: the push
 * of step 5 to one block for a push of step 6 that only follows when the other block has answered. */
static void open_crossed(void)
{
    engine_open_workers(&shard, "ssgd", 1, 2);
    engine_join(&shard, 0);
    engine_join(&shard, 1);
    for (uint32_t block = 0; block < 2; block++) {
        uint32_t behind = 1 - block;
        engine_request(&shard, behind, DCPS_MESSAGE_PULL, block, 1, 4, 0, NULL, 0);
        engine_expect(&shard, behind, DCPS_MESSAGE_NEED_INIT);
        engine_request(&shard, behind, DCPS_MESSAGE_INIT, block, 2, 4, 0, zero, N);
        ck_assert_uint_eq(engine_expect_all(&shard, behind, 0.0F).clock, 4);
        engine_request(&shard, block, DCPS_MESSAGE_PULL, block, 1, 5, 0, NULL, 0);
        ck_assert_uint_eq(engine_expect_all(&shard, block, 0.0F).clock, 5);
    }
}

START_TEST(test_circle_of_waiting)
{
    open_crossed();
    for (uint32_t block = 0; block < 2; block++) {
        uint32_t behind = 1 - block;
        engine_request(&shard, behind, DCPS_MESSAGE_PUSH_PULL, block, 3, 5, 8, engine_all(2.0F), N);
        ck_assert_uint_eq(engine_expect_all(&shard, behind, -1.0F).clock,
                          5); /* without waiting for step 6 of the other */
    }
    for (uint32_t block = 0; block < 2; block++) { /* from here on together */
        engine_request(&shard, 0, DCPS_MESSAGE_PUSH_PULL, block, 10, 6, 8, engine_all(2.0F), N);
        engine_expect_quiet(&shard);
        engine_request(&shard, 1, DCPS_MESSAGE_PUSH_PULL, block, 10, 6, 8, engine_all(4.0F), N);
        (void)engine_expect_all(&shard, 0, -2.5F);
        (void)engine_expect_all(&shard, 1, -2.5F);
    }
    engine_expect_quiet(&shard);
    engine_close(&shard);
}
END_TEST

/* A push of step 6 may even be there before that of step 5: each is its own round, the earlier first. */
START_TEST(test_two_open_rounds)
{
    open_crossed();
    engine_request(&shard, 0, DCPS_MESSAGE_PUSH_PULL, 0, 3, 6, 8, engine_all(2.0F), N);
    engine_expect_quiet(&shard);
    engine_request(&shard, 1, DCPS_MESSAGE_PUSH_PULL, 0, 3, 5, 8, engine_all(8.0F), N);
    dcps_weights answer = engine_expect_all(&shard, 1, -4.0F);
    ck_assert_uint_eq(answer.version, 1);
    engine_expect_quiet(&shard);
    engine_request(&shard, 1, DCPS_MESSAGE_PUSH_PULL, 0, 4, 6, 8, engine_all(6.0F), N);
    (void)engine_expect_all(&shard, 0, -6.0F);
    (void)engine_expect_all(&shard, 1, -6.0F);
    engine_close(&shard);
}
END_TEST

/* Asking for the weights once more gives up the push that waits. */
START_TEST(test_pull_gives_up_the_push)
{
    engine_open_workers(&shard, "ssgd", 2, 1);
    engine_begin(&shard, 2, 0, zero);
    engine_push(&shard, 0, 0, engine_all(100.0F));
    engine_pull(&shard, 0, 0);
    (void)engine_expect_all(&shard, 0, 0.0F);
    engine_push(&shard, 1, 0, engine_all(2.0F));
    engine_expect_quiet(&shard);
    engine_push(&shard, 0, 0,
                engine_all(4.0F)); /* step 2; worker 1 is in step 1, which the pull of worker 0 did not pass */
    shard.clients[1][0].step = 1;
    (void)engine_expect_all(&shard, 1, -1.0F);
    engine_expect_quiet(&shard);
    engine_push(&shard, 1, 0, engine_all(4.0F));
    (void)engine_expect_all(&shard, 0, -3.0F);
    (void)engine_expect_all(&shard, 1, -3.0F);
    engine_close(&shard);
}
END_TEST

/* A round that cannot be applied for want of memory is refused to each of its workers, and comes again. */
START_TEST(test_round_without_memory)
{
    engine_open_workers(&shard, "ssgd", 2, 1);
    engine_begin(&shard, 2, 0, zero);
    float expected = 0.0F;
    uint32_t rounds = 0;
    for (bool failed = false; !failed; rounds++) {
        ck_assert_uint_lt(rounds, 50);
        engine_push(&shard, 0, 0, engine_all(1.0F));
        dcps_alloc_fail_after(1); /* 0 is the harness's copy of the payload */
        engine_push(&shard, 1, 0, engine_all(3.0F));
        dcps_alloc_fail_after(UINT64_MAX);
        failed = shard.answers[shard.answer_count - 1].message.type == DCPS_MESSAGE_ERROR;
        expected -= failed ? 0.0F : 1.0F;
    }
    for (uint32_t worker = 0; worker < 2; worker++) {
        const engine_answer *answer = &shard.answers[shard.answer_count - 2 + worker];
        ck_assert_int_eq(answer->message.type, DCPS_MESSAGE_ERROR);
        ck_assert_int_eq(answer->message.body.error.status, DCPS_NO_MEMORY);
        ck_assert_uint_eq(answer->message.body.error.seq, shard.clients[worker][0].seq);
    }
    engine_expect_block(&shard, 0, engine_all(expected), N);
    for (uint32_t worker = 0; worker < 2; worker++) {
        engine_request(&shard, worker, DCPS_MESSAGE_PUSH_PULL, 0, shard.clients[worker][0].seq, rounds, 8,
                       engine_all(1.0F + 2.0F * (float)worker), N);
    }
    engine_expect_block(&shard, 0, engine_all(expected - 1.0F), N);
    ck_assert_uint_eq(engine_stats(&shard).updates, rounds);
    engine_close(&shard);
}
END_TEST

/* The loss of a round counts each worker by its samples. */
START_TEST(test_loss_is_weighted)
{
    engine_open_workers(&shard, "ssgd", 2, 1);
    engine_begin(&shard, 2, 0, zero);
    engine_request(&shard, 0, DCPS_MESSAGE_PUSH_PULL, 0, 10, 1, 8, zero,
                   N); /* the harness makes the loss equal to the step */
    engine_request(&shard, 1, DCPS_MESSAGE_PUSH_PULL, 0, 10, 1, 4, zero, N);
    engine_request(&shard, 0, DCPS_MESSAGE_PUSH_PULL, 0, 11, 5, 2, zero, N);
    engine_request(&shard, 1, DCPS_MESSAGE_PUSH_PULL, 0, 11, 5, 6, zero, N);
    ck_assert_double_eq_tol(engine_stats(&shard).train_loss, (1.0 * 12.0 + 5.0 * 8.0) / 20.0, 1e-12);
    ck_assert_uint_eq(engine_stats(&shard).samples, 20);
    ck_assert_uint_eq(engine_stats(&shard).staleness.of[0], 4);
    engine_close(&shard);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        test_applies_the_mean,     test_abstain,           test_leave_drops_the_push, test_leave_closes_the_round,
        test_late_joiner,          test_circle_of_waiting, test_two_open_rounds,      test_pull_gives_up_the_push,
        test_round_without_memory, test_loss_is_weighted};
    return CHECK_MAIN("shard rounds", tests);
}
