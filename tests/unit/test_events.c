/* Events of the simulated world come out by time, and those of one time in the order they went in. */
#include <check.h>
#include <string.h>

#include "base/alloc.h"
#include "base/rng.h"
#include "sim/events.h"
#include "support/check_main.h"

#define SEED UINT64_C(31337)

static dcps_events queue;

static void nothing(void *context, uint64_t now_ns)
{
    (void)context;
    (void)now_ns;
}

static void add(uint64_t at_ns, void *context)
{
    ck_assert_int_eq(dcps_events_add(&queue, at_ns, nothing, context), DCPS_OK);
}

START_TEST(test_empty)
{
    dcps_event event = {.at_ns = 5};
    queue = (dcps_events){0};
    ck_assert(!dcps_events_next(&queue, &event));
    ck_assert_uint_eq(event.at_ns, 5);
    dcps_events_fini(&queue);
    dcps_events_fini(&queue);
}
END_TEST

START_TEST(test_same_time_in_order)
{
    static char places[200];
    queue = (dcps_events){0};
    for (uint32_t i = 0; i < 200; i++) {
        add(7, &places[i]);
    }
    for (uint32_t i = 0; i < 200; i++) {
        dcps_event event;
        ck_assert(dcps_events_next(&queue, &event));
        ck_assert_ptr_eq(event.context, &places[i]);
        ck_assert_uint_eq(event.at_ns, 7);
        ck_assert(event.run == nothing);
    }
    dcps_events_fini(&queue);
}
END_TEST

/* Adds and takes in any mixture: what comes out is the earliest of what is in, found by looking at all. */
START_TEST(test_against_a_list)
{
    enum { TURNS = 5000 };
    static uint64_t times[TURNS]; /* by index of the context; UINT64_MAX: taken */
    static char places[TURNS];
    dcps_rng rng;
    uint32_t added = 0;
    queue = (dcps_events){0};
    dcps_rng_seed_stream(&rng, SEED, "events", 0);
    for (uint32_t turn = 0; turn < TURNS; turn++) {
        if (dcps_rng_below(&rng, 5) < 3) {
            times[added] = dcps_rng_below(&rng, 40);
            add(times[added], &places[added]);
            added++;
            continue;
        }
        uint32_t expected = TURNS;
        for (uint32_t i = 0; i < added; i++) {
            bool earlier = times[i] != UINT64_MAX && (expected == TURNS || times[i] < times[expected]);
            expected = earlier ? i : expected;
        }
        dcps_event event;
        ck_assert_int_eq(dcps_events_next(&queue, &event), expected != TURNS);
        if (expected != TURNS) {
            ck_assert_msg(event.context == &places[expected], "turn %u (seed %llu)", turn, (unsigned long long)SEED);
            ck_assert_uint_eq(event.at_ns, times[expected]);
            times[expected] = UINT64_MAX;
        }
    }
    ck_assert_uint_gt(added, 2000);
    dcps_events_fini(&queue);
}
END_TEST

START_TEST(test_no_memory)
{
    static char places[65];
    dcps_event event;
    queue = (dcps_events){0};
    dcps_alloc_fail_after(0);
    ck_assert_int_eq(dcps_events_add(&queue, 1, nothing, NULL), DCPS_NO_MEMORY);
    for (uint32_t i = 0; i < 64; i++) {
        add(64 - i, &places[i]);
    }
    dcps_alloc_fail_after(0);
    ck_assert_int_eq(dcps_events_add(&queue, 0, nothing, &places[64]), DCPS_NO_MEMORY); /* the 65th has to grow */
    for (uint32_t i = 64; i-- > 0;) {
        ck_assert(dcps_events_next(&queue, &event));
        ck_assert_ptr_eq(event.context, &places[i]);
    }
    ck_assert(!dcps_events_next(&queue, &event));
    dcps_events_fini(&queue);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {test_empty, test_same_time_in_order, test_against_a_list, test_no_memory};
    return CHECK_MAIN("events", tests);
}
