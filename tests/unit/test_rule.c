/* What a rule accepts, which states it keeps, and the mean of a round. */
#include <check.h>
#include <float.h>
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/rng.h"
#include "compensate/rule.h"
#include "support/check_main.h"

static const dcps_rule_config plain = {.compensation = DCPS_COMPENSATE_NONE, .optimizer = DCPS_OPTIMIZER_SGD};

static dcps_rule *make(dcps_rule_config config)
{
    dcps_rule *rule = NULL;
    ck_assert_int_eq(dcps_rule_create(&config, &rule), DCPS_OK);
    ck_assert_ptr_nonnull(rule);
    return rule;
}

START_TEST(test_states_follow_the_stages)
{
    dcps_rule_config config = plain;
    dcps_rule *rule = make(config);
    ck_assert_uint_eq(dcps_rule_state_count(rule), 0);
    ck_assert(!dcps_rule_needs_pulled_weights(rule));
    dcps_rule_destroy(&rule);
    ck_assert_ptr_null(rule);
    dcps_rule_destroy(&rule);

    config.compensation = DCPS_COMPENSATE_DC_C;
    config.lambda = 0.04;
    rule = make(config);
    ck_assert_uint_eq(dcps_rule_state_count(rule), 0);
    ck_assert(dcps_rule_needs_pulled_weights(rule));
    dcps_rule_destroy(&rule);

    config.compensation = DCPS_COMPENSATE_DC_A;
    config.optimizer = DCPS_OPTIMIZER_MOMENTUM;
    rule = make(config);
    ck_assert_uint_eq(dcps_rule_state_count(rule), 2);
    ck_assert_str_eq(dcps_rule_state_name(rule, 0), "mean_square");
    ck_assert_str_eq(dcps_rule_state_name(rule, 1), "momentum");
    ck_assert(dcps_rule_needs_pulled_weights(rule));
    dcps_rule_destroy(&rule);
}
END_TEST

/* The longest chain with the most states. */
START_TEST(test_everything_at_once)
{
    dcps_rule_config config = {.compensation = DCPS_COMPENSATE_DC_B,
                               .then = DCPS_COMPENSATE_GAP_AWARE,
                               .lambda = 1.0,
                               .correction_bound = 1.0,
                               .step_size = DCPS_STEP_ADADELAY,
                               .adadelay_offset = 1.0,
                               .optimizer = DCPS_OPTIMIZER_DANA,
                               .weight_decay = 1.0};
    static const char *const names[] = {"mean_square", "step_square", "delayed_square", "momentum_sum"};
    dcps_rule *rule = make(config);
    ck_assert_uint_eq(dcps_rule_state_count(rule), 4);
    for (uint32_t i = 0; i < 4; i++) {
        ck_assert_str_eq(dcps_rule_state_name(rule, i), names[i]);
    }
    ck_assert_uint_eq(dcps_rule_worker_state_count(rule), 1);
    ck_assert_ptr_nonnull(dcps_rule_stage_formula(rule, 4));
    ck_assert_ptr_null(dcps_rule_stage_formula(rule, 5));
    ck_assert(dcps_rule_looks_ahead(rule));
    dcps_rule_destroy(&rule);
    config.mean_square_each_worker = true;
    rule = make(config);
    ck_assert_uint_eq(dcps_rule_state_count(rule), 3);
    ck_assert_str_eq(dcps_rule_worker_state_name(rule, 0), "mean_square");
    ck_assert_str_eq(dcps_rule_worker_state_name(rule, 1), "momentum");
    dcps_rule_destroy(&rule);
    config.correction_bound = 0.0; /* what corrects nothing is left out */
    rule = make(config);
    ck_assert_uint_eq(dcps_rule_worker_state_count(rule), 1);
    dcps_rule_destroy(&rule);
}
END_TEST

/* g would be squared to infinity, and λ times g, too. */
START_TEST(test_bounded_correction_of_huge_numbers)
{
    dcps_rule *rule = make((dcps_rule_config){.compensation = DCPS_COMPENSATE_DC_B,
                                              .lambda = 512.0,
                                              .mean_square_decay = 0.5,
                                              .correction_bound = 1.0,
                                              .optimizer = DCPS_OPTIMIZER_SGD});
    _Alignas(64) float w[3] = {1.0f, 3e38f, 0.0f};
    _Alignas(64) float s[3] = {0.0f, 0.0f, 0.0f};
    _Alignas(64) const float g[3] = {1e38f, 1.0f, 0.0f}, pulled[3] = {0.0f, 0.0f, 1.0f};
    _Alignas(64) float snapshot[3];
    const dcps_rule_block block = {.weights = w, .states = {s}, .count = 3};
    dcps_rule_apply(rule, &block, &(dcps_rule_push){.gradient = g, .pulled = pulled, .step_size = 0.5f, .workers = 1},
                    snapshot);
    ck_assert_double_eq((double)w[0], (double)(1.0f - 0.5f * 1e38f)); /* s is infinite: no correction */
    ck_assert_double_eq((double)w[1], (double)3e38f);                 /* at most doubled */
    ck_assert_double_eq((double)w[2], 0.0);
    dcps_rule_destroy(&rule);
}
END_TEST

/* Corrections of 1/2·(w − b) by hand: free, at either bound, of a gradient of zero, and of drifts beyond all numbers. */
START_TEST(test_even_correction_by_hand)
{
    dcps_rule *rule = make((dcps_rule_config){
        .compensation = DCPS_COMPENSATE_DC_I, .lambda = 0.5, .correction_bound = 2.0, .optimizer = DCPS_OPTIMIZER_SGD});
    ck_assert_uint_eq(dcps_rule_state_count(rule), 0);
    ck_assert(dcps_rule_needs_pulled_weights(rule));
    _Alignas(64) float w[6] = {3.0f, 3.0f, -9.0f, 9.0f, 3e38f, 1.0f};
    _Alignas(64) const float g[6] = {4.0f, -4.0f, 1.0f, 0.0f, 1.0f, -0.0f};
    _Alignas(64) const float pulled[6] = {1.0f, 1.0f, 1.0f, 1.0f, -3e38f, 1.0f};
    static const double expected[6] = {3.0 - 5.0, 3.0 + 3.0, -9.0 - (1.0 - 2.0), 9.0, (double)3e38f, 1.0};
    _Alignas(64) float snapshot[6];
    const dcps_rule_block block = {.weights = w, .count = 6};
    dcps_rule_apply(rule, &block, &(dcps_rule_push){.gradient = g, .pulled = pulled, .step_size = 1.0f, .workers = 1},
                    snapshot);
    for (int i = 0; i < 6; i++) {
        ck_assert_double_eq((double)w[i], expected[i]);
    }
    dcps_rule_destroy(&rule);
}
END_TEST

START_TEST(test_lambda_zero_keeps_nothing)
{
    for (int c = DCPS_COMPENSATE_DC_C; c <= DCPS_COMPENSATE_DC_A; c++) {
        dcps_rule *rule = make((dcps_rule_config){
            .compensation = (dcps_compensation)c, .mean_square_decay = 0.95, .optimizer = DCPS_OPTIMIZER_SGD});
        ck_assert_uint_eq(dcps_rule_state_count(rule), 0);
        ck_assert(!dcps_rule_needs_pulled_weights(rule));
        _Alignas(64) float w[2] = {1.0f, 2.0f};
        _Alignas(64) const float g[2] = {0.5f, -0.5f};
        _Alignas(64) float snapshot[2];
        const dcps_rule_block block = {.weights = w, .count = 2};
        dcps_rule_apply(rule, &block, &(dcps_rule_push){.gradient = g, .step_size = 0.5f, .workers = 1}, snapshot);
        ck_assert_double_eq((double)w[0], 0.75);
        ck_assert_double_eq((double)w[1], 2.25);
        ck_assert_mem_eq(w, snapshot, sizeof(w));
        dcps_rule_destroy(&rule);
    }
}
END_TEST

/* One update by hand, in numbers that are exact in binary. */
START_TEST(test_update_by_hand)
{
    dcps_rule *rule = make((dcps_rule_config){.compensation = DCPS_COMPENSATE_DC_C,
                                              .lambda = 0.5,
                                              .optimizer = DCPS_OPTIMIZER_MOMENTUM,
                                              .momentum = 0.5,
                                              .weight_decay = 0.25});
    _Alignas(64) float w[1] = {3.0f};
    _Alignas(64) float u[1] = {8.0f};
    _Alignas(64) const float g[1] = {2.0f}, pulled[1] = {1.0f};
    _Alignas(64) float snapshot[1];
    const dcps_rule_block block = {.weights = w, .states = {u}, .count = 1};
    dcps_rule_apply(rule, &block, &(dcps_rule_push){.gradient = g, .pulled = pulled, .step_size = 0.125f, .workers = 1},
                    snapshot);
    /* g̃ = 2 + 0.5·4·(3 − 1) + 0.25·3 = 6.75; u = 0.5·8 + 6.75 = 10.75; w = 3 − 0.125·10.75 */
    ck_assert_double_eq((double)u[0], 10.75);
    ck_assert_double_eq((double)w[0], 1.65625);
    ck_assert_double_eq((double)snapshot[0], 1.65625);
    dcps_rule_destroy(&rule);
}
END_TEST

static void expect_refused(dcps_rule_config config, const char *name, const char *value)
{
    dcps_rule *rule = (dcps_rule *)&config; /* must stay as it was */
    ck_assert_int_eq(dcps_rule_create(&config, &rule), DCPS_INVALID);
    ck_assert_ptr_eq(rule, (dcps_rule *)&config);
    ck_assert_msg(strstr(dcps_error_message(), name) != NULL && strstr(dcps_error_message(), value) != NULL,
                  "\"%s\" names neither %s nor %s", dcps_error_message(), name, value);
}

#define REFUSED(member, number, name, text)                                                                            \
    do {                                                                                                               \
        dcps_rule_config config = plain;                                                                               \
        config.member = (number);                                                                                      \
        expect_refused(config, name, text);                                                                            \
    } while (0)

START_TEST(test_bad_values_are_refused)
{
    REFUSED(compensation, (dcps_compensation)0, "compensation", "0");
    REFUSED(compensation, (dcps_compensation)99, "compensation", "99");
    REFUSED(optimizer, (dcps_optimizer)0, "optimizer", "0");
    REFUSED(optimizer, (dcps_optimizer)77, "optimizer", "77");
    REFUSED(lambda, -0.5, "lambda", "-0.5");
    REFUSED(lambda, (double)NAN, "lambda", "nan");
    REFUSED(lambda, (double)INFINITY, "lambda", "inf");
    REFUSED(lambda, 1e39, "lambda", "1e+39");
    REFUSED(mean_square_decay, 1.0, "mean-square decay", "1");
    REFUSED(mean_square_decay, -0.125, "mean-square decay", "-0.125");
    REFUSED(mean_square_decay, (double)NAN, "mean-square decay", "nan");
    REFUSED(momentum, 1.5, "momentum", "1.5");
    REFUSED(momentum, -1.0, "momentum", "-1");
    REFUSED(momentum, 0.99999999999, "momentum", "1"); /* 1 in single precision */
    REFUSED(weight_decay, -1e-4, "weight decay", "-0.0001");
    REFUSED(weight_decay, (double)INFINITY, "weight decay", "inf");
    REFUSED(then, (dcps_compensation)7, "second compensation", "7");
    REFUSED(step_size, (dcps_step_size)3, "step size", "3");
    REFUSED(correction_bound, -1.0, "correction bound", "-1");
    REFUSED(correction_bound, (double)NAN, "correction bound", "nan");
    dcps_rule_config config = plain;
    config.step_size = DCPS_STEP_ADADELAY;
    expect_refused(config, "AdaDelay offset", "0");
    config.adadelay_offset = (double)INFINITY;
    expect_refused(config, "AdaDelay offset", "inf");
}
END_TEST

START_TEST(test_no_memory)
{
    dcps_rule *rule = NULL;
    dcps_alloc_fail_after(0);
    ck_assert_int_eq(dcps_rule_create(&plain, &rule), DCPS_NO_MEMORY);
    dcps_alloc_fail_after(UINT64_MAX);
    ck_assert_ptr_null(rule);
}
END_TEST

START_TEST(test_mean_of_one_is_a_copy)
{
    _Alignas(64) float source[3000];
    _Alignas(64) float mean[3000];
    memset(source, 0xff, sizeof(source)); /* even of what is not a number */
    source[1] = -0.0f;
    const float *gradients[] = {source};
    dcps_rule_mean(gradients, 1, 3000, mean);
    ck_assert_mem_eq(mean, source, sizeof(mean));
    dcps_rule_mean(gradients, 1, 3000, source);
    ck_assert_mem_eq(mean, source, sizeof(mean));
}
END_TEST

/* In single precision 1e8 + 1 is 1e8, so the order of summation shows. */
START_TEST(test_mean_sums_in_the_order_given)
{
    _Alignas(64) const float big[1] = {1e8f}, one[1] = {1.0f}, minus[1] = {-1e8f};
    _Alignas(64) float mean[1];
    dcps_rule_mean((const float *const[]){big, one, minus}, 3, 1, mean);
    ck_assert_double_eq((double)mean[0], 0.0);
    dcps_rule_mean((const float *const[]){big, minus, one}, 3, 1, mean);
    ck_assert_double_eq((double)mean[0], (double)(1.0f / 3.0f));
}
END_TEST

START_TEST(test_mean_may_replace_the_first)
{
    enum { COUNT = 2049, WORKERS = 7 };
    static _Alignas(64) float gradients[WORKERS][2112];
    static _Alignas(64) float apart[2112];
    const float *list[WORKERS];
    dcps_rng rng;
    dcps_rng_seed(&rng, 11);
    for (size_t k = 0; k < WORKERS; k++) {
        list[k] = gradients[k];
        for (size_t i = 0; i < COUNT; i++) {
            gradients[k][i] = (float)dcps_rng_normal(&rng);
        }
    }
    double exact[COUNT];
    for (size_t i = 0; i < COUNT; i++) {
        exact[i] = 0.0;
        for (size_t k = 0; k < WORKERS; k++) {
            exact[i] += (double)gradients[k][i] / WORKERS;
        }
    }
    apart[COUNT] = 42.0f;
    dcps_rule_mean(list, WORKERS, COUNT, apart);
    ck_assert_double_eq((double)apart[COUNT], 42.0);
    for (size_t i = 0; i < COUNT; i++) { /* at most 7 roundings of sums below 7·5 */
        ck_assert_double_eq_tol((double)apart[i], exact[i], 7.0 * 5.0 / 16777216.0);
    }
    dcps_rule_mean(list, WORKERS, COUNT, gradients[0]);
    ck_assert_mem_eq(apart, gradients[0], COUNT * sizeof(float));
}
END_TEST

/* A gradient lies wherever the message that brought it does: at any byte. */
START_TEST(test_gradients_at_any_address)
{
    enum { COUNT = 1504 }; /* rows of the arrays below start at multiples of 64 bytes */
    static _Alignas(64) float straight[COUNT], w[2][COUNT], snapshot[2][COUNT], mean[2][COUNT], other[COUNT];
    static _Alignas(64) char shifted[(COUNT + 16) * sizeof(float)];
    dcps_rule *rule = make(plain);
    for (size_t shift = 1; shift <= 60; shift += 59) {
        for (size_t i = 0; i < COUNT; i++) {
            straight[i] = sinf((float)i);
            other[i] = cosf((float)i);
            w[0][i] = w[1][i] = 1.0f / (float)(i + 1);
        }
        memcpy(shifted + shift, straight, sizeof(straight));
        const float *moved = (const float *)(void *)(shifted + shift);
        const dcps_rule_block aligned = {.weights = w[0], .count = COUNT};
        const dcps_rule_block unaligned = {.weights = w[1], .count = COUNT};
        dcps_rule_apply(rule, &aligned, &(dcps_rule_push){.gradient = straight, .step_size = 0.1f, .workers = 1},
                        snapshot[0]);
        dcps_rule_apply(rule, &unaligned, &(dcps_rule_push){.gradient = moved, .step_size = 0.1f, .workers = 1},
                        snapshot[1]);
        ck_assert_mem_eq(snapshot[0], snapshot[1], sizeof(snapshot[0]));
        dcps_rule_mean((const float *const[]){other, straight}, 2, COUNT, mean[0]);
        dcps_rule_mean((const float *const[]){other, moved}, 2, COUNT, mean[1]);
        ck_assert_mem_eq(mean[0], mean[1], sizeof(mean[0]));
    }
    dcps_rule_destroy(&rule);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("rule");
    TCase *tests = tcase_create("rule");
    tcase_add_test(tests, test_states_follow_the_stages);
    tcase_add_test(tests, test_everything_at_once);
    tcase_add_test(tests, test_bounded_correction_of_huge_numbers);
    tcase_add_test(tests, test_even_correction_by_hand);
    tcase_add_test(tests, test_lambda_zero_keeps_nothing);
    tcase_add_test(tests, test_update_by_hand);
    tcase_add_test(tests, test_bad_values_are_refused);
    tcase_add_test(tests, test_no_memory);
    tcase_add_test(tests, test_mean_of_one_is_a_copy);
    tcase_add_test(tests, test_mean_sums_in_the_order_given);
    tcase_add_test(tests, test_mean_may_replace_the_first);
    tcase_add_test(tests, test_gradients_at_any_address);
    suite_add_tcase(suite, tests);
    return check_run(suite);
}
