/* Parameters that are averaged instead of trained, beside trained ones in the same block. */
#include <check.h>

#include "dcps/layout.h"
#include "support/check_main.h"
#include "support/engine_harness.h"

#define N 64u /* "first" 16, "mean" 16, "variance" 10 of 16, "last" 16 */

static engine mixed;
static engine trained;
static dcps_layout *layout;
static float values[N];

static const float *fill(float first, float averaged, float last)
{
    for (uint32_t i = 0; i < N; i++) {
        values[i] = i < 16 ? first : i < 48 ? averaged : last;
    }
    return values;
}

static void open_one(engine *self, const dcps_shard_config *config, const dcps_layout *model)
{
    engine_open_bare(self, config);
    ck_assert_int_eq(dcps_partition_init(&self->partition, N, N, 1, 1), DCPS_OK);
    ck_assert_int_eq(dcps_shard_set_partition(self->shard, &self->partition, model, 1000), DCPS_OK);
}

static void open_both(const char *preset, uint32_t workers)
{
    const size_t sixteen = 16;
    const size_t ten = 10;
    ck_assert_int_eq(dcps_layout_create(&layout), DCPS_OK);
    ck_assert_int_eq(dcps_layout_add(layout, "first", DCPS_INIT_ZERO, 1, &sixteen, NULL), DCPS_OK);
    ck_assert_int_eq(dcps_layout_add_average(layout, "mean", DCPS_INIT_ZERO, 0.25F, 1, &sixteen, NULL), DCPS_OK);
    ck_assert_int_eq(dcps_layout_add_average(layout, "variance", DCPS_INIT_ONE, 0.25F, 1, &ten, NULL), DCPS_OK);
    ck_assert_int_eq(dcps_layout_add(layout, "last", DCPS_INIT_ZERO, 1, &sixteen, NULL), DCPS_OK);
    dcps_shard_config config = engine_config(preset);
    config.workers = workers;
    config.algorithm.rule.optimizer = DCPS_OPTIMIZER_MOMENTUM;
    config.algorithm.rule.momentum = 0.5;
    config.algorithm.rule.weight_decay = 0.125;
    open_one(&mixed, &config, layout);
    open_one(&trained, &config, NULL);
    engine_begin(&mixed, workers, 0, fill(1.0F, 1.0F, 1.0F));
    engine_begin(&trained, workers, 0, values);
}

static void close_both(void)
{
    engine_close(&mixed);
    engine_close(&trained);
    dcps_layout_destroy(&layout);
}

static void push_both(uint32_t worker, float averaged)
{
    engine_push(&mixed, worker, 0, fill(0.5F, averaged, -0.25F));
    engine_push(&trained, worker, 0, values);
}

/* Averaged parameters are `expected`, the others are those of an engine that averages nothing, to the bit. */
static void check(float expected)
{
    float with[N];
    float without[N];
    engine_weights(&mixed, 0, with, N);
    engine_weights(&trained, 0, without, N);
    ck_assert_mem_eq(with, without, 16 * sizeof(float));
    ck_assert_mem_eq(with + 48, without + 48, 16 * sizeof(float));
    for (uint32_t i = 16; i < 48; i++) {
        ck_assert_double_eq((double)with[i], (double)expected);
    }
}

/* w ← w + 0.25·(v − w) at the current w, however late the push: no learning rate, compensation, weight decay or momentum. */
START_TEST(test_each_push_moves_the_average)
{
    open_both("dc-asgd-a", 2);
    push_both(0, 5.0F);
    check(2.0F);
    push_both(0, 10.0F);
    check(4.0F);
    push_both(1, 0.0F); /* pulled before both */
    check(3.0F);
    engine_expect(&mixed, 0, DCPS_MESSAGE_WEIGHTS);
    engine_expect(&mixed, 0, DCPS_MESSAGE_WEIGHTS);
    float now[N];
    engine_weights(&mixed, 0, now, N);
    (void)engine_expect_weights(&mixed, 1, now, N);
    close_both();
}
END_TEST

START_TEST(test_a_round_counts_once)
{
    open_both("ssgd", 2);
    push_both(1, 9.0F);
    check(1.0F);
    push_both(0, 1.0F);
    check(2.0F); /* 1 + 0.25·((1 + 9)/2 − 1) */
    close_both();
}
END_TEST

/* A tensor that two blocks share, and blocks that have none of it. */
START_TEST(test_averages_are_found_in_every_block)
{
    const size_t sizes[] = {16, 40, 16};
    ck_assert_int_eq(dcps_layout_create(&layout), DCPS_OK);
    ck_assert_int_eq(dcps_layout_add(layout, "first", DCPS_INIT_ZERO, 1, &sizes[0], NULL), DCPS_OK);
    ck_assert_int_eq(dcps_layout_add_average(layout, "mean", DCPS_INIT_ZERO, 1.0F, 1, &sizes[1], NULL), DCPS_OK);
    ck_assert_int_eq(dcps_layout_add(layout, "last", DCPS_INIT_ZERO, 1, &sizes[2], NULL), DCPS_OK);
    dcps_shard_config config = engine_config("asgd");
    engine_open_bare(&mixed, &config);
    ck_assert_int_eq(dcps_partition_init(&mixed.partition, 80, 32, 1, 1), DCPS_OK);
    ck_assert_int_eq(dcps_shard_set_partition(mixed.shard, &mixed.partition, layout, 1000), DCPS_OK);
    for (uint32_t block = 0; block < 3; block++) {
        engine_begin(&mixed, 1, block, fill(1.0F, 1.0F, 1.0F));
        engine_push(&mixed, 0, block, fill(3.0F, 3.0F, 3.0F));
        engine_expect(&mixed, 0, DCPS_MESSAGE_WEIGHTS);
    }
    for (uint32_t i = 0; i < 80; i++) {
        float weights[32];
        engine_weights(&mixed, i / 32, weights, i < 64 ? 32 : 16);
        bool averaged = i >= 16 && i < 64;
        ck_assert_msg((weights[i % 32] == 3.0F) == averaged, "parameter %u is %g", i, (double)weights[i % 32]);
    }
    engine_close(&mixed);
    dcps_layout_destroy(&layout);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {test_each_push_moves_the_average, test_a_round_counts_once,
                                  test_averages_are_found_in_every_block};
    return CHECK_MAIN("shard averages", tests);
}
