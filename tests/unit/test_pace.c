/* Steps that are stretched. What a clock says is compared with lower bounds, and upper ones that only a standstill would break. */
#include "worker/pace.h"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include "base/clock.h"
#include "support/check_main.h"

#define MS DCPS_NS_PER_MS

static uint64_t since(uint64_t then_ns)
{
    return dcps_clock_ns() - then_ns;
}

/* Stands for computing. */
static void compute_ms(uint64_t ms)
{
    dcps_stop_sleep(NULL, ms * MS);
}

START_TEST(a_step_takes_its_factor)
{
    dcps_pace pace = {.factor = 4.0};
    uint64_t began_ns = dcps_clock_ns();
    dcps_pace_begin(&pace);
    compute_ms(20);
    dcps_pace_hold(&pace);
    uint64_t took_ns = since(began_ns);
    ck_assert_uint_ge(took_ns, 80 * MS);
    ck_assert_uint_ge(pace.slept_ns, 60 * MS);
    ck_assert_uint_le(pace.slept_ns, 3 * (took_ns - pace.slept_ns) + 1000 * MS);
}
END_TEST

/* A gradient that leaves half-way leaves at half of the stretched time; what was slept by then counts. */
START_TEST(pauses_of_a_step_add_up)
{
    dcps_pace pace = {.factor = 3.0};
    uint64_t began_ns = dcps_clock_ns();
    dcps_pace_begin(&pace);
    compute_ms(20);
    dcps_pace_hold(&pace);
    ck_assert_uint_ge(since(began_ns), 60 * MS);
    uint64_t first_ns = pace.slept_ns;
    compute_ms(20);
    dcps_pace_hold(&pace);
    ck_assert_uint_ge(since(began_ns), 120 * MS);
    ck_assert_uint_ge(pace.slept_ns, 80 * MS);
    ck_assert_uint_le(pace.slept_ns - first_ns, first_ns + 1000 * MS);
    dcps_pace_begin(&pace);
    ck_assert_uint_eq(pace.slept_ns, 0);
}
END_TEST

START_TEST(nothing_due_is_no_pause)
{
    dcps_pace pace = {.factor = 1.5};
    dcps_pace_begin(&pace);
    compute_ms(50);
    dcps_pace_hold(&pace);
    pace.slept_ns += 3600 * DCPS_NS_PER_S; /* more than enough */
    pace.began_ns -= 3600 * DCPS_NS_PER_S;
    uint64_t before_ns = dcps_clock_ns();
    uint64_t slept_ns = pace.slept_ns;
    dcps_pace_hold(&pace);
    ck_assert_uint_eq(pace.slept_ns, slept_ns);
    ck_assert_uint_lt(since(before_ns), 10 * DCPS_NS_PER_S);
}
END_TEST

START_TEST(without_a_factor_there_is_no_pause)
{
    const double factors[] = {0.0, 1.0};
    for (size_t i = 0; i < 2; i++) {
        dcps_pace pace = {.factor = factors[i]};
        dcps_pace_begin(&pace);
        compute_ms(5);
        dcps_pace_hold(&pace);
        ck_assert_uint_eq(pace.began_ns + pace.slept_ns, 0);
    }
}
END_TEST

static void *stop_soon(void *context)
{
    (void)context;
    (void)usleep(50000);
    ck_assert_int_eq(kill(getpid(), SIGTERM), 0);
    return NULL;
}

/* Asked to stop in the midst of a pause of hours, and before one. */
START_TEST(a_stop_ends_pauses)
{
    dcps_stop *stop = NULL;
    pthread_t thread;
    ck_assert_int_eq(dcps_stop_create(&stop), DCPS_OK);
    ck_assert_int_eq(pthread_create(&thread, NULL, stop_soon, NULL), 0);
    dcps_pace pace = {.factor = 1e6, .stop = stop};
    uint64_t began_ns = dcps_clock_ns();
    dcps_pace_begin(&pace);
    compute_ms(10);
    dcps_pace_hold(&pace);
    ck_assert(dcps_stop_requested(stop));
    dcps_pace_begin(&pace);
    compute_ms(10);
    dcps_pace_hold(&pace);
    ck_assert_uint_lt(since(began_ns), 20 * DCPS_NS_PER_S);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    dcps_stop_destroy(&stop);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {a_step_takes_its_factor, pauses_of_a_step_add_up, nothing_due_is_no_pause,
                                  without_a_factor_there_is_no_pause, a_stop_ends_pauses};
    return CHECK_MAIN("pace", tests);
}
