/* What a shard tells of the requests that it takes, and of which it tells nothing. */

#include "support/check_main.h"
#include "support/engine_harness.h"

#define N 16u
#define MAX_TOLD 16u

static engine shard;
static dcps_taken told[MAX_TOLD];
static uint64_t told_ns[MAX_TOLD];
static uint32_t told_count;
static uint32_t answers_before; /* emitted when the latest was told */
static const float zero[N];
static const float one[N] = {1.0F};

static void on_taken(void *context, const dcps_taken *taken, uint64_t now_ns)
{
    const engine *self = context;
    ck_assert_uint_lt(told_count, MAX_TOLD);
    told_ns[told_count] = now_ns;
    told[told_count++] = *taken;
    answers_before = self->answer_count;
}

static void open_shard(const char *preset, uint32_t backup_workers)
{
    dcps_shard_config config = engine_config(preset);
    config.algorithm.backup_workers = backup_workers;
    config.taken = on_taken;
    config.taken_context = &shard;
    engine_open(&shard, &config, N, N, 1);
    told_count = 0;
}

/* The latest event, and that there was exactly one since the previous call. */
static const dcps_taken *latest(uint32_t count)
{
    ck_assert_uint_eq(told_count, count);
    return &told[count - 1u];
}

static void check_event(const dcps_taken *taken, dcps_taken_kind kind, dcps_taken_fate fate, uint32_t worker,
                        uint64_t seq)
{
    ck_assert_int_eq(taken->kind, kind);
    ck_assert_int_eq(taken->fate, fate);
    ck_assert_uint_eq(taken->block, 0);
    ck_assert_uint_eq(taken->worker, worker);
    ck_assert_uint_eq(taken->incarnation, 1);
    ck_assert_uint_eq(taken->seq, seq);
}

START_TEST(pulls_values_and_pushes_are_told_in_order)
{
    open_shard("asgd", 0);
    engine_join(&shard, 0);
    engine_join(&shard, 1);
    engine_pull(&shard, 0, 0);
    check_event(latest(1), DCPS_TAKEN_PULL, DCPS_FATE_NONE, 0, 1);
    engine_pull(&shard, 1, 0);
    check_event(latest(2), DCPS_TAKEN_PULL, DCPS_FATE_NONE, 1, 1);
    engine_expect(&shard, 0, DCPS_MESSAGE_NEED_INIT);
    shard.now_ns = 5000;
    engine_init(&shard, 0, 0, zero);
    check_event(latest(3), DCPS_TAKEN_INIT, DCPS_FATE_NONE, 0, 2);
    ck_assert_uint_eq(told_ns[2], 5000);
    ck_assert_uint_eq(told[2].away_ns, 0);
    ck_assert_uint_eq(answers_before, 0); /* before the answer leaves */
    engine_expect(&shard, 0, DCPS_MESSAGE_WEIGHTS);
    engine_expect(&shard, 1, DCPS_MESSAGE_WEIGHTS);
    shard.now_ns = 7000;
    engine_push(&shard, 1, 0, one);
    check_event(latest(4), DCPS_TAKEN_PUSH, DCPS_FATE_APPLIED, 1, 2);
    ck_assert_uint_eq(told[3].samples, 8);
    ck_assert_uint_eq(told[3].step, 1);
    ck_assert_uint_eq(told[3].staleness, 0);
    ck_assert_uint_eq(told[3].away_ns, 2000);
    shard.now_ns = 7500;
    engine_push(&shard, 0, 0, one);
    ck_assert_uint_eq(latest(5)->staleness, 1);
    ck_assert_uint_eq(told[4].away_ns, 2500);
    engine_close(&shard);
}
END_TEST

START_TEST(repeats_questions_and_refusals_are_not_told)
{
    open_shard("asgd", 0);
    engine_begin(&shard, 2, 0, zero);
    engine_push(&shard, 0, 0, one);
    (void)latest(4);
    engine_request(&shard, 0, DCPS_MESSAGE_PUSH_PULL, 0, shard.clients[0][0].seq, 1, 8, one, N);
    engine_query(&shard, 0, 0);
    engine_request(&shard, 0, DCPS_MESSAGE_PUSH_PULL, 0, 1, 1, 8, one, N);     /* old */
    engine_request(&shard, 1, DCPS_MESSAGE_PUSH_PULL, 0, 9, 1, 8, one, N - 1); /* of a wrong length */
    engine_request(&shard, 5, DCPS_MESSAGE_PULL, 0, 1, 0, 0, NULL, 0);         /* of a stranger */
    engine_snapshot(&shard, 9, 0, 0, false);
    (void)latest(4);
    engine_close(&shard);
}
END_TEST

START_TEST(what_is_too_late_is_told_as_dropped)
{
    open_shard("ringmaster", 0);
    engine_begin(&shard, 2, 0, zero);
    for (uint32_t i = 0; i < 4; i++) { /* twice the workers */
        engine_push(&shard, 0, 0, one);
        check_event(latest(4 + i), DCPS_TAKEN_PUSH, DCPS_FATE_APPLIED, 0, 3 + i);
    }
    engine_push(&shard, 1, 0, one);
    check_event(latest(8), DCPS_TAKEN_PUSH, DCPS_FATE_DROPPED, 1, 2);
    ck_assert_uint_eq(told[7].staleness, 4);
    ck_assert_uint_eq(told[7].samples, 8);
    engine_close(&shard);
}
END_TEST

START_TEST(rounds_tell_of_abstaining_and_of_coming_late)
{
    open_shard("ssgd", 1);
    engine_begin(&shard, 2, 0, zero);
    engine_push(&shard, 0, 0, one); /* closes the round */
    check_event(latest(4), DCPS_TAKEN_PUSH, DCPS_FATE_APPLIED, 0, 3);
    engine_push(&shard, 1, 0, one);
    check_event(latest(5), DCPS_TAKEN_PUSH, DCPS_FATE_DROPPED, 1, 2);
    engine_abstain(&shard, 0, 0);
    check_event(latest(6), DCPS_TAKEN_ABSTAIN, DCPS_FATE_NONE, 0, 4);
    ck_assert_uint_eq(told[5].samples, 0);
    engine_close(&shard);
}
END_TEST

START_TEST(a_start_without_all_workers_is_counted)
{
    dcps_shard_config config = engine_config("ssgd");
    config.start_grace_ns = 100;
    engine_open(&shard, &config, 2 * N, N, 1);
    engine_begin(&shard, 2, 0, zero);
    ck_assert_uint_eq(engine_stats(&shard).early_starts, 0);
    engine_pull(&shard, 0, 1);
    engine_expect(&shard, 0, DCPS_MESSAGE_NEED_INIT);
    engine_init(&shard, 0, 1, zero);
    shard.now_ns += 100;
    dcps_shard_tick(shard.shard, shard.now_ns);
    engine_expect(&shard, 0, DCPS_MESSAGE_WEIGHTS);
    ck_assert_uint_eq(engine_stats(&shard).early_starts, 1);
    engine_close(&shard);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {pulls_values_and_pushes_are_told_in_order,
                                  repeats_questions_and_refusals_are_not_told, what_is_too_late_is_told_as_dropped,
                                  rounds_tell_of_abstaining_and_of_coming_late, a_start_without_all_workers_is_counted};
    return CHECK_MAIN("requests taken", tests);
}
