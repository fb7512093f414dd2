/* The client's control plane: lost sessions, heartbeats, silence and goodbyes. */
#include <check.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "support/check_main.h"
#include "support/client_harness.h"

static client_room room;

static void push_all(void)
{
    for (uint32_t block = 0; block < CLIENT_BLOCKS; block++) {
        dcps_client_core_push(room.core, block, 8, 1.0F, room.now_ns);
        (void)client_take_request(&room, block, DCPS_MESSAGE_PUSH_PULL);
    }
}

/* Server 0 opens another session. */
static void open_session(uint64_t token)
{
    dcps_welcome body = client_welcome_of(&room, 0);
    body.session.token = token;
    client_welcome(&room, &body);
    (void)client_take_control(&room, 0, DCPS_MESSAGE_LAYOUT);
}

START_TEST(test_rejoin)
{
    client_connect(&room, 2);
    push_all();
    client_answer(&room, 2, 2, 1.0F); /* of server 1, block 3 is left */
    client_error(&room, client_route(&room, 3), DCPS_SESSION, "who are you");
    client_expect_hello(&room, 1, true, 3, 2);
    client_error(&room, client_route(&room, 3), DCPS_SESSION, "who are you"); /* of a repeat */
    client_expect_silence(&room);
    dcps_welcome body = client_welcome_of(&room, 1);
    body.session.token = 999;
    client_welcome(&room, &body);
    (void)client_take_notice(&room, DCPS_CLIENT_CONNECTED, 1);
    ck_assert_uint_eq(client_take_control(&room, 1, DCPS_MESSAGE_LAYOUT).message.body.layout.session.token, 999);
    client_expect_no_notice(&room);
    client_layout_reply(&room, 1);
    (void)client_take_notice(&room, DCPS_CLIENT_REJOINED, 1);
    ck_assert_uint_eq(client_take_request(&room, 3, DCPS_MESSAGE_QUERY).seq, 2);
    client_expect_silence(&room); /* nothing else was unanswered there, and server 0 is not concerned */
    client_notice_for(&room, 3, 2, DCPS_MESSAGE_RESEND);
    dcps_request again = client_take_request(&room, 3, DCPS_MESSAGE_PUSH_PULL);
    ck_assert_uint_eq(again.seq, 2); /* the same request, in the new session */
    ck_assert_uint_eq(again.step, 1);
    ck_assert_uint_eq(again.session.token, 999);
    client_expect_silence(&room);
    for (uint32_t block = 0; block < 4; block++) {
        client_answer(&room, block, 2, 2.0F);
    }
    ck_assert(client_ready(&room));
    client_expect_no_notice(&room);
    client_close(&room);
}
END_TEST

static void refuse_session(uint32_t block, uint64_t token)
{
    dcps_message message = {.type = DCPS_MESSAGE_ERROR,
                            .body.error = {.status = DCPS_SESSION,
                                           .has_block = true,
                                           .block = block,
                                           .seq = 2,
                                           .text = "who are you",
                                           .token = token}};
    client_deliver(&room, client_route(&room, block), &message, NULL, 0);
}

/* Every push that was under way when the session ended is refused; most of that arrives when the next one has begun. */
START_TEST(test_refusals_of_an_older_session)
{
    client_connect(&room, 1);
    push_all();
    refuse_session(0, 100);
    client_expect_hello(&room, 0, true, 3, 2);
    refuse_session(1, 100);
    client_expect_silence(&room);
    open_session(999);
    refuse_session(2, 100);
    client_expect_silence(&room);
    client_layout_reply(&room, 0);
    for (uint32_t block = 0; block < CLIENT_BLOCKS; block++) {
        (void)client_take_request(&room, block, DCPS_MESSAGE_QUERY);
    }
    refuse_session(3, 100);
    client_expect_silence(&room);
    client_answer(&room, 0, 2, 1.0F);
    client_answer(&room, 1, 2, 1.0F);
    refuse_session(2, 999); /* the present one is over, too */
    client_expect_hello(&room, 0, true, 3, 2);
    client_close(&room);
}
END_TEST

static void answer_in_session(uint32_t block, uint64_t token, float value)
{
    float weights[CLIENT_BLOCK];
    for (uint32_t i = 0; i < CLIENT_BLOCK; i++) {
        weights[i] = value;
    }
    dcps_message message = client_weights_of(&room, block, 2);
    message.body.weights.token = token;
    client_deliver(&room, client_route(&room, block), &message, weights, sizeof(weights));
}

/* Weights that were under way when the session ended are not those that the server compensates the next gradient against, and their mini-batch is another's by now. */
START_TEST(test_weights_of_an_older_session)
{
    client_connect(&room, 1);
    push_all();
    client_error(&room, client_control_route(0), DCPS_SESSION, "who are you");
    client_expect_hello(&room, 0, true, 3, 2);
    open_session(999);
    answer_in_session(0, 100, 1.0F);
    client_layout_reply(&room, 0);
    for (uint32_t block = 0; block < CLIENT_BLOCKS; block++) {
        (void)client_take_request(&room, block, DCPS_MESSAGE_QUERY);
        answer_in_session(block, 100, 1.0F);
    }
    ck_assert(!client_ready(&room));
    ck_assert(room.weights[0] == 0.0F);
    for (uint32_t block = 0; block + 1 < CLIENT_BLOCKS; block++) {
        answer_in_session(block, 999, 2.0F);
    }
    answer_in_session(CLIENT_BLOCKS - 1, 0, 2.0F); /* a server of before, which does not tell */
    ck_assert(client_ready(&room));
    ck_assert(room.weights[0] == 2.0F);
    client_expect_silence(&room);
    client_close(&room);
}
END_TEST

/* The first worker of a run, with block 1 to fill: what it sends for it is left to take. */
static void start_filling(void)
{
    client_open(&room, 1, DCPS_ROLE_WORKER);
    dcps_client_core_start(room.core, room.now_ns);
    ck_assert_int_eq(client_declare(&room), DCPS_OK);
    client_forget(&room);
    client_greet(&room, 0);
    client_forget(&room);
    client_layout_reply(&room, 0);
    for (uint32_t block = 0; block < CLIENT_BLOCKS; block++) {
        (void)client_take_request(&room, block, DCPS_MESSAGE_PULL);
    }
}

/* Rejoined: small requests are sent again as they are, initial values only when they are asked for. */
static void expect_filling_goes_on(void)
{
    for (uint32_t block = 0; block < CLIENT_BLOCKS; block++) {
        uint64_t seq = client_take_request(&room, block, block == 1 ? DCPS_MESSAGE_QUERY : DCPS_MESSAGE_PULL).seq;
        ck_assert_uint_eq(seq, block == 1 ? 2 : 1);
    }
    client_expect_silence(&room);
    client_notice_for(&room, 1, 2, DCPS_MESSAGE_RESEND);
    dcps_request again = client_take_request(&room, 1, DCPS_MESSAGE_INIT);
    ck_assert_uint_eq(again.seq, 2);
    ck_assert_uint_eq(again.session.token, 999);
    client_expect_silence(&room);
}

START_TEST(test_rejoin_with_initial_values_under_way)
{
    start_filling();
    client_notice_for(&room, 1, 1, DCPS_MESSAGE_NEED_INIT);
    ck_assert_uint_eq(client_take_request(&room, 1, DCPS_MESSAGE_INIT).seq, 2);
    client_error(&room, client_control_route(0), DCPS_SESSION, "who are you");
    client_expect_hello(&room, 0, true, 3, 2);
    open_session(999);
    client_layout_reply(&room, 0);
    expect_filling_goes_on();
    client_close(&room);
}
END_TEST

/* The session is over when the server asks for initial values: they wait for the next one. */
START_TEST(test_initial_values_are_asked_for_while_joining_again)
{
    start_filling();
    client_error(&room, client_control_route(0), DCPS_SESSION, "who are you");
    client_expect_hello(&room, 0, true, 3, 2);
    client_notice_for(&room, 1, 1, DCPS_MESSAGE_NEED_INIT);
    client_expect_silence(&room);
    open_session(999);
    client_expect_silence(&room);
    client_layout_reply(&room, 0);
    expect_filling_goes_on();
    client_close(&room);
}
END_TEST

START_TEST(test_rejoin_after_a_heartbeat)
{
    client_connect(&room, 2);
    client_wait(&room, 1000);
    (void)client_take_control(&room, 0, DCPS_MESSAGE_HEARTBEAT);
    (void)client_take_control(&room, 1, DCPS_MESSAGE_HEARTBEAT);
    client_error(&room, client_control_route(0), DCPS_SESSION, "who are you");
    client_expect_hello(&room, 0, true, 3, 2);
    ck_assert(client_ready(&room)); /* the weights are still good to compute with */
    client_wait(&room, 900);
    client_expect_silence(&room);
    client_advance(&room, 100);
    client_expect_hello(&room, 0, true, 3, 2); /* repeated; and no heartbeat without a session */
    (void)client_take_control(&room, 1, DCPS_MESSAGE_HEARTBEAT);
    client_expect_silence(&room);
    client_close(&room);
}
END_TEST

/* While we were silent our id was given to another process: all servers must hear of the new one. */
START_TEST(test_new_identity)
{
    client_connect(&room, 2);
    push_all();
    client_error(&room, client_control_route(0), DCPS_SESSION, "who are you");
    client_expect_hello(&room, 0, true, 3, 2);
    dcps_welcome body = client_welcome_of(&room, 0);
    body.session = (dcps_session){.worker = 5, .incarnation = 1, .token = 777};
    client_welcome(&room, &body);
    (void)client_take_control(&room, 0, DCPS_MESSAGE_LAYOUT);
    client_expect_hello(&room, 1, true, 5, 1);
    client_greet(&room, 1); /* an answer to an older HELLO, for worker 3 */
    client_expect_silence(&room);
    body = client_welcome_of(&room, 1);
    body.session = (dcps_session){.worker = 5, .incarnation = 1, .token = 778};
    client_welcome(&room, &body);
    (void)client_take_control(&room, 1, DCPS_MESSAGE_LAYOUT);
    client_layout_reply(&room, 0);
    client_layout_reply(&room, 1);
    for (uint32_t block = 0; block < 4; block++) {
        dcps_request again = client_take_request(&room, block, DCPS_MESSAGE_QUERY);
        ck_assert_uint_eq(again.session.worker, 5);
        ck_assert_uint_eq(again.session.incarnation, 1);
        ck_assert_uint_eq(again.session.token, 777 + client_route(&room, block).server);
        client_answer(&room, block, again.seq, 1.0F); /* for worker 3 */
    }
    ck_assert(!client_ready(&room));
    ck_assert(room.weights[0] == 0.0F);
    client_close(&room);
}
END_TEST

/* Another server knows a later holder of our id: server 0 must give us the next incarnation. */
START_TEST(test_identity_is_raised)
{
    client_start(&room, 2, DCPS_ROLE_WORKER);
    client_greet(&room, 0);
    client_forget(&room);
    client_error(&room, client_control_route(1), DCPS_NOT_FOUND, "ask server 0");
    client_expect_hello(&room, 0, true, 3, 3);
    client_expect_silence(&room);
    dcps_welcome body = client_welcome_of(&room, 0);
    body.session.incarnation = 3;
    client_welcome(&room, &body);
    client_expect_hello(&room, 1, true, 3, 3);
    body = client_welcome_of(&room, 1);
    body.session.incarnation = 3;
    room.notice_count = 0;
    client_welcome(&room, &body);
    (void)client_take_notice(&room, DCPS_CLIENT_CONNECTED, 1);
    client_error(&room, client_control_route(1), DCPS_NOT_FOUND, "late"); /* of an older HELLO */
    client_expect_silence(&room);
    client_expect_failure(&room, DCPS_OK, "");
    client_close(&room);
}
END_TEST

/* ---- heartbeats and silence ---- */

START_TEST(test_heartbeats)
{
    client_connect(&room, 2);
    for (uint32_t k = 0; k < 8; k++) {
        client_wait(&room, 950);
        client_expect_silence(&room);
        client_advance(&room, 50); /* a quarter of the lease */
        for (uint32_t server = 0; server < 2; server++) {
            client_sent beat = client_take_control(&room, server, DCPS_MESSAGE_HEARTBEAT);
            ck_assert_uint_eq(beat.message.body.session.session.worker, 3);
            ck_assert_uint_eq(beat.message.body.session.session.token, 100 + server);
            dcps_message reply = {.type = DCPS_MESSAGE_HEARTBEAT_REPLY};
            client_deliver(&room, client_control_route(server), &reply, NULL, 0);
        }
        client_expect_silence(&room);
        client_expect_no_notice(&room);
    }
    client_close(&room);
}
END_TEST

START_TEST(test_silence_is_told)
{
    client_connect(&room, 2);
    dcps_message reply = {.type = DCPS_MESSAGE_HEARTBEAT_REPLY};
    for (uint32_t k = 1; k <= 3; k++) {
        for (uint32_t half = 0; half < 2; half++) { /* server 0 answers all the time */
            client_expect_no_notice(&room);
            client_wait(&room, 1500);
            client_deliver(&room, client_control_route(0), &reply, NULL, 0);
            client_forget(&room);
        }
        dcps_client_notice notice = client_take_notice(&room, DCPS_CLIENT_SILENT, 1);
        ck_assert_uint_eq(notice.silent_ms, 3000 * k);
    }
    client_wait(&room, 500);
    client_deliver(&room, client_control_route(1), &reply, NULL, 0);
    dcps_client_notice notice = client_take_notice(&room, DCPS_CLIENT_BACK, 1);
    ck_assert_uint_eq(notice.silent_ms, 9500);
    client_deliver(&room, client_control_route(1), &reply, NULL, 0);
    client_expect_no_notice(&room);
    client_wait(&room, 2500);
    (void)client_take_notice(&room, DCPS_CLIENT_SILENT, 0); /* not heard for 3 s now, server 1 for 2.5 */
    client_expect_no_notice(&room);
    client_close(&room);
}
END_TEST

/* A server that was not asked anything is not silent; the one that is waited for is named. */
START_TEST(test_silence_at_the_start)
{
    client_start(&room, 2, DCPS_ROLE_WORKER);
    client_wait(&room, 3000);
    dcps_client_notice notice = client_take_notice(&room, DCPS_CLIENT_SILENT, 0);
    ck_assert_uint_eq(notice.silent_ms, 3000);
    client_expect_no_notice(&room);
    client_greet(&room, 0);
    (void)client_take_notice(&room, DCPS_CLIENT_BACK, 0);
    (void)client_take_notice(&room, DCPS_CLIENT_CONNECTED, 0);
    client_forget(&room);
    client_wait(&room, 2950); /* server 1 was asked only now */
    client_expect_no_notice(&room);
    client_advance(&room, 50);
    ck_assert_uint_eq(client_take_notice(&room, DCPS_CLIENT_SILENT, 1).silent_ms, 3000);
    client_close(&room);
}
END_TEST

/* ---- goodbyes ---- */

/* The answer to the push of block 0: no more work, after so many samples. */
static void tell_end(uint64_t samples)
{
    static const float weights[CLIENT_BLOCK];
    dcps_message message = client_weights_of(&room, 0, 2);
    message.body.weights.ticket.kind = DCPS_TICKET_DONE;
    message.body.weights.samples = samples;
    client_deliver(&room, client_route(&room, 0), &message, weights, sizeof(weights));
}

/* Servers that stop also tell workers to end. */
START_TEST(test_goodbye_tells_whether_all_is_done)
{
    for (uint32_t lacking = 0; lacking < 2; lacking++) {
        client_connect(&room, 1);
        push_all();
        tell_end(3 * CLIENT_SAMPLES - lacking);
        dcps_client_core_finish(room.core, room.now_ns);
        ck_assert(client_take_control(&room, 0, DCPS_MESSAGE_FINISH).message.body.session.done == (lacking == 0));
        client_close(&room);
    }
}
END_TEST

static void reply_finish(uint32_t server)
{
    dcps_message reply = {.type = DCPS_MESSAGE_FINISH_REPLY};
    client_deliver(&room, client_control_route(server), &reply, NULL, 0);
}

START_TEST(test_finish)
{
    client_connect(&room, 2);
    ck_assert(!dcps_client_core_finished(room.core));
    reply_finish(0); /* nobody said goodbye */
    ck_assert(!dcps_client_core_finished(room.core));
    dcps_client_core_finish(room.core, room.now_ns);
    for (uint32_t server = 0; server < 2; server++) {
        client_sent sent = client_take_control(&room, server, DCPS_MESSAGE_FINISH);
        ck_assert_uint_eq(sent.message.body.session.session.token, 100 + server);
    }
    reply_finish(1);
    ck_assert(!dcps_client_core_finished(room.core));
    client_wait(&room, 1000);
    (void)client_take_control(&room, 0, DCPS_MESSAGE_FINISH); /* repeated, and no heartbeat any more */
    client_expect_silence(&room);
    reply_finish(0);
    ck_assert(dcps_client_core_finished(room.core));
    client_wait(&room, 10000);
    client_expect_silence(&room);
    client_expect_no_notice(&room);
    client_close(&room);
}
END_TEST

/* A server that has forgotten us does not count on us: that is all we wanted. */
START_TEST(test_finish_without_a_session)
{
    client_connect(&room, 2);
    dcps_client_core_finish(room.core, room.now_ns);
    client_forget(&room);
    client_error(&room, client_control_route(0), DCPS_SESSION, "who are you");
    reply_finish(1);
    ck_assert(dcps_client_core_finished(room.core));
    client_expect_silence(&room);
    client_close(&room);
}
END_TEST

/* That an older session is unknown says nothing of the present one, which still counts on us. */
START_TEST(test_finish_and_refusals_of_an_older_session)
{
    client_connect(&room, 1);
    push_all();
    client_error(&room, client_control_route(0), DCPS_SESSION, "who are you");
    client_expect_hello(&room, 0, true, 3, 2);
    open_session(999);
    client_layout_reply(&room, 0);
    client_forget(&room);
    dcps_client_core_finish(room.core, room.now_ns);
    (void)client_take_control(&room, 0, DCPS_MESSAGE_FINISH);
    refuse_session(0, 100);
    ck_assert(!dcps_client_core_finished(room.core));
    refuse_session(0, 999);
    ck_assert(dcps_client_core_finished(room.core));
    client_expect_silence(&room);
    client_close(&room);
}
END_TEST

START_TEST(test_finish_before_the_start)
{
    client_start(&room, 2, DCPS_ROLE_WORKER);
    client_forget(&room);
    dcps_client_core_finish(room.core, room.now_ns);
    ck_assert(dcps_client_core_finished(room.core));
    client_greet(&room, 0); /* too late */
    client_wait(&room, 5000);
    client_expect_silence(&room);
    client_expect_no_notice(&room);
    client_close(&room);
}
END_TEST

/* ---- memory ---- */

/* Whoever says goodbye while a server is taking it back in says it to that server, too: else its lease would have to run out. */
START_TEST(test_finish_while_joining_again)
{
    client_connect(&room, 1);
    client_error(&room, client_control_route(0), DCPS_SESSION, "who are you");
    client_expect_hello(&room, 0, true, 3, 2);
    dcps_client_core_finish(room.core, room.now_ns);
    client_expect_silence(&room);
    ck_assert(!dcps_client_core_finished(room.core));
    client_greet(&room, 0);
    (void)client_take_notice(&room, DCPS_CLIENT_CONNECTED, 0);
    (void)client_take_control(&room, 0, DCPS_MESSAGE_FINISH);
    client_expect_silence(&room);
    reply_finish(0);
    ck_assert(dcps_client_core_finished(room.core));
    client_close(&room);
}
END_TEST

/* Each server trains its part by its own settings: they must be the same. */
START_TEST(test_settings_must_agree)
{
    client_start(&room, 2, DCPS_ROLE_OBSERVER);
    dcps_welcome first = client_welcome_of(&room, 0);
    first.settings = "algorithm ssgd, learning rate 0.1";
    client_welcome(&room, &first);
    dcps_welcome second = client_welcome_of(&room, 1);
    second.settings = "algorithm asgd, learning rate 0.1";
    client_welcome(&room, &second);
    client_expect_failure(&room, DCPS_MISMATCH,
                          "server 1 runs with algorithm asgd, learning rate 0.1; server 0 with algorithm ssgd");
    client_close(&room);
}
END_TEST

static Suite *make_suite(void)
{
    const TTest *const tests[] = {test_settings_must_agree,
                                  test_rejoin,
                                  test_refusals_of_an_older_session,
                                  test_weights_of_an_older_session,
                                  test_rejoin_with_initial_values_under_way,
                                  test_initial_values_are_asked_for_while_joining_again,
                                  test_rejoin_after_a_heartbeat,
                                  test_new_identity,
                                  test_identity_is_raised,
                                  test_heartbeats,
                                  test_silence_is_told,
                                  test_silence_at_the_start,
                                  test_goodbye_tells_whether_all_is_done,
                                  test_finish,
                                  test_finish_without_a_session,
                                  test_finish_and_refusals_of_an_older_session,
                                  test_finish_before_the_start,
                                  test_finish_while_joining_again};
    Suite *suite = suite_create("client sessions");
    TCase *group = tcase_create("links");
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
