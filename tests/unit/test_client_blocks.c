/* The client's data plane: pulls, pushes, repeats, and answers that are late or wrong. */
#include <check.h>

#include "support/check_main.h"
#include "support/client_harness.h"

static client_room room;

static void push(uint32_t block, uint32_t samples)
{
    dcps_client_core_push(room.core, block, samples, 0.25F, room.now_ns);
}

static float weight_of(uint32_t block)
{
    const float *weights = room.weights + (size_t)block * CLIENT_BLOCK;
    for (uint32_t i = 1; i < CLIENT_BLOCK; i++) {
        ck_assert(weights[i] == weights[0]);
    }
    return weights[0];
}

/* Pushes every block and answers, with `clock` in the answer of block 1. */
static void step(uint64_t expected_step, uint64_t clock)
{
    for (uint32_t block = CLIENT_BLOCKS; block-- > 0;) {
        push(block, 8);
        dcps_request request = client_take_request(&room, block, DCPS_MESSAGE_PUSH_PULL);
        ck_assert_uint_eq(request.step, expected_step);
        float values[CLIENT_BLOCK] = {0};
        dcps_message answer = client_weights_of(&room, block, request.seq);
        answer.body.weights.clock = block == 1 ? clock : expected_step;
        client_deliver(&room, client_route(&room, block), &answer, values, sizeof(values));
    }
    ck_assert(client_ready(&room));
}

START_TEST(test_push)
{
    client_connect(&room, 2);
    push(2, 8);
    ck_assert(!client_ready(&room));
    client_sent sent = client_take(&room, client_route(&room, 2), DCPS_MESSAGE_PUSH_PULL);
    const dcps_push_pull *body = &sent.message.body.push_pull;
    ck_assert_uint_eq(body->samples, 8);
    ck_assert(body->loss == 0.25F);
    ck_assert_uint_eq(body->request.block, 2);
    ck_assert_uint_eq(body->request.seq, 2);
    ck_assert_uint_eq(body->request.step, 1);
    ck_assert_uint_eq(body->request.session.worker, 3);
    ck_assert_uint_eq(body->request.session.incarnation, 2);
    ck_assert_uint_eq(body->request.session.token, 101);
    ck_assert_ptr_eq(sent.payload, room.gradient + 2 * CLIENT_BLOCK); /* straight from the caller's vector */
    ck_assert_uint_eq(sent.bytes, CLIENT_BLOCK * sizeof(float));
    client_answer(&room, 2, 2, 7.0F);
    ck_assert(weight_of(2) == 7.0F);
    ck_assert(weight_of(1) == 0.0F && weight_of(3) == 0.0F);
    push(0, 0); /* abstain */
    sent = client_take(&room, client_route(&room, 0), DCPS_MESSAGE_PUSH_PULL);
    ck_assert_uint_eq(sent.message.body.push_pull.samples, 0);
    ck_assert_ptr_null(sent.payload);
    ck_assert_uint_eq(sent.bytes, 0);
    client_close(&room);
}
END_TEST

/* All blocks of a step carry one number, larger than any step begun or clock seen before. */
START_TEST(test_steps)
{
    client_connect(&room, 1);
    step(1, 1);
    step(2, 9); /* block 1 tells that the others have reached 9 */
    step(10, 10);
    dcps_client_core_pull(room.core, room.now_ns); /* no step of its own */
    for (uint32_t block = 0; block < CLIENT_BLOCKS; block++) {
        dcps_request request = client_take_request(&room, block, DCPS_MESSAGE_PULL);
        ck_assert_uint_eq(request.step, 10);
        ck_assert_uint_eq(request.seq, 5);
        client_answer(&room, block, 5, 3.0F);
    }
    ck_assert(weight_of(3) == 3.0F);
    step(11, 11);
    client_close(&room);
}
END_TEST

/* A clock that is told in mid-step belongs to the next one. */
START_TEST(test_step_does_not_change_in_the_middle)
{
    client_connect(&room, 1);
    push(0, 8);
    ck_assert_uint_eq(client_take_request(&room, 0, DCPS_MESSAGE_PUSH_PULL).step, 1);
    float values[CLIENT_BLOCK] = {0};
    dcps_message answer = client_weights_of(&room, 0, 2);
    answer.body.weights.clock = 50;
    client_deliver(&room, client_route(&room, 0), &answer, values, sizeof(values));
    for (uint32_t block = 1; block < CLIENT_BLOCKS; block++) {
        push(block, 8);
        ck_assert_uint_eq(client_take_request(&room, block, DCPS_MESSAGE_PUSH_PULL).step, 1);
        client_answer(&room, block, 2, 0.0F);
    }
    step(51, 51);
    client_close(&room);
}
END_TEST

START_TEST(test_ticket_and_staleness)
{
    client_connect(&room, 1);
    const uint64_t versions[] = {5, 9, 10};
    const uint64_t staleness[] = {4, 3, 0}; /* updates by others between ours and what we stood on */
    for (uint32_t k = 0; k < 3; k++) {
        for (uint32_t block = 0; block < CLIENT_BLOCKS; block++) {
            push(block, 8);
            uint64_t seq = client_take_request(&room, block, DCPS_MESSAGE_PUSH_PULL).seq;
            float values[CLIENT_BLOCK] = {0};
            dcps_message answer = client_weights_of(&room, block, seq);
            answer.body.weights.version = versions[k] + 100 * block; /* block 0 counts */
            answer.body.weights.ticket.number = 40 + k + 10 * block;
            client_deliver(&room, client_route(&room, block), &answer, values, sizeof(values));
        }
        dcps_ticket ticket;
        ck_assert(dcps_client_core_ready(room.core, &ticket));
        ck_assert_int_eq(ticket.kind, DCPS_TICKET_BATCH);
        ck_assert_uint_eq(ticket.number, 40 + k);
        ck_assert_uint_eq(dcps_client_core_staleness(room.core), staleness[k]);
    }
    client_close(&room);
}
END_TEST

START_TEST(test_initial_values)
{
    client_open(&room, 1, DCPS_ROLE_WORKER);
    dcps_client_core_start(room.core, room.now_ns);
    ck_assert_int_eq(dcps_client_core_declare(room.core, room.layout, 48, room.weights, room.gradient, room.now_ns),
                     DCPS_OK);
    dcps_welcome welcome = client_welcome_of(&room, 0);
    client_welcome(&room, &welcome);
    client_forget(&room);
    client_layout_reply(&room, 0);
    for (uint32_t block = 0; block < CLIENT_BLOCKS; block++) {
        (void)client_take_request(&room, block, DCPS_MESSAGE_PULL);
    }
    client_notice_for(&room, 1, 1, DCPS_MESSAGE_NEED_INIT);
    ck_assert_uint_eq(client_take_request(&room, 1, DCPS_MESSAGE_INIT).seq, 2);
    client_notice_for(&room, 1, 1, DCPS_MESSAGE_NEED_INIT); /* of a repeated pull: answered already */
    client_answer(&room, 1, 1, 9.0F);
    client_expect_silence(&room);
    ck_assert(weight_of(1) == 0.0F);
    client_notice_for(&room, 1, 2, DCPS_MESSAGE_NEED_INIT); /* another life of the server */
    ck_assert_uint_eq(client_take_request(&room, 1, DCPS_MESSAGE_INIT).seq, 3);
    client_answer(&room, 0, 1, 0.0F);
    client_advance(&room, 1000); /* values are large: first it asks */
    ck_assert_uint_eq(client_take_request(&room, 1, DCPS_MESSAGE_QUERY).seq, 3);
    client_notice_for(&room, 1, 3, DCPS_MESSAGE_RESEND);
    ck_assert_uint_eq(client_take_request(&room, 1, DCPS_MESSAGE_INIT).seq, 3);
    client_answer(&room, 1, 3, 2.0F);
    ck_assert(weight_of(1) == 2.0F);
    client_close(&room);
}
END_TEST

/* ---- repeats ---- */

START_TEST(test_repeats_grow_apart)
{
    static const uint64_t gaps_ms[] = {1000, 2000, 4000, 8000, 8000, 8000};
    client_connect(&room, 1);
    push(1, 8);
    (void)client_take_request(&room, 1, DCPS_MESSAGE_PUSH_PULL);
    for (uint32_t k = 0; k < 6; k++) {
        for (uint64_t passed = 0; passed < gaps_ms[k]; passed += 50) {
            for (uint32_t i = 0; i < room.sent_count; i++) {
                ck_assert_int_eq(room.sent[i].message.type, DCPS_MESSAGE_HEARTBEAT);
            }
            client_forget(&room);
            client_advance(&room, 50);
        }
        ck_assert_uint_eq(client_take_request(&room, 1, DCPS_MESSAGE_QUERY).seq,
                          2); /* asks, does not send 1 MiB again */
        client_notice_for(&room, 1, 2, DCPS_MESSAGE_PENDING);
        room.notice_count = 0;
    }
    client_forget(&room);
    client_notice_for(&room, 1, 2, DCPS_MESSAGE_RESEND);
    ck_assert_uint_eq(client_take_request(&room, 1, DCPS_MESSAGE_PUSH_PULL).seq, 2);
    client_wait(&room, 1000); /* counted anew */
    ck_assert_uint_eq(client_take_request(&room, 1, DCPS_MESSAGE_QUERY).seq, 2);
    client_forget(&room);
    client_answer(&room, 1, 2, 1.0F);
    client_wait(&room, 950);
    for (uint32_t i = 0; i < room.sent_count; i++) {
        ck_assert_int_eq(room.sent[i].message.type, DCPS_MESSAGE_HEARTBEAT);
    }
    client_close(&room);
}
END_TEST

START_TEST(test_pulls_are_repeated_as_they_are)
{
    client_connect(&room, 1);
    dcps_client_core_pull(room.core, room.now_ns);
    client_forget(&room);
    client_answer(&room, 2, 2, 1.0F);
    client_advance(&room, 1000);
    for (uint32_t block = 0; block < CLIENT_BLOCKS; block++) {
        if (block != 2) {
            ck_assert_uint_eq(client_take_request(&room, block, DCPS_MESSAGE_PULL).seq, 2);
        }
    }
    (void)client_take_control(&room, 0, DCPS_MESSAGE_HEARTBEAT);
    client_expect_silence(&room);
    client_close(&room);
}
END_TEST

/* ---- answers that are wrong or late ---- */

START_TEST(test_wrong_answers_are_ignored)
{
    const size_t bytes = CLIENT_BLOCK * sizeof(float);
    client_connect(&room, 2);
    push(1, 8);
    (void)client_take_request(&room, 1, DCPS_MESSAGE_PUSH_PULL);
    const dcps_message right = client_weights_of(&room, 1, 2);
    dcps_message wrong = right;
    wrong.body.weights.seq = 1;
    client_expect_ignored(&room, client_route(&room, 1), &wrong, bytes);
    wrong.body.weights.seq = 3;
    client_expect_ignored(&room, client_route(&room, 1), &wrong, bytes);
    const uint32_t blocks[] = {0, 2, 3, CLIENT_BLOCKS, UINT32_MAX};
    for (uint32_t i = 0; i < 5; i++) {
        wrong = right;
        wrong.body.weights.block = blocks[i];
        client_expect_ignored(&room, client_route(&room, 1), &wrong, bytes);
    }
    wrong = right;
    wrong.body.weights.worker = 4;
    client_expect_ignored(&room, client_route(&room, 1), &wrong, bytes);
    wrong = right;
    wrong.body.weights.incarnation = 1;
    client_expect_ignored(&room, client_route(&room, 1), &wrong, bytes);
    const size_t sizes[] = {0, 4, bytes - 4, bytes - 1, bytes + 4, 2 * bytes};
    for (uint32_t i = 0; i < 6; i++) {
        client_expect_ignored(&room, client_route(&room, 1), &right, sizes[i]);
    }
    client_expect_ignored(&room, (dcps_route){.server = 0, .shard = 0}, &right, bytes);
    client_expect_ignored(&room, (dcps_route){.server = 1, .shard = 1}, &right, bytes);
    client_expect_ignored(&room, client_control_route(0), &right, bytes);
    client_answer(&room, 1, 2, 4.0F);
    ck_assert(client_ready(&room));
    ck_assert(weight_of(1) == 4.0F);
    client_answer(&room, 1, 2, 5.0F); /* once more */
    ck_assert(weight_of(1) == 4.0F);
    ck_assert(client_ready(&room));
    client_close(&room);
}
END_TEST

START_TEST(test_wrong_notices_are_ignored)
{
    client_connect(&room, 2);
    push(1, 8);
    (void)client_take_request(&room, 1, DCPS_MESSAGE_PUSH_PULL);
    const dcps_message_type types[] = {DCPS_MESSAGE_RESEND, DCPS_MESSAGE_NEED_INIT, DCPS_MESSAGE_PENDING};
    for (uint32_t i = 0; i < 3; i++) {
        dcps_message notice = {.type = types[i], .body.notice = {.worker = 3, .incarnation = 2, .block = 1, .seq = 1}};
        client_expect_ignored(&room, client_route(&room, 1), &notice, 0);
        notice.body.notice.seq = 2;
        client_expect_ignored(&room, client_route(&room, 0), &notice, 0);
        notice.body.notice.incarnation = 1; /* ours before somebody else had our id */
        client_expect_ignored(&room, client_route(&room, 1), &notice, 0);
        notice.body.notice = (dcps_notice){.worker = 2, .incarnation = 2, .block = 1, .seq = 2};
        client_expect_ignored(&room, client_route(&room, 1), &notice, 0);
        notice.body.notice = (dcps_notice){.worker = 3, .incarnation = 2, .block = UINT32_MAX, .seq = 2};
        client_expect_ignored(&room, client_route(&room, 1), &notice, 0);
        notice.body.notice.block = 0; /* nothing is asked there */
        notice.body.notice.seq = 1;
        client_expect_ignored(&room, client_route(&room, 0), &notice, 0);
    }
    client_notice_for(&room, 1, 2, DCPS_MESSAGE_NEED_INIT); /* no answer to a push */
    client_expect_silence(&room);
    client_close(&room);
}
END_TEST

/* A SNAPSHOT_REPLY, or any message of the other direction, means nothing to a worker. */
START_TEST(test_foreign_messages_are_ignored)
{
    static const dcps_message_type types[] = {DCPS_MESSAGE_SNAPSHOT_REPLY, DCPS_MESSAGE_PULL, DCPS_MESSAGE_PUSH_PULL,
                                              DCPS_MESSAGE_STATUS_REPLY, DCPS_MESSAGE_WELCOME};
    client_connect(&room, 1);
    push(0, 8);
    (void)client_take_request(&room, 0, DCPS_MESSAGE_PUSH_PULL);
    for (uint32_t i = 0; i < 5; i++) {
        dcps_message message = {.type = types[i]};
        client_expect_ignored(&room, client_route(&room, 0), &message, CLIENT_BLOCK * sizeof(float));
        if (types[i] != DCPS_MESSAGE_WELCOME) {
            client_expect_ignored(&room, client_control_route(0), &message, 0);
        }
    }
    client_close(&room);
}
END_TEST

START_TEST(test_gradient_lost)
{
    client_connect(&room, 2);
    push(2, 8);
    push(3, 8);
    client_forget(&room);
    client_refuse(&room, 2, 1, DCPS_NOT_PULLED); /* late */
    client_expect_silence(&room);
    client_refuse(&room, 2, 2, DCPS_NOT_PULLED);
    dcps_client_notice notice = client_take_notice(&room, DCPS_CLIENT_GRADIENT_LOST, 1);
    ck_assert_uint_eq(notice.block, 2);
    dcps_request pull = client_take_request(&room, 2, DCPS_MESSAGE_PULL);
    ck_assert_uint_eq(pull.seq, 3);
    ck_assert_uint_eq(pull.step, 1);
    client_expect_silence(&room); /* block 3 is not concerned */
    client_answer(&room, 2, 2, 9.0F);
    client_answer(&room, 2, 3, 1.0F);
    ck_assert(weight_of(2) == 1.0F);
    client_expect_no_notice(&room);
    client_close(&room);
}
END_TEST

START_TEST(test_refused_requests)
{
    const dcps_status passing[] = {DCPS_AGAIN, DCPS_NO_MEMORY, DCPS_LIMIT};
    client_connect(&room, 1);
    push(1, 8);
    client_forget(&room);
    for (uint32_t i = 0; i < 3; i++) {
        client_refuse(&room, 1, 2, passing[i]);
        client_expect_failure(&room, DCPS_OK, "");
        client_expect_silence(&room);
    }
    client_advance(&room, 1000);
    (void)client_take_request(&room, 1, DCPS_MESSAGE_QUERY);
    client_refuse(&room, 1, 1, DCPS_INVALID); /* late */
    client_refuse(&room, 3, 1, DCPS_INVALID); /* nothing is asked there */
    client_refuse(&room, 2, 2, DCPS_INVALID);
    client_error(&room, client_route(&room, 1), DCPS_PROTOCOL, "names no request");
    client_expect_failure(&room, DCPS_OK, "");
    client_refuse(&room, 1, 2, DCPS_INVALID);
    client_expect_failure(&room, DCPS_INVALID, "no");
    client_close(&room);
}
END_TEST

static Suite *make_suite(void)
{
    const TTest *const tests[] = {test_push,
                                  test_steps,
                                  test_step_does_not_change_in_the_middle,
                                  test_ticket_and_staleness,
                                  test_initial_values,
                                  test_repeats_grow_apart,
                                  test_pulls_are_repeated_as_they_are,
                                  test_wrong_answers_are_ignored,
                                  test_wrong_notices_are_ignored,
                                  test_foreign_messages_are_ignored,
                                  test_gradient_lost,
                                  test_refused_requests};
    Suite *suite = suite_create("client blocks");
    TCase *group = tcase_create("blocks");
    for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
        tcase_add_test(group, tests[i]);
    }
    suite_add_tcase(suite, group);
    return suite;
}

int main(void)
{
    return check_run(make_suite());
}
