/* What a shard answers to each request: the first pull, repeats, old numbers, questions. */
#include <check.h>
#include <string.h>

#include "support/check_main.h"
#include "support/engine_harness.h"

#define N ENGINE_BLOCK
#define BLOCKS 3u

static engine shard;
static const float ones[N] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};

static void expect_ticket(dcps_weights weights, dcps_ticket_kind kind, uint64_t number)
{
    ck_assert_int_eq(weights.ticket.kind, kind);
    ck_assert_uint_eq(weights.ticket.number, number);
}

START_TEST(test_first_pull_asks_for_values)
{
    engine_open_workers(&shard, "asgd", 2, BLOCKS);
    engine_join(&shard, 0);
    engine_join(&shard, 1);
    engine_pull(&shard, 0, 0);
    engine_expect_notice(&shard, 0, DCPS_MESSAGE_NEED_INIT, 0, 1);
    engine_pull(&shard, 1, 0);
    engine_expect_quiet(&shard);
    engine_query(&shard, 1, 0);
    engine_expect_notice(&shard, 1, DCPS_MESSAGE_PENDING, 0, 1);
    engine_request(&shard, 0, DCPS_MESSAGE_PULL, 0, 1, 0, 0, NULL, 0); /* lost NEED_INIT */
    engine_expect_notice(&shard, 0, DCPS_MESSAGE_NEED_INIT, 0, 1);
    ck_assert_int_eq(engine_stats(&shard).state, DCPS_RUN_WAITING);

    engine_init(&shard, 0, 0, engine_initial);
    dcps_weights first = engine_expect_weights(&shard, 0, engine_initial, N);
    ck_assert_uint_eq(first.seq, 2);
    ck_assert_uint_eq(first.worker, 0);
    ck_assert_uint_eq(first.incarnation, 1);
    ck_assert_uint_eq(first.version, 0);
    ck_assert_uint_eq(first.clock, 0);
    expect_ticket(first, DCPS_TICKET_BATCH, 0);
    dcps_weights second = engine_expect_weights(&shard, 1, engine_initial, N);
    ck_assert_uint_eq(second.seq, 1);
    ck_assert_uint_eq(second.worker, 1);
    expect_ticket(second, DCPS_TICKET_BATCH, 1);
    ck_assert_int_eq(engine_stats(&shard).state, DCPS_RUN_TRAINING);

    engine_pull(&shard, 0, 2); /* each block asks for itself, and only block 0 has tickets */
    engine_expect_notice(&shard, 0, DCPS_MESSAGE_NEED_INIT, 2, 1);
    engine_init(&shard, 0, 2, ones);
    expect_ticket(engine_expect_weights(&shard, 0, ones, N), DCPS_TICKET_NONE, 0);
    engine_expect_quiet(&shard);
    engine_close(&shard);
}
END_TEST

START_TEST(test_values_come_once)
{
    engine_open_workers(&shard, "asgd", 2, BLOCKS);
    engine_begin(&shard, 1, 0, engine_initial);
    engine_join(&shard, 1);
    engine_init(&shard, 1, 0, ones); /* too late: gets the others' */
    (void)engine_expect_weights(&shard, 1, engine_initial, N);
    engine_expect_block(&shard, 0, engine_initial, N);
    /* A worker that was not asked may send values too. */
    engine_pull(&shard, 0, 1);
    engine_expect(&shard, 0, DCPS_MESSAGE_NEED_INIT);
    engine_init(&shard, 1, 1, ones);
    (void)engine_expect_weights(&shard, 0, ones, N);
    (void)engine_expect_weights(&shard, 1, ones, N);
    engine_expect_quiet(&shard);
    engine_close(&shard);
}
END_TEST

START_TEST(test_initialiser_dies)
{
    engine_open_workers(&shard, "asgd", 2, BLOCKS);
    for (uint32_t worker = 0; worker < 3; worker++) {
        engine_join(&shard, worker);
    }
    engine_pull(&shard, 2, 1);
    engine_expect_notice(&shard, 2, DCPS_MESSAGE_NEED_INIT, 1, 1);
    engine_pull(&shard, 0, 1);
    engine_pull(&shard, 0, 1);
    engine_pull(&shard, 1, 1);
    engine_expect_quiet(&shard);
    engine_leave(&shard, 1); /* not the one asked: nobody else is */
    engine_expect_quiet(&shard);
    engine_leave(&shard, 2);
    engine_expect_notice(&shard, 0, DCPS_MESSAGE_NEED_INIT, 1, 2);
    engine_expect_quiet(&shard);
    engine_leave(&shard, 0); /* nobody waits now */
    engine_expect_quiet(&shard);
    engine_join(&shard, 1);
    engine_pull(&shard, 1, 1);
    engine_expect_notice(&shard, 1, DCPS_MESSAGE_NEED_INIT, 1, 2);
    engine_init(&shard, 1, 1, ones);
    (void)engine_expect_weights(&shard, 1, ones, N);
    engine_expect_quiet(&shard);
    engine_close(&shard);
}
END_TEST

/* The initialiser is replaced by another process under the same id. */
START_TEST(test_initialiser_replaced)
{
    engine_open_workers(&shard, "asgd", 2, BLOCKS);
    engine_join(&shard, 0);
    engine_join(&shard, 1);
    engine_pull(&shard, 0, 0);
    engine_pull(&shard, 1, 0);
    engine_expect(&shard, 0, DCPS_MESSAGE_NEED_INIT);
    shard.incarnation[0] = 2;
    engine_join(&shard, 0);
    engine_expect_notice(&shard, 1, DCPS_MESSAGE_NEED_INIT, 0, 1);
    engine_request(&shard, 0, DCPS_MESSAGE_PULL, 0, 1, 0, 0, NULL, 0);
    engine_expect_quiet(&shard);
    engine_init(&shard, 1, 0, engine_initial);
    (void)engine_expect_weights(&shard, 0, engine_initial, N);
    (void)engine_expect_weights(&shard, 1, engine_initial, N);
    engine_close(&shard);
}
END_TEST

START_TEST(test_repeats_are_answered_from_the_same_bytes)
{
    engine_open_workers(&shard, "asgd", 2, BLOCKS);
    engine_begin(&shard, 2, 0, engine_initial);
    engine_push(&shard, 0, 0, ones);
    engine_answer first = engine_take(&shard, 0, DCPS_MESSAGE_WEIGHTS);
    engine_push(&shard, 1, 0, ones);
    (void)engine_expect_weights(&shard, 1, engine_after(2), N);
    const dcps_message_type repeats[] = {DCPS_MESSAGE_PUSH_PULL, DCPS_MESSAGE_QUERY, DCPS_MESSAGE_PULL,
                                         DCPS_MESSAGE_INIT};
    for (uint32_t i = 0; i < 4; i++) {
        engine_request(&shard, 0, repeats[i], 0, shard.clients[0][0].seq, 1, 8, ones, N);
        engine_answer again = engine_take(&shard, 0, DCPS_MESSAGE_WEIGHTS);
        ck_assert_ptr_eq(again.payload, first.payload);
        ck_assert_mem_eq(again.payload->data, engine_after(1), N * sizeof(float));
        ck_assert_uint_eq(again.message.body.weights.seq, first.message.body.weights.seq);
        ck_assert_uint_eq(again.message.body.weights.version, 1);
        ck_assert_uint_eq(again.message.body.weights.clock, 1);
        expect_ticket(again.message.body.weights, DCPS_TICKET_BATCH, 2);
        engine_drop(&again);
    }
    ck_assert_uint_eq(first.message.body.weights.version, 1);
    expect_ticket(first.message.body.weights, DCPS_TICKET_BATCH, 2);
    dcps_shard_stats stats = engine_stats(&shard);
    ck_assert_uint_eq(stats.duplicates_ignored, 4);
    ck_assert_uint_eq(stats.pushes_applied, 2);
    ck_assert_uint_eq(stats.updates, 2);
    ck_assert_uint_eq(stats.samples, 16);
    engine_expect_block(&shard, 0, engine_after(2), N);
    engine_drop(&first);
    engine_expect_quiet(&shard);
    engine_close(&shard);
}
END_TEST

/* A repeat that comes from another address is answered there. */
START_TEST(test_answers_follow_the_address)
{
    engine_open_workers(&shard, "asgd", 2, BLOCKS);
    engine_begin(&shard, 1, 0, engine_initial);
    dcps_message message = {.type = DCPS_MESSAGE_QUERY,
                            .body.request = {.session = engine_session(&shard, 0), .seq = 2}};
    engine_deliver(&shard, 99, &message, NULL, 0);
    (void)engine_expect_weights(&shard, 99, engine_initial, N);
    engine_expect_quiet(&shard);
    engine_close(&shard);
}
END_TEST

START_TEST(test_old_numbers_are_ignored)
{
    engine_open_workers(&shard, "asgd", 2, BLOCKS);
    engine_begin(&shard, 1, 0, engine_initial);
    engine_push(&shard, 0, 0, ones); /* seq 3 */
    (void)engine_expect_weights(&shard, 0, engine_after(1), N);
    const dcps_message_type types[] = {DCPS_MESSAGE_PULL, DCPS_MESSAGE_INIT, DCPS_MESSAGE_PUSH_PULL,
                                       DCPS_MESSAGE_QUERY};
    uint64_t stale = 0;
    for (uint32_t i = 0; i < 4; i++) {
        for (uint64_t seq = 0; seq < 3; seq++) {
            engine_request(&shard, 0, types[i], 0, seq, 9, 8, ones, N);
            engine_expect_quiet(&shard);
            ck_assert_uint_eq(engine_stats(&shard).stale_ignored, ++stale);
        }
    }
    ck_assert_uint_eq(engine_stats(&shard).updates, 1);
    engine_expect_block(&shard, 0, engine_after(1), N);
    engine_push(&shard, 0, 0, ones);
    (void)engine_expect_weights(&shard, 0, engine_after(2), N);
    engine_close(&shard);
}
END_TEST

/* Clients count from 1. */
START_TEST(test_number_zero_applies_nothing)
{
    engine_open_workers(&shard, "asgd", 2, BLOCKS);
    engine_begin(&shard, 1, 0, engine_initial);
    engine_join(&shard, 1);
    for (uint32_t i = 0; i < 2; i++) {
        engine_request(&shard, 1, DCPS_MESSAGE_PUSH_PULL, 0, 0, 1, 8, ones, N);
    }
    engine_expect_block(&shard, 0, engine_initial, N);
    ck_assert_uint_eq(engine_stats(&shard).pushes_applied, 0);
    engine_close(&shard);
}
END_TEST

START_TEST(test_query)
{
    engine_open_workers(&shard, "ssgd", 2, BLOCKS);
    engine_begin(&shard, 2, 0, engine_initial);
    uint64_t next = shard.clients[0][0].seq + 1;
    for (uint32_t i = 0; i < 2; i++) { /* asking twice consumes nothing */
        engine_request(&shard, 0, DCPS_MESSAGE_QUERY, 0, next, 1, 0, NULL, 0);
        engine_expect_notice(&shard, 0, DCPS_MESSAGE_RESEND, 0, next);
    }
    ck_assert_uint_eq(engine_stats(&shard).duplicates_ignored, 0);
    engine_push(&shard, 0, 0, ones);
    engine_expect_quiet(&shard);
    engine_query(&shard, 0, 0);
    engine_expect_notice(&shard, 0, DCPS_MESSAGE_PENDING, 0, next);
    engine_request(&shard, 0, DCPS_MESSAGE_PUSH_PULL, 0, next, 1, 8, ones, N);
    engine_expect_notice(&shard, 0, DCPS_MESSAGE_PENDING, 0, next);
    engine_push(&shard, 1, 0, ones);
    (void)engine_expect_weights(&shard, 0, engine_after(1), N);
    (void)engine_expect_weights(&shard, 1, engine_after(1), N);
    engine_query(&shard, 0, 0);
    ck_assert_uint_eq(engine_expect_weights(&shard, 0, engine_after(1), N).seq, next);
    ck_assert_uint_eq(engine_stats(&shard).duplicates_ignored, 3);
    engine_expect_quiet(&shard);
    engine_close(&shard);
}
END_TEST

START_TEST(test_new_incarnation_counts_anew)
{
    engine_open_workers(&shard, "asgd", 2, BLOCKS);
    engine_begin(&shard, 1, 0, engine_initial);
    engine_push(&shard, 0, 0, ones);
    engine_expect(&shard, 0, DCPS_MESSAGE_WEIGHTS);
    shard.incarnation[0] = 2;
    memset(shard.clients[0], 0, sizeof(shard.clients[0]));
    engine_join(&shard, 0);
    engine_request(&shard, 0, DCPS_MESSAGE_PUSH_PULL, 0, 1, 1, 8, ones, N);
    engine_expect_error(&shard, 0, DCPS_NOT_PULLED, 0, 1); /* new, although the old process got as far as 3 */
    engine_pull(&shard, 0, 0);
    dcps_weights answer = engine_expect_weights(&shard, 0, engine_after(1), N);
    ck_assert_uint_eq(answer.seq, 1);
    ck_assert_uint_eq(answer.incarnation, 2);
    expect_ticket(answer, DCPS_TICKET_BATCH, 1); /* the one that the process before it held */
    engine_push(&shard, 0, 0, ones);
    (void)engine_expect_weights(&shard, 0, engine_after(2), N);
    engine_close(&shard);
}
END_TEST

/* Joining twice under the same session changes nothing. */
START_TEST(test_join_is_idempotent)
{
    engine_open_workers(&shard, "asgd", 2, BLOCKS);
    engine_begin(&shard, 1, 0, engine_initial);
    engine_join(&shard, 0);
    engine_push(&shard, 0, 0, ones);
    (void)engine_expect_weights(&shard, 0, engine_after(1), N);
    engine_leave(&shard, 0);
    engine_leave(&shard, 0);
    dcps_shard_worker_leave(shard.shard, DCPS_MAX_WORKERS - 1, DCPS_DEPARTURE_DONE, shard.now_ns);
    engine_expect_quiet(&shard);
    engine_close(&shard);
}
END_TEST

/* A shard may own nothing at all. */
START_TEST(test_shard_without_blocks)
{
    dcps_shard_config config = engine_config("ssgd");
    config.shard = 2;
    engine_open(&shard, &config, N * 2, N, 3);
    engine_join(&shard, 0);
    engine_join(&shard, DCPS_MAX_WORKERS > ENGINE_MAX_WORKERS ? ENGINE_MAX_WORKERS - 1 : 0);
    engine_pull(&shard, 0, 1);
    engine_expect_error(&shard, 0, DCPS_INVALID, 1, 1);
    dcps_shard_tick(shard.shard, 5);
    dcps_shard_drain(shard.shard, 6);
    engine_leave(&shard, 0);
    ck_assert_int_eq(engine_stats(&shard).state, DCPS_RUN_WAITING);
    dcps_shard_image image;
    ck_assert_int_eq(dcps_shard_export(shard.shard, &image), DCPS_OK);
    ck_assert_uint_eq(image.block_count, 0);
    ck_assert(!image.has_tickets);
    ck_assert_int_eq(dcps_shard_import(shard.shard, &image), DCPS_OK);
    dcps_shard_image_fini(&image);
    engine_close(&shard);
}
END_TEST

START_TEST(test_payload_bytes_are_counted)
{
    engine_open_workers(&shard, "asgd", 2, BLOCKS);
    engine_begin(&shard, 2, 0, engine_initial); /* one INIT in, two answers out */
    engine_push(&shard, 0, 0, ones);
    engine_expect(&shard, 0, DCPS_MESSAGE_WEIGHTS);
    engine_query(&shard, 0, 0);
    engine_expect(&shard, 0, DCPS_MESSAGE_WEIGHTS);
    dcps_shard_stats stats = engine_stats(&shard);
    ck_assert_uint_eq(stats.payload_bytes_in, 2 * sizeof(engine_initial));
    ck_assert_uint_eq(stats.payload_bytes_out, 4 * sizeof(engine_initial));
    engine_close(&shard);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {test_first_pull_asks_for_values,
                                  test_values_come_once,
                                  test_initialiser_dies,
                                  test_initialiser_replaced,
                                  test_repeats_are_answered_from_the_same_bytes,
                                  test_answers_follow_the_address,
                                  test_old_numbers_are_ignored,
                                  test_number_zero_applies_nothing,
                                  test_query,
                                  test_new_incarnation_counts_anew,
                                  test_join_is_idempotent,
                                  test_shard_without_blocks,
                                  test_payload_bytes_are_counted};
    return CHECK_MAIN("shard requests", tests);
}
