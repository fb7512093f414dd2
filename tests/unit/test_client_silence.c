/* The client tells who does not answer: a shard, although its server does, and never one that holds an answer back. */
#include <check.h>

#include "base/clock.h"
#include "support/check_main.h"
#include "support/client_harness.h"

#define SILENCE_MS 3000u     /* of the room */
#define FIRST_REPEAT_MS 1000 /* the second is due 2 s later */
#define TOLD_MS (FIRST_REPEAT_MS + 2000u + SILENCE_MS)

static client_room room;

static void push_all(void)
{
    for (uint32_t block = 0; block < CLIENT_BLOCKS; block++) {
        dcps_client_core_push(room.core, block, 8, 1.0F, room.now_ns);
    }
}

/* Time passes while the servers say that they live, twice a second. */
static void wait_among_servers(uint64_t ms)
{
    dcps_message reply = {.type = DCPS_MESSAGE_HEARTBEAT_REPLY};
    for (uint64_t passed = 0; passed < ms; passed += 500) {
        client_wait(&room, 500);
        for (uint32_t server = 0; server < room.server_count; server++) {
            client_deliver(&room, client_control_route(server), &reply, NULL, 0);
        }
        client_forget(&room);
    }
}

static void answer_all_but(uint32_t block)
{
    for (uint32_t i = 0; i < CLIENT_BLOCKS; i++) {
        if (i != block) {
            client_answer(&room, i, 2, 1.0F);
        }
    }
}

static uint64_t silence_ms(uint32_t server, uint32_t shard)
{
    dcps_route whose = {.server = UINT32_MAX};
    uint64_t ms = dcps_client_core_silence_ms(room.core, room.now_ns, &whose);
    ck_assert(ms == 0 || (whose.server == server && whose.shard == shard));
    return ms;
}

static void take_shard_notice(dcps_client_notice_kind kind, uint32_t server, uint32_t shard, uint64_t ms)
{
    dcps_client_notice notice = client_take_notice(&room, kind, server);
    ck_assert_uint_eq(notice.shard, shard);
    ck_assert_uint_eq(notice.silent_ms, ms);
}

START_TEST(test_shard_of_a_server_that_answers)
{
    client_connect(&room, 2);
    push_all();
    answer_all_but(3);
    wait_among_servers(2000);
    ck_assert(!dcps_client_core_in_doubt(room.core));
    wait_among_servers(TOLD_MS - 2500);
    client_expect_no_notice(&room);
    ck_assert_uint_eq(silence_ms(1, 1), 0);
    ck_assert(dcps_client_core_in_doubt(room.core));
    wait_among_servers(500);
    take_shard_notice(DCPS_CLIENT_SILENT, 1, 1, TOLD_MS - FIRST_REPEAT_MS);
    ck_assert_uint_eq(silence_ms(1, 1), TOLD_MS - FIRST_REPEAT_MS);
    wait_among_servers(2 * SILENCE_MS);
    take_shard_notice(DCPS_CLIENT_SILENT, 1, 1, TOLD_MS - FIRST_REPEAT_MS + 2 * SILENCE_MS);
    wait_among_servers(500);
    client_notice_for(&room, 3, 2, DCPS_MESSAGE_PENDING);
    take_shard_notice(DCPS_CLIENT_BACK, 1, 1, TOLD_MS - FIRST_REPEAT_MS + 2 * SILENCE_MS + 500);
    ck_assert_uint_eq(silence_ms(1, 1), 0);
    client_expect_no_notice(&room);
    client_close(&room);
}
END_TEST

/* Its blocks are repeated at different times, one of them at almost any. */
START_TEST(test_shard_of_many_blocks)
{
    client_start(&room, 1, DCPS_ROLE_WORKER);
    room.shards_per_server = 1;
    ck_assert_int_eq(client_declare(&room), DCPS_OK);
    client_greet(&room, 0);
    client_layout_reply(&room, 0);
    for (uint32_t block = 0; block < CLIENT_BLOCKS; block++) {
        client_answer(&room, block, 1, 0.0F);
    }
    ck_assert(client_ready(&room));
    client_forget(&room);
    room.notice_count = 0;
    for (uint32_t block = 0; block < CLIENT_BLOCKS; block++) {
        dcps_client_core_push(room.core, block, 8, 1.0F, room.now_ns);
        for (uint32_t half = 0; half < 4; half++) {
            wait_among_servers(500);
            client_notice_for(&room, block, 2, DCPS_MESSAGE_PENDING);
        }
    }
    for (uint32_t i = 0; i < 60; i++) { /* until repeats of each are 8 s apart */
        wait_among_servers(500);
        client_notice_for(&room, 0, 2, DCPS_MESSAGE_PENDING);
    }
    client_expect_no_notice(&room);
    wait_among_servers(8000);
    ck_assert_uint_gt(silence_ms(0, 0), SILENCE_MS);
    client_close(&room);
}
END_TEST

/* However long it takes. */
START_TEST(test_shard_that_holds_an_answer_back)
{
    dcps_message reply = {.type = DCPS_MESSAGE_HEARTBEAT_REPLY};
    client_connect(&room, 1);
    push_all();
    for (uint32_t i = 0; i < 600; i++) {
        client_wait(&room, 500);
        client_deliver(&room, client_control_route(0), &reply, NULL, 0);
        for (uint32_t k = 0; k < room.sent_count; k++) {
            const client_sent *sent = &room.sent[k];
            if (sent->message.type == DCPS_MESSAGE_QUERY) {
                uint32_t block = sent->message.body.request.block;
                client_notice_for(&room, block, 2, DCPS_MESSAGE_PENDING);
            }
        }
        client_forget(&room);
        client_expect_no_notice(&room);
    }
    client_close(&room);
}
END_TEST

/* Before a repeat arrives there, all that was sent before it must have. */
START_TEST(test_large_payloads_on_their_way)
{
    client_connect(&room, 1);
    push_all();
    for (uint32_t i = 0; i < 30; i++) {
        wait_among_servers(1000);
        dcps_client_core_unsent(room.core, client_route(&room, 0), 30 - i);
        dcps_client_core_unsent(room.core, client_route(&room, 3), 30 - i);
    }
    client_expect_no_notice(&room);
    wait_among_servers(30000); /* repeats are 8 s apart by now */
    ck_assert_uint_gt(silence_ms(0, 0), 0);
    client_close(&room);
}
END_TEST

/* More pushes to a shard that is dead pile up here. */
START_TEST(test_payloads_that_do_not_leave)
{
    client_connect(&room, 2);
    push_all();
    answer_all_but(3);
    for (uint32_t i = 0; i < TOLD_MS / 500; i++) {
        wait_among_servers(500);
        dcps_client_core_unsent(room.core, client_route(&room, 3), i / 2);
    }
    take_shard_notice(DCPS_CLIENT_SILENT, 1, 1, TOLD_MS - FIRST_REPEAT_MS);
    client_close(&room);
}
END_TEST

/* They are fewer, too, when its connection is lost with them. */
START_TEST(test_nobody_is_back_without_a_message)
{
    client_connect(&room, 2);
    push_all();
    answer_all_but(3);
    dcps_client_core_unsent(room.core, client_route(&room, 3), 1);
    wait_among_servers(TOLD_MS);
    take_shard_notice(DCPS_CLIENT_SILENT, 1, 1, TOLD_MS - FIRST_REPEAT_MS);
    dcps_client_core_unsent(room.core, client_route(&room, 3), 0);
    client_expect_no_notice(&room);
    ck_assert_uint_eq(silence_ms(1, 1), TOLD_MS - FIRST_REPEAT_MS);
    client_notice_for(&room, 3, 2, DCPS_MESSAGE_PENDING);
    take_shard_notice(DCPS_CLIENT_BACK, 1, 1, TOLD_MS - FIRST_REPEAT_MS);
    client_close(&room);
}
END_TEST

/* A server of which nothing is heard is one line, not one for each of its shards, and they have their time when it is back. */
START_TEST(test_server_that_is_silent_altogether)
{
    client_connect(&room, 1);
    push_all();
    for (uint32_t i = 0; i < 10; i++) {
        client_wait(&room, 1000);
        client_forget(&room);
    }
    ck_assert_uint_eq(silence_ms(0, DCPS_ROUTE_CONTROL), 10000);
    while (room.notice_count > 0) {
        ck_assert_uint_eq(client_take_notice(&room, DCPS_CLIENT_SILENT, 0).shard, DCPS_ROUTE_CONTROL);
    }
    dcps_message reply = {.type = DCPS_MESSAGE_HEARTBEAT_REPLY};
    client_deliver(&room, client_control_route(0), &reply, NULL, 0);
    take_shard_notice(DCPS_CLIENT_BACK, 0, DCPS_ROUTE_CONTROL, 10000);
    ck_assert_uint_eq(silence_ms(0, 0), 0);
    wait_among_servers(SILENCE_MS);
    client_expect_no_notice(&room);
    client_close(&room);
}
END_TEST

/* Whoever joins a server again asks its shards anew, and counts anew. */
START_TEST(test_silence_ends_with_the_session)
{
    client_connect(&room, 1);
    push_all();
    answer_all_but(3);
    wait_among_servers(TOLD_MS);
    take_shard_notice(DCPS_CLIENT_SILENT, 0, 1, TOLD_MS - FIRST_REPEAT_MS);
    client_error(&room, client_control_route(0), DCPS_SESSION, "who are you");
    client_greet(&room, 0);
    client_layout_reply(&room, 0);
    ck_assert_uint_eq(silence_ms(0, 1), 0);
    (void)client_take_notice(&room, DCPS_CLIENT_CONNECTED, 0);
    (void)client_take_notice(&room, DCPS_CLIENT_REJOINED, 0);
    wait_among_servers(TOLD_MS - 500);
    client_expect_no_notice(&room);
    wait_among_servers(500);
    take_shard_notice(DCPS_CLIENT_SILENT, 0, 1, TOLD_MS - FIRST_REPEAT_MS);
    client_close(&room);
}
END_TEST

/* Nobody could have answered while this process stood still, and who was silent before is no more silent for it. */
START_TEST(test_pause_is_nobodys_silence)
{
    const uint64_t pause_ms = 100000;
    client_connect(&room, 2);
    push_all();
    answer_all_but(3);
    wait_among_servers(TOLD_MS - 500);
    dcps_client_core_paused(room.core, pause_ms * DCPS_NS_PER_MS, room.now_ns + pause_ms * DCPS_NS_PER_MS);
    client_advance(&room, pause_ms);
    client_expect_no_notice(&room);
    wait_among_servers(500);
    take_shard_notice(DCPS_CLIENT_SILENT, 1, 1, TOLD_MS - FIRST_REPEAT_MS);
    dcps_client_core_paused(room.core, pause_ms * DCPS_NS_PER_MS, room.now_ns + pause_ms * DCPS_NS_PER_MS);
    client_advance(&room, pause_ms);
    client_expect_no_notice(&room);
    ck_assert_uint_eq(silence_ms(1, 1), TOLD_MS - FIRST_REPEAT_MS);
    client_close(&room);
}
END_TEST

/* The clock was read before the pause, the message after it. */
START_TEST(test_message_in_the_middle_of_a_pause)
{
    client_connect(&room, 1);
    client_wait(&room, 100);
    uint64_t ticked_ns = room.now_ns;
    room.now_ns += 5000 * DCPS_NS_PER_MS;
    client_deliver(&room, client_control_route(0), &(dcps_message){.type = DCPS_MESSAGE_HEARTBEAT_REPLY}, NULL, 0);
    dcps_client_core_paused(room.core, room.now_ns - ticked_ns, room.now_ns);
    client_advance(&room, 50);
    client_expect_no_notice(&room);
    client_close(&room);
}
END_TEST

static void observe(void)
{
    client_start(&room, 1, DCPS_ROLE_OBSERVER);
    client_greet(&room, 0);
    ck_assert_int_eq(dcps_client_core_declare(room.core, room.layout, 0, room.weights, NULL, room.now_ns), DCPS_OK);
    client_layout_reply(&room, 0);
    dcps_client_core_snapshot(room.core, 1, false, room.now_ns);
    client_forget(&room);
    room.notice_count = 0;
}

/* A repeated SNAPSHOT is held without a word: what shows life is the answer to one that cannot be had. */
START_TEST(test_snapshot_that_is_held_back)
{
    observe();
    for (uint32_t i = 0; i < 120; i++) {
        wait_among_servers(500);
        for (uint32_t block = 0; block < CLIENT_BLOCKS; block++) {
            dcps_message reply = {.type = DCPS_MESSAGE_SNAPSHOT_REPLY,
                                  .body.snapshot_reply = {.block = block, .index = UINT32_MAX}};
            client_deliver(&room, client_route(&room, block), &reply, NULL, 0);
        }
    }
    client_expect_no_notice(&room);
    ck_assert(!client_ready(&room));
    wait_among_servers(30000);
    ck_assert_uint_gt(silence_ms(0, 0), 0);
    client_close(&room);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {test_shard_of_a_server_that_answers,   test_shard_of_many_blocks,
                                  test_shard_that_holds_an_answer_back,  test_large_payloads_on_their_way,
                                  test_payloads_that_do_not_leave,       test_nobody_is_back_without_a_message,
                                  test_server_that_is_silent_altogether, test_silence_ends_with_the_session,
                                  test_pause_is_nobodys_silence,         test_message_in_the_middle_of_a_pause,
                                  test_snapshot_that_is_held_back};
    return CHECK_MAIN("client silence", tests);
}
