/* When pushes are applied and when answers leave: asp, ssp, the start and the end of a run. */
#include <check.h>
#include <string.h>

#include "base/clock.h"
#include "support/check_main.h"
#include "support/engine_harness.h"

#define N ENGINE_BLOCK

static engine shard;
static engine other;
static const float zero[N];

START_TEST(test_asp_applies_and_answers_at_once)
{
    engine_open_workers(&shard, "asgd", 4, 1);
    engine_begin(&shard, 1, 0, zero); /* does not wait for the other three */
    engine_join(&shard, 1);
    engine_pull(&shard, 1, 0);
    (void)engine_expect_all(&shard, 1, 0.0F);
    for (uint32_t k = 1; k <= 5; k++) { /* worker 1 stands still meanwhile */
        engine_push(&shard, 0, 0, engine_all(2.0F));
        dcps_weights answer = engine_expect_all(&shard, 0, -(float)k);
        ck_assert_uint_eq(answer.version, k);
        ck_assert_uint_eq(answer.clock, k);
    }
    engine_push(&shard, 1, 0, engine_all(-10.0F));
    (void)engine_expect_all(&shard, 1, 0.0F);
    engine_expect_quiet(&shard);
    engine_close(&shard);
}
END_TEST

/* The last batches: who finds none left waits for those under way, takes over what a dead worker held, and is done when all are applied. */
START_TEST(test_asp_waits_for_the_last_batches)
{
    dcps_shard_config config = engine_config("asgd");
    config.epochs = 1;
    config.batch_size = 24; /* two batches */
    engine_open(&shard, &config, N, N, 1);
    engine_begin(&shard, 2, 0, zero);
    engine_push(&shard, 0, 0, engine_all(2.0F));
    ck_assert_int_eq(engine_stats(&shard).state, DCPS_RUN_DRAINING);
    engine_join(&shard, 2);
    engine_pull(&shard, 2, 0);
    engine_expect_held(&shard, 0, 0);
    engine_expect_held(&shard, 2, 0);
    engine_leave(&shard, 1); /* held batch 1 */
    dcps_weights answer = engine_expect_all(&shard, 0, -1.0F);
    ck_assert_int_eq(answer.ticket.kind, DCPS_TICKET_BATCH);
    ck_assert_uint_eq(answer.ticket.number, 1);
    engine_expect_held(&shard, 2, 0);
    engine_push(&shard, 0, 0, engine_all(2.0F));
    ck_assert_int_eq(engine_expect_all(&shard, 0, -2.0F).ticket.kind, DCPS_TICKET_DONE);
    ck_assert_int_eq(engine_expect_all(&shard, 2, -2.0F).ticket.kind, DCPS_TICKET_DONE);
    ck_assert_int_eq(engine_stats(&shard).state, DCPS_RUN_DONE);
    engine_expect_quiet(&shard);
    engine_close(&shard);
}
END_TEST

/* 48 samples in batches of 20 are three batches an epoch, the last of 8. */
START_TEST(test_short_last_batch)
{
    dcps_shard_config config = engine_config("asgd");
    config.epochs = 2;
    config.batch_size = 20;
    engine_open(&shard, &config, N, N, 1);
    engine_begin(&shard, 1, 0, zero);
    for (uint32_t batch = 0; batch < 6; batch++) {
        engine_client *client = &shard.clients[0][0];
        uint32_t samples = batch % 3 == 2 ? 8 : 20;
        engine_request(&shard, 0, DCPS_MESSAGE_PUSH_PULL, 0, ++client->seq, ++client->step, samples, zero, N);
        dcps_ticket ticket = engine_expect_all(&shard, 0, 0.0F).ticket;
        ck_assert_int_eq(ticket.kind, batch < 5 ? DCPS_TICKET_BATCH : DCPS_TICKET_DONE);
    }
    ck_assert_uint_eq(engine_stats(&shard).samples, 96);
    engine_close(&shard);
}
END_TEST

START_TEST(test_ssp_holds_who_runs_ahead)
{
    dcps_shard_config config = engine_config("ssp");
    config.workers = 3;
    config.algorithm.ssp_bound = 2;
    engine_open(&shard, &config, N, N, 1);
    engine_begin(&shard, 3, 0, zero);
    engine_push(&shard, 0, 0, engine_all(2.0F));
    (void)engine_expect_all(&shard, 0, -1.0F);
    engine_push(&shard, 0, 0, engine_all(2.0F));
    (void)engine_expect_all(&shard, 0, -2.0F); /* two ahead: the bound */
    engine_push(&shard, 0, 0, engine_all(2.0F));
    engine_expect_held(&shard, 0, 0);
    engine_expect_block(&shard, 0, engine_all(-3.0F), N); /* applied all the same */
    engine_push(&shard, 1, 0, engine_all(2.0F));
    (void)engine_expect_all(&shard, 1, -4.0F);
    engine_expect_held(&shard, 0, 0); /* worker 2 is the slowest still */
    engine_push(&shard, 2, 0, engine_all(2.0F));
    (void)engine_expect_all(&shard, 2, -5.0F);
    dcps_weights answer = engine_expect_all(&shard, 0, -5.0F); /* with the weights of now */
    ck_assert_uint_eq(answer.version, 5);
    ck_assert_uint_eq(answer.clock, 3);
    engine_expect_quiet(&shard);
    engine_close(&shard);
}
END_TEST

START_TEST(test_ssp_goes_on_without_who_leaves)
{
    dcps_shard_config config = engine_config("ssp");
    config.algorithm.ssp_bound = 0; /* lockstep */
    engine_open(&shard, &config, N, N, 1);
    engine_begin(&shard, 2, 0, zero);
    engine_push(&shard, 0, 0, engine_all(2.0F));
    engine_expect_held(&shard, 0, 0);
    if (_i == 0) {
        engine_leave(&shard, 1);
    } else {
        engine_finish(&shard, 1);
    }
    (void)engine_expect_all(&shard, 0, -1.0F);
    engine_push(&shard, 0, 0, engine_all(2.0F)); /* alone, it waits for nobody */
    (void)engine_expect_all(&shard, 0, -2.0F);
    engine_join(&shard, 1); /* back: counts from where the others are */
    engine_pull(&shard, 1, 0);
    ck_assert_uint_eq(engine_expect_all(&shard, 1, -2.0F).clock, 2);
    engine_push(&shard, 0, 0, engine_all(2.0F));
    engine_expect_held(&shard, 0, 0);
    engine_push(&shard, 1, 0, engine_all(2.0F));
    (void)engine_expect_all(&shard, 0, -4.0F);
    (void)engine_expect_all(&shard, 1, -4.0F);
    engine_close(&shard);
}
END_TEST

/* Abstaining moves the clock: the last batch is never held up by somebody without work. */
START_TEST(test_ssp_abstain_moves_the_clock)
{
    dcps_shard_config config = engine_config("ssp");
    config.algorithm.ssp_bound = 1;
    engine_open(&shard, &config, N, N, 1);
    engine_begin(&shard, 2, 0, zero);
    engine_push(&shard, 0, 0, engine_all(2.0F));
    engine_expect(&shard, 0, DCPS_MESSAGE_WEIGHTS);
    engine_push(&shard, 0, 0, engine_all(2.0F));
    engine_expect_held(&shard, 0, 0);
    engine_abstain(&shard, 1, 0);
    (void)engine_expect_all(&shard, 0, -2.0F);
    (void)engine_expect_all(&shard, 1, -2.0F);
    ck_assert_uint_eq(engine_stats(&shard).pushes_applied, 2);
    ck_assert_uint_eq(engine_stats(&shard).samples, 16);
    engine_close(&shard);
}
END_TEST

START_TEST(test_start_waits_for_all)
{
    engine_open_workers(&shard, _i == 0 ? "ssgd" : "ssp", 3, 1);
    for (uint32_t worker = 0; worker < 2; worker++) {
        engine_join(&shard, worker);
        engine_pull(&shard, worker, 0);
    }
    engine_expect(&shard, 0, DCPS_MESSAGE_NEED_INIT);
    engine_init(&shard, 0, 0, zero);
    engine_expect_held(&shard, 0, 0);
    engine_expect_held(&shard, 1, 0);
    dcps_shard_tick(shard.shard, UINT64_C(1) << 60); /* no grace: for ever */
    engine_expect_quiet(&shard);
    ck_assert_int_eq(engine_stats(&shard).state, DCPS_RUN_WAITING);
    engine_join(&shard, 5); /* any three will do */
    engine_expect_quiet(&shard);
    engine_pull(&shard, 5, 0);
    (void)engine_expect_all(&shard, 0, 0.0F);
    (void)engine_expect_all(&shard, 1, 0.0F);
    (void)engine_expect_all(&shard, 5, 0.0F);
    ck_assert_int_eq(engine_stats(&shard).state, DCPS_RUN_TRAINING);
    engine_close(&shard);
}
END_TEST

static void open_with_grace(uint64_t grace_ns)
{
    dcps_shard_config config = engine_config("ssgd");
    config.workers = 3;
    config.start_grace_ns = grace_ns;
    engine_open(&shard, &config, N, N, 1);
    shard.now_ns = 100 * DCPS_NS_PER_S;
    engine_join(&shard, 0);
    engine_pull(&shard, 0, 0);
    engine_expect(&shard, 0, DCPS_MESSAGE_NEED_INIT);
    engine_init(&shard, 0, 0, zero);
    engine_expect_quiet(&shard);
}

START_TEST(test_start_grace)
{
    open_with_grace(5 * DCPS_NS_PER_S);
    shard.now_ns = 104 * DCPS_NS_PER_S;
    engine_join(&shard, 1);
    engine_pull(&shard, 1, 0); /* does not begin the wait anew */
    dcps_shard_tick(shard.shard, 105 * DCPS_NS_PER_S - 1);
    engine_expect_quiet(&shard);
    dcps_shard_tick(shard.shard, 105 * DCPS_NS_PER_S);
    (void)engine_expect_all(&shard, 0, 0.0F);
    (void)engine_expect_all(&shard, 1, 0.0F);
    engine_push(&shard, 0, 0, engine_all(2.0F)); /* a round of two */
    engine_expect_quiet(&shard);
    engine_push(&shard, 1, 0, engine_all(4.0F));
    (void)engine_expect_all(&shard, 0, -1.5F);
    (void)engine_expect_all(&shard, 1, -1.5F);
    engine_join(&shard, 2);
    engine_pull(&shard, 2, 0); /* the third is welcome at any time */
    (void)engine_expect_all(&shard, 2, -1.5F);
    engine_close(&shard);
}
END_TEST

/* The server stood still for a minute, in which nobody could join. */
START_TEST(test_start_grace_after_a_pause)
{
    open_with_grace(5 * DCPS_NS_PER_S);
    shard.now_ns = 161 * DCPS_NS_PER_S;
    dcps_shard_forgive(shard.shard, 60 * DCPS_NS_PER_S, shard.now_ns);
    engine_join(&shard, 1);
    engine_pull(&shard, 1, 0);
    dcps_shard_tick(shard.shard, 165 * DCPS_NS_PER_S - 1);
    engine_expect_quiet(&shard);
    dcps_shard_tick(shard.shard, 165 * DCPS_NS_PER_S);
    (void)engine_expect_all(&shard, 0, 0.0F);
    (void)engine_expect_all(&shard, 1, 0.0F);
    dcps_shard_forgive(shard.shard, 60 * DCPS_NS_PER_S, shard.now_ns); /* nobody waits any more */
    engine_close(&shard);
}
END_TEST

/* No wait begins in the future, however long the pause was. */
START_TEST(test_start_grace_after_a_pause_before_it)
{
    open_with_grace(5 * DCPS_NS_PER_S);
    dcps_shard_forgive(shard.shard, UINT64_C(1) << 62, 101 * DCPS_NS_PER_S);
    dcps_shard_tick(shard.shard, 106 * DCPS_NS_PER_S - 1);
    engine_expect_quiet(&shard);
    dcps_shard_tick(shard.shard, 106 * DCPS_NS_PER_S);
    (void)engine_expect_all(&shard, 0, 0.0F);
    engine_close(&shard);
}
END_TEST

/* The grace is that of the first who still waits, not of one who left long ago. */
START_TEST(test_start_grace_begins_anew)
{
    open_with_grace(5 * DCPS_NS_PER_S);
    engine_leave(&shard, 0);
    shard.now_ns = 300 * DCPS_NS_PER_S;
    dcps_shard_tick(shard.shard, shard.now_ns);
    engine_join(&shard, 1);
    engine_pull(&shard, 1, 0);
    engine_expect_quiet(&shard);
    dcps_shard_tick(shard.shard, 305 * DCPS_NS_PER_S - 1);
    engine_expect_quiet(&shard);
    dcps_shard_tick(shard.shard, 305 * DCPS_NS_PER_S);
    (void)engine_expect_all(&shard, 1, 0.0F);
    engine_close(&shard);
}
END_TEST

/* A restored run has its weights from the beginning, but waits for its workers all the same. */
START_TEST(test_start_after_restore)
{
    engine_open_workers(&shard, "ssgd", 2, 1);
    engine_begin(&shard, 2, 0, zero);
    for (uint32_t worker = 0; worker < 2; worker++) {
        engine_push(&shard, worker, 0, engine_all(2.0F));
    }
    dcps_shard_image image;
    ck_assert_int_eq(dcps_shard_export(shard.shard, &image), DCPS_OK);
    dcps_shard_config config = shard.config;
    engine_open(&other, &config, N, N, 1);
    ck_assert_int_eq(dcps_shard_import(other.shard, &image), DCPS_OK);
    dcps_shard_image_fini(&image);
    memcpy(other.clients, shard.clients, sizeof(other.clients));
    engine_join(&other, 0);
    engine_query(&other, 0, 0); /* its push was applied before; the answer waits for the start */
    engine_expect_quiet(&other);
    ck_assert_int_eq(engine_stats(&other).state, DCPS_RUN_WAITING);
    engine_join(&other, 1);
    engine_pull(&other, 1, 0);
    for (uint32_t worker = 0; worker < 2; worker++) {
        dcps_weights answer = engine_expect_all(&other, worker, -1.0F);
        ck_assert_uint_eq(answer.version, 1);
        ck_assert_uint_eq(answer.ticket.number, 2 + worker); /* open in the image, handed out again */
    }
    for (uint32_t worker = 0; worker < 2; worker++) {
        engine_push(&other, worker, 0, engine_all(2.0F));
    }
    for (uint32_t worker = 0; worker < 2; worker++) {
        (void)engine_expect_all(&other, worker, -2.0F);
    }
    engine_close(&other);
    engine_close(&shard);
}
END_TEST

START_TEST(test_drain)
{
    engine_open_workers(&shard, _i == 0 ? "asgd" : "ssgd", 2, 1);
    engine_begin(&shard, 2, 0, zero);
    dcps_shard_drain(shard.shard, shard.now_ns);
    engine_expect_quiet(&shard);
    ck_assert_int_eq(engine_stats(&shard).state, DCPS_RUN_DRAINING);
    engine_push(&shard, 0, 0, engine_all(2.0F)); /* batches under way are still applied */
    engine_push(&shard, 1, 0, engine_all(2.0F));
    float expected = _i == 0 ? -2.0F : -1.0F;
    ck_assert_int_eq(engine_expect_all(&shard, 0, expected).ticket.kind, DCPS_TICKET_DONE);
    ck_assert_int_eq(engine_expect_all(&shard, 1, expected).ticket.kind, DCPS_TICKET_DONE);
    ck_assert_int_eq(engine_stats(&shard).state, DCPS_RUN_DONE);
    engine_join(&shard, 2); /* who comes now is sent home */
    engine_pull(&shard, 2, 0);
    ck_assert_int_eq(engine_expect_all(&shard, 2, expected).ticket.kind, DCPS_TICKET_DONE);
    engine_expect_quiet(&shard);
    engine_close(&shard);
}
END_TEST

/* Nobody waits for the start of a run that is being stopped. */
START_TEST(test_drain_before_the_start)
{
    open_with_grace(0);
    dcps_shard_drain(shard.shard, shard.now_ns);
    ck_assert_int_eq(engine_expect_all(&shard, 0, 0.0F).ticket.kind, DCPS_TICKET_DONE);
    engine_close(&shard);
}
END_TEST

static Suite *make_suite(void)
{
    const TTest *const tests[] = {test_asp_applies_and_answers_at_once,
                                  test_asp_waits_for_the_last_batches,
                                  test_short_last_batch,
                                  test_ssp_holds_who_runs_ahead,
                                  test_ssp_abstain_moves_the_clock,
                                  test_start_grace,
                                  test_start_grace_after_a_pause,
                                  test_start_grace_after_a_pause_before_it,
                                  test_start_grace_begins_anew,
                                  test_start_after_restore,
                                  test_drain_before_the_start};
    Suite *suite = suite_create("shard consistency");
    TCase *group = tcase_create("consistency");
    for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
        tcase_add_test(group, tests[i]);
    }
    tcase_add_loop_test(group, test_ssp_goes_on_without_who_leaves, 0, 2);
    tcase_add_loop_test(group, test_start_waits_for_all, 0, 2);
    tcase_add_loop_test(group, test_drain, 0, 2);
    suite_add_tcase(suite, group);
    return suite;
}

int main(void)
{
    return check_run(make_suite());
}
