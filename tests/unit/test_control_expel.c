/* Workers that others have waited for too long: how they are left out, and as whom they come back. */
#include <check.h>

#include "support/check_main.h"
#include "support/control_harness.h"

static control_room room;

/* A worker that lives but keeps others waiting. Server 0 gives it another identity when it comes back, even if its HELLO gets lost or its WELCOME does. */
START_TEST(test_expelled_by_server_0)
{
    control_open(&room, 0, 2);
    dcps_welcome old = control_join(&room, 9);
    dcps_welcome other = control_join(&room, 10);
    dcps_control_expel(room.control, &old.session, 30000);
    control_expect_error(&room, DCPS_SESSION); /* it is told without having asked */
    ck_assert_uint_eq(room.answer.body.error.token, old.session.token);
    dcps_control_event event = control_event(&room, DCPS_CONTROL_LEAVE);
    ck_assert_uint_eq(event.session.token, old.session.token);
    ck_assert_int_eq(event.departure, DCPS_DEPARTURE_LOST);
    ck_assert_uint_eq(event.awaited_ms, 30000);
    ck_assert_uint_eq(event.silent_ms, 0);
    ck_assert_uint_eq(control_stats(&room).workers_live, 1);
    ck_assert_uint_eq(control_stats(&room).workers_lost, 1);
    ck_assert_uint_eq(control_stats(&room).rejected, 0);
    dcps_control_expel(room.control, &old.session, 30100); /* told of once more, by another shard */
    control_expect_quiet(&room);
    control_heartbeat(&room, &old.session);
    control_expect_error(&room, DCPS_SESSION);

    dcps_hello hello = control_hello_of(&room, 9);
    hello.has_identity = true;
    hello.worker = old.session.worker;
    hello.incarnation = old.session.incarnation;
    dcps_session fresh = control_say_hello(&room, &hello).session;
    ck_assert_uint_eq(fresh.worker, old.session.worker);
    ck_assert_uint_eq(fresh.incarnation, old.session.incarnation + 1u);
    ck_assert_uint_ne(fresh.token, old.session.token);
    event = control_event(&room, DCPS_CONTROL_JOIN);
    ck_assert_uint_eq(event.session.incarnation, fresh.incarnation);
    dcps_session again = control_say_hello(&room, &hello).session;
    ck_assert_mem_eq(&again, &fresh, sizeof(fresh));
    control_expect_quiet(&room);
    dcps_control_expel(room.control, &old.session, 40000); /* the old news do not concern the new session */
    control_expect_quiet(&room);
    control_heartbeat(&room, &other.session);
    control_expect(&room, DCPS_MESSAGE_HEARTBEAT_REPLY);
    control_close(&room);
}
END_TEST

/* The others follow server 0's decisions on identities: there the same one comes back with another token, or the new one that server 0 gave. */
START_TEST(test_expelled_by_another_server)
{
    control_open(&room, 1, 2);
    dcps_hello hello = control_hello_of(&room, 9);
    hello.has_identity = true;
    hello.worker = 3;
    hello.incarnation = 1;
    dcps_session old = control_say_hello(&room, &hello).session;
    (void)control_event(&room, DCPS_CONTROL_JOIN);
    dcps_control_expel(room.control, &old, 5000);
    control_expect_error(&room, DCPS_SESSION);
    (void)control_event(&room, DCPS_CONTROL_LEAVE);
    dcps_session same = control_say_hello(&room, &hello).session;
    ck_assert_uint_eq(same.incarnation, 1);
    ck_assert_uint_ne(same.token, old.token);
    (void)control_event(&room, DCPS_CONTROL_JOIN);
    hello.incarnation = 2;
    ck_assert_uint_eq(control_say_hello(&room, &hello).session.incarnation, 2);
    ck_assert_uint_eq(control_event(&room, DCPS_CONTROL_JOIN).session.incarnation, 2);
    ck_assert_uint_eq(control_stats(&room).workers_live, 1);
    dcps_session nobody = {.worker = DCPS_MAX_WORKERS, .incarnation = 1, .token = 1};
    dcps_control_expel(room.control, &nobody, 5000);
    control_expect_quiet(&room);
    control_close(&room);
}
END_TEST

/* Expelled by server 0, a worker shows another identity to servers that had not expelled it: what it was there ends, below or above. */
START_TEST(test_another_identity_ends_the_old_one)
{
    const uint32_t ids[][2] = {{1, 0}, {0, 2}};
    control_open(&room, 1, 2);
    dcps_hello hello = control_claim_of(&room, 9, ids[_i][0], 1);
    dcps_session old = control_say_hello(&room, &hello).session;
    (void)control_event(&room, DCPS_CONTROL_JOIN);
    hello = control_claim_of(&room, 9, ids[_i][1], 2);
    dcps_session fresh = control_say_hello(&room, &hello).session;
    dcps_control_event event = control_event(&room, DCPS_CONTROL_LEAVE);
    ck_assert_mem_eq(&event.session, &old, sizeof(old));
    ck_assert(event.renamed);
    ck_assert_int_eq(event.departure, DCPS_DEPARTURE_LOST);
    event = control_event(&room, DCPS_CONTROL_JOIN);
    ck_assert_mem_eq(&event.session, &fresh, sizeof(fresh));
    ck_assert_uint_eq(fresh.worker, ids[_i][1]);
    ck_assert_uint_eq(control_stats(&room).workers_live, 1);
    ck_assert_uint_eq(control_stats(&room).workers_lost, 1);
    control_heartbeat(&room, &old);
    control_expect_error(&room, DCPS_SESSION);
    dcps_session again = control_say_hello(&room, &hello).session;
    ck_assert_mem_eq(&again, &fresh, sizeof(fresh));
    hello = control_claim_of(&room, 9, ids[_i][0], 1); /* sent before, and late */
    control_send_hello(&room, &hello);
    control_expect_error(&room, DCPS_NOT_FOUND);
    control_expect_quiet(&room);
    control_close(&room);
}
END_TEST

/* A claim that is not accepted ends nothing. */
START_TEST(test_refused_claim_ends_nothing)
{
    control_open(&room, 1, 2);
    dcps_hello hello = control_claim_of(&room, 9, 1, 1);
    dcps_session old = control_say_hello(&room, &hello).session;
    (void)control_event(&room, DCPS_CONTROL_JOIN);
    hello = control_claim_of(&room, 10, 2, 3);
    (void)control_say_hello(&room, &hello);
    (void)control_event(&room, DCPS_CONTROL_JOIN);
    hello = control_claim_of(&room, 9, 2, 3);
    control_send_hello(&room, &hello);
    control_expect_error(&room, DCPS_NOT_FOUND);
    control_heartbeat(&room, &old);
    control_expect(&room, DCPS_MESSAGE_HEARTBEAT_REPLY);
    control_expect_quiet(&room);
    control_close(&room);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("expulsion");
    TCase *group = tcase_create("expulsion");
    tcase_add_test(group, test_expelled_by_server_0);
    tcase_add_test(group, test_expelled_by_another_server);
    tcase_add_loop_test(group, test_another_identity_ends_the_old_one, 0, 2);
    tcase_add_test(group, test_refused_claim_ends_nothing);
    suite_add_tcase(suite, group);
    return suite;
}

int main(void)
{
    return check_run(make_suite());
}
