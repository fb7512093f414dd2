/* Whether leases may be judged on a tick. */
#include <check.h>

#include "base/clock.h"
#include "server/lease_guard.h"
#include "support/check_main.h"

#define WAIT_TICKS 12 /* of 100 ms: a heartbeat every 1000 ms, and two for it to come */

static dcps_lease_guard guard;
static uint64_t now_ms;

static void start(void)
{
    guard = (dcps_lease_guard){.lease_ms = 4000, .tick_ms = 100};
    now_ms = 5000;
    ck_assert(!dcps_lease_guard_waits(&guard, false, now_ms * DCPS_NS_PER_MS));
}

static bool waits_after(uint64_t ms, bool left)
{
    now_ms += ms;
    return dcps_lease_guard_waits(&guard, left, now_ms * DCPS_NS_PER_MS);
}

START_TEST(ticks_in_time_judge)
{
    start();
    for (int i = 0; i < 100; i++) {
        ck_assert(!waits_after(i % 2 == 0 ? 100 : 999, false));
    }
}
END_TEST

/* The process stood still: all that living workers sent meanwhile, and send next, is to be read first. */
START_TEST(late_tick_gives_time_for_a_heartbeat)
{
    start();
    ck_assert(waits_after(6000, false));
    for (int i = 0; i < WAIT_TICKS - 1; i++) {
        ck_assert(waits_after(100, false));
    }
    ck_assert(!waits_after(100, false));
    ck_assert(!waits_after(100, false));
    ck_assert(waits_after(1000, false)); /* and again */
}
END_TEST

START_TEST(unread_messages_put_off_one_tick)
{
    start();
    ck_assert(waits_after(100, true));
    ck_assert(!waits_after(100, true));
    ck_assert(waits_after(100, true));
    ck_assert(!waits_after(100, false));
}
END_TEST

/* So much later are deadlines for what others do. All the time would be too much: a machine that is always late would have none. */
START_TEST(pauses_are_told_and_forgiven)
{
    start();
    ck_assert(waits_after(6000, false));
    ck_assert_uint_eq(guard.missed_ns, 6000 * DCPS_NS_PER_MS);
    ck_assert(waits_after(100, false));
    ck_assert_uint_eq(guard.missed_ns, 0);
    ck_assert(waits_after(1500, false) && waits_after(1500, false));
    ck_assert_uint_eq(guard.missed_ns, 1500 * DCPS_NS_PER_MS);
    ck_assert(!waits_after(1500, false));
    ck_assert_uint_eq(guard.missed_ns, 0);
}
END_TEST

/* What waited for the second pause was never read in the time between them. */
START_TEST(second_pause_begins_the_wait_anew)
{
    start();
    for (int pause = 0; pause < 3; pause++) {
        ck_assert(waits_after(6000, false));
        for (int i = 0; i < WAIT_TICKS - 1; i++) {
            ck_assert(waits_after(100, false));
        }
    }
    ck_assert(!waits_after(100, false));
}
END_TEST

START_TEST(two_late_ticks_running)
{
    start();
    ck_assert(waits_after(6000, false));
    ck_assert(waits_after(6000, false));
    for (int i = 0; i < WAIT_TICKS - 1; i++) {
        ck_assert(waits_after(100, false));
    }
    ck_assert(!waits_after(100, false));
}
END_TEST

/* A flood does not prolong the wait. */
START_TEST(unread_messages_after_a_late_tick)
{
    start();
    ck_assert(waits_after(6000, true));
    for (int i = 0; i < WAIT_TICKS - 1; i++) {
        ck_assert(waits_after(100, true));
    }
    ck_assert(!waits_after(100, true));
}
END_TEST

START_TEST(leases_end_on_a_machine_that_is_always_late)
{
    start();
    for (int i = 0; i < 40; i++) {
        ck_assert(waits_after(1500, true) == (i % 4 != 3));
    }
}
END_TEST

/* A lease shorter than a few ticks: a tick is late by the ticks, not by the lease. */
START_TEST(short_leases)
{
    start();
    guard.lease_ms = 100;
    ck_assert(!waits_after(199, false));
    ck_assert(waits_after(200, false));
    ck_assert(waits_after(100, false));
    ck_assert(waits_after(100, false));
    ck_assert(!waits_after(100, false));
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {ticks_in_time_judge,
                                  late_tick_gives_time_for_a_heartbeat,
                                  pauses_are_told_and_forgiven,
                                  second_pause_begins_the_wait_anew,
                                  two_late_ticks_running,
                                  unread_messages_put_off_one_tick,
                                  unread_messages_after_a_late_tick,
                                  leases_end_on_a_machine_that_is_always_late,
                                  short_leases};
    return CHECK_MAIN("lease guard", tests);
}
