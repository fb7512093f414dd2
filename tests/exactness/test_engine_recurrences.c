/* Every algorithm through the shard engine: four workers pull and push in a drawn order, at each of two blocks in another; answers wait, rounds close and gradients are dropped as the
 * consistency has it. Replies and weights must be those of the published recurrences, which takes the right staleness, W_bak, number of workers and learning rates, now, next and at
 * most. What a wrong one makes of the same inputs lies elsewhere. */
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
    const char *compensation;       /* in the place of the preset's; NULL: that */
    bool each_worker;               /* a mean square for each */
    dcps_optimizer optimizer;       /* in the place of the preset's; 0: that */
    double base_rate;               /* 0: 1/16 */
    uint64_t cut_off;               /* gradients so late are dropped; 0: none */
    uint32_t bound;                 /* of ssp; 0: one that nobody reaches */
    uint32_t backups;               /* of bsp */
    recurrence_mistake mistakes[6]; /* of an engine; ended by RECURRENCE_RIGHT */
} engine_case;

static const engine_case cases[] = {
    {.preset = "sgd"},
    {.preset = "asgd"},
    {.preset = "asgd", .optimizer = DCPS_OPTIMIZER_MOMENTUM},
    {.preset = "asgd", .optimizer = DCPS_OPTIMIZER_NESTEROV},
    {.preset = "sa-asgd", .mistakes = {STALENESS_PLUS_ONE, STALENESS_UNUSED}},
    {.preset = "adadelay", .base_rate = 1.0, .mistakes = {STALENESS_UNUSED}},
    {.preset = "dc-asgd-c", .mistakes = {LAMBDA_ONE, BAK_SHARED, BAK_AT_PUSH}},
    {.preset = "dc-asgd-a", .mistakes = {LAMBDA_ONE, BAK_SHARED, BAK_ZERO, BAK_AT_PUSH}},
    {.preset = "dc-asgd-a", .each_worker = true, .mistakes = {SQUARE_OF_ALL, BAK_SHARED}},
    {.preset = "dc-asgd-b", .mistakes = {LAMBDA_ONE, BAK_SHARED, BAK_ZERO, BAK_AT_PUSH}},
    {.preset = "dc-asgd-b", .each_worker = true, .mistakes = {SQUARE_OF_ALL, BAK_SHARED}},
    {.preset = "dc-asgd-i", .mistakes = {LAMBDA_ONE, BAK_SHARED, BAK_ZERO, BAK_AT_PUSH}},
    {.preset = "gap-aware", .mistakes = {GAP_OF_RATE_NOW, BAK_SHARED, BAK_ZERO, BAK_AT_PUSH}},
    {.preset = "asgd", .compensation = "dc-b,gap-aware", .mistakes = {CHAIN_TURNED, BAK_SHARED}},
    {.preset = "asgd", .compensation = "gap-aware,dc-a", .mistakes = {CHAIN_TURNED, BAK_SHARED}},
    {.preset = "dana-zero", .mistakes = {LOOKAHEAD_MISSING, LOOKAHEAD_OF_NOW, VELOCITY_SHARED}},
    {.preset = "dana-dc",
     .base_rate = 1.0 / 64.0,
     .mistakes = {LAMBDA_ONE, LOOKAHEAD_OF_NOW, VELOCITY_SHARED, BAK_IS_WEIGHTS, BAK_SHARED}},
    {.preset = "ormo", .mistakes = {LAG_IGNORED, BUCKET_AT_REPLY, BUCKET_OF_ONE}},
    {.preset = "ringmaster", .cut_off = 4, .mistakes = {DROP_IGNORED, DROP_WITHOUT_PULL}},
    {.preset = "adadelay", .base_rate = 1.0, .cut_off = 4, .mistakes = {DROP_IGNORED, STALENESS_UNUSED}},
    {.preset = "dc-asgd-a", .cut_off = 4, .mistakes = {DROP_IGNORED, DROP_WITHOUT_PULL, BAK_SHARED}},
    {.preset = "gap-aware", .cut_off = 4, .mistakes = {DROP_IGNORED, DROP_WITHOUT_PULL, BAK_SHARED}},
    {.preset = "dana-dc", .base_rate = 1.0 / 64.0, .cut_off = 4, .mistakes = {DROP_IGNORED, DROP_WITHOUT_PULL}},
    {.preset = "ormo", .cut_off = 4, .mistakes = {DROP_IGNORED, DROP_WITHOUT_PULL, BUCKET_OF_ONE}},
    {.preset = "ssp", .bound = 1, .mistakes = {HOLD_IGNORED}},
    {.preset = "ssp",
     .compensation = "dc-a",
     .bound = 1,
     .cut_off = 3,
     .mistakes = {HOLD_IGNORED, DROP_IGNORED, BAK_SHARED}},
    {.preset = "ssp", .optimizer = DCPS_OPTIMIZER_DANA, .bound = 2, .mistakes = {HOLD_IGNORED, LOOKAHEAD_OF_NOW}},
    {.preset = "ssgd", .mistakes = {ROUND_SUMMED, ROUND_IS_BATCH}},
    {.preset = "ssgd", .backups = 1, .mistakes = {ROUND_OF_LATE, ROUND_SUMMED, ROUND_OF_ALL, ROUND_IS_BATCH}},
    {.preset = "ssgd",
     .optimizer = DCPS_OPTIMIZER_MOMENTUM,
     .backups = 2,
     .mistakes = {ROUND_OF_LATE, ROUND_SUMMED, ROUND_OF_ALL}},
    {.preset = "ssgd", .optimizer = DCPS_OPTIMIZER_NESTEROV, .backups = 1, .mistakes = {HEAVY_BALL, ROUND_OF_LATE}},
};
enum { CASES = sizeof(cases) / sizeof(cases[0]) };

/* What happens at a block, the same for engine and reference. */
typedef struct course {
    uint32_t puller[RECURRENCE_UPDATES]; /* asks for weights before the push, or NOBODY */
    uint32_t pusher[RECURRENCE_UPDATES];
    bool misses[RECURRENCE_UPDATES];       /* bsp: the push comes after its round */
    bool closes[RECURRENCE_UPDATES];       /* bsp: it is the last of its round */
    uint32_t answered[RECURRENCE_UPDATES]; /* after the push: bit w for worker w */
    float initial[PARAMS];
    float noise[RECURRENCE_UPDATES][PARAMS];
} course;

/* What comes of it. */
typedef struct outcome {
    double shown[BLOCKS][RECURRENCE_UPDATES][RECURRENCE_WORKERS][PARAMS]; /* to each worker, after each push */
    double weights[BLOCKS][PARAMS];
} outcome;

static engine shard;
static course drawn[BLOCKS];

static void draw_course(dcps_rng *rng, course *made)
{
    for (uint32_t i = 0; i < PARAMS; i++) {
        made->initial[i] = (float)dcps_rng_normal(rng);
    }
    for (uint32_t update = 0; update < RECURRENCE_UPDATES; update++) {
        uint32_t worker = (uint32_t)dcps_rng_below(rng, UINT64_C(3) * RECURRENCE_WORKERS);
        made->puller[update] = worker < RECURRENCE_WORKERS ? worker : NOBODY;
        made->pusher[update] = (uint32_t)dcps_rng_below(rng, RECURRENCE_WORKERS);
        for (uint32_t i = 0; i < PARAMS; i++) {
            made->noise[update][i] = (float)dcps_rng_normal(rng);
        }
    }
}

/* Who waits for an answer, and for how long. */
typedef struct waiting {
    bool waits[RECURRENCE_WORKERS];
    uint64_t clock[RECURRENCE_WORKERS]; /* asp, ssp: pushes; bsp: rounds it knows of */
    uint64_t closed;                    /* rounds */
} waiting;

static uint32_t count_waiting(const waiting *self)
{
    uint32_t count = 0;
    for (uint32_t worker = 0; worker < RECURRENCE_WORKERS; worker++) {
        count += self->waits[worker] ? 1u : 0u;
    }
    return count;
}

static uint64_t slowest(const waiting *self)
{
    uint64_t least = self->clock[0];
    for (uint32_t worker = 1; worker < RECURRENCE_WORKERS; worker++) {
        least = self->clock[worker] < least ? self->clock[worker] : least;
    }
    return least;
}

/* Answers all who need not wait longer than until `clock`. */
static uint32_t answer(waiting *self, uint64_t clock)
{
    uint32_t answered = 0;
    for (uint32_t worker = 0; worker < RECURRENCE_WORKERS; worker++) {
        if (self->waits[worker] && self->clock[worker] <= clock) {
            self->waits[worker] = false;
            answered |= 1u << worker;
        }
    }
    return answered;
}

/* Chen et al. 2016: a round closes when no more than the backups are missing. */
static void push_to_round(waiting *self, uint32_t backups, course *made, uint32_t update)
{
    const uint32_t worker = made->pusher[update];
    made->misses[update] = self->clock[worker] < self->closed;
    if (made->misses[update]) {
        self->waits[worker] = false;
        self->clock[worker] = self->closed;
        made->answered[update] = 1u << worker;
        return;
    }
    made->closes[update] = count_waiting(self) == RECURRENCE_WORKERS - backups;
    self->closed += made->closes[update] ? 1u : 0u;
    self->clock[worker] = self->closed;
    made->answered[update] = made->closes[update] ? answer(self, UINT64_MAX) : 0;
    for (uint32_t other = 0; other < RECURRENCE_WORKERS; other++) {
        self->clock[other] = (made->answered[update] >> other & 1u) != 0 ? self->closed : self->clock[other];
    }
}

/* Who waits does not push, nor pull: whoever is next does. In rounds nobody pulls. */
static void follow_consistency(const dcps_algorithm *algorithm, course *made)
{
    waiting self = {.closed = 0};
    const bool rounds = algorithm->consistency == DCPS_CONSISTENCY_BSP;
    const bool bounded = algorithm->consistency == DCPS_CONSISTENCY_SSP;
    for (uint32_t update = 0; update < RECURRENCE_UPDATES; update++) {
        const uint32_t puller = made->puller[update];
        made->puller[update] = puller != NOBODY && (rounds || self.waits[puller]) ? NOBODY : puller;
        while (self.waits[made->pusher[update]]) {
            made->pusher[update] = (made->pusher[update] + 1u) % RECURRENCE_WORKERS;
        }
        self.waits[made->pusher[update]] = true;
        if (rounds) {
            push_to_round(&self, algorithm->backup_workers, made, update);
        } else {
            self.clock[made->pusher[update]]++;
            made->answered[update] = answer(&self, bounded ? slowest(&self) + algorithm->ssp_bound : UINT64_MAX);
        }
    }
}

static void draw_courses(const dcps_shard_config *config)
{
    dcps_rng rng;
    printf("seed %llu\n", (unsigned long long)seed);
    dcps_rng_seed(&rng, seed);
    memset(drawn, 0, sizeof(drawn));
    for (uint32_t block = 0; block < BLOCKS; block++) {
        draw_course(&rng, &drawn[block]);
        follow_consistency(&config->algorithm, &drawn[block]);
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
    config.algorithm.ssp_bound = c->bound > 0 ? c->bound : RECURRENCE_UPDATES;
    config.algorithm.backup_workers = c->backups;
    config.algorithm.cuts_off = c->cut_off > 0;
    config.algorithm.max_staleness = c->cut_off;
    if (c->compensation != NULL) {
        ck_assert_int_eq(dcps_algorithm_set_compensation(&config.algorithm, c->compensation), DCPS_OK);
    }
    rule->mean_square_each_worker = c->each_worker;
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

/* η when so many mini-batches have been learnt from. */
static double rate_of(const dcps_shard_config *config, uint64_t batches)
{
    return dcps_schedule_rate(&config->schedule, batches * BATCH, EPOCH);
}

/* One parameter of one block. */
typedef struct reference {
    const dcps_shard_config *config;
    const course *course;
    recurrence server;
    double sum; /* of the gradients of an open round */
    uint32_t joined;
    uint64_t batches; /* learnt from */
} reference;

static void apply(reference *self, uint32_t worker, double gradient, uint32_t batches)
{
    const uint64_t before = self->server.count;
    recurrence_apply(&self->server, worker, gradient, rate_of(self->config, self->batches));
    self->batches += self->server.count > before ? batches : 0;
}

/* A round is the push of one worker. */
static void join_round(reference *self, uint32_t update, double gradient)
{
    const recurrence_mistake mistake = self->server.mistake;
    if (self->course->misses[update]) {
        if (mistake == ROUND_OF_LATE) {
            apply(self, 0, gradient, 1);
        }
        return;
    }
    self->sum += gradient;
    self->joined++;
    if (self->course->closes[update]) {
        const uint32_t parts = mistake == ROUND_SUMMED   ? 1
                               : mistake == ROUND_OF_ALL ? RECURRENCE_WORKERS
                                                         : self->joined;
        apply(self, 0, self->sum / parts, mistake == ROUND_IS_BATCH ? 1 : self->joined);
        self->sum = 0.0;
        self->joined = 0;
    }
}

static void answer_workers(reference *self, uint32_t update)
{
    const bool at_once = self->server.mistake == HOLD_IGNORED;
    const uint32_t answered = at_once ? 1u << self->course->pusher[update] : self->course->answered[update];
    for (uint32_t worker = 0; worker < RECURRENCE_WORKERS; worker++) {
        if ((answered >> worker & 1u) != 0) {
            recurrence_pull(&self->server, worker, rate_of(self->config, self->batches));
        }
    }
}

static void run_reference(const dcps_shard_config *config, recurrence_mistake mistake, uint32_t block, uint32_t i,
                          outcome *result)
{
    reference self = {.config = config, .course = &drawn[block]};
    recurrence_begin(&self.server, &config->algorithm.rule, mistake, (double)drawn[block].initial[i],
                     config->schedule.base);
    self.server.cut_off = config->algorithm.max_staleness;
    for (uint32_t update = 0; update < RECURRENCE_UPDATES; update++) {
        const uint32_t worker = drawn[block].pusher[update];
        if (drawn[block].puller[update] != NOBODY) {
            recurrence_pull(&self.server, drawn[block].puller[update], rate_of(config, self.batches));
        }
        const double gradient = gradient_at(self.server.shown[worker], (double)drawn[block].noise[update][i]);
        if (config->algorithm.consistency == DCPS_CONSISTENCY_BSP) {
            join_round(&self, update, gradient);
        } else {
            apply(&self, worker, gradient, 1);
        }
        answer_workers(&self, update);
        for (uint32_t other = 0; other < RECURRENCE_WORKERS; other++) {
            result->shown[block][update][other][i] = self.server.shown[other];
        }
    }
    result->weights[block][i] = self.server.weight;
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

/* One push to a block, and the answers that come then. `shown` [worker][PARAMS]: what each worker was sent last. */
static void update_block(uint32_t block, uint32_t update, float (*shown)[PARAMS])
{
    const course *events = &drawn[block];
    const uint32_t pusher = events->pusher[update];
    float gradient[PARAMS];
    if (events->puller[update] != NOBODY) {
        engine_pull(&shard, events->puller[update], block);
        take_weights(events->puller[update], shown[events->puller[update]]);
    }
    for (uint32_t i = 0; i < PARAMS; i++) {
        gradient[i] = (float)gradient_at((double)shown[pusher][i], (double)events->noise[update][i]);
    }
    engine_push(&shard, pusher, block, gradient);
    for (uint32_t worker = 0; worker < RECURRENCE_WORKERS; worker++) {
        if ((events->answered[update] >> worker & 1u) != 0) {
            take_weights(worker, shown[worker]);
        }
    }
    engine_expect_quiet(&shard);
}

static void run_engine(const dcps_shard_config *config, outcome *result)
{
    float shown[BLOCKS][RECURRENCE_WORKERS][PARAMS];
    float weights[PARAMS];
    engine_open(&shard, config, (uint64_t)BLOCKS * PARAMS, PARAMS, 1);
    for (uint32_t block = 0; block < BLOCKS; block++) {
        engine_begin(&shard, RECURRENCE_WORKERS, block, drawn[block].initial);
        for (uint32_t worker = 0; worker < RECURRENCE_WORKERS; worker++) {
            memcpy(shown[block][worker], drawn[block].initial, sizeof(drawn[block].initial));
        }
    }
    for (uint32_t update = 0; update < RECURRENCE_UPDATES; update++) {
        for (uint32_t block = 0; block < BLOCKS; block++) {
            update_block(block, update, shown[block]);
            for (uint32_t k = 0; k < RECURRENCE_WORKERS * PARAMS; k++) {
                result->shown[block][update][k / PARAMS][k % PARAMS] = (double)shown[block][k / PARAMS][k % PARAMS];
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

static void expect_close(double seen, double expected, const char *what, uint32_t block, uint32_t i)
{
    ck_assert_msg(is_close(seen, expected), "%s, parameter %u of block %u: %.9g, should be %.9g", what, i, block, seen,
                  expected);
}

START_TEST(test_engine_follows_recurrence)
{
    static outcome seen;
    static outcome right;
    const dcps_shard_config config = config_of(&cases[_i]);
    char what[64];
    draw_courses(&config);
    run_engine(&config, &seen);
    run_references(&config, RECURRENCE_RIGHT, &right);
    for (uint32_t k = 0; k < BLOCKS * PARAMS; k++) {
        const uint32_t block = k / PARAMS, i = k % PARAMS;
        for (uint32_t at = 0; at < RECURRENCE_UPDATES * RECURRENCE_WORKERS; at++) {
            const uint32_t update = at / RECURRENCE_WORKERS, worker = at % RECURRENCE_WORKERS;
            (void)snprintf(what, sizeof(what), "%s: shown to worker %u after push %u", cases[_i].preset, worker,
                           update);
            expect_close(seen.shown[block][update][worker][i], right.shown[block][update][worker][i], what, block, i);
        }
        (void)snprintf(what, sizeof(what), "%s: weights", cases[_i].preset);
        expect_close(seen.weights[block][i], right.weights[block][i], what, block, i);
    }
}
END_TEST

START_TEST(test_mistakes_lead_elsewhere)
{
    static outcome seen;
    static outcome wrong;
    const engine_case *c = &cases[_i];
    const dcps_shard_config config = config_of(c);
    draw_courses(&config);
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
        bool found = false;
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
