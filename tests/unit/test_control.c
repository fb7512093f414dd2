/* Who is a member of the run and until when: identities, leases, takeovers and goodbyes. */
#include <check.h>
#include <string.h>

#include "base/clock.h"
#include "support/check_main.h"
#include "support/control_harness.h"

#define LEASE_MS 4000u

static control_room room;

START_TEST(test_ids_are_given_in_turn)
{
    control_open(&room, 0, 1);
    for (uint32_t k = 0; k < 3; k++) {
        dcps_welcome welcome = control_hello(&room, 100 + k);
        ck_assert_uint_eq(welcome.session.worker, k);
        ck_assert_uint_eq(welcome.session.incarnation, 1);
        ck_assert_uint_eq(welcome.session.token, k + 1); /* a fresh one each */
        ck_assert_uint_eq(welcome.nonce, 100 + k);
        dcps_control_event event = control_event(&room, DCPS_CONTROL_JOIN);
        ck_assert_uint_eq(event.session.worker, k);
        ck_assert_uint_eq(event.session.token, k + 1);
        ck_assert_str_eq(room.event_name, "host:1");
    }
    ck_assert_uint_eq(control_stats(&room).workers_live, 3);
    control_expect_quiet(&room);
    control_close(&room);
}
END_TEST

START_TEST(test_welcome_tells_the_settings)
{
    control_open(&room, 1, 2);
    dcps_hello hello = control_hello_of(&room, 5);
    hello.has_identity = true;
    hello.worker = 3;
    hello.incarnation = 2;
    dcps_welcome welcome = control_say_hello(&room, &hello);
    ck_assert_uint_eq(welcome.session.worker, 3);
    ck_assert_uint_eq(welcome.session.incarnation, 2);
    ck_assert_uint_eq(welcome.server_index, 1);
    ck_assert_uint_eq(welcome.server_count, 2);
    ck_assert_uint_eq(welcome.shards_per_server, 2);
    ck_assert_uint_eq(welcome.lease_ms, LEASE_MS);
    ck_assert_uint_eq(welcome.seed, 42);
    ck_assert_uint_eq(welcome.batch_size, 32);
    ck_assert_uint_eq(welcome.epochs, 7);
    ck_assert_uint_eq(welcome.workers, 4);
    ck_assert_uint_eq(welcome.snapshot_every_samples, 1234);
    ck_assert_str_eq(welcome.algorithm, "asgd");
    ck_assert_uint_eq(welcome.endpoint_count, 2);
    ck_assert_str_eq(welcome.endpoints[0], "tcp://a:1");
    ck_assert_str_eq(welcome.endpoints[1], "tcp://a:2");
    control_close(&room);
}
END_TEST

/* Events reach the shards before the message that makes the worker use its session. */
START_TEST(test_join_is_told_before_the_welcome)
{
    control_open(&room, 0, 1);
    (void)control_hello(&room, 9);
    ck_assert_uint_lt(room.events[0].order, room.answered_order);
    control_close(&room);
}
END_TEST

START_TEST(test_same_nonce_same_session)
{
    control_open(&room, 0, 1);
    dcps_welcome first = control_hello(&room, 9);
    (void)control_event(&room, DCPS_CONTROL_JOIN);
    (void)control_hello(&room, 10);
    (void)control_event(&room, DCPS_CONTROL_JOIN);
    dcps_welcome again = control_hello(&room, 9);
    ck_assert_mem_eq(&again.session, &first.session, sizeof(first.session));
    dcps_hello hello = control_hello_of(&room, 9); /* with the identity given */
    hello.has_identity = true;
    hello.worker = first.session.worker;
    hello.incarnation = first.session.incarnation;
    again = control_say_hello(&room, &hello);
    ck_assert_mem_eq(&again.session, &first.session, sizeof(first.session));
    control_expect_quiet(&room);
    ck_assert_uint_eq(control_stats(&room).workers_live, 2);
    control_close(&room);
}
END_TEST

START_TEST(test_observers_are_no_members)
{
    control_open(&room, 0, 1);
    for (uint32_t k = 0; k < 3; k++) {
        dcps_hello hello = control_hello_of(&room, 50 + k);
        hello.role = DCPS_ROLE_OBSERVER;
        dcps_welcome welcome = control_say_hello(&room, &hello);
        ck_assert_uint_eq(welcome.session.token, 0);
        ck_assert_uint_eq(welcome.nonce, 50 + k);
    }
    control_expect_quiet(&room);
    ck_assert_uint_eq(control_stats(&room).workers_live, 0);
    ck_assert_uint_eq(control_hello(&room, 60).session.worker, 0);
    control_close(&room);
}
END_TEST

START_TEST(test_wrong_place_is_refused)
{
    const uint32_t places[][2] = {{0, 3}, {1, 2}, {1, 1}, {2, 3}, {0, 0}, {UINT32_MAX, UINT32_MAX}};
    control_open(&room, 1, 3);
    for (uint32_t i = 0; i < 6; i++) {
        dcps_hello hello = control_hello_of(&room, 9);
        hello.server_index = places[i][0];
        hello.server_count = places[i][1];
        for (dcps_role role = DCPS_ROLE_WORKER; role <= DCPS_ROLE_OBSERVER; role++) {
            hello.role = role;
            control_send_hello(&room, &hello);
            control_expect_error(&room, DCPS_MISMATCH);
        }
    }
    ck_assert_ptr_nonnull(strstr(room.error_text, "server 1 of 3"));
    ck_assert_uint_eq(control_stats(&room).rejected, 12);
    control_close(&room);
}
END_TEST

START_TEST(test_nonce_is_needed)
{
    control_open(&room, 0, 1);
    dcps_hello hello = control_hello_of(&room, 0);
    control_send_hello(&room, &hello);
    control_expect_error(&room, DCPS_PROTOCOL);
    control_expect_quiet(&room);
    control_close(&room);
}
END_TEST

START_TEST(test_lease_runs_out)
{
    control_open(&room, 0, 1);
    dcps_welcome welcome = control_join(&room, 9);
    dcps_welcome other = control_join(&room, 10);
    room.now_ns += (LEASE_MS - 1000) * DCPS_NS_PER_MS;
    control_heartbeat(&room, &other.session);
    control_expect(&room, DCPS_MESSAGE_HEARTBEAT_REPLY);
    room.now_ns += 1000 * DCPS_NS_PER_MS;
    dcps_control_tick(room.control, room.now_ns);
    control_expect_quiet(&room); /* exactly the lease: not yet */
    room.now_ns += 250 * DCPS_NS_PER_MS;
    dcps_control_tick(room.control, room.now_ns);
    dcps_control_event event = control_event(&room, DCPS_CONTROL_LEAVE);
    ck_assert_uint_eq(event.session.worker, welcome.session.worker);
    ck_assert_int_eq(event.departure, DCPS_DEPARTURE_LOST);
    ck_assert_uint_eq(event.silent_ms, LEASE_MS + 250);
    ck_assert_str_eq(room.event_name, "host:1");
    dcps_control_tick(room.control, room.now_ns + DCPS_NS_PER_S);
    control_expect_quiet(&room); /* told once, and the other was heard */
    dcps_control_stats stats = control_stats(&room);
    ck_assert_uint_eq(stats.workers_live, 1);
    ck_assert_uint_eq(stats.workers_lost, 1);
    ck_assert_uint_eq(stats.workers_finished, 0);

    control_heartbeat(&room, &welcome.session);
    control_expect_error(&room, DCPS_SESSION);
    ck_assert_uint_eq(room.answer.body.error.token, welcome.session.token);
    control_expect_quiet(&room);
    control_close(&room);
}
END_TEST

/* A HELLO is a sign of life too: a worker may say it for as long as it has no model to declare. */
START_TEST(test_hello_keeps_the_lease)
{
    control_open(&room, 0, 1);
    (void)control_join(&room, 9);
    for (uint32_t k = 0; k < 5; k++) {
        room.now_ns += LEASE_MS * DCPS_NS_PER_MS;
        (void)control_hello(&room, 9);
        dcps_control_tick(room.control, room.now_ns);
        control_expect_quiet(&room);
    }
    control_close(&room);
}
END_TEST

/* The same process comes back after its lease: same identity, new token, JOIN again. */
START_TEST(test_back_after_the_lease)
{
    control_open(&room, 0, 1);
    dcps_welcome first = control_join(&room, 9);
    control_expire(&room);
    (void)control_event(&room, DCPS_CONTROL_LEAVE);
    dcps_hello hello = control_hello_of(&room, 9);
    hello.has_identity = _i == 1;
    hello.worker = first.session.worker;
    hello.incarnation = first.session.incarnation;
    dcps_welcome again = control_say_hello(&room, &hello);
    ck_assert_uint_eq(again.session.worker, first.session.worker);
    ck_assert_uint_eq(again.session.incarnation, first.session.incarnation);
    ck_assert_uint_ne(again.session.token, first.session.token);
    ck_assert_uint_eq(control_event(&room, DCPS_CONTROL_JOIN).session.token, again.session.token);
    ck_assert_uint_eq(control_stats(&room).workers_live, 1);
    control_heartbeat(&room, &first.session);
    control_expect_error(&room, DCPS_SESSION);
    control_heartbeat(&room, &again.session);
    control_expect(&room, DCPS_MESSAGE_HEARTBEAT_REPLY);
    control_close(&room);
}
END_TEST

/* While a worker was away its id went to somebody else: it gets another. */
START_TEST(test_back_after_the_id_was_given_away)
{
    control_open(&room, 0, 1);
    dcps_welcome first = control_join(&room, 9);
    control_expire(&room);
    (void)control_event(&room, DCPS_CONTROL_LEAVE);
    dcps_welcome second = control_join(&room, 10);
    ck_assert_uint_eq(second.session.worker, 0);
    ck_assert_uint_eq(second.session.incarnation, 2);
    dcps_hello hello = control_hello_of(&room, 9);
    hello.has_identity = true;
    hello.worker = first.session.worker;
    hello.incarnation = first.session.incarnation;
    dcps_welcome again = control_say_hello(&room, &hello);
    ck_assert_uint_eq(again.session.worker, 1);
    ck_assert_uint_eq(again.session.incarnation, 1);
    hello.incarnation = 9; /* nor does a high number take a live worker's id */
    hello.nonce = 11;
    again = control_say_hello(&room, &hello);
    ck_assert_uint_eq(again.session.worker, 2);
    ck_assert_uint_eq(control_stats(&room).workers_live, 3);
    control_close(&room);
}
END_TEST

/* A restarted server that lost everything believes the identities that workers bring along. */
START_TEST(test_identities_survive_the_server)
{
    control_open(&room, 0, 1);
    dcps_hello hello = control_hello_of(&room, 9);
    hello.has_identity = true;
    hello.worker = 5;
    hello.incarnation = 3;
    dcps_welcome welcome = control_say_hello(&room, &hello);
    ck_assert_uint_eq(welcome.session.worker, 5);
    ck_assert_uint_eq(welcome.session.incarnation, 3);
    ck_assert_uint_eq(control_event(&room, DCPS_CONTROL_JOIN).session.worker, 5);
    for (uint32_t k = 0; k < 6; k++) { /* newcomers get the others */
        uint32_t expected = k < 5 ? k : 6;
        ck_assert_uint_eq(control_join(&room, 20 + k).session.worker, expected);
    }
    control_close(&room);
}
END_TEST

START_TEST(test_nonsense_identities)
{
    const uint32_t claims[][2] = {{DCPS_MAX_WORKERS, 1}, {UINT32_MAX, 1}, {3, 0}};
    control_open(&room, 0, 1);
    for (uint32_t i = 0; i < 3; i++) {
        dcps_hello hello = control_hello_of(&room, 9 + i);
        hello.has_identity = true;
        hello.worker = claims[i][0];
        hello.incarnation = claims[i][1];
        dcps_welcome welcome = control_say_hello(&room, &hello); /* gets one of its own */
        ck_assert_uint_eq(welcome.session.worker, i);
        ck_assert_uint_eq(welcome.session.incarnation, 1);
    }
    control_close(&room);
}
END_TEST

/* Incarnations end somewhere; an id that was used up is never handed out as "never used". */
START_TEST(test_largest_incarnation)
{
    control_open(&room, 0, 1);
    dcps_hello hello = control_hello_of(&room, 9);
    hello.has_identity = true;
    hello.worker = 0;
    hello.incarnation = UINT32_MAX;
    dcps_welcome welcome = control_say_hello(&room, &hello);
    (void)control_event(&room, DCPS_CONTROL_JOIN);
    control_finish(&room, &welcome.session, true);
    (void)control_event(&room, DCPS_CONTROL_LEAVE);
    for (uint32_t k = 0; k < 2; k++) {
        welcome = control_hello(&room, 10);
        ck_assert_uint_gt(welcome.session.incarnation, 0);
    }
    ck_assert_uint_eq(control_stats(&room).workers_live, 1);
    control_close(&room);
}
END_TEST

/* A worker raises its own incarnation because another server asked it to. */
START_TEST(test_worker_raises_its_incarnation)
{
    control_open(&room, 0, 1);
    dcps_welcome first = control_join(&room, 9);
    dcps_hello hello = control_hello_of(&room, 9);
    hello.has_identity = true;
    hello.worker = first.session.worker;
    hello.incarnation = first.session.incarnation + 1;
    dcps_welcome raised = control_say_hello(&room, &hello);
    ck_assert_uint_eq(raised.session.worker, first.session.worker);
    ck_assert_uint_eq(raised.session.incarnation, 2);
    ck_assert_uint_eq(control_event(&room, DCPS_CONTROL_JOIN).session.incarnation, 2);
    control_heartbeat(&room, &first.session);
    control_expect_error(&room, DCPS_SESSION);
    control_close(&room);
}
END_TEST

/* ---- servers other than 0 follow what server 0 gave out ---- */

START_TEST(test_other_servers_give_no_ids)
{
    control_open(&room, 1, 2);
    dcps_hello hello = control_hello_of(&room, 9);
    control_send_hello(&room, &hello);
    control_expect_error(&room, DCPS_NOT_FOUND);
    hello = control_claim_of(&room, 9, DCPS_MAX_WORKERS, 1);
    control_send_hello(&room, &hello);
    control_expect_error(&room, DCPS_NOT_FOUND);
    hello = control_claim_of(&room, 9, 2, 0);
    control_send_hello(&room, &hello);
    control_expect_error(&room, DCPS_NOT_FOUND);
    control_expect_quiet(&room);
    ck_assert_uint_eq(control_stats(&room).workers_live, 0);
    control_close(&room);
}
END_TEST

START_TEST(test_takeover_by_a_higher_incarnation)
{
    control_open(&room, 1, 2);
    dcps_hello hello = control_claim_of(&room, 9, 2, 1);
    dcps_welcome old = control_say_hello(&room, &hello);
    (void)control_event(&room, DCPS_CONTROL_JOIN);
    hello = control_claim_of(&room, 10, 2, 1); /* another process, no later than the one that is here */
    control_send_hello(&room, &hello);
    control_expect_error(&room, DCPS_NOT_FOUND);
    room.now_ns += 1500 * DCPS_NS_PER_MS;
    hello = control_claim_of(&room, 10, 2, 2);
    dcps_welcome new = control_say_hello(&room, &hello);
    ck_assert_uint_eq(new.session.incarnation, 2);
    ck_assert_uint_eq(control_event(&room, DCPS_CONTROL_JOIN).session.incarnation, 2);
    dcps_control_stats stats;
    dcps_control_stats_get(room.control, &stats);
    ck_assert_uint_eq(stats.workers_live, 1);
    ck_assert_uint_eq(stats.workers_lost, 0);
    hello = control_claim_of(&room, 9, 2, 1); /* the old process comes too late */
    control_send_hello(&room, &hello);
    control_expect_error(&room, DCPS_NOT_FOUND);
    control_finish(&room, &old.session, true);
    control_expect_quiet(&room); /* its goodbye ends nobody else's session */
    control_heartbeat(&room, &new.session);
    control_expect(&room, DCPS_MESSAGE_HEARTBEAT_REPLY);
    control_close(&room);
}
END_TEST

/* ---- goodbyes ---- */

START_TEST(test_goodbye_before_the_end)
{
    control_open(&room, 0, 1);
    dcps_welcome welcome = control_join(&room, 9);
    control_finish(&room, &welcome.session, false);
    ck_assert_int_eq(control_event(&room, DCPS_CONTROL_LEAVE).departure, DCPS_DEPARTURE_EARLY);
    dcps_control_stats stats = control_stats(&room);
    ck_assert_uint_eq(stats.workers_live, 0);
    ck_assert_uint_eq(stats.workers_finished, 0);
    ck_assert_uint_eq(stats.workers_lost, 0);
    control_close(&room);
}
END_TEST

START_TEST(test_finish_is_idempotent)
{
    control_open(&room, 0, 1);
    dcps_welcome welcome = control_join(&room, 9);
    for (uint32_t k = 0; k < 3; k++) { /* answered each time, so that a lost answer does no harm */
        control_finish(&room, &welcome.session, true);
        if (k == 0) {
            dcps_control_event event = control_event(&room, DCPS_CONTROL_LEAVE);
            ck_assert_int_eq(event.departure, DCPS_DEPARTURE_DONE);
            ck_assert_uint_eq(event.silent_ms, 0);
            ck_assert_uint_eq(event.session.token, welcome.session.token);
        }
        control_expect_quiet(&room);
    }
    dcps_control_stats stats = control_stats(&room);
    ck_assert_uint_eq(stats.workers_live, 0);
    ck_assert_uint_eq(stats.workers_finished, 1);
    ck_assert_uint_eq(stats.workers_lost, 0);
    control_expire(&room);
    control_expect_quiet(&room);
    dcps_session stranger = {.worker = UINT32_MAX, .incarnation = 1, .token = 1};
    control_finish(&room, &stranger, true);
    control_expect_quiet(&room);
    control_close(&room);
}
END_TEST

START_TEST(test_strangers_have_no_heartbeat)
{
    control_open(&room, 0, 1);
    dcps_session live = control_join(&room, 9).session;
    const dcps_session wrong[] = {
        {.worker = live.worker, .incarnation = live.incarnation, .token = live.token + 1},
        {.worker = live.worker, .incarnation = live.incarnation, .token = 0},
        {.worker = live.worker, .incarnation = live.incarnation + 1, .token = live.token},
        {.worker = live.worker + 1, .incarnation = live.incarnation, .token = live.token},
        {.worker = 1, .incarnation = 0, .token = 0},
        {.worker = DCPS_MAX_WORKERS, .incarnation = 1, .token = 1},
    };
    for (uint32_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        control_heartbeat(&room, &wrong[i]);
        control_expect_error(&room, DCPS_SESSION);
    }
    control_expire(&room); /* none of that counted as a sign of life */
    (void)control_event(&room, DCPS_CONTROL_LEAVE);
    control_close(&room);
}
END_TEST

START_TEST(test_limit_of_workers)
{
    control_open(&room, 0, 1);
    dcps_session session = {0};
    for (uint32_t k = 0; k < DCPS_MAX_WORKERS; k++) {
        session = control_join(&room, 100 + k).session;
        ck_assert_uint_eq(session.worker, k);
    }
    dcps_hello hello = control_hello_of(&room, 9);
    control_send_hello(&room, &hello);
    control_expect_error(&room, DCPS_LIMIT);
    ck_assert_uint_eq(control_stats(&room).workers_live, DCPS_MAX_WORKERS);
    control_finish(&room, &session, true);
    (void)control_event(&room, DCPS_CONTROL_LEAVE);
    dcps_welcome welcome = control_join(&room, 9);
    ck_assert_uint_eq(welcome.session.worker, DCPS_MAX_WORKERS - 1);
    ck_assert_uint_eq(welcome.session.incarnation, 2);
    control_close(&room);
}
END_TEST

START_TEST(test_messages_of_another_socket)
{
    static const dcps_message_type all[] = {
#define TYPE(name, number, payload) DCPS_MESSAGE_##name,
        DCPS_MESSAGE_MAP(TYPE)
#undef TYPE
    };
    control_open(&room, 0, 1);
    for (uint32_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        if (all[i] == DCPS_MESSAGE_HELLO || all[i] == DCPS_MESSAGE_LAYOUT || all[i] == DCPS_MESSAGE_HEARTBEAT ||
            all[i] == DCPS_MESSAGE_FINISH || all[i] == DCPS_MESSAGE_STATUS || all[i] == DCPS_MESSAGE_CHECKPOINT) {
            continue;
        }
        uint64_t rejected = control_stats(&room).rejected;
        dcps_message message = {.type = all[i]};
        control_deliver(&room, &message);
        if (all[i] != DCPS_MESSAGE_ERROR) { /* never answered */
            control_expect_error(&room, DCPS_PROTOCOL);
        }
        ck_assert_uint_eq(control_stats(&room).rejected, rejected + 1);
        control_expect_quiet(&room);
    }
    control_close(&room);
}
END_TEST

static Suite *make_suite(void)
{
    const TTest *const tests[] = {test_ids_are_given_in_turn,
                                  test_welcome_tells_the_settings,
                                  test_join_is_told_before_the_welcome,
                                  test_same_nonce_same_session,
                                  test_observers_are_no_members,
                                  test_wrong_place_is_refused,
                                  test_nonce_is_needed,
                                  test_lease_runs_out,
                                  test_hello_keeps_the_lease,
                                  test_back_after_the_id_was_given_away,
                                  test_identities_survive_the_server,
                                  test_nonsense_identities,
                                  test_largest_incarnation,
                                  test_worker_raises_its_incarnation,
                                  test_other_servers_give_no_ids,
                                  test_takeover_by_a_higher_incarnation,
                                  test_goodbye_before_the_end,
                                  test_finish_is_idempotent,
                                  test_strangers_have_no_heartbeat,
                                  test_limit_of_workers,
                                  test_messages_of_another_socket};
    Suite *suite = suite_create("control");
    TCase *group = tcase_create("control");
    for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
        tcase_add_test(group, tests[i]);
    }
    tcase_add_loop_test(group, test_back_after_the_lease, 0, 2);
    suite_add_tcase(suite, group);
    return suite;
}

int main(void)
{
    return check_run(make_suite());
}
