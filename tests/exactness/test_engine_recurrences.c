/* Every algorithm that applies gradients at once, through the shard engine: four workers pull and push in a drawn order, at each of two blocks in another. Replies and weights
 * must be those of the published recurrences, which takes the right staleness, W_bak, number of workers and learning rates, now, next and at most. What a wrong one makes of
 * the same inputs lies elsewhere. */
#include <check.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/rng.h"
#include "exactness/recurrence.h"
#include "support/check_main.h"
#include "support/engine_harness.h"

enum { BLOCKS = 2, PARAMS = 48, BATCH = 8, EPOCH = 48, NOBODY = RECURRENCE_WORKERS };

static const uint64_t seed = 2027;
static const double tolerance = 2e-5;
static const double exposure = 1e-3;

typedef struct engine_case {
    const char *preset;
    dcps_optimizer optimizer;       /* in the place of the preset's; 0: that */
    double base_rate;               /* 0: 1/16 */
    recurrence_mistake mistakes[6]; /* of an engine; ended by RECURRENCE_RIGHT */
} engine_case;

static const engine_case cases[] = {
    {.preset = "sgd"},
    {.preset = "asgd"},
    {.preset = "asgd", .optimizer = DCPS_OPTIMIZER_MOMENTUM},
    {.preset = "asgd", .optimizer = DCPS_OPTIMIZER_NESTEROV},
    {.preset = "ssp"},
    {.preset = "ringmaster"},
    {.preset = "sa-asgd", .mistakes = {STALENESS_PLUS_ONE, STALENESS_UNUSED}},
    {.preset = "adadelay", .base_rate = 1.0, .mistakes = {STALENESS_UNUSED}},
    {.preset = "dc-asgd-c", .mistakes = {BAK_SHARED, BAK_AT_PUSH}},
    {.preset = "dc-asgd-a", .mistakes = {BAK_SHARED, BAK_ZERO, BAK_AT_PUSH}},
    {.preset = "dc-asgd-b", .mistakes = {BAK_SHARED, BAK_ZERO, BAK_AT_PUSH}},
    {.preset = "dc-asgd-i", .mistakes = {BAK_SHARED, BAK_ZERO, BAK_AT_PUSH}},
    {.preset = "gap-aware", .mistakes = {GAP_OF_RATE_NOW, BAK_SHARED, BAK_ZERO, BAK_AT_PUSH}},
    {.preset = "dana-zero", .mistakes = {LOOKAHEAD_MISSING, LOOKAHEAD_OF_NOW, VELOCITY_SHARED}},
    {.preset = "dana-dc",
     .base_rate = 1.0 / 64.0,
     .mistakes = {LOOKAHEAD_OF_NOW, VELOCITY_SHARED, BAK_IS_WEIGHTS, BAK_SHARED}},
    {.preset = "ormo", .mistakes = {LAG_IGNORED, BUCKET_AT_REPLY, BUCKET_OF_ONE}},
};
enum { CASES = sizeof(cases) / sizeof(cases[0]) };

/* What happens, the same for engine and reference. */
typedef struct course {
    uint32_t puller[BLOCKS][RECURRENCE_UPDATES]; /* asks for weights before the push, or NOBODY */
    uint32_t pusher[BLOCKS][RECURRENCE_UPDATES];
    float initial[BLOCKS][PARAMS];
    float noise[BLOCKS][RECURRENCE_UPDATES][PARAMS];
} course;

/* What comes of it. */
typedef struct outcome {
    double replies[BLOCKS][RECURRENCE_UPDATES][PARAMS];
    double weights[BLOCKS][PARAMS];
} outcome;

static engine shard;
static course drawn;

static void draw_course(void)
{
    dcps_rng rng;
    printf("seed %llu\n", (unsigned long long)seed);
    dcps_rng_seed(&rng, seed);
    for (uint32_t block = 0; block < BLOCKS; block++) {
        for (uint32_t i = 0; i < PARAMS; i++) {
            drawn.initial[block][i] = (float)dcps_rng_normal(&rng);
        }
        for (uint32_t update = 0; update < RECURRENCE_UPDATES; update++) {
            uint32_t worker = (uint32_t)dcps_rng_below(&rng, UINT64_C(3) * RECURRENCE_WORKERS);
            drawn.puller[block][update] = worker < RECURRENCE_WORKERS ? worker : NOBODY;
            drawn.pusher[block][update] = (uint32_t)dcps_rng_below(&rng, RECURRENCE_WORKERS);
            for (uint32_t i = 0; i < PARAMS; i++) {
                drawn.noise[block][update][i] = (float)dcps_rng_normal(&rng);
            }
        }
    }
}

/* η rises in the first epoch and falls in the fourth, except with Nesterov's momentum, whose two forms agree only while it is constant. */
static dcps_shard_config config_of(const engine_case *c)
{
    dcps_shard_config config = engine_config(c->preset);
    dcps_rule_config *rule = &config.algorithm.rule;
    config.workers = RECURRENCE_WORKERS;
    config.epochs = 100;
    config.batch_size = BATCH;
    config.algorithm.ssp_bound = RECURRENCE_UPDATES;     /* so that nobody waits */
    config.algorithm.max_staleness = RECURRENCE_UPDATES; /* … and nothing is dropped */
    rule->weight_decay = 0.125;
    rule->optimizer = c->optimizer != 0 ? c->optimizer : rule->optimizer;
    rule->momentum = c->optimizer != 0 ? 0.75 : rule->momentum;
    config.schedule = (dcps_schedule){.base = c->base_rate > 0.0 ? c->base_rate : 1.0 / 16.0, .decay_factor = 1.0};
    if (rule->optimizer != DCPS_OPTIMIZER_NESTEROV) {
        config.schedule.warmup_epochs = 1.0;
        config.schedule.workers = 2;
        config.schedule.decay_factor = 0.25;
        config.schedule.decay_count = 1;
        config.schedule.decay_epochs[0] = 4.0;
    }
    return config;
}

/* Of a quadratic, at what was shown. */
static double gradient_at(double shown, double noise)
{
    return shown + noise;
}

static double rate_of(const dcps_shard_config *config, uint32_t update)
{
    return dcps_schedule_rate(&config->schedule, (uint64_t)update * BATCH, EPOCH);
}

static void run_reference(const dcps_shard_config *config, recurrence_mistake mistake, uint32_t block, uint32_t i,
                          outcome *result)
{
    recurrence self;
    recurrence_begin(&self, &config->algorithm.rule, mistake, (double)drawn.initial[block][i], config->schedule.base);
    for (uint32_t update = 0; update < RECURRENCE_UPDATES; update++) {
        const uint32_t worker = drawn.pusher[block][update];
        const double rate = rate_of(config, update);
        if (drawn.puller[block][update] != NOBODY) {
            recurrence_pull(&self, drawn.puller[block][update], rate);
        }
        const double gradient = gradient_at(self.shown[worker], (double)drawn.noise[block][update][i]);
        recurrence_push(&self, worker, gradient, rate, rate_of(config, update + 1));
        result->replies[block][update][i] = self.shown[worker];
    }
    result->weights[block][i] = self.weight;
}

static void run_references(const dcps_shard_config *config, recurrence_mistake mistake, outcome *result)
{
    for (uint32_t block = 0; block < BLOCKS; block++) {
        for (uint32_t i = 0; i < PARAMS; i++) {
            run_reference(config, mistake, block, i, result);
        }
    }
}

static void take_weights(uint32_t worker, float *shown)
{
    engine_answer answer = engine_take(&shard, worker, DCPS_MESSAGE_WEIGHTS);
    ck_assert_uint_eq(answer.payload->bytes, PARAMS * sizeof(float));
    memcpy(shown, answer.payload->data, answer.payload->bytes);
    engine_drop(&answer);
}

/* One update of a block. `shown` [worker][PARAMS]: what each worker was sent last. */
static void update_block(uint32_t block, uint32_t update, float (*shown)[PARAMS])
{
    const uint32_t puller = drawn.puller[block][update];
    const uint32_t pusher = drawn.pusher[block][update];
    float gradient[PARAMS];
    if (puller != NOBODY) {
        engine_pull(&shard, puller, block);
        take_weights(puller, shown[puller]);
    }
    for (uint32_t i = 0; i < PARAMS; i++) {
        gradient[i] = (float)gradient_at((double)shown[pusher][i], (double)drawn.noise[block][update][i]);
    }
    engine_push(&shard, pusher, block, gradient);
    take_weights(pusher, shown[pusher]);
    engine_expect_quiet(&shard);
}

static void run_engine(const dcps_shard_config *config, outcome *result)
{
    float shown[BLOCKS][RECURRENCE_WORKERS][PARAMS];
    float weights[PARAMS];
    engine_open(&shard, config, (uint64_t)BLOCKS * PARAMS, PARAMS, 1);
    for (uint32_t block = 0; block < BLOCKS; block++) {
        engine_begin(&shard, RECURRENCE_WORKERS, block, drawn.initial[block]);
        for (uint32_t worker = 0; worker < RECURRENCE_WORKERS; worker++) {
            memcpy(shown[block][worker], drawn.initial[block], sizeof(drawn.initial[block]));
        }
    }
    for (uint32_t update = 0; update < RECURRENCE_UPDATES; update++) {
        for (uint32_t block = 0; block < BLOCKS; block++) {
            update_block(block, update, shown[block]);
            for (uint32_t i = 0; i < PARAMS; i++) {
                result->replies[block][update][i] = (double)shown[block][drawn.pusher[block][update]][i];
            }
        }
    }
    for (uint32_t block = 0; block < BLOCKS; block++) {
        engine_weights(&shard, block, weights, PARAMS);
        for (uint32_t i = 0; i < PARAMS; i++) {
            result->weights[block][i] = (double)weights[i];
        }
    }
    engine_close(&shard);
}

static bool is_close(double seen, double expected)
{
    return fabs(seen - expected) <= tolerance * (1.0 + fabs(expected));
}

START_TEST(test_engine_follows_recurrence)
{
    static outcome seen;
    static outcome expected;
    const dcps_shard_config config = config_of(&cases[_i]);
    draw_course();
    run_engine(&config, &seen);
    run_references(&config, RECURRENCE_RIGHT, &expected);
    for (uint32_t block = 0; block < BLOCKS; block++) {
        for (uint32_t i = 0; i < PARAMS; i++) {
            for (uint32_t update = 0; update < RECURRENCE_UPDATES; update++) {
                const double reply = seen.replies[block][update][i];
                const double right = expected.replies[block][update][i];
                ck_assert_msg(is_close(reply, right), "%s: reply %u, block %u, parameter %u is %.9g, should be %.9g",
                              cases[_i].preset, update, block, i, reply, right);
            }
            ck_assert_msg(is_close(seen.weights[block][i], expected.weights[block][i]),
                          "%s: weight %u of block %u is %.9g, should be %.9g", cases[_i].preset, i, block,
                          seen.weights[block][i], expected.weights[block][i]);
        }
    }
}
END_TEST

START_TEST(test_mistakes_lead_elsewhere)
{
    static outcome seen;
    static outcome wrong;
    const engine_case *c = &cases[_i];
    const dcps_shard_config config = config_of(c);
    draw_course();
    run_engine(&config, &seen);
    for (size_t k = 0; c->mistakes[k] != RECURRENCE_RIGHT; k++) {
        uint32_t exposed = 0;
        run_references(&config, c->mistakes[k], &wrong);
        for (uint32_t block = 0; block < BLOCKS; block++) {
            for (uint32_t i = 0; i < PARAMS; i++) {
                exposed += !(fabs(wrong.weights[block][i] - seen.weights[block][i]) <= exposure) ? 1u : 0u;
            }
        }
        ck_assert_msg(exposed > BLOCKS * PARAMS / 2, "%s: mistake %d shows in only %u of %d weights", c->preset,
                      (int)c->mistakes[k], exposed, BLOCKS * PARAMS);
    }
}
END_TEST

START_TEST(test_no_preset_is_left_out)
{
    const char *about = NULL;
    const dcps_algorithm *algorithm = NULL;
    for (uint32_t index = 0; (algorithm = dcps_algorithm_at(index, &about)) != NULL; index++) {
        bool found = algorithm->consistency == DCPS_CONSISTENCY_BSP; /* rounds have no staleness */
        for (size_t i = 0; i < CASES; i++) {
            found = found || strcmp(cases[i].preset, algorithm->name) == 0;
        }
        ck_assert_msg(found, "%s is not tested here", algorithm->name);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("recurrences through the engine");
    TCase *tests = tcase_create("recurrences");
    tcase_add_loop_test(tests, test_engine_follows_recurrence, 0, CASES);
    tcase_add_loop_test(tests, test_mistakes_lead_elsewhere, 0, CASES);
    tcase_add_test(tests, test_no_preset_is_left_out);
    suite_add_tcase(suite, tests);
    return check_run(suite);
}
