/* Weights kept for evaluation at exact counts of samples, and the counters beside them. */
#include <check.h>
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "support/check_main.h"
#include "support/engine_harness.h"

#define N ENGINE_BLOCK
#define OBSERVER 500u /* any peer that is no worker */

static engine shard;
static const float zero[N];

/* One worker, batches of 8 samples that lower every weight by 1; loss of step k is k. */
static void open_keeping(uint64_t every_samples, uint32_t epochs)
{
    dcps_shard_config config = engine_config("asgd");
    config.snapshot_every_samples = every_samples;
    config.epochs = epochs;
    config.workers = 1;
    engine_open(&shard, &config, N, N, 1);
    shard.now_ns = 10 * DCPS_NS_PER_S;
    engine_begin(&shard, 1, 0, zero);
}

/* One second each. */
static void push(uint32_t worker, uint32_t samples)
{
    engine_client *client = &shard.clients[worker][0];
    shard.now_ns += DCPS_NS_PER_S;
    engine_request(&shard, worker, DCPS_MESSAGE_PUSH_PULL, 0, ++client->seq, ++client->step, samples, engine_all(2.0F),
                   N);
    engine_expect(&shard, worker, DCPS_MESSAGE_WEIGHTS);
}

static void push_times(uint32_t times)
{
    for (uint32_t k = 0; k < times; k++) {
        push(0, 8);
    }
}

static dcps_snapshot_reply take_reply(uint32_t peer, uint32_t index, float weight)
{
    engine_answer answer = engine_take(&shard, peer, DCPS_MESSAGE_SNAPSHOT_REPLY);
    dcps_snapshot_reply reply = answer.message.body.snapshot_reply;
    ck_assert_uint_eq(reply.index, index);
    ck_assert_uint_eq(reply.block, 0);
    ck_assert(reply.available);
    ck_assert_ptr_nonnull(answer.payload);
    ck_assert_uint_eq(answer.payload->bytes, N * sizeof(float));
    ck_assert_mem_eq(answer.payload->data, engine_all(weight), N * sizeof(float));
    engine_drop(&answer);
    return reply;
}

static void expect_unavailable(uint32_t peer, uint32_t index)
{
    engine_answer answer = engine_take(&shard, peer, DCPS_MESSAGE_SNAPSHOT_REPLY);
    ck_assert_uint_eq(answer.message.body.snapshot_reply.index, index);
    ck_assert(!answer.message.body.snapshot_reply.available);
    ck_assert_ptr_null(answer.payload);
}

START_TEST(test_marks_are_exact)
{
    open_keeping(16, 1);
    push_times(5); /* past the marks at 16 and 32 samples, short of 48 */
    ck_assert_uint_eq(engine_stats(&shard).snapshots, 2);
    engine_snapshot(&shard, OBSERVER, 0, 1, false);
    dcps_snapshot_reply second = take_reply(OBSERVER, 1, -4.0F);
    ck_assert_uint_eq(second.version, 4);
    ck_assert_uint_eq(second.samples, 32);
    ck_assert_uint_eq(second.training_ns, 4 * DCPS_NS_PER_S);
    ck_assert_double_eq(second.train_loss, 3.5); /* steps 3 and 4 */
    engine_snapshot(&shard, OBSERVER, 0, 0, false);
    dcps_snapshot_reply first = take_reply(OBSERVER, 0, -2.0F);
    ck_assert_uint_eq(first.version, 2);
    ck_assert_uint_eq(first.samples, 16);
    ck_assert_uint_eq(first.training_ns, 2 * DCPS_NS_PER_S);
    ck_assert_double_eq(first.train_loss, 1.5);
    engine_snapshot(&shard, OBSERVER, 0, 0, false); /* as often as one likes */
    (void)take_reply(OBSERVER, 0, -2.0F);
    engine_expect_quiet(&shard);
    engine_close(&shard);
}
END_TEST

START_TEST(test_observers_wait_for_the_mark)
{
    open_keeping(16, 1);
    engine_snapshot(&shard, OBSERVER, 0, 0, false);
    engine_snapshot(&shard, OBSERVER, 0, 0, false); /* a repeat waits once */
    engine_snapshot(&shard, OBSERVER, 0, 1, false);
    engine_snapshot(&shard, OBSERVER + 1, 0, 0, false);
    engine_expect_quiet(&shard);
    push_times(1);
    engine_expect_quiet(&shard);
    push_times(1);
    (void)take_reply(OBSERVER, 0, -2.0F);
    (void)take_reply(OBSERVER + 1, 0, -2.0F);
    engine_expect_quiet(&shard);
    push_times(2);
    (void)take_reply(OBSERVER, 1, -4.0F);
    engine_expect_quiet(&shard);
    engine_close(&shard);
}
END_TEST

/* A large batch may pass several marks at once: they share the weights. */
START_TEST(test_one_update_crosses_several_marks)
{
    open_keeping(8, 1);
    for (uint32_t index = 0; index < 4; index++) {
        engine_snapshot(&shard, OBSERVER + index, 0, index, false);
    }
    push(0, 29); /* marks at 8, 16 and 24 */
    for (uint32_t index = 0; index < 3; index++) {
        dcps_snapshot_reply reply = take_reply(OBSERVER + index, index, -1.0F);
        ck_assert_uint_eq(reply.samples, 29);
        ck_assert_uint_eq(reply.version, 1);
        ck_assert_double_eq(reply.train_loss, 1.0);
    }
    engine_expect_quiet(&shard);
    ck_assert_uint_eq(engine_stats(&shard).snapshots, 3);
    push(0, 3); /* 32: exactly the next */
    ck_assert_uint_eq(take_reply(OBSERVER + 3, 3, -2.0F).samples, 32);
    engine_close(&shard);
}
END_TEST

START_TEST(test_release)
{
    open_keeping(8, 1);
    engine_snapshot(&shard, OBSERVER, 0, 0, true);
    push_times(2);
    (void)take_reply(OBSERVER, 0, -1.0F);
    engine_snapshot(&shard, OBSERVER, 0, 0, true); /* the answer may have been lost */
    (void)take_reply(OBSERVER, 0, -1.0F);
    engine_snapshot(&shard, OBSERVER, 0, 1, true);
    (void)take_reply(OBSERVER, 1, -2.0F);
    engine_snapshot(&shard, OBSERVER, 0, 0, true); /* before one that was asked for: kept for nobody any more */
    expect_unavailable(OBSERVER, 0);
    engine_snapshot(&shard, OBSERVER, 0, 1, true);
    (void)take_reply(OBSERVER, 1, -2.0F);
    ck_assert_uint_eq(engine_stats(&shard).snapshots, 2);
    engine_expect_quiet(&shard);
    engine_close(&shard);
}
END_TEST

/* The pool of weights is as large as the kept marks ask for: keeping one costs no copy, releasing gives it back. */
START_TEST(test_steady_state_allocates_nothing)
{
    open_keeping(8, 100);
    push_times(20);
    uint64_t before = dcps_alloc_count();
    for (uint32_t index = 20; index < 120; index++) {
        engine_snapshot(&shard, OBSERVER, 0, index - 19, true); /* lets go of all before it */
        engine_expect(&shard, OBSERVER, DCPS_MESSAGE_SNAPSHOT_REPLY);
        push(0, 8);
    }
    ck_assert_uint_eq(dcps_alloc_count() - before, 100); /* the harness's copies of the payloads */
    engine_close(&shard);
}
END_TEST

/* A worker may say that an epoch has any number of samples: that of a run is no small one because it cannot be counted. */
START_TEST(test_runs_too_long_to_count)
{
    uint64_t every = 0;
    uint32_t marks = 0;
    ck_assert_int_eq(dcps_plan_marks(100, UINT64_C(1) << 63, 2, &every, &marks), DCPS_LIMIT);
    ck_assert_int_eq(dcps_plan_marks(DCPS_SNAPSHOT_EVERY_EPOCH, UINT64_C(1) << 63, 2, &every, &marks), DCPS_OK);
    ck_assert(every == UINT64_C(1) << 63 && marks == 2);
    ck_assert_int_eq(dcps_plan_marks(0, 48, 3, &every, &marks), DCPS_OK);
    ck_assert(every == 48 && marks == 0);
}
END_TEST

START_TEST(test_once_an_epoch)
{
    open_keeping(DCPS_SNAPSHOT_EVERY_EPOCH, 2);
    push_times(7); /* an epoch has 48 samples */
    ck_assert_uint_eq(engine_stats(&shard).snapshots, 1);
    engine_snapshot(&shard, OBSERVER, 0, 0, false);
    ck_assert_uint_eq(take_reply(OBSERVER, 0, -6.0F).samples, 48);
    engine_close(&shard);
}
END_TEST

/* 20 samples a mark, 48 in the run: the last mark lies beyond the end, the final weights stand for it. */
START_TEST(test_run_ends_short_of_a_mark)
{
    open_keeping(20, 1);
    push_times(6);
    for (uint32_t index = 2; index < 4; index++) {
        engine_snapshot(&shard, OBSERVER, 0, index, false);
    }
    expect_unavailable(OBSERVER, 3); /* beyond the end of the run */
    engine_expect_quiet(&shard);     /* somebody might still come and train */
    engine_finish(&shard, 0);
    dcps_snapshot_reply last = take_reply(OBSERVER, 2, -6.0F);
    ck_assert_uint_eq(last.samples, 48);
    ck_assert_uint_eq(last.version, 6);
    ck_assert_uint_eq(last.training_ns, 6 * DCPS_NS_PER_S);
    ck_assert_double_eq(last.train_loss, 6.0); /* since the mark at 40 samples */
    engine_snapshot(&shard, OBSERVER, 0, 1, false);
    (void)take_reply(OBSERVER, 1, -5.0F);
    engine_snapshot(&shard, OBSERVER, 0, 3, false);
    expect_unavailable(OBSERVER, 3);
    engine_snapshot(&shard, OBSERVER, 0, UINT32_MAX, false);
    expect_unavailable(OBSERVER, UINT32_MAX);
    engine_expect_quiet(&shard);
    engine_close(&shard);
}
END_TEST

/* Stopped early: the marks that will not come are answered, once everybody has gone. */
START_TEST(test_run_is_stopped)
{
    open_keeping(16, 1);
    engine_join(&shard, 1);
    for (uint32_t index = 0; index < 3; index++) {
        engine_snapshot(&shard, OBSERVER + index, 0, index, false);
    }
    push_times(3);
    (void)take_reply(OBSERVER, 0, -2.0F);
    dcps_shard_drain(shard.shard, shard.now_ns);
    engine_finish(&shard, 0);
    engine_expect_quiet(&shard); /* worker 1 is still there */
    engine_leave(&shard, 1);
    ck_assert_uint_eq(take_reply(OBSERVER + 1, 1, -3.0F).samples, 24);
    expect_unavailable(OBSERVER + 2, 2);
    engine_expect_quiet(&shard);
    engine_close(&shard);
}
END_TEST

/* All workers may die without a goodbye and come back: the run is not over. */
START_TEST(test_dead_workers_do_not_end_the_run)
{
    open_keeping(16, 1);
    engine_snapshot(&shard, OBSERVER, 0, 0, false);
    push_times(1);
    engine_leave(&shard, 0);
    engine_expect_quiet(&shard);
    engine_join(&shard, 0);
    engine_pull(&shard, 0, 0);
    engine_expect(&shard, 0, DCPS_MESSAGE_WEIGHTS);
    push_times(1);
    (void)take_reply(OBSERVER, 0, -2.0F);
    engine_close(&shard);
}
END_TEST

/* A worker that is stopped in mid-run may be started again, too; but not while the servers stop. */
START_TEST(test_stopped_workers_do_not_end_the_run)
{
    open_keeping(16, 1);
    engine_snapshot(&shard, OBSERVER, 0, 1, false);
    push_times(3);
    engine_quit(&shard, 0);
    engine_expect_quiet(&shard);
    ck_assert(!engine_stats(&shard).weights_final);
    engine_join(&shard, 0);
    engine_pull(&shard, 0, 0);
    engine_expect(&shard, 0, DCPS_MESSAGE_WEIGHTS);
    push_times(1);
    (void)take_reply(OBSERVER, 1, -4.0F);
    engine_snapshot(&shard, OBSERVER, 0, 2, false);
    push_times(1);
    engine_quit(&shard, 0);
    engine_expect_quiet(&shard);
    dcps_shard_drain(shard.shard, shard.now_ns);
    ck_assert_uint_eq(take_reply(OBSERVER, 2, -5.0F).samples, 40);
    ck_assert(engine_stats(&shard).weights_final);
    engine_close(&shard);
}
END_TEST

START_TEST(test_worker_stopped_with_the_servers_ends_the_run)
{
    open_keeping(16, 1);
    engine_snapshot(&shard, OBSERVER, 0, 1, false);
    push_times(3);
    dcps_shard_drain(shard.shard, shard.now_ns);
    engine_expect_quiet(&shard);
    engine_quit(&shard, 0);
    ck_assert_uint_eq(take_reply(OBSERVER, 1, -3.0F).samples, 24);
    ck_assert(engine_stats(&shard).weights_final);
    engine_close(&shard);
}
END_TEST

/* Somebody comes after everybody has finished: there may be more to see. */
START_TEST(test_joining_late_goes_on)
{
    open_keeping(16, 1);
    push_times(3);
    engine_finish(&shard, 0);
    engine_snapshot(&shard, OBSERVER, 0, 1, false);
    ck_assert_uint_eq(take_reply(OBSERVER, 1, -3.0F).samples, 24);
    engine_join(&shard, 1);
    engine_snapshot(&shard, OBSERVER, 0, 1, false); /* the mark itself can come now, */
    engine_expect_quiet(&shard);
    engine_pull(&shard, 1, 0);
    engine_expect(&shard, 1, DCPS_MESSAGE_WEIGHTS);
    push(1, 8);
    ck_assert_uint_eq(take_reply(OBSERVER, 1, -4.0F).samples, 32);
    engine_snapshot(&shard, OBSERVER, 0, 1, false); /* that answer may get lost, too */
    ck_assert_uint_eq(take_reply(OBSERVER, 1, -4.0F).samples, 32);
    engine_snapshot(&shard, OBSERVER, 0, 2, false);
    engine_expect_quiet(&shard);
    engine_leave(&shard, 1); /* it has pushed: another may go on where it died */
    engine_expect_quiet(&shard);
    engine_join(&shard, 1);
    engine_finish(&shard, 1);
    expect_unavailable(OBSERVER, 2); /* nothing was learnt since */
    engine_expect_quiet(&shard);
    engine_close(&shard);
}
END_TEST

/* A worker that had been given up wakes when all have finished, joins, pulls, and dies before it did anything: the end stays the end. */
START_TEST(test_joining_late_and_dying)
{
    open_keeping(16, 1);
    push_times(3);
    engine_finish(&shard, 0);
    engine_join(&shard, 1);
    engine_snapshot(&shard, OBSERVER, 0, 1, false);
    engine_pull(&shard, 1, 0);
    engine_expect(&shard, 1, DCPS_MESSAGE_WEIGHTS);
    engine_abstain(&shard, 1, 0);
    engine_expect(&shard, 1, DCPS_MESSAGE_WEIGHTS);
    engine_expect_quiet(&shard);
    ck_assert(!engine_stats(&shard).weights_final); /* it might push */
    engine_leave(&shard, 1);
    ck_assert_uint_eq(take_reply(OBSERVER, 1, -3.0F).samples, 24);
    ck_assert(engine_stats(&shard).weights_final);
    engine_close(&shard);
}
END_TEST

START_TEST(test_too_many_observers)
{
    open_keeping(16, 1);
    for (uint32_t k = 0; k < 8; k++) {
        engine_snapshot(&shard, OBSERVER + k, 0, 0, false);
        engine_expect_quiet(&shard);
    }
    engine_snapshot(&shard, OBSERVER + 7, 0, 0, false); /* a repeat needs no place */
    engine_snapshot(&shard, OBSERVER + 8, 0, 0, false); /* takes that of the first, */
    engine_snapshot(&shard, OBSERVER, 0, 0, false);     /* which asks again and takes that of the second */
    engine_expect_quiet(&shard);
    push_times(2);
    (void)take_reply(OBSERVER + 8, 0, -2.0F);
    (void)take_reply(OBSERVER, 0, -2.0F);
    for (uint32_t k = 2; k < 8; k++) {
        (void)take_reply(OBSERVER + k, 0, -2.0F);
    }
    engine_expect_quiet(&shard);
    engine_close(&shard);
}
END_TEST

/* A mark of a shard is complete when each of its blocks has it. */
START_TEST(test_every_block_counts)
{
    dcps_shard_config config = engine_config("asgd");
    config.snapshot_every_samples = 8;
    engine_open(&shard, &config, 2 * N, N, 1);
    engine_begin(&shard, 1, 0, zero);
    engine_begin(&shard, 1, 1, zero);
    engine_push(&shard, 0, 0, zero);
    ck_assert_uint_eq(engine_stats(&shard).snapshots, 0);
    engine_push(&shard, 0, 1, zero);
    ck_assert_uint_eq(engine_stats(&shard).snapshots, 1);
    engine_close(&shard);
}
END_TEST

START_TEST(test_nothing_kept)
{
    open_keeping(0, 1);
    engine_snapshot(&shard, OBSERVER, 0, 0, false);
    expect_unavailable(OBSERVER, 0);
    push_times(3);
    engine_snapshot(&shard, OBSERVER, 0, 0, false);
    expect_unavailable(OBSERVER, 0); /* the weights of some moment are not those of a mark */
    ck_assert_double_eq(engine_stats(&shard).train_loss, 2.0);
    ck_assert_uint_eq(engine_stats(&shard).snapshots, 0);
    push_times(3);
    ck_assert_double_eq(engine_stats(&shard).train_loss, 3.5); /* of the epoch that is complete */
    push_times(1);
    ck_assert_double_eq(engine_stats(&shard).train_loss, 7.0);
    engine_close(&shard);
}
END_TEST

/* Numbers that only a liar sends; 2^32 − 1 samples pass every mark there is, over and over. */
START_TEST(test_absurd_batch_sizes)
{
    open_keeping(1, 1);
    for (uint32_t k = 0; k < 3; k++) {
        push(0, UINT32_MAX);
    }
    ck_assert_uint_eq(engine_stats(&shard).snapshots, 48);
    engine_snapshot(&shard, OBSERVER, 0, 47, false);
    (void)take_reply(OBSERVER, 47, -1.0F);
    engine_close(&shard);
}
END_TEST

START_TEST(test_too_many_marks)
{
    dcps_shard_config config = engine_config("asgd");
    config.snapshot_every_samples = 1;
    config.epochs = 1u << 20;
    engine_open_bare(&shard, &config);
    ck_assert_int_eq(dcps_partition_init(&shard.partition, N, N, 1, 1), DCPS_OK);
    ck_assert_int_eq(dcps_shard_set_partition(shard.shard, &shard.partition, NULL, 48), DCPS_LIMIT);
    engine_close(&shard);
}
END_TEST

/* τ of a push: updates of the block between its pull and itself. */
START_TEST(test_staleness_histogram)
{
    dcps_shard_config config = engine_config("asgd");
    config.epochs = 1000;
    engine_open(&shard, &config, N, N, 1);
    engine_begin(&shard, 2, 0, zero);
    uint32_t far = DCPS_COUNTS_BUCKETS + 5;
    for (uint32_t k = 0; k < far; k++) {
        engine_push(&shard, 0, 0, zero);
        engine_expect(&shard, 0, DCPS_MESSAGE_WEIGHTS);
    }
    engine_push(&shard, 1, 0, zero); /* far behind: counted in the last bucket */
    engine_push(&shard, 0, 0, zero); /* 1 */
    engine_push(&shard, 0, 0, zero); /* 0 */
    engine_push(&shard, 1, 0, zero); /* 2 */
    engine_pull(&shard, 0, 0);       /* a pull makes up for it */
    engine_push(&shard, 0, 0, zero); /* 0 */
    dcps_shard_stats stats = engine_stats(&shard);
    ck_assert_uint_eq(stats.staleness.of[0], far + 2);
    ck_assert_uint_eq(stats.staleness.of[1], 1);
    ck_assert_uint_eq(stats.staleness.of[2], 1);
    ck_assert_uint_eq(stats.staleness.of[DCPS_COUNTS_BUCKETS - 1], 1);
    ck_assert_uint_eq(stats.staleness.sum, 1 + 2 + far);
    ck_assert_uint_eq(stats.staleness.max, far);
    ck_assert_uint_eq(stats.pushes_applied, far + 5);
    engine_close(&shard);
}
END_TEST

/* Losses count by the size of their batches. */
START_TEST(test_loss_is_weighted)
{
    open_keeping(0, 1);
    push(0, 1);  /* loss 1 */
    push(0, 3);  /* loss 2 */
    push(0, 12); /* loss 3 */
    ck_assert_double_eq_tol(engine_stats(&shard).train_loss, (1.0 + 6.0 + 36.0) / 16.0, 1e-12);
    ck_assert_uint_eq(engine_stats(&shard).samples, 16);
    ck_assert_uint_eq(engine_stats(&shard).training_ns, 3 * DCPS_NS_PER_S);
    engine_close(&shard);
}
END_TEST

/* Zero would be a perfect model. */
START_TEST(test_no_loss_before_the_first_update)
{
    dcps_shard_image image;
    open_keeping(16, 1);
    ck_assert(isnan(engine_stats(&shard).train_loss));
    push_times(3);
    ck_assert_double_eq(engine_stats(&shard).train_loss, 3.0);
    ck_assert_int_eq(dcps_shard_export(shard.shard, &image), DCPS_OK);
    dcps_shard_config settings = shard.config;
    engine_client client = shard.clients[0][0];
    engine_close(&shard);
    engine_open(&shard, &settings, N, N, 1);
    ck_assert_int_eq(dcps_shard_import(shard.shard, &image), DCPS_OK);
    dcps_shard_image_fini(&image);
    shard.clients[0][0] = client;
    engine_join(&shard, 0);
    ck_assert_uint_eq(engine_stats(&shard).samples, 24);
    ck_assert(isnan(engine_stats(&shard).train_loss)); /* nothing is known of what came before */
    engine_pull(&shard, 0, 0);
    engine_expect(&shard, 0, DCPS_MESSAGE_WEIGHTS);
    push_times(1);
    ck_assert_double_eq(engine_stats(&shard).train_loss, 4.0);
    engine_close(&shard);
}
END_TEST

START_TEST(test_states)
{
    dcps_shard_config config = engine_config("asgd");
    config.epochs = 1;
    config.batch_size = 16;
    engine_open(&shard, &config, N, N, 1);
    ck_assert_int_eq(engine_stats(&shard).state, DCPS_RUN_WAITING);
    engine_begin(&shard, 2, 0, zero);
    ck_assert_int_eq(engine_stats(&shard).state, DCPS_RUN_TRAINING);
    engine_push(&shard, 0, 0, zero);
    ck_assert_int_eq(engine_stats(&shard).state, DCPS_RUN_DRAINING); /* the third and last batch is out */
    engine_push(&shard, 0, 0, zero);
    ck_assert_int_eq(engine_stats(&shard).state, DCPS_RUN_DRAINING);
    engine_leave(&shard, 1);
    engine_expect(&shard, 0, DCPS_MESSAGE_WEIGHTS);
    engine_expect(&shard, 0, DCPS_MESSAGE_WEIGHTS);
    ck_assert_int_eq(engine_stats(&shard).state, DCPS_RUN_DRAINING);
    engine_push(&shard, 0, 0, zero);
    ck_assert_int_eq(engine_stats(&shard).state, DCPS_RUN_DONE);
    engine_close(&shard);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {test_marks_are_exact,
                                  test_observers_wait_for_the_mark,
                                  test_one_update_crosses_several_marks,
                                  test_release,
                                  test_steady_state_allocates_nothing,
                                  test_once_an_epoch,
                                  test_runs_too_long_to_count,
                                  test_run_ends_short_of_a_mark,
                                  test_run_is_stopped,
                                  test_dead_workers_do_not_end_the_run,
                                  test_stopped_workers_do_not_end_the_run,
                                  test_worker_stopped_with_the_servers_ends_the_run,
                                  test_joining_late_goes_on,
                                  test_joining_late_and_dying,
                                  test_too_many_observers,
                                  test_every_block_counts,
                                  test_nothing_kept,
                                  test_absurd_batch_sizes,
                                  test_too_many_marks,
                                  test_staleness_histogram,
                                  test_loss_is_weighted,
                                  test_no_loss_before_the_first_update,
                                  test_states};
    return CHECK_MAIN("shard snapshots", tests);
}
