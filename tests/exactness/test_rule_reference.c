/* The update pipeline against the double-precision reference: every rule, every length round the edges of tiles, harmless and hostile numbers. */
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "exactness/block_under_test.h"
#include "exactness/rule_reference.h"
#include "support/check_main.h"

static const uint64_t seed = 20170806;

static const size_t counts[] = {1,   15,   16,   17,   127,  128,  129,  255,   256,
                                257, 1023, 1024, 1025, 2047, 2048, 2049, 262144};
enum { COUNTS = sizeof(counts) / sizeof(counts[0]) };

static void expect_near(const char *rule, const char *what, size_t index, double is, double should, double bound)
{
    if (!(fabs(is - should) <= bound)) { /* an assertion for each of millions of values would take most of the time */
        ck_abort_msg("%s: %s of parameter %zu is %.9g, should be %.9g within %.3g (seed %llu)", rule, what, index, is,
                     should, bound, (unsigned long long)seed);
    }
}

/* The reference starts from the very state of the block, so the bound is that of one update. */
static void check_one_update(const named_rule *rule, block_under_test *b, double step_size)
{
    const size_t count = b->block.count;
    reference_parameter *expected = dcps_alloc(count, sizeof(*expected));
    ck_assert_ptr_nonnull(expected);
    for (size_t i = 0; i < count; i++) {
        reference_restart(&expected[i], (double)b->block.weights[i], block_state(b, "momentum", i),
                          block_state(b, "mean_square", i));
        reference_update(&rule->config, MISTAKE_NONE, &expected[i], (double)b->gradient[i], (double)b->pulled[i],
                         step_size);
    }
    block_apply(b, step_size);
    for (size_t i = 0; i < count; i++) {
        expect_near(rule->name, "weight", i, (double)b->block.weights[i], expected[i].weight, expected[i].error_weight);
        if (rule->config.optimizer == DCPS_OPTIMIZER_MOMENTUM) {
            expect_near(rule->name, "velocity", i, block_state(b, "momentum", i), expected[i].velocity,
                        expected[i].error_velocity);
        }
        if (rule->config.compensation == DCPS_COMPENSATE_DC_A) {
            expect_near(rule->name, "mean square", i, block_state(b, "mean_square", i), expected[i].mean_square,
                        expected[i].mean_square * 6.0 / 16777216.0 + 1e-44);
        }
    }
    dcps_free(expected);
}

START_TEST(test_every_length)
{
    printf("seed %llu\n", (unsigned long long)seed);
    const named_rule *rule = &reference_rules[(size_t)_i / COUNTS];
    const size_t count = counts[(size_t)_i % COUNTS];
    dcps_rng rng;
    dcps_rng_seed_stream(&rng, seed, rule->name, count);
    block_under_test b;
    block_open(&b, &rule->config, count);
    fill_normal(&rng, b.block.weights, count, 0.3);
    const int updates = count > 10000 ? 3 : 8;
    for (int update = 0; update < updates; update++) {
        fill_normal(&rng, b.gradient, count, 1.5);
        fill_normal(&rng, b.pulled, count, 0.3);
        check_one_update(rule, &b, 0.0625);
    }
    block_close(&b);
}
END_TEST

/* Zeros of both signs, the smallest and very large numbers, and a large gradient where the weights have not moved. */
static const float awkward[] = {0.0f,   -0.0f,  1.0f,  -1.0f,  1e-7f, -1e-7f, 1.4e-45f, -1.2e-38f,
                                1e-30f, 3e-20f, -3e7f, 1.5e9f, 1e10f, -1e12f, 123.456f, -0.3333333f};
enum { AWKWARD = sizeof(awkward) / sizeof(awkward[0]) };

START_TEST(test_awkward_numbers)
{
    const named_rule *rule = &reference_rules[_i];
    const size_t count = AWKWARD * AWKWARD * AWKWARD;
    block_under_test b;
    block_open(&b, &rule->config, count);
    for (size_t i = 0; i < count; i++) {
        b.gradient[i] = awkward[i % AWKWARD];
        b.pulled[i] = awkward[i / AWKWARD % AWKWARD];
        b.block.weights[i] = awkward[i / AWKWARD / AWKWARD];
    }
    check_one_update(rule, &b, 0.0625);
    block_close(&b);
}
END_TEST

/* g·g would overflow here; nothing is to be compensated, so the plain step is due. */
START_TEST(test_huge_gradient_at_unmoved_weights)
{
    const named_rule *rule = &reference_rules[_i];
    block_under_test b;
    block_open(&b, &rule->config, 3);
    for (size_t i = 0; i < 3; i++) {
        b.gradient[i] = i == 1 ? -1e30f : 1e30f;
        b.pulled[i] = b.block.weights[i] = 0.5f;
    }
    block_apply(&b, 0.5);
    for (size_t i = 0; i < 3; i++) {
        ck_assert_double_eq((double)b.block.weights[i], (double)(i == 1 ? 5e29f : -5e29f));
    }
    block_close(&b);
}
END_TEST

/* A block of no parameters is left alone. */
START_TEST(test_empty_block)
{
    block_under_test b;
    block_open(&b, &reference_rules[_i].config, 0);
    block_apply(&b, 0.1);
    block_close(&b);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("rule against its reference");
    TCase *tests = tcase_create("reference");
    tcase_set_timeout(tests, 100);
    const int rules = (int)reference_rule_count;
    tcase_add_loop_test(tests, test_every_length, 0, rules * (int)COUNTS);
    tcase_add_loop_test(tests, test_awkward_numbers, 0, rules);
    tcase_add_loop_test(tests, test_huge_gradient_at_unmoved_weights, 0, rules);
    tcase_add_loop_test(tests, test_empty_block, 0, rules);
    suite_add_tcase(suite, tests);
    return check_run(suite);
}
