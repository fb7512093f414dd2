/* A synchronous round gives the same weights to the bit in whatever order the gradients arrive: the mean is summed in worker order. */
#include <check.h>
#include <stdio.h>
#include <string.h>

#include "base/rng.h"
#include "support/check_main.h"
#include "support/engine_harness.h"

#define N 64u
#define WORKERS 4u
#define ROUNDS 3u
#define SEED UINT64_C(20240611)
#define RATE 0.3F
#define MOMENTUM 0.9F
#define NOBODY WORKERS

static engine shard;
static float initial[N];
static float gradients[ROUNDS][WORKERS][N];

/* Magnitudes far apart, so that the order of a sum shows in its last bits. */
static void draw_values(void)
{
    dcps_rng rng;
    dcps_rng_seed_stream(&rng, SEED, "bsp-order", 0);
    for (uint32_t i = 0; i < N; i++) {
        initial[i] = (float)(2.0 * dcps_rng_uniform(&rng) - 1.0);
        for (uint32_t k = 0; k < ROUNDS * WORKERS; k++) {
            double scale = (double)(1u << dcps_rng_below(&rng, 12)) / 64.0;
            gradients[k / WORKERS][k % WORKERS][i] = (float)((2.0 * dcps_rng_uniform(&rng) - 1.0) * scale);
        }
    }
}

/* One round as plain float arithmetic: workers in `order`, `absent` does not contribute. */
static void apply_round(float *weights, float *velocity, uint32_t round, const uint32_t *order, uint32_t absent)
{
    for (uint32_t i = 0; i < N; i++) {
        float sum = 0.0F;
        uint32_t count = 0;
        for (uint32_t k = 0; k < WORKERS; k++) {
            if (order[k] != absent) {
                float gradient = gradients[round][order[k]][i];
                sum = count == 0 ? gradient : sum + gradient;
                count++;
            }
        }
        velocity[i] = MOMENTUM * velocity[i] + sum / (float)count;
        weights[i] = weights[i] - RATE * velocity[i];
    }
}

static void run_reference(const uint32_t *order, uint32_t absent, float *weights)
{
    float velocity[N] = {0};
    memcpy(weights, initial, sizeof(initial));
    for (uint32_t round = 0; round < ROUNDS; round++) {
        apply_round(weights, velocity, round, order, round == 1 ? absent : NOBODY);
    }
}

static void run_engine(const uint32_t *order, uint32_t absent, float *weights)
{
    dcps_shard_config config = engine_config("ssgd");
    config.workers = WORKERS;
    config.epochs = 100;
    config.schedule.base = (double)RATE;
    config.algorithm.rule.optimizer = DCPS_OPTIMIZER_MOMENTUM;
    config.algorithm.rule.momentum = (double)MOMENTUM;
    engine_open(&shard, &config, N, N, 1);
    engine_begin(&shard, WORKERS, 0, initial);
    for (uint32_t round = 0; round < ROUNDS; round++) {
        for (uint32_t k = 0; k < WORKERS; k++) {
            engine_expect_quiet(&shard);
            if (round == 1 && order[k] == absent) {
                engine_abstain(&shard, order[k], 0);
            } else {
                engine_push(&shard, order[k], 0, gradients[round][order[k]]);
            }
        }
        for (uint32_t worker = 0; worker < WORKERS; worker++) {
            engine_expect(&shard, worker, DCPS_MESSAGE_WEIGHTS);
        }
    }
    engine_weights(&shard, 0, weights, N);
    engine_close(&shard);
}

/* The number-th permutation of the workers. */
static void permute(uint32_t number, uint32_t *order)
{
    uint32_t left[WORKERS] = {0, 1, 2, 3};
    for (uint32_t k = 0; k < WORKERS; k++) {
        uint32_t choice = number % (WORKERS - k);
        number /= WORKERS - k;
        order[k] = left[choice];
        for (uint32_t i = choice; i + 1 < WORKERS - k; i++) {
            left[i] = left[i + 1];
        }
    }
}

static void expect_every_order(uint32_t absent)
{
    static const uint32_t ascending[WORKERS] = {0, 1, 2, 3};
    float expected[N];
    uint32_t order_shows = 0;
    draw_values();
    run_reference(ascending, absent, expected);
    for (uint32_t number = 0; number < 24; number++) {
        uint32_t order[WORKERS];
        float other[N];
        float seen[N];
        permute(number, order);
        run_reference(order, absent, other);
        order_shows += memcmp(other, expected, sizeof(other)) != 0 ? 1 : 0;
        run_engine(order, absent, seen);
        ck_assert_msg(memcmp(seen, expected, sizeof(seen)) == 0, "arrival order %u%u%u%u gives other bits (seed %llu)",
                      order[0], order[1], order[2], order[3], (unsigned long long)SEED);
    }
    ck_assert_uint_gt(order_shows, 12); /* a sum in order of arrival would have been caught */
}

START_TEST(test_all_contribute)
{
    expect_every_order(NOBODY);
}
END_TEST

START_TEST(test_one_abstains)
{
    expect_every_order(1);
}
END_TEST

/* Nothing lies between pull and round, so delay compensation has nothing to compensate. */
START_TEST(test_compensation_leaves_rounds_alone)
{
    static const char *const presets[] = {"dc-asgd-c", "dc-asgd-a"};
    draw_values();
    for (uint32_t p = 0; p < 2; p++) {
        float weights[2][N];
        for (uint32_t k = 0; k < 2; k++) {
            dcps_shard_config config = engine_config(k == 0 ? "ssgd" : presets[p]);
            config.algorithm.consistency = DCPS_CONSISTENCY_BSP;
            engine_open(&shard, &config, N, N, 1);
            engine_begin(&shard, 2, 0, initial);
            for (uint32_t round = 0; round < ROUNDS; round++) {
                engine_push(&shard, 1, 0, gradients[round][1]);
                engine_push(&shard, 0, 0, gradients[round][0]);
                engine_expect(&shard, 0, DCPS_MESSAGE_WEIGHTS);
                engine_expect(&shard, 1, DCPS_MESSAGE_WEIGHTS);
            }
            engine_weights(&shard, 0, weights[k], N);
            engine_close(&shard);
        }
        ck_assert_mem_eq(weights[0], weights[1], sizeof(weights[0]));
    }
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {test_all_contribute, test_one_abstains, test_compensation_leaves_rounds_alone};
    return CHECK_MAIN("bsp order", tests);
}
