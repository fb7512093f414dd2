/* The client's control plane: handshake and disagreements. */
#include <check.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "support/check_main.h"
#include "support/client_harness.h"

static client_room room;

START_TEST(test_handshake_with_two_servers)
{
    client_start(&room, 2, DCPS_ROLE_WORKER);
    client_expect_hello(&room, 0, false, 0, 0);
    client_expect_silence(&room); /* server 0 must give us an identity first */
    ck_assert_ptr_null(dcps_client_core_welcome(room.core));
    client_greet(&room, 0);
    dcps_client_notice notice = client_take_notice(&room, DCPS_CLIENT_CONNECTED, 0);
    ck_assert_ptr_nonnull(notice.welcome);
    client_expect_hello(&room, 1, true, 3, 2);
    client_expect_silence(&room); /* no model yet */
    const dcps_welcome *settings = dcps_client_core_welcome(room.core);
    ck_assert_uint_eq(settings->seed, 42);
    ck_assert_uint_eq(settings->batch_size, 8);
    ck_assert_uint_eq(settings->epochs, 3);
    ck_assert_uint_eq(settings->session.worker, 3);
    ck_assert_ptr_null(settings->endpoints); /* not kept */
    client_greet(&room, 1);
    (void)client_take_notice(&room, DCPS_CLIENT_CONNECTED, 1);

    ck_assert_int_eq(client_declare(&room), DCPS_OK);
    for (uint32_t server = 0; server < 2; server++) {
        dcps_layout_message layout = client_take_control(&room, server, DCPS_MESSAGE_LAYOUT).message.body.layout;
        ck_assert_uint_eq(layout.session.token, 100 + server);
        ck_assert_uint_eq(layout.nonce, CLIENT_NONCE);
        ck_assert_uint_eq(layout.samples_per_epoch, 48);
        ck_assert_uint_eq(layout.tensor_count, 1);
        ck_assert_str_eq(layout.tensors[0].name, "w");
    }
    client_expect_silence(&room);
    ck_assert_ptr_null(dcps_client_core_partition(room.core));
    client_layout_reply(&room, 1);
    ck_assert_uint_eq(dcps_client_core_partition(room.core)->block_count, CLIENT_BLOCKS);
    for (uint32_t block = 2; block < 4; block++) { /* those of server 1 */
        (void)client_take_request(&room, block, DCPS_MESSAGE_PULL);
        client_answer(&room, block, 1, 5.0F);
    }
    client_expect_silence(&room);
    ck_assert(!client_ready(&room)); /* server 0 is missing */
    client_layout_reply(&room, 0);
    for (uint32_t block = 0; block < 2; block++) {
        (void)client_take_request(&room, block, DCPS_MESSAGE_PULL);
        ck_assert(!client_ready(&room));
        client_answer(&room, block, 1, 6.0F);
    }
    ck_assert(client_ready(&room));
    ck_assert(room.weights[0] == 6.0F && room.weights[31] == 6.0F && room.weights[32] == 5.0F &&
              room.weights[63] == 5.0F);
    client_expect_no_notice(&room);
    client_close(&room);
}
END_TEST

START_TEST(test_declaration_is_checked)
{
    client_start(&room, 1, DCPS_ROLE_WORKER);
    client_forget(&room);
    ck_assert_int_eq(dcps_client_core_declare(room.core, room.layout, 48, room.weights, NULL, room.now_ns),
                     DCPS_INVALID);
    ck_assert_int_eq(client_declare(&room), DCPS_OK); /* before the WELCOME: sent when it comes */
    client_expect_silence(&room);
    ck_assert_int_eq(client_declare(&room), DCPS_INVALID);
    client_greet(&room, 0);
    (void)client_take_control(&room, 0, DCPS_MESSAGE_LAYOUT);
    client_expect_silence(&room);
    client_close(&room);
}
END_TEST

START_TEST(test_bad_configurations)
{
    dcps_client_core_config config = {.role = DCPS_ROLE_WORKER, .nonce = 1};
    dcps_client_core *core = NULL;
    const uint32_t counts[] = {0, DCPS_MAX_SERVERS + 1, UINT32_MAX};
    for (uint32_t i = 0; i < 3; i++) {
        config.server_count = counts[i];
        ck_assert_int_eq(dcps_client_core_create(&config, &core), DCPS_INVALID);
        ck_assert_ptr_null(core);
    }
    config.server_count = DCPS_MAX_SERVERS;
    ck_assert_int_eq(dcps_client_core_create(&config, &core), DCPS_OK); /* a name is not needed */
    dcps_client_core_destroy(&core);
    dcps_client_core_destroy(&core);
}
END_TEST

START_TEST(test_handshake_is_repeated)
{
    client_start(&room, 2, DCPS_ROLE_WORKER);
    client_expect_hello(&room, 0, false, 0, 0);
    ck_assert_int_eq(client_declare(&room), DCPS_OK);
    client_wait(&room, 950);
    client_expect_silence(&room);
    client_advance(&room, 50);
    client_expect_hello(&room, 0, false, 0, 0);
    client_expect_silence(&room);
    client_wait(&room, 1000);
    client_expect_hello(&room, 0, false, 0, 0);
    client_greet(&room, 0);
    (void)client_take_control(&room, 0, DCPS_MESSAGE_LAYOUT);
    client_expect_hello(&room, 1, true, 3, 2);
    client_greet(&room, 0); /* of the repeated HELLO */
    client_expect_silence(&room);
    client_advance(&room, 1000);
    (void)client_take_control(&room, 0, DCPS_MESSAGE_LAYOUT);
    client_expect_hello(&room, 1, true, 3, 2);
    client_layout_reply(&room, 0);
    client_layout_reply(&room, 0);
    (void)client_take_request(&room, 0, DCPS_MESSAGE_PULL);
    (void)client_take_request(&room, 1, DCPS_MESSAGE_PULL);
    (void)client_take_control(&room, 0, DCPS_MESSAGE_HEARTBEAT);
    client_expect_silence(&room);
    client_close(&room);
}
END_TEST

START_TEST(test_foreign_welcomes_are_ignored)
{
    client_start(&room, 1, DCPS_ROLE_WORKER);
    client_forget(&room);
    dcps_welcome body = client_welcome_of(&room, 0);
    body.nonce++;
    client_welcome(&room, &body);
    ck_assert_ptr_null(dcps_client_core_welcome(room.core));
    client_expect_no_notice(&room);
    client_expect_failure(&room, DCPS_OK, "");
    ck_assert_int_eq(client_declare(&room), DCPS_OK);
    client_layout_reply(&room, 0); /* to a declaration that was never sent */
    ck_assert_ptr_null(dcps_client_core_partition(room.core));
    client_greet(&room, 0);
    dcps_message reply = {.type = DCPS_MESSAGE_LAYOUT_REPLY, .body.layout_reply = {.nonce = CLIENT_NONCE + 1}};
    client_deliver(&room, client_control_route(0), &reply, NULL, 0);
    ck_assert_ptr_null(dcps_client_core_partition(room.core));
    client_expect_failure(&room, DCPS_OK, "");
    client_close(&room);
}
END_TEST

/* ---- disagreements ---- */

START_TEST(test_server_in_another_place)
{
    const uint32_t places[][2] = {{1, 1}, {0, 2}, {3, 4}};
    for (uint32_t i = 0; i < 3; i++) {
        client_start(&room, 1, DCPS_ROLE_WORKER);
        dcps_welcome body = client_welcome_of(&room, 0);
        body.server_index = places[i][0];
        body.server_count = places[i][1];
        dcps_message message = {.type = DCPS_MESSAGE_WELCOME, .body.welcome = body};
        client_deliver(&room, client_control_route(0), &message, NULL, 0);
        client_expect_failure(&room, DCPS_MISMATCH, "--servers");
        ck_assert_ptr_null(dcps_client_core_welcome(room.core));
        client_close(&room);
    }
}
END_TEST

static void spoil(dcps_welcome *body, int what)
{
    switch (what) {
    case 0:
        body->shards_per_server = 3;
        break;
    case 1:
        body->seed++;
        break;
    case 2:
        body->batch_size++;
        break;
    case 3:
        body->epochs++;
        break;
    case 4:
        body->snapshot_every_samples++;
        break;
    default:
        body->workers++;
        break;
    }
}

START_TEST(test_servers_with_other_settings)
{
    client_start(&room, 2, DCPS_ROLE_WORKER);
    client_greet(&room, 0);
    client_expect_failure(&room, DCPS_OK, "");
    dcps_welcome body = client_welcome_of(&room, 1);
    spoil(&body, _i);
    client_welcome(&room, &body);
    client_expect_failure(&room, DCPS_MISMATCH, "server 1");
    client_close(&room);
}
END_TEST

static void reply_with(uint32_t server, uint64_t params, uint32_t block_params, uint32_t servers)
{
    dcps_message reply = {.type = DCPS_MESSAGE_LAYOUT_REPLY, .body.layout_reply = {.nonce = CLIENT_NONCE}};
    ck_assert_int_eq(dcps_partition_init(&reply.body.layout_reply.partition, params, block_params, servers, 2),
                     DCPS_OK);
    client_deliver(&room, client_control_route(server), &reply, NULL, 0);
}

START_TEST(test_partitions_that_do_not_fit)
{
    for (uint32_t i = 0; i < 4; i++) {
        client_start(&room, 2, DCPS_ROLE_WORKER);
        ck_assert_int_eq(client_declare(&room), DCPS_OK);
        client_greet(&room, 0);
        client_greet(&room, 1);
        if (i == 0) {
            reply_with(0, CLIENT_PARAMS + 16, CLIENT_BLOCK, 2); /* larger than our vectors */
        } else if (i == 1) {
            reply_with(0, CLIENT_PARAMS, CLIENT_BLOCK, 3);
        } else {
            client_layout_reply(&room, 0);
            client_expect_failure(&room, DCPS_OK, "");
            reply_with(1, CLIENT_PARAMS, i == 2 ? 2 * CLIENT_BLOCK : CLIENT_BLOCK, i == 2 ? 2 : 1);
        }
        client_expect_failure(&room, DCPS_MISMATCH, i < 2 ? "server 0" : "server 1");
        client_close(&room);
    }
}
END_TEST

START_TEST(test_shards_that_were_not_named)
{
    client_start(&room, 2, DCPS_ROLE_WORKER);
    ck_assert_int_eq(client_declare(&room), DCPS_OK);
    client_greet(&room, 0);
    dcps_message reply = {.type = DCPS_MESSAGE_LAYOUT_REPLY, .body.layout_reply = {.nonce = CLIENT_NONCE}};
    ck_assert_int_eq(dcps_partition_init(&reply.body.layout_reply.partition, CLIENT_PARAMS, CLIENT_BLOCK, 2, 3),
                     DCPS_OK);
    client_deliver(&room, client_control_route(0), &reply, NULL, 0);
    client_expect_failure(&room, DCPS_PROTOCOL, "3 shards");
    client_close(&room);
}
END_TEST

START_TEST(test_refusals_are_final)
{
    const dcps_status final[] = {DCPS_MISMATCH, DCPS_LIMIT, DCPS_PROTOCOL, DCPS_INVALID};
    for (uint32_t i = 0; i < 4; i++) {
        client_start(&room, 1, DCPS_ROLE_WORKER);
        client_error(&room, client_control_route(0), final[i], "because of this");
        client_expect_failure(&room, final[i], "because of this");
        client_error(&room, client_control_route(0), DCPS_IO, "later");
        client_expect_failure(&room, final[i], "because of this"); /* the first reason stays */
        client_close(&room);

        client_start(&room, 1, DCPS_ROLE_WORKER);
        ck_assert_int_eq(client_declare(&room), DCPS_OK);
        client_greet(&room, 0);
        client_error(&room, client_control_route(0), final[i], "tensor 2 differs");
        client_expect_failure(&room, final[i], "tensor 2 differs");
        client_close(&room);
    }
}
END_TEST

START_TEST(test_refusals_that_pass)
{
    const dcps_status passing[] = {DCPS_AGAIN, DCPS_NO_MEMORY};
    for (uint32_t i = 0; i < 2; i++) {
        client_start(&room, 1, DCPS_ROLE_WORKER);
        client_forget(&room);
        client_error(&room, client_control_route(0), passing[i], "not yet");
        client_expect_failure(&room, DCPS_OK, "");
        client_advance(&room, 1000);
        client_expect_hello(&room, 0, false, 0, 0);
        ck_assert_int_eq(client_declare(&room), DCPS_OK);
        client_greet(&room, 0);
        client_forget(&room);
        client_error(&room, client_control_route(0), passing[i], "not yet");
        client_advance(&room, 1000);
        (void)client_take_control(&room, 0, DCPS_MESSAGE_LAYOUT);
        client_layout_reply(&room, 0);
        client_error(&room, client_control_route(0), DCPS_MISMATCH, "late"); /* nothing was asked */
        client_expect_failure(&room, DCPS_OK, "");
        client_close(&room);
    }
}
END_TEST

/* ---- lost sessions ---- */

START_TEST(test_no_memory)
{
    dcps_client_core_config config = {.server_count = 1, .role = DCPS_ROLE_WORKER, .nonce = 1};
    dcps_client_core *core = NULL;
    dcps_alloc_fail_after(0);
    ck_assert_int_eq(dcps_client_core_create(&config, &core), DCPS_NO_MEMORY);
    ck_assert_ptr_null(core);
    client_start(&room, 1, DCPS_ROLE_WORKER);
    dcps_status status = DCPS_NO_MEMORY;
    for (uint64_t n = 0; status != DCPS_OK; n++) {
        dcps_alloc_fail_after(n);
        status = client_declare(&room);
        dcps_alloc_fail_after(UINT64_MAX);
        ck_assert(status == DCPS_OK || (status == DCPS_NO_MEMORY && n < 20));
    }
    client_greet(&room, 0);
    dcps_alloc_fail_after(0);
    client_layout_reply(&room, 0);
    dcps_alloc_fail_after(UINT64_MAX);
    client_expect_failure(&room, DCPS_NO_MEMORY, "");
    ck_assert_ptr_null(dcps_client_core_partition(room.core));
    ck_assert(!client_ready(&room));
    client_close(&room);
}
END_TEST

static Suite *make_suite(void)
{
    const TTest *const tests[] = {test_handshake_with_two_servers,
                                  test_declaration_is_checked,
                                  test_bad_configurations,
                                  test_handshake_is_repeated,
                                  test_foreign_welcomes_are_ignored,
                                  test_server_in_another_place,
                                  test_partitions_that_do_not_fit,
                                  test_shards_that_were_not_named,
                                  test_refusals_are_final,
                                  test_refusals_that_pass,
                                  test_no_memory};
    Suite *suite = suite_create("client core");
    TCase *group = tcase_create("links");
    for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
        tcase_add_test(group, tests[i]);
    }
    tcase_add_loop_test(group, test_servers_with_other_settings, 0, 6);
    suite_add_tcase(suite, group);
    return suite;
}

int main(void)
{
    return check_run(make_suite());
}
