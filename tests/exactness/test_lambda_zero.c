/* Through the shard engine: compensation with λ = 0 is plain ASGD to the bit, and one worker is serial SGD to the bit, whatever the algorithm. */
#include <check.h>
#include <string.h>

#include "base/rng.h"
#include "support/check_main.h"
#include "support/engine_harness.h"

#define N 40u /* blocks of 16, 16 and 8 */
#define BLOCK 16u
#define BLOCKS 3u
#define WORKERS 3u
#define SEED UINT64_C(77)
#define EPOCH 48u
#define BATCH 8u

static engine shard;
static float initial[N];

static void draw_initial(void)
{
    dcps_rng rng;
    dcps_rng_seed_stream(&rng, SEED, "lambda-zero", 0);
    for (uint32_t i = 0; i < N; i++) {
        initial[i] = (float)(2.0 * dcps_rng_uniform(&rng) - 1.0);
    }
}

/* Depends on the weights, so that one wrong bit anywhere spreads. */
static float gradient_at(float weight, uint32_t i, uint32_t step)
{
    return 0.3F * weight + (float)(((i + 3u * step) * 2654435761u) >> 8) / 16777216.0F - 0.5F;
}

static uint32_t block_length(uint32_t block)
{
    return block == 2 ? 8 : BLOCK;
}

static void begin(const dcps_shard_config *config, uint32_t workers)
{
    draw_initial();
    engine_open(&shard, config, N, BLOCK, 1);
    for (uint32_t block = 0; block < BLOCKS; block++) {
        engine_begin(&shard, workers, block, initial + block * BLOCK);
    }
}

static void take_weights(uint32_t worker, uint32_t block, float *weights)
{
    engine_answer answer = engine_take(&shard, worker, DCPS_MESSAGE_WEIGHTS);
    ck_assert_uint_eq(answer.message.body.weights.block, block);
    memcpy(weights + block * BLOCK, answer.payload->data, block_length(block) * sizeof(float));
    engine_drop(&answer);
}

static void push_block(uint32_t worker, uint32_t block, float *weights, uint32_t step)
{
    float gradient[BLOCK];
    for (uint32_t i = 0; i < block_length(block); i++) {
        gradient[i] = gradient_at(weights[block * BLOCK + i], block * BLOCK + i, step);
    }
    engine_push(&shard, worker, block, gradient);
    take_weights(worker, block, weights);
}

/* Three workers in a drawn order, so that gradients are late by up to many updates. */
static void run_asynchronous(const char *preset, double lambda, float *result)
{
    float weights[WORKERS][N];
    dcps_rng rng;
    dcps_shard_config config = engine_config(preset);
    config.algorithm.rule.lambda = lambda;
    config.algorithm.rule.weight_decay = 0.01;
    config.epochs = 100;
    begin(&config, WORKERS);
    for (uint32_t worker = 0; worker < WORKERS; worker++) {
        memcpy(weights[worker], initial, sizeof(initial));
    }
    dcps_rng_seed_stream(&rng, SEED, "order", 0);
    for (uint32_t step = 0; step < 60; step++) {
        uint32_t worker = (uint32_t)dcps_rng_below(&rng, WORKERS);
        for (uint32_t block = 0; block < BLOCKS; block++) {
            push_block(worker, block, weights[worker], step);
        }
    }
    for (uint32_t block = 0; block < BLOCKS; block++) {
        engine_weights(&shard, block, result + block * BLOCK, block_length(block));
    }
    engine_close(&shard);
}

START_TEST(test_lambda_zero_is_asgd)
{
    float plain[N];
    float compensated[N];
    run_asynchronous("asgd", 0.0, plain);
    static const char *const presets[] = {"dc-asgd-c", "dc-asgd-a", "dc-asgd-b", "dc-asgd-i"};
    for (uint32_t p = 0; p < 4; p++) {
        run_asynchronous(presets[p], 0.0, compensated);
        ck_assert_msg(memcmp(plain, compensated, sizeof(plain)) == 0, "%s with lambda 0 differs from asgd", presets[p]);
        run_asynchronous(presets[p], 0.04, compensated);
        ck_assert_msg(memcmp(plain, compensated, sizeof(plain)) != 0, "%s compensates nothing", presets[p]);
    }
}
END_TEST

/* η after `samples` samples: from base / workers up to base over the warm-up, then divided at each mark. */
static float rate_after(const dcps_schedule *schedule, uint32_t samples)
{
    double epoch = (double)samples / (double)EPOCH;
    double rate = schedule->base;
    if (epoch < schedule->warmup_epochs) {
        double first = 1.0 / (double)schedule->workers;
        rate *= first + (1.0 - first) * (epoch / schedule->warmup_epochs);
    }
    for (uint32_t k = 0; k < schedule->decay_count; k++) {
        rate *= epoch >= schedule->decay_epochs[k] ? schedule->decay_factor : 1.0;
    }
    return (float)rate;
}

/* SGD as everybody would write it. */
static void run_serial(const dcps_shard_config *config, uint32_t steps, float *weights)
{
    const dcps_rule_config *rule = &config->algorithm.rule;
    float velocity[N] = {0};
    memcpy(weights, initial, sizeof(initial));
    for (uint32_t step = 0; step < steps; step++) {
        float rate = rate_after(&config->schedule, step * BATCH);
        for (uint32_t i = 0; i < N; i++) {
            float gradient = gradient_at(weights[i], i, step);
            if (rule->weight_decay > 0.0) {
                gradient = gradient + (float)rule->weight_decay * weights[i];
            }
            velocity[i] = (float)rule->momentum * velocity[i] + gradient;
            weights[i] = weights[i] - rate * (rule->optimizer == DCPS_OPTIMIZER_MOMENTUM ? velocity[i] : gradient);
        }
    }
}

static void expect_serial(const dcps_shard_config *config)
{
    enum { STEPS = 40 };
    float expected[N];
    float weights[N];
    begin(config, 1);
    memcpy(weights, initial, sizeof(initial));
    for (uint32_t step = 0; step < STEPS; step++) {
        for (uint32_t block = BLOCKS; block-- > 0;) { /* as back-propagation finishes them */
            push_block(0, block, weights, step);
        }
    }
    run_serial(config, STEPS, expected);
    ck_assert_msg(memcmp(weights, expected, sizeof(weights)) == 0,
                  "%s, optimizer %d, weight decay %g: not the bits of serial SGD", config->algorithm.name,
                  (int)config->algorithm.rule.optimizer, config->algorithm.rule.weight_decay);
    engine_close(&shard);
}

static const char *const serial_presets[] = {"sgd",       "asgd",      "ssgd",    "ssp",       "dc-asgd-c", "dc-asgd-a",
                                             "dc-asgd-b", "dc-asgd-i", "sa-asgd", "gap-aware", "ringmaster"};
enum { SERIAL_PRESETS = sizeof(serial_presets) / sizeof(serial_presets[0]) };

START_TEST(test_one_worker_is_serial)
{
    dcps_shard_config config = engine_config(serial_presets[_i]);
    config.workers = 1;
    config.epochs = 100;
    config.batch_size = BATCH;
    for (uint32_t variant = 0; variant < 8; variant++) {
        dcps_rule_config *rule = &config.algorithm.rule;
        rule->optimizer = (variant & 1u) != 0 ? DCPS_OPTIMIZER_MOMENTUM : DCPS_OPTIMIZER_SGD;
        rule->momentum = (variant & 1u) != 0 ? 0.9 : 0.0;
        rule->weight_decay = (variant & 2u) != 0 ? 0.0005 : 0.0;
        config.schedule = (dcps_schedule){.base = 0.1, .workers = 1, .decay_factor = 1.0};
        if ((variant & 4u) != 0) {
            config.schedule = (dcps_schedule){.base = 0.1,
                                              .warmup_epochs = 1.5,
                                              .workers = 4,
                                              .decay_factor = 0.1,
                                              .decay_count = 2,
                                              .decay_epochs = {3.0, 5.0}};
        }
        expect_serial(&config);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("lambda zero");
    TCase *group = tcase_create("bits");
    tcase_add_test(group, test_lambda_zero_is_asgd);
    tcase_add_loop_test(group, test_one_worker_is_serial, 0, SERIAL_PRESETS);
    suite_add_tcase(suite, group);
    return check_run(suite);
}
