/* A client that only looks: snapshots, and servers that are started again with other shards. */
#include <check.h>

#include "support/check_main.h"
#include "support/client_harness.h"

static client_room room;

static float weight_of(uint32_t block)
{
    const float *weights = room.weights + (size_t)block * CLIENT_BLOCK;
    for (uint32_t i = 1; i < CLIENT_BLOCK; i++) {
        ck_assert(weights[i] == weights[0]);
    }
    return weights[0];
}

static void observe(uint32_t servers)
{
    client_open(&room, servers, DCPS_ROLE_OBSERVER);
    dcps_client_core_start(room.core, room.now_ns);
    for (uint32_t server = 0; server < servers; server++) { /* all at once: it needs no identity */
        dcps_hello hello = client_take_control(&room, server, DCPS_MESSAGE_HELLO).message.body.hello;
        ck_assert_int_eq(hello.role, DCPS_ROLE_OBSERVER);
    }
    ck_assert_int_eq(dcps_client_core_declare(room.core, room.layout, 48, room.weights, NULL, room.now_ns), DCPS_OK);
    for (uint32_t server = servers; server-- > 0;) {
        dcps_welcome welcome = client_welcome_of(&room, server);
        welcome.session = (dcps_session){0};
        client_welcome(&room, &welcome);
        ck_assert_uint_eq(client_take_control(&room, server, DCPS_MESSAGE_LAYOUT).message.body.layout.session.token, 0);
        ck_assert(!client_ready(&room));
        client_layout_reply(&room, server);
    }
    client_expect_silence(&room); /* it pulls nothing by itself */
    ck_assert(client_ready(&room));
    room.notice_count = 0;
}

static void reply_snapshot(uint32_t block, uint32_t index, bool available, float value)
{
    float values[CLIENT_BLOCK];
    for (uint32_t i = 0; i < CLIENT_BLOCK; i++) {
        values[i] = value;
    }
    dcps_message reply = {.type = DCPS_MESSAGE_SNAPSHOT_REPLY,
                          .body.snapshot_reply = {.block = block,
                                                  .index = index,
                                                  .available = available,
                                                  .version = 7 + block,
                                                  .samples = 48 + block,
                                                  .training_ns = 1000 + block,
                                                  .train_loss = 0.5 + block}};
    client_deliver(&room, client_route(&room, block), &reply, available ? values : NULL,
                   available ? sizeof(values) : 0);
}

static void take_snapshot(uint32_t block, uint32_t index, bool release)
{
    client_sent sent = client_take(&room, client_route(&room, block), DCPS_MESSAGE_SNAPSHOT);
    ck_assert_uint_eq(sent.message.body.snapshot.block, block);
    ck_assert_uint_eq(sent.message.body.snapshot.index, index);
    ck_assert_int_eq(sent.message.body.snapshot.release, release);
}

START_TEST(test_snapshot)
{
    observe(2);
    dcps_client_core_snapshot(room.core, 4, true, room.now_ns);
    for (uint32_t block = 0; block < CLIENT_BLOCKS; block++) {
        take_snapshot(block, 4, true);
    }
    reply_snapshot(1, 3, true, 9.0F); /* of an earlier one */
    ck_assert(weight_of(1) == 0.0F);
    reply_snapshot(1, 4, true, 1.0F);
    reply_snapshot(1, 4, true, 9.0F); /* twice */
    client_advance(&room, 1000);
    for (uint32_t block = 0; block < CLIENT_BLOCKS; block++) {
        if (block != 1) {
            take_snapshot(block, 4, true);
            take_snapshot(block, UINT32_MAX, false); /* no run has that one: is anybody there? */
            ck_assert(!client_ready(&room));
            reply_snapshot(block, 4, true, (float)block);
        }
    }
    client_expect_silence(&room); /* observers send no heartbeats */
    ck_assert(client_ready(&room));
    for (uint32_t block = 0; block < CLIENT_BLOCKS; block++) {
        ck_assert(weight_of(block) == (float)block);
    }
    const dcps_snapshot_reply *info = dcps_client_core_snapshot_info(room.core);
    ck_assert(info->available);
    ck_assert_uint_eq(info->index, 4);
    ck_assert_uint_eq(info->version, 7);
    ck_assert_uint_eq(info->samples, 48);
    ck_assert_uint_eq(info->training_ns, 1000);
    ck_assert_double_eq(info->train_loss, 0.5);
    client_close(&room);
}
END_TEST

/* An observer has no session to lose: that its server was started again with other shards shows in what answers a repeated HELLO. */
START_TEST(test_observer_follows_to_other_shards)
{
    observe(1);
    dcps_client_core_snapshot(room.core, 4, true, room.now_ns);
    for (uint32_t block = 0; block < CLIENT_BLOCKS; block++) {
        take_snapshot(block, 4, true);
    }
    reply_snapshot(1, 4, true, 1.0F);
    client_greet(&room, 0); /* the same server as before */
    client_expect_silence(&room);
    client_expect_no_notice(&room);
    room.shards_per_server = 4;
    client_greet(&room, 0);
    (void)client_take_notice(&room, DCPS_CLIENT_CONNECTED,
                             0); /* the shell connects to the shards that are named there */
    (void)client_take_control(&room, 0, DCPS_MESSAGE_LAYOUT);
    client_expect_silence(&room);
    client_layout_reply(&room, 0);
    (void)client_take_notice(&room, DCPS_CLIENT_REJOINED, 0);
    for (uint32_t block = 0; block < CLIENT_BLOCKS; block++) {
        if (block != 1) { /* answered before */
            take_snapshot(block, 4, true);
            ck_assert(!client_ready(&room));
            reply_snapshot(block, 4, true, (float)block);
        }
    }
    client_expect_silence(&room);
    ck_assert(client_ready(&room));
    for (uint32_t block = 0; block < CLIENT_BLOCKS; block++) {
        ck_assert(weight_of(block) == (float)block);
    }
    client_expect_failure(&room, DCPS_OK, "");
    client_close(&room);
}
END_TEST

/* … and where it waits for a model to be declared, in the answer to that. */
START_TEST(test_observer_waits_while_the_shards_change)
{
    client_start(&room, 1, DCPS_ROLE_OBSERVER);
    client_greet(&room, 0);
    ck_assert_int_eq(dcps_client_core_declare(room.core, room.layout, 0, room.weights, NULL, room.now_ns), DCPS_OK);
    client_error(&room, client_control_route(0), DCPS_AGAIN, "no model yet");
    client_forget(&room);
    room.notice_count = 0;
    room.shards_per_server = 4;
    client_layout_reply(&room, 0);
    client_expect_failure(&room, DCPS_OK, "");
    client_expect_silence(&room); /* not at once: one that lies every time must not make us talk without end */
    client_wait(&room, 1000);
    client_expect_hello(&room, 0, false, 0, 0);
    client_greet(&room, 0);
    (void)client_take_notice(&room, DCPS_CLIENT_CONNECTED, 0);
    (void)client_take_control(&room, 0, DCPS_MESSAGE_LAYOUT);
    client_layout_reply(&room, 0);
    ck_assert(client_ready(&room));
    dcps_client_core_snapshot(room.core, 0, false, room.now_ns);
    for (uint32_t block = 0; block < CLIENT_BLOCKS; block++) {
        take_snapshot(block, 0, false);
    }
    client_close(&room);
}
END_TEST

/* Available only if every block is, in whatever order the answers come. */
START_TEST(test_snapshot_in_part)
{
    uint32_t missing = (uint32_t)_i % CLIENT_BLOCKS;
    observe(1);
    for (uint32_t attempt = 0; attempt < 2; attempt++) {
        dcps_client_core_snapshot(room.core, attempt, false, room.now_ns);
        for (uint32_t k = 0; k < CLIENT_BLOCKS; k++) {
            uint32_t block = _i < 4 ? k : CLIENT_BLOCKS - 1 - k;
            reply_snapshot(block, attempt, attempt == 1 || block != missing, 2.0F);
        }
        ck_assert(client_ready(&room));
        ck_assert_int_eq(dcps_client_core_snapshot_info(room.core)->available, attempt == 1);
        client_forget(&room);
    }
    client_close(&room);
}
END_TEST

START_TEST(test_wrong_snapshots_are_ignored)
{
    static const float values[2 * CLIENT_BLOCK] = {9};
    observe(2);
    dcps_client_core_snapshot(room.core, 0, false, room.now_ns);
    client_forget(&room);
    dcps_message reply = {.type = DCPS_MESSAGE_SNAPSHOT_REPLY,
                          .body.snapshot_reply = {.block = 1, .index = 0, .available = true}};
    client_expect_ignored(&room, client_route(&room, 1), &reply, 0);
    client_expect_ignored(&room, client_route(&room, 1), &reply, 60);
    client_expect_ignored(&room, client_route(&room, 1), &reply, 68);
    client_expect_ignored(&room, client_route(&room, 2), &reply, 64); /* from a shard that does not own it */
    reply.body.snapshot_reply.block = UINT32_MAX;
    client_expect_ignored(&room, client_route(&room, 1), &reply, 64);
    dcps_message weights = client_weights_of(&room, 1, 1);
    weights.body.weights.worker = 0;
    weights.body.weights.incarnation = 0;
    client_deliver(&room, client_route(&room, 1), &weights, values, 64); /* no answer to SNAPSHOT */
    ck_assert(weight_of(1) == 0.0F);
    client_close(&room);
}
END_TEST

START_TEST(test_observer_leaves_without_a_word)
{
    observe(2);
    client_wait(&room, 20000);
    client_expect_silence(&room);
    client_expect_no_notice(&room); /* nothing was asked, so nobody is silent */
    dcps_client_core_finish(room.core, room.now_ns);
    client_expect_silence(&room);
    ck_assert(dcps_client_core_finished(room.core));
    client_close(&room);
}
END_TEST

static Suite *make_suite(void)
{
    const TTest *const tests[] = {test_snapshot, test_observer_follows_to_other_shards,
                                  test_observer_waits_while_the_shards_change, test_wrong_snapshots_are_ignored,
                                  test_observer_leaves_without_a_word};
    Suite *suite = suite_create("client observer");
    TCase *group = tcase_create("observer");
    for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
        tcase_add_test(group, tests[i]);
    }
    tcase_add_loop_test(group, test_snapshot_in_part, 0, 8);
    suite_add_tcase(suite, group);
    return suite;
}

int main(void)
{
    return check_run(make_suite());
}
