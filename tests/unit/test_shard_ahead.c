/* A rule whose answers look ahead: what workers are sent is not what is evaluated and saved, and it is what compensation goes by. */
#include <check.h>
#include <string.h>

#include "support/check_main.h"
#include "support/engine_harness.h"

#define N ENGINE_BLOCK

static engine shard;
static const float zero[N];

/* η = ½ and γ = ½ make everything exact. */
static void open_dana(const char *preset, double lambda)
{
    dcps_shard_config config = engine_config(preset);
    config.algorithm.rule.momentum = 0.5;
    config.algorithm.rule.lambda = lambda;
    config.snapshot_every_samples = 16;
    engine_open(&shard, &config, N, N, 1);
    engine_begin(&shard, 2, 0, zero);
}

static void push(uint32_t worker, float gradient, float expected)
{
    engine_push(&shard, worker, 0, engine_all(gradient));
    (void)engine_expect_all(&shard, worker, expected);
}

/* v_0 = 4: w = −2, and ahead of it ½·½·4. Then v_1 = 8: w = −6, ahead ¼·12. Then v_0 = 2 + 2: w = −8, ahead ¼·12. */
START_TEST(test_by_hand)
{
    open_dana("dana-zero", 0.0);
    push(0, 4.0F, -3.0F);
    engine_expect_block(&shard, 0, engine_all(-2.0F), N);
    push(1, 8.0F, -9.0F);
    engine_expect_block(&shard, 0, engine_all(-6.0F), N);
    push(0, 2.0F, -11.0F);
    engine_expect_block(&shard, 0, engine_all(-8.0F), N);
    engine_pull(&shard, 1, 0); /* a pull shows the same as a push */
    (void)engine_expect_all(&shard, 1, -11.0F);
    engine_close(&shard);
}
END_TEST

/* Worker 1 was sent 0 and is at −2 − 1·… : g̃ = 8 + ½·64·(−2 − 0) = −56. Worker 0 was sent −3, the weights are then 26. */
START_TEST(test_drift_is_from_what_was_sent)
{
    open_dana("dana-dc", 0.5);
    push(0, 4.0F, -3.0F);
    push(1, 8.0F, 39.0F); /* v_1 = −56: w = −2 + 28 = 26, ahead −¼·(4 − 56) = 13 */
    engine_expect_block(&shard, 0, engine_all(26.0F), N);
    /* g̃ = 2 + ½·4·(26 + 3) = 60, v_0 = 62: w = −5, ahead ¼·(62 − 56) */
    push(0, 2.0F, -6.5F);
    engine_expect_block(&shard, 0, engine_all(-5.0F), N);
    engine_close(&shard);
}
END_TEST

START_TEST(test_evaluation_and_checkpoint_have_the_weights)
{
    open_dana("dana-zero", 0.0);
    push(0, 4.0F, -3.0F);
    push(1, 8.0F, -9.0F); /* 16 samples: the first mark */
    engine_snapshot(&shard, 9, 0, 0, false);
    engine_answer answer = engine_take(&shard, 9, DCPS_MESSAGE_SNAPSHOT_REPLY);
    ck_assert(answer.message.body.snapshot_reply.available);
    ck_assert_mem_eq(answer.payload->data, engine_all(-6.0F), N * sizeof(float));
    engine_drop(&answer);
    dcps_shard_image image;
    ck_assert_int_eq(dcps_shard_export(shard.shard, &image), DCPS_OK);
    ck_assert_mem_eq(image.blocks[0].weights->data, engine_all(-6.0F), N * sizeof(float));
    ck_assert_mem_eq(image.blocks[0].states[0]->data, engine_all(12.0F), N * sizeof(float));
    ck_assert_uint_eq(image.blocks[0].worker_states_count, 2);
    ck_assert_mem_eq(image.blocks[0].worker_states[1].values[0]->data, engine_all(8.0F), N * sizeof(float));
    dcps_shard_image_fini(&image);
    engine_close(&shard);
}
END_TEST

/* Who is lost, or stopped, takes its velocity along; who has finished may only be waiting for the run to be made longer. */
START_TEST(test_leaving)
{
    open_dana("dana-zero", 0.0);
    push(0, 4.0F, -3.0F);
    push(1, 8.0F, -9.0F);
    engine_leave(&shard, 1);
    push(0, 0.0F, -7.5F); /* v_0 = 2: w = −7, ahead ¼·2 */
    engine_join(&shard, 1);
    engine_pull(&shard, 1, 0);
    (void)engine_expect_all(&shard, 1, -7.5F);
    push(1, 4.0F, -10.5F); /* v_1 = 4: w = −9, ahead ¼·6 */
    engine_quit(&shard, 1);
    push(0, 0.0F, -9.75F); /* v_0 = 1: w = −9.5, ahead ¼·1 */
    engine_join(&shard, 1);
    engine_pull(&shard, 1, 0);
    (void)engine_expect_all(&shard, 1, -9.75F);
    push(1, 4.0F, -12.75F); /* v_1 = 4: w = −11.5, ahead ¼·5 */
    engine_finish(&shard, 1);
    push(0, 0.0F, -12.875F); /* v_0 = ½: w = −11.75, ahead ¼·4½ */
    engine_close(&shard);
}
END_TEST

/* Another incarnation of a worker whose session was not missed yet: the old one is lost. */
START_TEST(test_new_incarnation_begins_at_rest)
{
    open_dana("dana-zero", 0.0);
    push(0, 4.0F, -3.0F);
    shard.incarnation[0] = 2;
    engine_join(&shard, 0);
    shard.clients[0][0] = (engine_client){.step = shard.clients[0][0].step};
    engine_pull(&shard, 0, 0);
    engine_expect(&shard, 0, DCPS_MESSAGE_WEIGHTS);
    push(0, 4.0F, -5.0F); /* v_0 = 4: w = −4, ahead ¼·4 */
    engine_close(&shard);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {test_by_hand, test_drift_is_from_what_was_sent,
                                  test_evaluation_and_checkpoint_have_the_weights, test_leaving,
                                  test_new_incarnation_begins_at_rest};
    return CHECK_MAIN("shard ahead", tests);
}
