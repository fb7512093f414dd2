/* Equalities to the last bit: λ = 0 is plain descent, one worker is serial descent, and every processor and every place in a tile gives the same. */
#include <check.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "exactness/block_under_test.h"
#include "exactness/rule_reference.h"
#include "support/check_main.h"

enum { PARAMS = 5000, UPDATES = 20 };

static const uint64_t seed = 77;

typedef enum pull_policy { PULL_LATEST, PULL_DELAYED } pull_policy;

/* Drives a block through UPDATES pushes: of one worker that always has the latest weights, or of one that is far behind. */
static void run(block_under_test *b, pull_policy policy)
{
    dcps_rng rng;
    dcps_rng_seed(&rng, seed);
    fill_normal(&rng, b->block.weights, PARAMS, 0.3);
    memcpy(b->pulled, b->block.weights, PARAMS * sizeof(float));
    for (int update = 0; update < UPDATES; update++) {
        fill_normal(&rng, b->gradient, PARAMS, 1.0);
        block_apply(b, 0.05);
        if (policy == PULL_LATEST) {
            memcpy(b->pulled, b->snapshot, PARAMS * sizeof(float));
        }
    }
}

/* Weights compare equal bit for bit, and are not what was started from. */
static void expect_same_run(const dcps_rule_config *a, const dcps_rule_config *b, pull_policy policy, bool same)
{
    block_under_test left, right;
    block_open(&left, a, PARAMS);
    block_open(&right, b, PARAMS);
    run(&left, policy);
    run(&right, policy);
    const bool equal = memcmp(left.block.weights, right.block.weights, PARAMS * sizeof(float)) == 0;
    ck_assert_msg(equal == same, "weights are %s (seed %llu)", equal ? "equal" : "different", (unsigned long long)seed);
    block_close(&left);
    block_close(&right);
}

START_TEST(test_lambda_zero_is_plain_descent)
{
    dcps_rule_config zero = reference_rules[_i].config;
    dcps_rule_config plain = zero;
    const bool compensated = zero.compensation != DCPS_COMPENSATE_NONE;
    plain.compensation = DCPS_COMPENSATE_NONE;
    if (compensated) { /* the inputs tell the rules apart while λ₀ is not zero */
        expect_same_run(&zero, &plain, PULL_DELAYED, false);
    }
    zero.lambda = 0.0;
    expect_same_run(&zero, &plain, PULL_DELAYED, true);
}
END_TEST

START_TEST(test_fresh_weights_are_serial_descent)
{
    dcps_rule_config plain = reference_rules[_i].config;
    plain.compensation = DCPS_COMPENSATE_NONE;
    expect_same_run(&reference_rules[_i].config, &plain, PULL_LATEST, true);
}
END_TEST

/* One parameter at a time, one rounding an operation: `volatile` keeps the compiler from vectorising or fusing any of it. */
static float scalar_compensated(const dcps_rule_config *config, float g, float w, float pulled, volatile float *s)
{
    volatile float lambda_g = (float)config->lambda * g;
    if (config->compensation == DCPS_COMPENSATE_NONE) {
        return g;
    }
    if (config->compensation == DCPS_COMPENSATE_DC_A) {
        volatile float square = g * g;
        volatile float old_part = (float)config->mean_square_decay * *s;
        volatile float new_part = (float)(1.0 - config->mean_square_decay) * square;
        *s = old_part + new_part;
        volatile float padded = *s + 1e-7f;
        volatile float root = sqrtf(padded);
        lambda_g = lambda_g / root;
    }
    volatile float drift = w - pulled;
    volatile float right = g * drift;
    volatile float correction = lambda_g * right;
    volatile float sum = g + correction;
    return sum;
}

static float scalar_update(const dcps_rule_config *config, float g, float w, float pulled, volatile float *s,
                           volatile float *u)
{
    volatile float direction = scalar_compensated(config, g, w, pulled, s);
    if (config->weight_decay > 0.0) {
        volatile float decay = (float)config->weight_decay * w;
        direction = direction + decay;
    }
    if (config->optimizer == DCPS_OPTIMIZER_MOMENTUM) {
        volatile float kept = (float)config->momentum * *u;
        *u = kept + direction;
        direction = *u;
    }
    volatile float step = 0.05f * direction;
    volatile float weight = w - step;
    return weight;
}

START_TEST(test_same_bits_as_scalar_code)
{
    const dcps_rule_config *config = &reference_rules[_i].config;
    block_under_test b;
    block_open(&b, config, PARAMS);
    float *weights = dcps_alloc(PARAMS, sizeof(float));
    float *s = dcps_alloc(PARAMS, sizeof(float));
    float *u = dcps_alloc(PARAMS, sizeof(float));
    ck_assert(weights != NULL && s != NULL && u != NULL);
    dcps_rng rng;
    dcps_rng_seed(&rng, seed);
    fill_normal(&rng, b.block.weights, PARAMS, 0.3);
    memcpy(weights, b.block.weights, PARAMS * sizeof(float));
    for (int update = 0; update < UPDATES; update++) {
        fill_normal(&rng, b.gradient, PARAMS, 1.0);
        fill_normal(&rng, b.pulled, PARAMS, 0.3);
        block_apply(&b, 0.05);
        for (size_t i = 0; i < PARAMS; i++) {
            weights[i] = scalar_update(config, b.gradient[i], weights[i], b.pulled[i], &s[i], &u[i]);
        }
        ck_assert_msg(memcmp(weights, b.block.weights, PARAMS * sizeof(float)) == 0, "%s: update %d differs",
                      reference_rules[_i].name, update);
    }
    dcps_free(u);
    dcps_free(s);
    dcps_free(weights);
    block_close(&b);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("bits of update rules");
    TCase *tests = tcase_create("bits");
    tcase_set_timeout(tests, 100);
    const int rules = (int)reference_rule_count;
    tcase_add_loop_test(tests, test_lambda_zero_is_plain_descent, 0, rules);
    tcase_add_loop_test(tests, test_fresh_weights_are_serial_descent, 0, rules);
    tcase_add_loop_test(tests, test_same_bits_as_scalar_code, 0, rules);
    suite_add_tcase(suite, tests);
    return check_run(suite);
}
