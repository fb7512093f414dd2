/* The probe on a quadratic loss, where every finding can be worked out: f(w) = ½·wᵀHw + ⟨b_i, w⟩ for sample i, hence Δ = H·δ exactly. */
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/rng.h"
#include "sim/probe.h"
#include "support/check_main.h"

#define PARAMS 48u /* tensors at 0, 16 and 32, each padded to 16 */
#define SAMPLES 3u
#define MAX_ROWS 4096u
#define CLOSE 2e-4 /* of single precision, in differences of gradients */

static const struct {
    uint32_t first, count;
} trained[] = {{0, 5}, {32, 4}};

typedef struct finding {
    char candidate[DCPS_PROBE_NAME_BYTES];
    char tensor[32];
    uint64_t batch;
    dcps_probe_sums sums;
} finding;

/* The loss, one push, and what was found. */
static double hessian[PARAMS][PARAMS];
static double offsets[SAMPLES][PARAMS];
static float weights[PARAMS], pulled[PARAMS];
static _Alignas(64) float gradient[PARAMS];
static finding findings[MAX_ROWS];
static uint32_t finding_count;
static dcps_status gradient_status;
static dcps_layout *layout;

static bool is_trained(uint32_t i)
{
    for (size_t k = 0; k < 2; k++) {
        if (i >= trained[k].first && i < trained[k].first + trained[k].count) {
            return true;
        }
    }
    return false;
}

/* In the place of gradients of the averaged tensor come values of a size that would show in any sum. */
static dcps_status differentiate(void *context, uint32_t process, uint32_t first, uint32_t count, const float *at,
                                 float *out)
{
    ck_assert_ptr_eq(context, hessian);
    ck_assert_uint_eq(process, 7);
    ck_assert_uint_le(first + count, SAMPLES);
    for (uint32_t i = 0; i < PARAMS; i++) {
        double sum = 0.0;
        for (uint32_t k = 0; k < PARAMS; k++) {
            sum += hessian[i][k] * (double)at[k];
        }
        for (uint32_t sample = first; sample < first + count; sample++) {
            sum += offsets[sample][i] / count;
        }
        out[i] = is_trained(i) ? (float)sum : (i < 16 || i >= 19 ? 0.0F : 1000.0F);
    }
    return gradient_status;
}

static void note(void *context, const dcps_probe_row *row)
{
    (void)context;
    ck_assert_uint_lt(finding_count, MAX_ROWS);
    finding *made = &findings[finding_count++];
    (void)snprintf(made->candidate, sizeof(made->candidate), "%s", row->candidate);
    (void)snprintf(made->tensor, sizeof(made->tensor), "%s", row->tensor == NULL ? "" : row->tensor);
    made->batch = row->push->batch;
    made->sums = *row->sums;
}

static void setup(void)
{
    const size_t dims[][2] = {{5, 1}, {3, 1}, {2, 2}};
    dcps_rng rng;
    dcps_rng_seed(&rng, 11);
    finding_count = 0;
    gradient_status = DCPS_OK;
    memset(hessian, 0, sizeof(hessian));
    ck_assert(dcps_layout_create(&layout) == DCPS_OK);
    ck_assert(dcps_layout_add(layout, "a", DCPS_INIT_ZERO, 1, dims[0], NULL) == DCPS_OK);
    ck_assert(dcps_layout_add_average(layout, "mean", DCPS_INIT_ZERO, 0.5F, 1, dims[1], NULL) == DCPS_OK);
    ck_assert(dcps_layout_add(layout, "b", DCPS_INIT_ZERO, 2, dims[2], NULL) == DCPS_OK);
    for (uint32_t i = 0; i < PARAMS; i++) {
        weights[i] = is_trained(i) ? (float)dcps_rng_normal(&rng) : 0.0F;
        pulled[i] = is_trained(i) ? weights[i] + 0.25F * (float)dcps_rng_normal(&rng) : 0.0F;
        for (uint32_t sample = 0; sample < SAMPLES; sample++) {
            offsets[sample][i] = dcps_rng_normal(&rng);
        }
        for (uint32_t k = 0; k <= i; k++) {
            hessian[i][k] = is_trained(i) && is_trained(k) ? dcps_rng_normal(&rng) + (i == k ? 4.0 : 0.0) : 0.0;
            hessian[k][i] = hessian[i][k];
        }
    }
}

static void teardown(void)
{
    dcps_layout_destroy(&layout);
}

static dcps_probe_config config_of(const dcps_probe_rule *rules, uint32_t rule_count)
{
    return (dcps_probe_config){.layout = layout,
                               .rules = rules,
                               .rule_count = rule_count,
                               .every = 1,
                               .seed = 5,
                               .step_size_max = 0.1,
                               .gradient = differentiate,
                               .gradient_context = hessian,
                               .found = note};
}

/* Shows the probe a gradient at what was pulled. */
static dcps_status show(dcps_probe *probe, uint64_t batch)
{
    const dcps_world_push push = {.process = 7,
                                  .worker = 2,
                                  .batch = batch,
                                  .samples = SAMPLES,
                                  .staleness = 3,
                                  .gradient = gradient,
                                  .pulled = pulled,
                                  .weights = weights};
    dcps_status status = gradient_status;
    gradient_status = DCPS_OK;
    ck_assert(differentiate(hessian, 7, 0, SAMPLES, pulled, gradient) == DCPS_OK);
    gradient_status = status;
    return dcps_probe_watch(probe, &push);
}

static const dcps_probe_sums *sums_of(const char *candidate, const char *tensor, uint64_t batch)
{
    for (uint32_t i = 0; i < finding_count; i++) {
        if (strcmp(findings[i].candidate, candidate) == 0 && strcmp(findings[i].tensor, tensor) == 0 &&
            findings[i].batch == batch) {
            return &findings[i].sums;
        }
    }
    ck_abort_msg("nothing was found of %s, tensor '%s', batch %u", candidate, tensor, (unsigned)batch);
    return NULL;
}

static double drift_of(uint32_t i)
{
    return (double)weights[i] - (double)pulled[i];
}

static double change_of(uint32_t i)
{
    double sum = 0.0;
    for (uint32_t k = 0; k < PARAMS; k++) {
        sum += hessian[i][k] * drift_of(k);
    }
    return sum;
}

static void check_close(double seen, double expected, double scale, const char *what)
{
    ck_assert_msg(fabs(seen - expected) <= CLOSE * (fabs(expected) + scale), "%s: %.9g, expected %.9g", what, seen,
                  expected);
}

/* Holds what was found of a candidate, over all, against a correction worked out here. */
static void check_correction(const char *candidate, uint64_t batch, const double correction[PARAMS])
{
    const dcps_probe_sums *sums = sums_of(candidate, "", batch);
    double square = 0.0;
    double with_change = 0.0;
    double with_gradient = 0.0;
    for (uint32_t i = 0; i < PARAMS; i++) {
        if (is_trained(i)) {
            square += correction[i] * correction[i];
            with_change += correction[i] * change_of(i);
            with_gradient += correction[i] * (double)gradient[i];
        }
    }
    check_close(sums->correction_square, square, 0.0, candidate);
    check_close(sums->correction_change, with_change, sqrt(square * sums->change_square), candidate);
    check_close(sums->correction_product, with_change, sqrt(square * sums->change_square), candidate);
    check_close(sums->correction_gradient, with_gradient, sqrt(square * sums->gradient_square), candidate);
}

/* Everything that does not depend on a candidate; averaged tensors and padding are in none of it. */
START_TEST(test_target)
{
    dcps_probe *probe = NULL;
    const dcps_probe_config config = config_of(NULL, 0);
    double change = 0.0;
    double drift = 0.0;
    uint64_t against = 0;
    ck_assert(dcps_probe_create(&config, &probe) == DCPS_OK);
    ck_assert(show(probe, 1) == DCPS_OK);
    const dcps_probe_sums *sums = sums_of("scale", "", 1);
    for (uint32_t i = 0; i < PARAMS; i++) {
        change += is_trained(i) ? change_of(i) * change_of(i) : 0.0;
        drift += drift_of(i) * drift_of(i);
        against += is_trained(i) && (double)gradient[i] * drift_of(i) < 0.0 ? 1 : 0;
    }
    ck_assert_uint_eq(sums->params, 9);
    ck_assert_uint_eq(sums->active, 9);
    ck_assert_uint_eq(sums->against, against);
    check_close(sums->change_square, change, 0.0, "change");
    check_close(sums->product_square, change, 0.0, "product");
    check_close(sums->change_product, change, 0.0, "change · product");
    check_close(sums->drift_square, drift, 0.0, "drift");
    ck_assert_uint_eq(sums_of("scale", "a", 1)->params, 5);
    ck_assert_uint_eq(sums_of("scale", "b", 1)->params, 4);
    check_close(sums_of("scale", "a", 1)->change_square + sums_of("scale", "b", 1)->change_square, change, 0.0,
                "tensors");
    for (uint32_t i = 0; i < finding_count; i++) {
        ck_assert_str_ne(findings[i].tensor, "mean");
    }
    dcps_probe_destroy(&probe);
}
END_TEST

START_TEST(test_references)
{
    dcps_probe *probe = NULL;
    dcps_probe_config config = config_of(NULL, 0);
    double scale[PARAMS], sign[PARAMS], square[PARAMS], drift[PARAMS], outer[PARAMS];
    double squares[PARAMS] = {0}, outers[PARAMS] = {0};
    double along = 0.0;
    config.each_sample = true;
    ck_assert(dcps_probe_create(&config, &probe) == DCPS_OK);
    ck_assert(show(probe, 1) == DCPS_OK);
    for (uint32_t i = 0; i < PARAMS; i++) {
        along += is_trained(i) ? (double)gradient[i] * drift_of(i) : 0.0;
    }
    for (uint32_t i = 0; i < PARAMS; i++) {
        const double g = (double)gradient[i];
        scale[i] = g;
        drift[i] = drift_of(i);
        sign[i] = g * drift[i] > 0.0 ? g : -g;
        square[i] = g * g * drift[i];
        outer[i] = g * along;
    }
    for (uint32_t sample = 0; sample < SAMPLES; sample++) {
        float own[PARAMS];
        double own_along = 0.0;
        ck_assert(differentiate(hessian, 7, sample, 1, pulled, own) == DCPS_OK);
        for (uint32_t i = 0; i < PARAMS; i++) {
            own_along += is_trained(i) ? (double)own[i] * drift[i] : 0.0;
        }
        for (uint32_t i = 0; i < PARAMS; i++) {
            squares[i] += (double)own[i] * (double)own[i] * drift[i] / SAMPLES;
            outers[i] += (double)own[i] * own_along / SAMPLES;
        }
    }
    check_correction("scale", 1, scale);
    check_correction("drift", 1, drift);
    check_correction("sign", 1, sign);
    check_correction("square", 1, square);
    check_correction("outer", 1, outer);
    check_correction("sample-squares", 1, squares);
    check_correction("sample-outer", 1, outers);
    dcps_probe_destroy(&probe);
}
END_TEST

/* Three pushes: the first is not late, and counts all the same in the mean square and in the average step. */
START_TEST(test_rules_follow_the_run)
{
    static const dcps_probe_rule rules[] = {
        {"c", {.compensation = DCPS_COMPENSATE_DC_C, .lambda = 0.5}},
        {"a", {.compensation = DCPS_COMPENSATE_DC_A, .lambda = 2.0, .mean_square_decay = 0.75}},
        {"b",
         {.compensation = DCPS_COMPENSATE_DC_B,
          .lambda = 3.0,
          .mean_square_decay = 0.75,
          .correction_bound = 0.5,
          .mean_square_each_worker = true,
          .optimizer = DCPS_OPTIMIZER_DANA,
          .momentum = 0.9,
          .weight_decay = 0.1}},
        {"gap", {.compensation = DCPS_COMPENSATE_GAP_AWARE}}};
    dcps_probe *probe = NULL;
    const dcps_probe_config config = config_of(rules, 4);
    double mean_square[PARAMS] = {0}, average[PARAMS] = {0};
    float first_pulled[PARAMS];
    memcpy(first_pulled, pulled, sizeof(pulled));
    ck_assert(dcps_probe_create(&config, &probe) == DCPS_OK);
    for (uint64_t push = 0; push < 3; push++) {
        double c[PARAMS], a[PARAMS], b[PARAMS], gap[PARAMS];
        uint64_t bounded = 0;
        memcpy(pulled, push == 0 ? weights : first_pulled, sizeof(pulled));
        pulled[1] += 0.125F * (float)push;
        ck_assert(show(probe, push) == DCPS_OK);
        for (uint32_t i = 0; i < PARAMS; i++) {
            const double g = (double)gradient[i];
            mean_square[i] = 0.75 * mean_square[i] + 0.25 * g * g;
            const double relative = 3.0 * g * drift_of(i) / sqrt(mean_square[i] + 1e-7);
            const double size = 0.1 * (sqrt(average[i] / (1.0 - pow(0.999, (double)push))) + 1e-8);
            const double direction = push == 0 ? g : g / (1.0 + fabs(drift_of(i)) / size);
            c[i] = 0.5 * g * g * drift_of(i);
            a[i] = 2.0 / sqrt(mean_square[i] + 1e-7) * g * g * drift_of(i);
            b[i] = g * fmax(-0.5, fmin(0.5, relative));
            gap[i] = direction - g;
            bounded += is_trained(i) && fabs(relative) >= 0.5 ? 1 : 0;
            average[i] = 0.999 * average[i] + 0.001 * direction * direction;
        }
        if (push > 0) {
            check_correction("c", push, c);
            check_correction("a", push, a);
            check_correction("b", push, b);
            check_correction("gap", push, gap);
            ck_assert_uint_eq(sums_of("b", "", push)->bounded, bounded);
            ck_assert_uint_gt(bounded, 0);
            ck_assert_uint_lt(bounded, 9);
            ck_assert_uint_eq(sums_of("a", "", push)->bounded, 0);
        } else {
            ck_assert_uint_eq(finding_count, 0);
        }
    }
    dcps_probe_destroy(&probe);
}
END_TEST

/* z⊙Hz is the diagonal itself where H is one; elsewhere its noise goes away, also from the square. */
START_TEST(test_diagonal)
{
    dcps_probe *probe = NULL;
    dcps_probe_config config = config_of(NULL, 0);
    double square = 0.0;
    config.vectors = 20000;
    ck_assert(dcps_probe_create(&config, &probe) == DCPS_OK);
    ck_assert(show(probe, 1) == DCPS_OK);
    for (uint32_t i = 0; i < PARAMS; i++) {
        square += pow(hessian[i][i] * drift_of(i), 2.0);
    }
    ck_assert_double_eq_tol(sums_of("hessian-diagonal", "", 1)->correction_square, square, 0.05 * square);
    dcps_probe_destroy(&probe);

    config.vectors = 2;
    for (uint32_t i = 0; i < PARAMS; i++) {
        for (uint32_t k = 0; k < PARAMS; k++) {
            hessian[i][k] = i == k && is_trained(i) ? 4.0 + i : 0.0;
        }
    }
    ck_assert(dcps_probe_create(&config, &probe) == DCPS_OK);
    ck_assert(show(probe, 2) == DCPS_OK);
    const dcps_probe_sums *sums = sums_of("hessian-diagonal", "", 2);
    const dcps_probe_fit fit = dcps_probe_fit_of(sums->correction_square, sums->correction_change, sums->change_square);
    ck_assert_double_eq_tol(fit.share, 1.0, 1e-3);
    ck_assert_double_eq_tol(fit.best_scale, 1.0, 1e-3);
    dcps_probe_destroy(&probe);
}
END_TEST

START_TEST(test_every)
{
    dcps_probe *probe = NULL;
    dcps_probe_config config = config_of(NULL, 0);
    config.every = 3;
    ck_assert(dcps_probe_create(&config, &probe) == DCPS_OK);
    for (uint64_t batch = 0; batch < 7; batch++) {
        ck_assert(show(probe, batch) == DCPS_OK);
    }
    for (uint32_t i = 0; i < finding_count; i++) {
        ck_assert_uint_eq(findings[i].batch % 3, 0);
    }
    ck_assert_uint_eq(finding_count, 3u * 5u * 3u); /* batches 0, 3 and 6; five references; two tensors, and all */
    dcps_probe_destroy(&probe);
}
END_TEST

START_TEST(test_failures)
{
    static const dcps_probe_rule good = {
        "a", {.compensation = DCPS_COMPENSATE_DC_A, .lambda = 2.0, .mean_square_decay = 0.75}};
    static const dcps_probe_rule bad = {"b", {.compensation = DCPS_COMPENSATE_DC_C, .lambda = -1.0}};
    dcps_probe *probe = NULL;
    dcps_probe_config config = config_of(&bad, 1);
    ck_assert(dcps_probe_create(&config, &probe) == DCPS_INVALID);
    config.rules = &good;
    uint64_t failed = 0;
    dcps_status status = DCPS_NO_MEMORY;
    for (; status != DCPS_OK; failed++) {
        ck_assert_ptr_null(probe);
        dcps_alloc_fail_after(failed);
        status = dcps_probe_create(&config, &probe);
        dcps_alloc_fail_after(UINT64_MAX);
        ck_assert(status == DCPS_OK || status == DCPS_NO_MEMORY);
    }
    ck_assert_uint_gt(failed, 12);
    gradient_status = DCPS_IO;
    ck_assert(show(probe, 1) == DCPS_IO);
    dcps_probe_destroy(&probe);
    dcps_probe_destroy(&probe);
}
END_TEST

START_TEST(test_fit)
{
    /* c = (1, 1), t = (3, 1) */
    const dcps_probe_fit fit = dcps_probe_fit_of(2.0, 4.0, 10.0);
    ck_assert_double_eq_tol(fit.cosine, 4.0 / sqrt(20.0), 1e-15);
    ck_assert_double_eq_tol(fit.share, 1.0 - 4.0 / 10.0, 1e-15);
    ck_assert_double_eq_tol(fit.best_scale, 2.0, 1e-15);
    ck_assert_double_eq_tol(fit.best_share, 1.0 - 2.0 / 10.0, 1e-15); /* (2, 2) leaves (1, −1) */
    const dcps_probe_fit nothing = dcps_probe_fit_of(0.0, 0.0, 10.0);
    ck_assert(nothing.share == 0.0 && isnan(nothing.cosine) && isnan(nothing.best_scale));
    ck_assert(isnan(dcps_probe_fit_of(1.0, 0.0, 0.0).share));
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {test_target,   test_references, test_rules_follow_the_run, test_diagonal, test_every,
                                  test_failures, test_fit};
    Suite *suite = suite_create("probe");
    TCase *all = tcase_create("all");
    tcase_add_checked_fixture(all, setup, teardown);
    for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
        tcase_add_test(all, tests[i]);
    }
    suite_add_tcase(suite, all);
    return check_run(suite);
}
