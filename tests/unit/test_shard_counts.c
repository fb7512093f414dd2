/* What a shard counts of workers and of waiting, against sequences walked through by hand. */
#include <check.h>
#include <math.h>

#include "base/clock.h"
#include "support/check_main.h"
#include "support/engine_harness.h"

#define N 16u
#define MS DCPS_NS_PER_MS

static engine shard;
static const float zero[2 * N];
static const float gradient[N];

static void open(const char *preset, uint32_t workers, uint32_t blocks)
{
    dcps_shard_config config = engine_config(preset);
    config.workers = workers;
    config.epochs = 100;
    engine_open(&shard, &config, (uint64_t)blocks * N, N, 1);
    for (uint32_t block = 0; block < blocks; block++) {
        engine_begin(&shard, workers, block, zero);
    }
}

static void expect_answer(uint32_t worker)
{
    engine_expect(&shard, worker, DCPS_MESSAGE_WEIGHTS);
}

static void push(uint32_t worker, uint32_t block)
{
    engine_push(&shard, worker, block, gradient);
}

static const dcps_worker_statistics *counted(uint32_t worker)
{
    return dcps_shard_worker(shard.shard, worker);
}

static void expect_waiting(const dcps_histogram *held, uint64_t count, uint64_t sum_ms, uint64_t max_ms)
{
    ck_assert_uint_eq(held->count, count);
    ck_assert_uint_eq(held->sum, sum_ms * MS);
    ck_assert_uint_eq(held->max, max_ms * MS);
}

/* Pushes 0 0 1 0 1 at one block: versions 1 … 5. Delays: 0; 0; 2 (pulled 0); 1 (pulled 2, now 3); 1 (pulled 3, now 4). */
START_TEST(staleness_is_counted_of_the_worker_that_pushed)
{
    static const uint32_t order[] = {0, 0, 1, 0, 1};
    open("asgd", 2, 1);
    for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
        shard.now_ns += 7 * MS;
        push(order[i], 0);
        expect_answer(order[i]);
    }
    ck_assert_uint_eq(counted(0)->worker, 0);
    ck_assert_uint_eq(counted(0)->steps, 3);
    ck_assert_uint_eq(counted(0)->pushes.applied, 3);
    ck_assert_uint_eq(counted(0)->staleness.buckets[0], 2);
    ck_assert_uint_eq(counted(0)->staleness.buckets[1], 1);
    ck_assert_uint_eq(counted(1)->worker, 1);
    ck_assert_uint_eq(counted(1)->steps, 2);
    ck_assert_uint_eq(counted(1)->staleness.buckets[1], 1);
    ck_assert_uint_eq(counted(1)->staleness.buckets[2], 1);
    dcps_shard_stats stats = engine_stats(&shard);
    ck_assert_uint_eq(stats.pushes_applied, 5);
    ck_assert_uint_eq(stats.staleness.of[0], 2);
    ck_assert_uint_eq(stats.staleness.of[1], 2);
    ck_assert_uint_eq(stats.staleness.of[2], 1);
    /* Nobody waits for anybody. */
    expect_waiting(&stats.held_ns, 5, 0, 0);
    expect_waiting(&counted(1)->held_ns, 2, 0, 0);
    ck_assert_uint_eq(stats.queue_pushes, 5);
    ck_assert_uint_eq(stats.queue_sum + stats.queue_now, 0);
    engine_close(&shard);
}
END_TEST

/* A step is one step, however many blocks of the shard it touches. */
START_TEST(steps_are_those_of_the_first_block)
{
    open("asgd", 2, 2);
    push(0, 0);
    push(0, 1);
    push(0, 1);
    ck_assert_uint_eq(counted(0)->steps, 1);
    ck_assert_uint_eq(counted(0)->pushes.applied, 3);
    engine_close(&shard);
}
END_TEST

/* Three workers; two blocks. The fast ones of each round wait for the last. */
START_TEST(rounds_hold_the_fast_for_the_slow)
{
    open("ssgd", 3, 2);
    ck_assert_uint_eq(engine_stats(&shard).queue_now, 0);
    ck_assert_uint_eq(engine_stats(&shard).queue_max, 3); /* all had waited for the values of a block */
    ck_assert_uint_eq(engine_stats(&shard).held_ns.count, 0);
    push(0, 0); /* finds nobody */
    push(0, 1); /* finds 1 */
    shard.now_ns += 10 * MS;
    push(1, 0); /* finds 2 */
    shard.now_ns += 30 * MS;
    push(2, 1); /* finds 3 */
    ck_assert_uint_eq(engine_stats(&shard).queue_now, 4);
    engine_expect_quiet(&shard);
    push(2, 0); /* finds 4, closes the round of block 0 */
    for (uint32_t worker = 0; worker < 3; worker++) {
        expect_answer(worker);
    }
    ck_assert_uint_eq(engine_stats(&shard).queue_now, 2);
    shard.now_ns += 5 * MS;
    push(1, 1); /* finds 2, closes that of block 1 */
    dcps_shard_stats stats = engine_stats(&shard);
    ck_assert_uint_eq(stats.queue_now, 0);
    ck_assert_uint_eq(stats.queue_max, 4);
    ck_assert_uint_eq(stats.queue_pushes, 6);
    ck_assert_uint_eq(stats.queue_sum, 0 + 1 + 2 + 3 + 4 + 2);
    expect_waiting(&counted(0)->held_ns, 2, 40 + 45, 45);
    expect_waiting(&counted(1)->held_ns, 2, 30 + 0, 30);
    expect_waiting(&counted(2)->held_ns, 2, 0 + 5, 5);
    expect_waiting(&stats.held_ns, 6, 120, 45);
    ck_assert_uint_eq(stats.staleness.of[0], 6);
    ck_assert_uint_eq(counted(1)->staleness.count, 2);
    ck_assert_uint_eq(counted(1)->staleness.max, 0);
    dcps_shard_statistics told;
    dcps_shard_stats_describe(&stats, 9, &told);
    ck_assert_uint_eq(told.shard, 9);
    ck_assert_uint_eq(told.updates, 1);
    ck_assert_double_eq(told.queue_mean, 2.0);
    ck_assert_double_eq(told.held_ns.mean, 20.0 * (double)MS);
    ck_assert(isnan(told.backlog_mean));
    dcps_shard_histograms histograms;
    dcps_shard_stats_histograms(&stats, &histograms);
    expect_waiting(&histograms.held_ns, 6, 120, 45);
    ck_assert_uint_eq(histograms.staleness.count, 6);
    ck_assert_uint_eq(histograms.staleness.buckets[0], 6);
    engine_close(&shard);
}
END_TEST

/* The bound holds the answer of whoever is ahead, not its gradient. */
START_TEST(a_bound_holds_answers)
{
    dcps_shard_config config = engine_config("ssp");
    config.algorithm.ssp_bound = 1;
    config.epochs = 100;
    engine_open(&shard, &config, N, N, 1);
    engine_begin(&shard, 2, 0, zero);
    push(0, 0);
    expect_answer(0);
    push(0, 0); /* two ahead */
    engine_expect_quiet(&shard);
    ck_assert_uint_eq(counted(0)->pushes.applied, 2);
    ck_assert_uint_eq(engine_stats(&shard).queue_now, 1);
    shard.now_ns += 25 * MS;
    push(1, 0);
    expect_answer(0);
    expect_answer(1);
    expect_waiting(&counted(0)->held_ns, 2, 25, 25);
    expect_waiting(&counted(1)->held_ns, 1, 0, 0);
    ck_assert_uint_eq(counted(1)->staleness.buckets[2], 1);
    engine_close(&shard);
}
END_TEST

START_TEST(losses_are_counted_by_reason)
{
    dcps_shard_config config = engine_config("ringmaster");
    config.algorithm.max_staleness = 2;
    engine_open(&shard, &config, N, N, 1);
    engine_begin(&shard, 2, 0, zero);
    push(0, 0);
    push(0, 0);
    push(1, 0); /* too stale */
    ck_assert_uint_eq(counted(1)->pushes.dropped_stale, 1);
    ck_assert_uint_eq(counted(1)->pushes.dropped_round, 0);
    ck_assert_uint_eq(counted(1)->pushes.applied, 0);
    ck_assert_uint_eq(counted(1)->staleness.count, 0);
    ck_assert_uint_eq(counted(1)->held_ns.count, 1);
    ck_assert_uint_eq(counted(1)->steps, 0);
    ck_assert_uint_eq(engine_stats(&shard).dropped_round, 0);
    engine_close(&shard);
    config = engine_config("ssgd");
    config.workers = 2;
    config.algorithm.backup_workers = 1;
    engine_open(&shard, &config, N, N, 1);
    engine_begin(&shard, 2, 0, zero);
    push(0, 0);
    push(1, 0); /* its round is closed */
    ck_assert_uint_eq(counted(1)->pushes.dropped_round, 1);
    ck_assert_uint_eq(counted(1)->pushes.dropped_stale, 0);
    ck_assert_uint_eq(counted(0)->pushes.dropped_round, 0);
    ck_assert_uint_eq(engine_stats(&shard).pushes_dropped, 1);
    ck_assert_uint_eq(engine_stats(&shard).dropped_round, 1);
    engine_close(&shard);
}
END_TEST

/* A repeat is neither a push nor an arrival, whether its answer has left or waits. */
START_TEST(repeats_are_counted_and_nothing_else)
{
    open("ssgd", 2, 1);
    push(0, 0);
    uint64_t seq = shard.clients[0][0].seq;
    shard.now_ns += 3 * MS;
    engine_request(&shard, 0, DCPS_MESSAGE_PUSH_PULL, 0, seq, 1, 8, gradient, N);
    engine_expect(&shard, 0, DCPS_MESSAGE_PENDING);
    shard.now_ns += 3 * MS;
    push(1, 0);
    engine_request(&shard, 0, DCPS_MESSAGE_PUSH_PULL, 0, seq, 1, 8, gradient, N);
    ck_assert_uint_eq(counted(0)->pushes.duplicates, 2);
    ck_assert_uint_eq(counted(1)->pushes.duplicates, 0);
    expect_waiting(&counted(0)->held_ns, 1, 6, 6);
    ck_assert_uint_eq(engine_stats(&shard).queue_pushes, 2);
    engine_close(&shard);
}
END_TEST

/* Whoever leaves takes its place in the queue along, and its push is not counted as answered. */
START_TEST(workers_that_leave_wait_no_more)
{
    open("ssgd", 3, 1);
    push(0, 0);
    push(1, 0);
    ck_assert_uint_eq(engine_stats(&shard).queue_now, 2);
    engine_leave(&shard, 1);
    ck_assert_uint_eq(engine_stats(&shard).queue_now, 1);
    ck_assert_uint_eq(counted(1)->held_ns.count, 0);
    shard.now_ns += 2 * MS;
    engine_leave(&shard, 2); /* and the round closes */
    expect_answer(0);
    ck_assert_uint_eq(engine_stats(&shard).queue_now, 0);
    expect_waiting(&counted(0)->held_ns, 1, 2, 2);
    engine_close(&shard);
}
END_TEST

/* An id beyond those expected, and a clock that goes back. */
START_TEST(late_comers_are_counted_too)
{
    open("asgd", 1, 1);
    ck_assert_uint_eq(dcps_shard_worker_capacity(shard.shard), 1);
    push(0, 0);
    engine_join(&shard, 5);
    ck_assert_uint_eq(dcps_shard_worker_capacity(shard.shard), 6);
    ck_assert_uint_eq(counted(0)->steps, 1);
    engine_pull(&shard, 5, 0);
    push(5, 0);
    ck_assert_uint_eq(counted(5)->worker, 5);
    ck_assert_uint_eq(counted(5)->steps, 1);
    ck_assert_uint_eq(counted(4)->worker, 4);
    ck_assert_uint_eq(counted(4)->held_ns.count, 0);
    engine_close(&shard);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {staleness_is_counted_of_the_worker_that_pushed,
                                  steps_are_those_of_the_first_block,
                                  rounds_hold_the_fast_for_the_slow,
                                  a_bound_holds_answers,
                                  losses_are_counted_by_reason,
                                  repeats_are_counted_and_nothing_else,
                                  workers_that_leave_wait_no_more,
                                  late_comers_are_counted_too};
    return CHECK_MAIN("shard counts", tests);
}
