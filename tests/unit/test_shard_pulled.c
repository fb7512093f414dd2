/* W_bak, the weights that a gradient was computed at: taken when they are sent, for each worker by itself. Two workers at different versions are followed through the published
 * recurrences in double precision, and through the mistakes that others made. */
#include <check.h>
#include <math.h>
#include <string.h>

#include "support/check_main.h"
#include "support/engine_harness.h"

#define N 16u
#define WORKERS 2u
#define RATE 0.25
#define EPSILON 1e-7

static engine shard;

typedef enum history_kind { PUSH, PULL, REPEAT, REJOIN } history_kind;

typedef struct history_event {
    history_kind kind;
    uint32_t worker;
} history_event;

/* Ends with pushes of both, at versions behind the current one. */
static const history_event history[] = {{PUSH, 0}, {PUSH, 0},   {PUSH, 1}, {PULL, 0},   {PUSH, 1},
                                        {PUSH, 1}, {REPEAT, 0}, {PUSH, 0}, {REJOIN, 1}, {PUSH, 0},
                                        {PUSH, 1}, {REPEAT, 1}, {PUSH, 0}, {PUSH, 1}};
#define EVENTS (sizeof(history) / sizeof(history[0]))

typedef enum variant {
    RIGHT,
    ONE_FOR_ALL,
    TAKEN_AT_PUSH,
    STARTED_AT_ZERO,
    REFRESHED_BY_REPEAT,
    LAMBDA_ONE,
    NO_ROOT
} variant;

static float initial_value(uint32_t i)
{
    return 1.0F - 0.125F * (float)i;
}

static float gradient_value(size_t event, uint32_t i)
{
    return (float)sin(1.7 * (double)event + 0.9 * (double)i) * 2.0F;
}

/* One coordinate of the reference. */
typedef struct reference {
    double weight;
    double pulled[WORKERS];
    double mean_square;
} reference;

/* g̃ of Zheng et al. (ICML 2017), equation 10 for dc-c and 14 for dc-a. */
static double compensated(reference *self, const dcps_rule_config *rule, variant what, double g, double pulled)
{
    double lambda = what == LAMBDA_ONE ? 1.0 : rule->lambda;
    if (rule->compensation == DCPS_COMPENSATE_DC_A) {
        self->mean_square = rule->mean_square_decay * self->mean_square + (1.0 - rule->mean_square_decay) * g * g;
        double spread = self->mean_square + EPSILON;
        lambda /= what == NO_ROOT ? spread : sqrt(spread);
    }
    return g + lambda * g * g * (self->weight - pulled);
}

static void take_pulled(reference *self, variant what, uint32_t worker)
{
    for (uint32_t w = 0; w < WORKERS; w++) {
        if (w == worker || what == ONE_FOR_ALL) {
            self->pulled[w] = self->weight;
        }
    }
}

static double walk(const dcps_rule_config *rule, variant what, uint32_t i)
{
    reference self = {.weight = (double)initial_value(i)};
    for (uint32_t w = 0; w < WORKERS && what != STARTED_AT_ZERO; w++) {
        self.pulled[w] = self.weight;
    }
    for (size_t e = 0; e < EVENTS; e++) {
        uint32_t worker = history[e].worker;
        if (history[e].kind == PUSH) {
            double g = (double)gradient_value(e, i);
            double pulled = what == TAKEN_AT_PUSH ? self.weight : self.pulled[worker];
            self.weight -= RATE * compensated(&self, rule, what, g, pulled);
        }
        if (history[e].kind != REPEAT || what == REFRESHED_BY_REPEAT) {
            take_pulled(&self, what, worker);
        }
    }
    return self.weight;
}

static void play(size_t e)
{
    uint32_t worker = history[e].worker;
    float gradient[N];
    switch (history[e].kind) {
    case PUSH:
        for (uint32_t i = 0; i < N; i++) {
            gradient[i] = gradient_value(e, i);
        }
        engine_push(&shard, worker, 0, gradient);
        break;
    case REJOIN:
        engine_leave(&shard, worker);
        engine_join(&shard, worker);
        engine_pull(&shard, worker, 0);
        break;
    case PULL:
        engine_pull(&shard, worker, 0);
        break;
    case REPEAT:
        engine_query(&shard, worker, 0);
        break;
    }
    engine_expect(&shard, worker, DCPS_MESSAGE_WEIGHTS);
    engine_expect_quiet(&shard);
}

static void play_all(const dcps_rule_config *rule, float *weights)
{
    dcps_shard_config config = engine_config("asgd");
    config.algorithm.rule = *rule;
    config.schedule.base = RATE;
    float initial[N];
    for (uint32_t i = 0; i < N; i++) {
        initial[i] = initial_value(i);
    }
    engine_open(&shard, &config, N, N, 1);
    engine_begin(&shard, WORKERS, 0, initial);
    for (size_t e = 0; e < EVENTS; e++) {
        play(e);
    }
    engine_weights(&shard, 0, weights, N);
    engine_close(&shard);
}

/* The engine agrees with the recurrence, and would not if it were wrong in the way of `what`. */
static void expect_not(const dcps_rule_config *rule, const float *weights, variant what)
{
    double largest = 0.0;
    for (uint32_t i = 0; i < N; i++) {
        largest = fmax(largest, fabs((double)weights[i] - walk(rule, what, i)));
    }
    ck_assert_msg(largest > 0.01, "mistake %d makes no difference: %g", (int)what, largest);
}

static void expect_right(const dcps_rule_config *rule, const float *weights)
{
    for (uint32_t i = 0; i < N; i++) {
        double expected = walk(rule, RIGHT, i);
        ck_assert_msg(fabs((double)weights[i] - expected) < 1e-4, "weight %u is %.9g, expected %.9g", i,
                      (double)weights[i], expected);
    }
}

START_TEST(test_dc_c)
{
    const dcps_rule_config rule = {
        .compensation = DCPS_COMPENSATE_DC_C, .lambda = 0.125, .optimizer = DCPS_OPTIMIZER_SGD};
    float weights[N];
    play_all(&rule, weights);
    expect_right(&rule, weights);
    for (variant what = ONE_FOR_ALL; what <= LAMBDA_ONE; what++) {
        expect_not(&rule, weights, what);
    }
}
END_TEST

START_TEST(test_dc_a)
{
    const dcps_rule_config rule = {.compensation = DCPS_COMPENSATE_DC_A,
                                   .lambda = 0.25,
                                   .mean_square_decay = 0.75,
                                   .optimizer = DCPS_OPTIMIZER_SGD};
    float weights[N];
    play_all(&rule, weights);
    expect_right(&rule, weights);
    for (variant what = ONE_FOR_ALL; what <= NO_ROOT; what++) {
        expect_not(&rule, weights, what);
    }
}
END_TEST

/* One weight, by hand: λ = 0.5, η = 0.5, w = 4. Worker 0 pushes 2: w = 3. Worker 1, which still stands at 4, pushes 2: g̃ = 2 + 0.5 · 4 · (3 − 4) = 0, so w stays 3.
 * Worker 0, which stands at 3, pushes 2: w = 2. Worker 1, at 3, pushes 4: g̃ = 4 + 0.5 · 16 · (2 − 3) = −4, w = 4. */
START_TEST(test_by_hand)
{
    dcps_shard_config config = engine_config("dc-asgd-c");
    config.algorithm.rule.lambda = 0.5;
    static const float four[N] = {4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4};
    static const float steps[4][2] = {{2, 3}, {2, 3}, {2, 2}, {4, 4}};
    engine_open(&shard, &config, N, N, 1);
    engine_begin(&shard, 2, 0, four);
    for (uint32_t k = 0; k < 4; k++) {
        float gradient[N];
        float expected[N];
        for (uint32_t i = 0; i < N; i++) {
            gradient[i] = steps[k][0];
            expected[i] = steps[k][1];
        }
        engine_push(&shard, k % 2, 0, gradient);
        (void)engine_expect_weights(&shard, k % 2, expected, N);
    }
    engine_close(&shard);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {test_dc_c, test_dc_a, test_by_hand};
    return CHECK_MAIN("shard pulled weights", tests);
}
