/* What a shard refuses: strangers, payloads of the wrong size, pushes without a pull, blocks of others, messages that make no sense. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "support/check_main.h"
#include "support/engine_harness.h"

#define N ENGINE_BLOCK
#define BLOCKS 3u

static engine shard;
static const float ones[N] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};

/* Every kind of request under a session that is not the live one. */
static void expect_strangers_refused(dcps_session session)
{
    const dcps_message_type types[] = {DCPS_MESSAGE_PULL, DCPS_MESSAGE_INIT, DCPS_MESSAGE_PUSH_PULL,
                                       DCPS_MESSAGE_QUERY};
    for (uint32_t i = 0; i < 4; i++) {
        dcps_message message = {
            .type = types[i],
            .body.push_pull = {.request = {.session = session, .block = 1, .seq = 50, .step = 50}, .samples = 8}};
        uint64_t rejected = engine_stats(&shard).rejected;
        engine_deliver(&shard, 77, &message, ones, sizeof(ones));
        ck_assert_uint_eq(engine_expect_error(&shard, 77, DCPS_SESSION, 1, 50), session.token);
        ck_assert_uint_eq(engine_stats(&shard).rejected, rejected + 1);
        engine_expect_quiet(&shard);
    }
}

START_TEST(test_strangers_are_refused)
{
    engine_open_workers(&shard, "asgd", 2, BLOCKS);
    engine_begin(&shard, 2, 1, engine_initial);
    dcps_session live = engine_session(&shard, 0);
    const dcps_session wrong[] = {
        {.worker = 0, .incarnation = 1, .token = 0},
        {.worker = 0, .incarnation = 1, .token = live.token + 1},
        {.worker = 0, .incarnation = 0, .token = live.token},
        {.worker = 0, .incarnation = 2, .token = live.token},
        {.worker = 1, .incarnation = 1, .token = live.token}, /* another's token */
        {.worker = 5, .incarnation = 1, .token = live.token},
        {.worker = DCPS_MAX_WORKERS - 1, .incarnation = 0, .token = 0},
        {.worker = DCPS_MAX_WORKERS, .incarnation = 1, .token = live.token},
        {.worker = UINT32_MAX, .incarnation = 1, .token = live.token},
    };
    for (uint32_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        expect_strangers_refused(wrong[i]);
    }
    engine_leave(&shard, 1);
    expect_strangers_refused(engine_session(&shard, 1));
    engine_expect_block(&shard, 1, engine_initial, N);
    engine_push(&shard, 0, 1, ones); /* seq 50 was not consumed */
    (void)engine_expect_weights(&shard, 0, engine_after(1), N);
    engine_close(&shard);
}
END_TEST

/* The server forgot the session but not the numbers: a push applied before is not applied again. */
START_TEST(test_new_token_keeps_the_numbers)
{
    engine_open_workers(&shard, "asgd", 2, BLOCKS);
    engine_begin(&shard, 1, 0, engine_initial);
    engine_push(&shard, 0, 0, ones); /* seq 3, and the answer is lost */
    engine_expect(&shard, 0, DCPS_MESSAGE_WEIGHTS);
    engine_leave(&shard, 0);
    dcps_session session = {.worker = 0, .incarnation = 1, .token = 4711};
    ck_assert_int_eq(dcps_shard_worker_join(shard.shard, &session, shard.now_ns), DCPS_OK);
    expect_strangers_refused(engine_session(&shard, 0));
    dcps_message message = {.type = DCPS_MESSAGE_PUSH_PULL,
                            .body.push_pull = {.request = {.session = session, .seq = 3, .step = 1}, .samples = 8}};
    engine_deliver(&shard, 0, &message, ones, sizeof(ones));
    dcps_weights answer = engine_expect_weights(&shard, 0, engine_after(1), N);
    ck_assert_uint_eq(answer.seq, 3);
    ck_assert_uint_eq(answer.token, session.token);
    ck_assert_uint_eq(answer.version, 1);
    ck_assert_uint_eq(engine_stats(&shard).pushes_applied, 1);
    ck_assert_uint_eq(engine_stats(&shard).duplicates_ignored, 1);
    message.body.push_pull.request.seq = 4; /* having weights again, it may push */
    engine_deliver(&shard, 0, &message, ones, sizeof(ones));
    (void)engine_expect_weights(&shard, 0, engine_after(2), N);
    engine_close(&shard);
}
END_TEST

START_TEST(test_wrong_payload_changes_nothing)
{
    static float large[N + 16];
    engine_open_workers(&shard, _i == 0 ? "asgd" : "ssgd", 2, BLOCKS);
    engine_begin(&shard, 2, 0, engine_initial);
    const size_t lengths[] = {0, 1, N - 1, N + 1, N + 16};
    uint64_t seq = ++shard.clients[0][0].seq;
    for (uint32_t i = 0; i < 5; i++) {
        engine_request(&shard, 0, DCPS_MESSAGE_PUSH_PULL, 0, seq, 1, 8, i == 0 ? NULL : large, lengths[i]);
        engine_expect_error(&shard, 0, DCPS_PROTOCOL, 0, seq);
    }
    dcps_message message = {
        .type = DCPS_MESSAGE_PUSH_PULL,
        .body.push_pull = {.request = {.session = engine_session(&shard, 0), .seq = seq, .step = 1}, .samples = 8}};
    engine_deliver(&shard, 0, &message, large, N * sizeof(float) - 1); /* no whole number of floats */
    engine_expect_error(&shard, 0, DCPS_PROTOCOL, 0, seq);
    engine_deliver(&shard, 0, &message, large, 0);
    engine_expect_error(&shard, 0, DCPS_PROTOCOL, 0, seq);

    engine_expect_block(&shard, 0, engine_initial, N);
    ck_assert_uint_eq(engine_stats(&shard).rejected, 7);
    ck_assert_uint_eq(engine_stats(&shard).pushes_applied, 0);
    engine_query(&shard, 0, 0);
    engine_expect_notice(&shard, 0, DCPS_MESSAGE_RESEND, 0, seq);
    engine_request(&shard, 0, DCPS_MESSAGE_PUSH_PULL, 0, seq, 1, 8, ones, N);
    engine_push(&shard, 1, 0, ones);
    const float *expected = engine_after(_i == 0 ? 2 : 1);
    engine_expect_block(&shard, 0, expected, N);
    engine_close(&shard);
}
END_TEST

START_TEST(test_wrong_initial_values)
{
    engine_open_workers(&shard, "asgd", 2, BLOCKS);
    engine_join(&shard, 0);
    engine_pull(&shard, 0, 0);
    engine_expect(&shard, 0, DCPS_MESSAGE_NEED_INIT);
    engine_request(&shard, 0, DCPS_MESSAGE_INIT, 0, 2, 0, 0, ones, N - 1);
    engine_expect_error(&shard, 0, DCPS_PROTOCOL, 0, 2);
    engine_request(&shard, 0, DCPS_MESSAGE_INIT, 0, 2, 0, 0, NULL, 0);
    engine_expect_error(&shard, 0, DCPS_PROTOCOL, 0, 2);
    engine_request(&shard, 0, DCPS_MESSAGE_INIT, 0, 2, 0, 0, engine_initial, N);
    (void)engine_expect_weights(&shard, 0, engine_initial, N);
    engine_close(&shard);
}
END_TEST

START_TEST(test_push_needs_a_pull)
{
    engine_open_workers(&shard, _i == 0 ? "asgd" : "ssgd", 2, BLOCKS);
    engine_begin(&shard, 2, 0, engine_initial);
    engine_join(&shard, 2);
    engine_push(&shard, 2, 0, ones); /* never pulled */
    engine_expect_error(&shard, 2, DCPS_NOT_PULLED, 0, 1);
    engine_abstain(&shard, 2, 0);
    engine_expect_error(&shard, 2, DCPS_NOT_PULLED, 0, 2);
    engine_leave(&shard, 0);
    engine_join(&shard, 0);
    engine_push(&shard, 0, 0, ones); /* what was pulled is forgotten with the session */
    engine_expect_error(&shard, 0, DCPS_NOT_PULLED, 0, 3);
    engine_push(&shard, 1, 1, ones); /* pulled another block only */
    engine_expect_error(&shard, 1, DCPS_NOT_PULLED, 1, 1);
    engine_expect_block(&shard, 0, engine_initial, N);
    ck_assert_uint_eq(engine_stats(&shard).pushes_applied, 0);
    engine_request(&shard, 2, DCPS_MESSAGE_PULL, 0, 1, 0, 0, NULL, 0); /* the number of the push was not consumed */
    (void)engine_expect_weights(&shard, 2, engine_initial, N);
    engine_expect_quiet(&shard);
    engine_close(&shard);
}
END_TEST

START_TEST(test_push_while_a_pull_waits)
{
    engine_open_workers(&shard, "ssgd", 2, BLOCKS);
    engine_join(&shard, 0);
    engine_pull(&shard, 0, 0);
    engine_expect(&shard, 0, DCPS_MESSAGE_NEED_INIT);
    engine_push(&shard, 0, 0, ones);
    engine_expect_error(&shard, 0, DCPS_NOT_PULLED, 0, 2);
    engine_init(&shard, 0, 0, engine_initial); /* the second worker is not there yet */
    engine_expect_quiet(&shard);
    engine_push(&shard, 0, 0, ones);
    engine_expect_error(&shard, 0, DCPS_NOT_PULLED, 0, 4);
    engine_join(&shard, 1);
    engine_pull(&shard, 1, 0);
    (void)engine_expect_weights(&shard, 0, engine_initial, N);
    (void)engine_expect_weights(&shard, 1, engine_initial, N);
    engine_close(&shard);
}
END_TEST

START_TEST(test_wrong_block)
{
    dcps_shard_config config = engine_config("asgd");
    config.shard = 1;
    engine_open(&shard, &config, N * 4, N, 2); /* shard 1 owns blocks 2 and 3 */
    engine_join(&shard, 0);
    const uint32_t blocks[] = {0, 1, 4, DCPS_MAX_BLOCKS, UINT32_MAX};
    const dcps_message_type types[] = {DCPS_MESSAGE_PULL, DCPS_MESSAGE_INIT, DCPS_MESSAGE_PUSH_PULL,
                                       DCPS_MESSAGE_QUERY};
    for (uint32_t i = 0; i < 5; i++) {
        for (uint32_t k = 0; k < 4; k++) {
            engine_request(&shard, 0, types[k], blocks[i], 1, 1, 8, ones, N);
            engine_expect_error(&shard, 0, DCPS_INVALID, blocks[i], 1);
        }
        engine_snapshot(&shard, 9, blocks[i], 0, false);
        engine_expect_error(&shard, 9, DCPS_INVALID, 0, 0);
    }
    ck_assert_uint_eq(engine_stats(&shard).rejected, 25);
    engine_pull(&shard, 0, 2);
    engine_expect_notice(&shard, 0, DCPS_MESSAGE_NEED_INIT, 2, 1);
    engine_close(&shard);
}
END_TEST

START_TEST(test_before_the_model_is_known)
{
    dcps_shard_config config = engine_config("asgd");
    engine_open_bare(&shard, &config);
    engine_join(&shard, 9); /* beyond the workers expected: has a place when the blocks come */
    engine_request(&shard, 9, DCPS_MESSAGE_PULL, 0, 1, 0, 0, NULL, 0);
    engine_expect_error(&shard, 9, DCPS_AGAIN, 0, 1);
    engine_snapshot(&shard, 3, 0, 0, false);
    engine_expect_error(&shard, 3, DCPS_AGAIN, 0, 0);
    dcps_shard_tick(shard.shard, 5);
    ck_assert_int_eq(engine_stats(&shard).state, DCPS_RUN_WAITING);
    ck_assert_int_eq(dcps_partition_init(&shard.partition, N, N, 1, 1), DCPS_OK);
    ck_assert_int_eq(dcps_shard_set_partition(shard.shard, &shard.partition, NULL, 48), DCPS_OK);
    engine_pull(&shard, 9, 0);
    engine_expect_notice(&shard, 9, DCPS_MESSAGE_NEED_INIT, 0, 1);
    engine_init(&shard, 9, 0, engine_initial);
    (void)engine_expect_weights(&shard, 9, engine_initial, N);
    engine_close(&shard);
}
END_TEST

START_TEST(test_messages_of_another_socket)
{
    static const dcps_message_type all[] = {
#define TYPE(name, number, payload) DCPS_MESSAGE_##name,
        DCPS_MESSAGE_MAP(TYPE)
#undef TYPE
    };
    engine_open_workers(&shard, "asgd", 2, BLOCKS);
    engine_begin(&shard, 1, 0, engine_initial);
    uint64_t rejected = 0;
    for (uint32_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        bool served = all[i] == DCPS_MESSAGE_PULL || all[i] == DCPS_MESSAGE_INIT || all[i] == DCPS_MESSAGE_PUSH_PULL ||
                      all[i] == DCPS_MESSAGE_QUERY || all[i] == DCPS_MESSAGE_SNAPSHOT;
        if (served) {
            continue;
        }
        dcps_message message = {.type = all[i]};
        engine_deliver(&shard, 0, &message, ones, sizeof(ones));
        ck_assert_uint_eq(engine_stats(&shard).rejected, ++rejected);
        if (all[i] != DCPS_MESSAGE_ERROR) {
            engine_expect_error(&shard, 0, DCPS_PROTOCOL, 0, 0);
        }
        engine_expect_quiet(&shard); /* an ERROR least of all: two servers could chatter for ever */
    }
    ck_assert_uint_eq(rejected, 18);
    engine_close(&shard);
}
END_TEST

/* Without memory for the new weights a push is refused as if it had never come. */
START_TEST(test_push_without_memory)
{
    engine_open_workers(&shard, "asgd", 2, BLOCKS);
    engine_begin(&shard, 1, 0, engine_initial);
    uint32_t updates = 0;
    bool failed = false;
    while (!failed) {
        ck_assert_uint_lt(updates, 100);
        dcps_alloc_fail_after(1); /* 0 is the copy of the payload that the harness makes */
        engine_push(&shard, 0, 0, ones);
        dcps_alloc_fail_after(UINT64_MAX);
        failed = shard.answers[shard.answer_count - 1].message.type ==
                 DCPS_MESSAGE_ERROR; /* answers are kept: the pool runs dry */
        updates += failed ? 0 : 1;
    }
    const dcps_error_message_body *error = &shard.answers[shard.answer_count - 1].message.body.error;
    ck_assert_int_eq(error->status, DCPS_NO_MEMORY);
    ck_assert_uint_eq(error->seq, shard.clients[0][0].seq);
    engine_expect_block(&shard, 0, engine_after(updates), N);
    ck_assert_uint_eq(engine_stats(&shard).updates, updates);
    engine_request(&shard, 0, DCPS_MESSAGE_PUSH_PULL, 0, shard.clients[0][0].seq, updates + 1, 8, ones, N);
    engine_expect_block(&shard, 0, engine_after(updates + 1), N);
    engine_close(&shard);
}
END_TEST

/* While one push waits for its answer, another is out of turn. */
START_TEST(test_push_while_a_push_waits)
{
    dcps_shard_config config = engine_config(_i == 0 ? "ssgd" : "ssp");
    config.algorithm.ssp_bound = 0;
    engine_open(&shard, &config, N, N, 1);
    engine_begin(&shard, 2, 0, engine_initial);
    engine_push(&shard, 0, 0, ones);
    uint64_t seq = shard.clients[0][0].seq;
    engine_request(&shard, 0, DCPS_MESSAGE_PUSH_PULL, 0, seq + 1, 2, 8, ones, N);
    engine_expect_error(&shard, 0, DCPS_NOT_PULLED, 0, seq + 1);
    engine_push(&shard, 1, 0, ones);
    ck_assert_uint_eq(engine_stats(&shard).pushes_applied, 2);
    engine_answer answer = engine_take(&shard, 0, DCPS_MESSAGE_WEIGHTS);
    ck_assert_uint_eq(answer.message.body.weights.seq, seq);
    engine_drop(&answer);
    engine_close(&shard);
}
END_TEST

/* A worker that lost its session says HELLO before the server has noticed. */
START_TEST(test_new_token_while_live)
{
    engine_open_workers(&shard, "asgd", 2, BLOCKS);
    engine_begin(&shard, 1, 0, engine_initial);
    dcps_session session = {.worker = 0, .incarnation = 1, .token = 4711};
    ck_assert_int_eq(dcps_shard_worker_join(shard.shard, &session, shard.now_ns), DCPS_OK);
    expect_strangers_refused(engine_session(&shard, 0));
    dcps_message message = {.type = DCPS_MESSAGE_PUSH_PULL,
                            .body.push_pull = {.request = {.session = session, .seq = 3, .step = 1}, .samples = 8}};
    engine_deliver(&shard, 0, &message, ones, sizeof(ones));
    engine_expect_error(&shard, 0, DCPS_NOT_PULLED, 0, 3); /* in this session it has pulled nothing */
    message.type = DCPS_MESSAGE_PULL;
    engine_deliver(&shard, 0, &message, NULL, 0);
    (void)engine_expect_weights(&shard, 0, engine_initial, N);
    engine_close(&shard);
}
END_TEST

static Suite *make_suite(void)
{
    const TTest *const tests[] = {
        test_strangers_are_refused,     test_new_token_keeps_the_numbers, test_new_token_while_live,
        test_wrong_initial_values,      test_push_while_a_pull_waits,     test_wrong_block,
        test_before_the_model_is_known, test_messages_of_another_socket,  test_push_without_memory};
    Suite *suite = suite_create("shard refusals");
    TCase *group = tcase_create("refusals");
    for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
        tcase_add_test(group, tests[i]);
    }
    tcase_add_loop_test(group, test_wrong_payload_changes_nothing, 0, 2);
    tcase_add_loop_test(group, test_push_needs_a_pull, 0, 2);
    tcase_add_loop_test(group, test_push_while_a_push_waits, 0, 2);
    suite_add_tcase(suite, group);
    return suite;
}

int main(void)
{
    return check_run(make_suite());
}
