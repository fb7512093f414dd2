/* The parts of dcps bench: statistics, counted bytes, the gate, and the measured limits as far as they can be known. */
#include <check.h>
#include <pthread.h>
#include <stdatomic.h>

#include "base/alloc.h"
#include "cli/bench/bench_cost.h"
#include "cli/bench/bench_gate.h"
#include "cli/bench/bench_stats.h"
#include "cli/bench/limits.h"
#include "support/check_main.h"

static void expect(double is, double should)
{
    ck_assert_double_eq_tol(is, should, 1e-12);
}

START_TEST(test_median_and_percentiles)
{
    double one[] = {4.0};
    expect(dcps_samples_median(one, 1), 4.0);
    expect(dcps_samples_percentile(one, 1, 0.0), 4.0);
    expect(dcps_samples_percentile(one, 1, 0.99), 4.0);

    double few[] = {9.0, -1.0, 3.0, 2.0};
    dcps_samples_sort(few, 4);
    expect(few[0], -1.0);
    expect(few[1], 2.0);
    expect(few[2], 3.0);
    expect(few[3], 9.0);
    expect(dcps_samples_median(few, 4), 2.5);
    expect(dcps_samples_median(few, 3), 2.0);
    expect(dcps_samples_percentile(few, 4, 0.25), -1.0);
    expect(dcps_samples_percentile(few, 4, 0.26), 2.0);
    expect(dcps_samples_percentile(few, 4, 0.75), 3.0);
    expect(dcps_samples_percentile(few, 4, 0.99), 9.0);
    expect(dcps_samples_percentile(few, 4, 1.0), 9.0);

    double many[200];
    for (int i = 0; i < 200; i++) {
        many[i] = (double)(200 - i);
    }
    dcps_samples_sort(many, 200);
    expect(dcps_samples_median(many, 200), 100.5);
    expect(dcps_samples_percentile(many, 200, 0.99), 198.0);
}
END_TEST

/* Reads: gradient, weights, pulled weights, states; writes: weights, snapshot, states; 4 bytes each. */
START_TEST(test_bytes_of_an_update)
{
    static const struct {
        const char *algorithm;
        uint32_t workers;
        double rule_bytes;
        double push_bytes;
    } expected
        [] =
            {
                {"sgd", 1, 16.0, 16.0},       {"asgd", 8, 16.0, 16.0}, {"dc-asgd-c", 4, 20.0, 20.0},
                {"dc-asgd-a", 4, 28.0, 28.0}, {"ssp", 2, 16.0, 16.0},  {"ssgd", 1, 16.0, 16.0},
                {"dana-zero", 4, 32.0, 40.0}, /* the velocity of a worker and the sum of all, and the weights kept apart */
                {"ssgd", 4, 16.0, 9.0}, /* four gradients read, their mean written, one update: (16 + 4 + 16) / 4 */
            };
    for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
        dcps_algorithm algorithm;
        dcps_rule *rule = NULL;
        ck_assert_int_eq(dcps_algorithm_preset(expected[i].algorithm, &algorithm), DCPS_OK);
        ck_assert_int_eq(dcps_rule_create(&algorithm.rule, &rule), DCPS_OK);
        expect(dcps_rule_bytes_per_param(rule), expected[i].rule_bytes);
        expect(dcps_push_bytes_per_param(&algorithm, rule, expected[i].workers), expected[i].push_bytes);
        dcps_rule_destroy(&rule);
    }
}
END_TEST

enum { THREADS = 4, ROUNDS = 500 };

typedef struct meeting {
    dcps_gate gate;
    atomic_uint arrivals;
    atomic_uint early; /* times a thread was let through before all had come */
    atomic_uint refused;
} meeting;

static void *meet(void *context)
{
    meeting *all = context;
    for (unsigned round = 1; round <= ROUNDS; round++) {
        atomic_fetch_add(&all->arrivals, 1);
        if (!dcps_gate_pass(&all->gate)) {
            atomic_fetch_add(&all->refused, 1);
            return NULL;
        }
        if (atomic_load(&all->arrivals) < round * THREADS) {
            atomic_fetch_add(&all->early, 1);
        }
    }
    return NULL;
}

static void meet_all(meeting *all, unsigned threads)
{
    pthread_t thread[THREADS];
    for (unsigned i = 0; i < threads; i++) {
        ck_assert_int_eq(pthread_create(&thread[i], NULL, meet, all), 0);
    }
    if (threads < THREADS) {
        dcps_gate_break(&all->gate);
    }
    for (unsigned i = 0; i < threads; i++) {
        ck_assert_int_eq(pthread_join(thread[i], NULL), 0);
    }
}

START_TEST(test_gate_lets_nobody_through_early)
{
    meeting all = {0};
    dcps_gate_init(&all.gate, THREADS);
    meet_all(&all, THREADS);
    ck_assert_uint_eq(atomic_load(&all.arrivals), THREADS * ROUNDS);
    ck_assert_uint_eq(atomic_load(&all.early), 0);
    ck_assert_uint_eq(atomic_load(&all.refused), 0);
    dcps_gate_fini(&all.gate);
}
END_TEST

/* One thread too few: without the break they would wait for ever. */
START_TEST(test_broken_gate_lets_everybody_go)
{
    meeting all = {0};
    dcps_gate_init(&all.gate, THREADS);
    meet_all(&all, THREADS - 1);
    ck_assert_uint_eq(atomic_load(&all.refused), THREADS - 1);
    ck_assert(!dcps_gate_pass(&all.gate));
    dcps_gate_fini(&all.gate);
}
END_TEST

/* No machine moves less than 10 MB/s or more than 100 TB/s: catches wrong units and empty loops. */
static void expect_plausible(double bytes_per_second)
{
    ck_assert_msg(bytes_per_second > 1e7 && bytes_per_second < 1e14, "%g bytes/s", bytes_per_second);
}

START_TEST(test_limits_are_plausible)
{
    double rate = 0.0;
    for (uint32_t threads = 1; threads <= 3; threads++) {
        rate = 0.0;
        ck_assert_int_eq(dcps_limit_memory(threads, &rate), DCPS_OK);
        expect_plausible(rate);
    }
    for (int kind = DCPS_LOOPBACK_TCP; kind <= DCPS_LOOPBACK_UNIX; kind++) {
        rate = 0.0;
        ck_assert_int_eq(dcps_limit_loopback((dcps_loopback)kind, &rate), DCPS_OK);
        expect_plausible(rate);
    }
}
END_TEST

START_TEST(test_limits_without_memory)
{
    double rate = -1.0;
    dcps_alloc_fail_after(0);
    ck_assert_int_eq(dcps_limit_memory(1, &rate), DCPS_NO_MEMORY);
    dcps_alloc_fail_after(0);
    ck_assert_int_eq(dcps_limit_loopback(DCPS_LOOPBACK_TCP, &rate), DCPS_NO_MEMORY);
    dcps_alloc_fail_after(UINT64_MAX);
    expect(rate, -1.0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("bench");
    TCase *tests = tcase_create("bench");
    tcase_set_timeout(tests, 100);
    tcase_add_test(tests, test_median_and_percentiles);
    tcase_add_test(tests, test_bytes_of_an_update);
    tcase_add_test(tests, test_gate_lets_nobody_through_early);
    tcase_add_test(tests, test_broken_gate_lets_everybody_go);
    tcase_add_test(tests, test_limits_are_plausible);
    tcase_add_test(tests, test_limits_without_memory);
    suite_add_tcase(suite, tests);
    return check_run(suite);
}
