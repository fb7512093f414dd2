/* Four workers train a quadratic with each rule, and their gradients depend on what they were shown: the pipeline must follow the published recurrence to the end, in weights and
 * replies, and each mistake must lead elsewhere on the same inputs. */
#include <check.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "exactness/block_under_test.h"
#include "exactness/recurrence.h"
#include "support/check_main.h"

enum { PARAMS = 300 };

static const uint64_t seed = 1907;
static const double base_rate = 1.0 / 16.0;

typedef struct rule_case {
    const char *name;
    dcps_rule_config config;
    recurrence_mistake mistakes[10]; /* ended by RECURRENCE_RIGHT */
} rule_case;

#define DC_B .lambda = 8.0, .mean_square_decay = 0.75, .correction_bound = 0.5, .optimizer = DCPS_OPTIMIZER_SGD

static const rule_case cases[] = {
    {"dc-b",
     {.compensation = DCPS_COMPENSATE_DC_B, DC_B},
     {BAK_SHARED, BAK_ZERO, BAK_AT_PUSH, BOUND_MISSING, BOUND_ABSOLUTE, ROOT_MISSING, SQUARE_OF_EACH}},
    {"dc-b, decay", {.compensation = DCPS_COMPENSATE_DC_B, DC_B, .weight_decay = 0.25}, {BAK_SHARED, BOUND_MISSING}},
    {"dc-b, mean square of each worker",
     {.compensation = DCPS_COMPENSATE_DC_B, DC_B, .mean_square_each_worker = true},
     {SQUARE_OF_ALL, BOUND_MISSING}},
    {"dc-a, mean square of each worker",
     {.compensation = DCPS_COMPENSATE_DC_A,
      .lambda = 2.0,
      .mean_square_decay = 0.75,
      .mean_square_each_worker = true,
      .optimizer = DCPS_OPTIMIZER_SGD},
     {SQUARE_OF_ALL, ROOT_MISSING, BAK_SHARED, BAK_ZERO, BAK_AT_PUSH}},
    {"dc-i",
     {.compensation = DCPS_COMPENSATE_DC_I, .lambda = 4.0, .correction_bound = 0.5, .optimizer = DCPS_OPTIMIZER_SGD},
     {BAK_SHARED, BAK_ZERO, BAK_AT_PUSH, BOUND_MISSING, BOUND_ABSOLUTE}},
    {"dc-i, decay, then gap-aware, momentum",
     {.compensation = DCPS_COMPENSATE_DC_I,
      .then = DCPS_COMPENSATE_GAP_AWARE,
      .lambda = 4.0,
      .correction_bound = 0.5,
      .optimizer = DCPS_OPTIMIZER_MOMENTUM,
      .momentum = 0.5,
      .weight_decay = 0.25},
     {CHAIN_TURNED, BAK_SHARED, BOUND_MISSING}},
    {"gap-aware",
     {.compensation = DCPS_COMPENSATE_GAP_AWARE, .optimizer = DCPS_OPTIMIZER_SGD},
     {BAK_SHARED, BAK_ZERO, BAK_AT_PUSH, GAP_SIGNED, GAP_UNCORRECTED, GAP_OF_GRADIENT, GAP_OF_RATE_NOW,
      GAP_AFTER_STEP}},
    {"gap-aware, decay, momentum",
     {.compensation = DCPS_COMPENSATE_GAP_AWARE,
      .optimizer = DCPS_OPTIMIZER_MOMENTUM,
      .momentum = 0.5,
      .weight_decay = 0.25},
     {GAP_OF_GRADIENT, GAP_SIGNED, BAK_SHARED}},
    {"gap-aware, nesterov",
     {.compensation = DCPS_COMPENSATE_GAP_AWARE, .optimizer = DCPS_OPTIMIZER_NESTEROV, .momentum = 0.5},
     {GAP_OF_GRADIENT, HEAVY_BALL}},
    {"dc-b, then gap-aware",
     {.compensation = DCPS_COMPENSATE_DC_B, .then = DCPS_COMPENSATE_GAP_AWARE, DC_B},
     {CHAIN_TURNED, BAK_SHARED, BOUND_MISSING}},
    {"gap-aware, then dc-a",
     {.compensation = DCPS_COMPENSATE_GAP_AWARE,
      .then = DCPS_COMPENSATE_DC_A,
      .lambda = 2.0,
      .mean_square_decay = 0.75,
      .optimizer = DCPS_OPTIMIZER_SGD},
     {CHAIN_TURNED, GAP_SIGNED, ROOT_MISSING}},
    {"staleness",
     {.compensation = DCPS_COMPENSATE_NONE, .step_size = DCPS_STEP_STALENESS, .optimizer = DCPS_OPTIMIZER_SGD},
     {STALENESS_PLUS_ONE, STALENESS_UNUSED}},
    {"dc-c, decay, staleness, momentum",
     {.compensation = DCPS_COMPENSATE_DC_C,
      .lambda = 0.5,
      .step_size = DCPS_STEP_STALENESS,
      .optimizer = DCPS_OPTIMIZER_MOMENTUM,
      .momentum = 0.5,
      .weight_decay = 0.25},
     {STALENESS_PLUS_ONE, STALENESS_UNUSED, BAK_SHARED}},
    {"adadelay",
     {.compensation = DCPS_COMPENSATE_NONE,
      .step_size = DCPS_STEP_ADADELAY,
      .adadelay_offset = 0.125,
      .optimizer = DCPS_OPTIMIZER_SGD},
     {SUM_NOT_MEAN, WEIGHTS_MISSING, STALENESS_UNUSED}},
    {"dc-b, decay, adadelay",
     {.compensation = DCPS_COMPENSATE_DC_B,
      DC_B,
      .step_size = DCPS_STEP_ADADELAY,
      .adadelay_offset = 0.125,
      .weight_decay = 0.25},
     {SUM_NOT_MEAN, STALENESS_UNUSED, BOUND_MISSING}},
    {"nesterov",
     {.compensation = DCPS_COMPENSATE_NONE, .optimizer = DCPS_OPTIMIZER_NESTEROV, .momentum = 0.75},
     {HEAVY_BALL}},
    {"dana-zero",
     {.compensation = DCPS_COMPENSATE_NONE, .optimizer = DCPS_OPTIMIZER_DANA, .momentum = 0.75},
     {LOOKAHEAD_MISSING, LOOKAHEAD_OWN, LOOKAHEAD_OF_NOW, VELOCITY_SHARED, SUM_OF_PUSHES}},
    {"dana-dc, decay",
     {.compensation = DCPS_COMPENSATE_DC_C,
      .lambda = 1.0,
      .optimizer = DCPS_OPTIMIZER_DANA,
      .momentum = 0.75,
      .weight_decay = 0.25},
     {LOOKAHEAD_MISSING, LOOKAHEAD_OWN, VELOCITY_SHARED, BAK_IS_WEIGHTS, BAK_SHARED, BAK_ZERO, BAK_AT_PUSH}},
    {"gap-aware, dana",
     {.compensation = DCPS_COMPENSATE_GAP_AWARE, .optimizer = DCPS_OPTIMIZER_DANA, .momentum = 0.75},
     {LOOKAHEAD_MISSING, GAP_OF_GRADIENT, BAK_IS_WEIGHTS}},
    {"ormo",
     {.compensation = DCPS_COMPENSATE_NONE, .optimizer = DCPS_OPTIMIZER_ORMO, .momentum = 0.75},
     {HEAVY_BALL, LAG_IGNORED, BUCKET_AT_REPLY, BUCKET_OF_ONE}},
    {"gap-aware, decay, staleness, ormo",
     {.compensation = DCPS_COMPENSATE_GAP_AWARE,
      .step_size = DCPS_STEP_STALENESS,
      .optimizer = DCPS_OPTIMIZER_ORMO,
      .momentum = 0.5,
      .weight_decay = 0.25},
     {HEAVY_BALL, LAG_IGNORED, GAP_OF_GRADIENT, STALENESS_UNUSED}},
};
enum { CASES = sizeof(cases) / sizeof(cases[0]) };

/* What each push is made of, the same for code and reference. */
typedef struct inputs {
    uint32_t worker[RECURRENCE_UPDATES];
    double rate[RECURRENCE_UPDATES + 1];
    float initial[PARAMS];
    float noise[RECURRENCE_UPDATES][PARAMS];
} inputs;

/* η falls halfway, except with Nesterov's momentum, whose two forms agree only while it is constant. */
static inputs *inputs_create(const dcps_rule_config *config)
{
    inputs *made = dcps_alloc(1, sizeof(*made));
    ck_assert_ptr_nonnull(made);
    dcps_rng rng;
    dcps_rng_seed(&rng, seed);
    fill_normal(&rng, made->initial, PARAMS, 1.0);
    for (size_t update = 0; update <= RECURRENCE_UPDATES; update++) {
        const bool late = update >= RECURRENCE_UPDATES / 2 && config->optimizer != DCPS_OPTIMIZER_NESTEROV;
        made->rate[update] = late ? base_rate / 4.0 : base_rate;
    }
    for (size_t update = 0; update < RECURRENCE_UPDATES; update++) {
        made->worker[update] = (uint32_t)dcps_rng_below(&rng, RECURRENCE_WORKERS);
        fill_normal(&rng, made->noise[update], PARAMS, 0.5);
    }
    return made;
}

static double gradient_at(double shown, double noise)
{
    return shown + noise;
}

static double *run_reference(const inputs *in, const dcps_rule_config *config, recurrence_mistake mistake)
{
    double *shown = dcps_alloc((size_t)2 * PARAMS, sizeof(*shown)); /* weights, then the last reply */
    recurrence *self = dcps_alloc(1, sizeof(*self));
    ck_assert(shown != NULL && self != NULL);
    for (size_t i = 0; i < PARAMS; i++) {
        recurrence_begin(self, config, mistake, (double)in->initial[i], base_rate);
        for (size_t update = 0; update < RECURRENCE_UPDATES; update++) {
            const uint32_t worker = in->worker[update];
            recurrence_push(self, worker, gradient_at(self->shown[worker], (double)in->noise[update][i]),
                            in->rate[update], in->rate[update + 1]);
        }
        shown[i] = self->weight;
        shown[PARAMS + i] = self->shown[in->worker[RECURRENCE_UPDATES - 1]];
    }
    dcps_free(self);
    return shown;
}

static double *run_code(const inputs *in, const dcps_rule_config *config)
{
    double *result = dcps_alloc((size_t)2 * PARAMS, sizeof(*result));
    float(*shown)[PARAMS] = dcps_alloc(RECURRENCE_WORKERS, sizeof(*shown));
    uint64_t pulled[RECURRENCE_WORKERS] = {0};
    block_under_test b;
    ck_assert(result != NULL && shown != NULL);
    block_open(&b, config, PARAMS);
    b.workers = RECURRENCE_WORKERS;
    b.step_max = base_rate;
    memcpy(b.block.weights, in->initial, sizeof(in->initial));
    for (size_t worker = 0; worker < RECURRENCE_WORKERS; worker++) {
        memcpy(shown[worker], in->initial, sizeof(in->initial));
    }
    for (uint64_t update = 0; update < RECURRENCE_UPDATES; update++) {
        b.worker = in->worker[update];
        b.staleness = update - pulled[b.worker];
        for (size_t i = 0; i < PARAMS; i++) {
            b.gradient[i] = (float)gradient_at((double)shown[b.worker][i], (double)in->noise[update][i]);
        }
        memcpy(b.pulled, shown[b.worker], sizeof(shown[0]));
        b.step_next = in->rate[update + 1];
        block_apply(&b, in->rate[update]);
        memcpy(shown[b.worker], b.snapshot, sizeof(shown[0]));
        pulled[b.worker] = update + 1;
    }
    for (size_t i = 0; i < PARAMS; i++) {
        result[i] = (double)b.block.weights[i];
        result[PARAMS + i] = (double)b.snapshot[i];
    }
    block_close(&b);
    dcps_free(shown);
    return result;
}

static const double tolerance = 2e-5;
static const double exposure = 1e-3;

START_TEST(test_code_follows_recurrence)
{
    const rule_case *c = &cases[_i];
    inputs *in = inputs_create(&c->config);
    double *expected = run_reference(in, &c->config, RECURRENCE_RIGHT);
    double *seen = run_code(in, &c->config);
    double worst = 0.0;
    for (size_t i = 0; i < (size_t)2 * PARAMS; i++) {
        const double difference = fabs(seen[i] - expected[i]);
        worst = difference > worst ? difference : worst;
        ck_assert_msg(difference <= tolerance * (1.0 + fabs(expected[i])),
                      "%s: %s of parameter %zu is %.9g, should be %.9g", c->name, i < PARAMS ? "weight" : "reply",
                      i % PARAMS, seen[i], expected[i]);
    }
    printf("%s: within %.2g\n", c->name, worst);
    dcps_free(seen);
    dcps_free(expected);
    dcps_free(in);
}
END_TEST

START_TEST(test_mistakes_lead_elsewhere)
{
    const rule_case *c = &cases[_i];
    inputs *in = inputs_create(&c->config);
    double *seen = run_code(in, &c->config);
    for (size_t k = 0; c->mistakes[k] != RECURRENCE_RIGHT; k++) {
        double *wrong = run_reference(in, &c->config, c->mistakes[k]);
        size_t exposed = 0;
        for (size_t i = 0; i < PARAMS; i++) {
            exposed += !(fabs(wrong[i] - seen[i]) <= exposure) ? 1u : 0u;
        }
        ck_assert_msg(exposed > PARAMS / 2, "%s: mistake %d shows in only %zu of %d parameters", c->name,
                      (int)c->mistakes[k], exposed, PARAMS);
        dcps_free(wrong);
    }
    dcps_free(seen);
    dcps_free(in);
}
END_TEST

/* Weights after pushes of two lists of gradients under one rule. */
static void run_serial(const dcps_rule_config *config, const float *gradients, size_t count, float *weights,
                       float *shown)
{
    block_under_test b;
    block_open(&b, config, 1);
    b.block.weights[0] = 1.0f;
    for (size_t i = 0; i < count; i++) {
        b.gradient[0] = gradients[i];
        b.pulled[0] = b.block.weights[0];
        block_apply(&b, 0.125);
    }
    *weights = b.block.weights[0];
    *shown = b.snapshot[0];
    block_close(&b);
}

/* One worker: ordered momentum is heavy ball, and DANA shows the points at which Nesterov takes gradients. */
START_TEST(test_one_worker)
{
    static const float gradients[] = {1.0f, -0.5f, 2.0f, 0.25f, -1.0f, 0.75f};
    const dcps_rule_config none = {.compensation = DCPS_COMPENSATE_NONE, .momentum = 0.5};
    dcps_rule_config ball = none, ormo = none, nesterov = none, dana = none;
    ball.optimizer = DCPS_OPTIMIZER_MOMENTUM;
    ormo.optimizer = DCPS_OPTIMIZER_ORMO;
    nesterov.optimizer = DCPS_OPTIMIZER_NESTEROV;
    dana.optimizer = DCPS_OPTIMIZER_DANA;
    float a, b, shown_a, shown_b;
    for (size_t count = 1; count <= 6; count++) {
        run_serial(&ball, gradients, count, &a, &shown_a);
        run_serial(&ormo, gradients, count, &b, &shown_b);
        ck_assert_double_eq_tol((double)a, (double)b, 1e-6);
        run_serial(&nesterov, gradients, count, &a, &shown_a);
        run_serial(&dana, gradients, count, &b, &shown_b);
        ck_assert_double_eq_tol((double)shown_a, (double)shown_b, 1e-6);
    }
}
END_TEST

/* All gradients of the first two buckets, in two orders of arrival: once all are in, the weights are the same, and those of heavy ball on the sums of the buckets. */
START_TEST(test_order_of_arrival_does_not_show_in_ormo)
{
    const dcps_rule_config config = {
        .compensation = DCPS_COMPENSATE_NONE, .optimizer = DCPS_OPTIMIZER_ORMO, .momentum = 0.5};
    static const struct {
        uint64_t issued[8];
        float gradient[8];
    } orders[] = {{{0, 0, 1, 2, 0, 3, 4, 0}, {1, 2, 16, 32, 4, 64, 128, 8}},
                  {{0, 0, 0, 0, 1, 2, 3, 4}, {1, 2, 4, 8, 16, 32, 64, 128}}};
    for (size_t order = 0; order < 2; order++) {
        block_under_test b;
        block_open(&b, &config, 1);
        b.workers = 4;
        for (uint64_t t = 0; t < 8; t++) {
            b.staleness = t - orders[order].issued[t];
            b.gradient[0] = orders[order].gradient[t];
            block_apply(&b, 0.125);
        }
        /* The update numbered 7 is in bucket 2: Σ₀ = 15 has moved the weights by 1 + ½ + ¼, Σ₁ = 240 by 1 + ½. */
        ck_assert_double_eq((double)b.block.weights[0], -0.125 * (15.0 * 1.75 + 240.0 * 1.5));
        block_close(&b);
    }
}
END_TEST

START_TEST(test_forgotten_worker_leaves_the_sum)
{
    const dcps_rule_config config = {
        .compensation = DCPS_COMPENSATE_NONE, .optimizer = DCPS_OPTIMIZER_DANA, .momentum = 0.5};
    block_under_test b;
    _Alignas(64) float shown[200];
    block_open(&b, &config, 200);
    for (uint32_t push = 0; push < 3; push++) {
        b.worker = push % 2;
        for (size_t i = 0; i < 200; i++) {
            b.gradient[i] = (float)(push + 1);
        }
        block_apply(&b, 0.25);
    }
    /* v_0 = ½·1 + 3, v_1 = 2 */
    ck_assert_double_eq(block_state(&b, "momentum_sum", 199), 5.5);
    dcps_rule_forget_worker(b.rule, &b.block, b.worker_states[0]);
    ck_assert_double_eq(block_state(&b, "momentum_sum", 199), 2.0);
    ck_assert_double_eq((double)b.worker_states[0][0][199], 0.0);
    dcps_rule_show(b.rule, &b.block, 0.25f, shown);
    ck_assert_double_eq((double)shown[199], (double)b.block.weights[199] - 0.25 * 0.5 * 2.0);
    block_close(&b);
}
END_TEST

/* Whoever gets the id of one who is gone begins without its mean square, which follows from nobody else's pushes. */
START_TEST(test_forgotten_worker_leaves_no_state)
{
    const dcps_rule_config config = {.compensation = DCPS_COMPENSATE_DC_A,
                                     .lambda = 2.0,
                                     .mean_square_decay = 0.5,
                                     .mean_square_each_worker = true,
                                     .optimizer = DCPS_OPTIMIZER_SGD};
    block_under_test b;
    block_open(&b, &config, 200);
    for (b.worker = 0; b.worker < 2; b.worker++) {
        for (size_t i = 0; i < 200; i++) {
            b.gradient[i] = 3.0f;
        }
        block_apply(&b, 0.25);
    }
    dcps_rule_forget_worker(b.rule, &b.block, b.worker_states[0]);
    for (size_t i = 0; i < 200; i++) {
        ck_assert_double_eq((double)b.worker_states[0][0][i], 0.0);
        ck_assert_double_eq((double)b.worker_states[1][0][i], 4.5);
    }
    block_close(&b);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("recurrences");
    TCase *tests = tcase_create("recurrences");
    tcase_set_timeout(tests, 100);
    tcase_add_loop_test(tests, test_code_follows_recurrence, 0, CASES);
    tcase_add_loop_test(tests, test_mistakes_lead_elsewhere, 0, CASES);
    tcase_add_test(tests, test_one_worker);
    tcase_add_test(tests, test_order_of_arrival_does_not_show_in_ormo);
    tcase_add_test(tests, test_forgotten_worker_leaves_the_sum);
    tcase_add_test(tests, test_forgotten_worker_leaves_no_state);
    suite_add_tcase(suite, tests);
    return check_run(suite);
}
