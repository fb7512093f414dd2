/* Layouts of models. */
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/rng.h"
#include "dcps/layout.h"
#include "proto/layout_util.h"
#include "proto/limits.h"
#include "support/check_main.h"

#define DIMS(...)                                                                                                      \
    (sizeof((size_t[]){__VA_ARGS__}) / sizeof(size_t)), (size_t[])                                                     \
    {                                                                                                                  \
        __VA_ARGS__                                                                                                    \
    }

static dcps_layout *make(void)
{
    dcps_layout *layout = NULL;
    ck_assert_int_eq(dcps_layout_create(&layout), DCPS_OK);
    return layout;
}

static void add(dcps_layout *layout, const char *name, dcps_init init, size_t dim_count, const size_t *dims)
{
    ck_assert_msg(dcps_layout_add(layout, name, init, (uint32_t)dim_count, dims, NULL) == DCPS_OK, "%s",
                  dcps_error_message());
}

START_TEST(test_tensors_are_placed_on_cache_lines)
{
    uint32_t index = 99;
    dcps_layout *layout = make();
    ck_assert_uint_eq(dcps_layout_total_params(layout), 0);
    add(layout, "weight", DCPS_INIT_HE_NORMAL, DIMS(3, 5));
    ck_assert_int_eq(dcps_layout_add(layout, "bias", DCPS_INIT_ZERO, DIMS(17), &index), DCPS_OK);
    ck_assert_uint_eq(index, 1);
    add(layout, "scale", DCPS_INIT_ONE, 0, NULL);
    ck_assert_uint_eq(dcps_layout_tensor_count(layout), 3);
    const dcps_layout_tensor *weight = dcps_layout_tensor_at(layout, 0);
    const dcps_layout_tensor *bias = dcps_layout_tensor_at(layout, 1);
    const dcps_layout_tensor *scale = dcps_layout_tensor_at(layout, 2);
    ck_assert_str_eq(weight->name, "weight");
    ck_assert_uint_eq(weight->offset_params, 0);
    ck_assert_uint_eq(weight->count_params, 15);
    ck_assert_uint_eq(weight->dims[1], 5);
    ck_assert_uint_eq(bias->offset_params, 16);
    ck_assert_uint_eq(bias->count_params, 17);
    ck_assert_uint_eq(scale->offset_params, 48);
    ck_assert_uint_eq(scale->count_params, 1);
    ck_assert_uint_eq(scale->dim_count, 0);
    ck_assert_uint_eq(dcps_layout_total_params(layout), 64);
    dcps_layout_destroy(&layout);
    ck_assert_ptr_null(layout);
    dcps_layout_destroy(&layout);
}
END_TEST

START_TEST(test_bad_tensors_are_refused)
{
    char long_name[DCPS_MAX_NAME_BYTES + 1];
    const size_t huge[] = {SIZE_MAX, SIZE_MAX};
    const size_t nine[9] = {1, 1, 1, 1, 1, 1, 1, 1, 1};
    dcps_layout *layout = make();
    add(layout, "taken", DCPS_INIT_ZERO, DIMS(1));
    memset(long_name, 'a', sizeof(long_name) - 1);
    long_name[DCPS_MAX_NAME_BYTES] = '\0';
    ck_assert_int_eq(dcps_layout_add(layout, NULL, DCPS_INIT_ZERO, DIMS(1), NULL), DCPS_INVALID);
    ck_assert_int_eq(dcps_layout_add(layout, "", DCPS_INIT_ZERO, DIMS(1), NULL), DCPS_INVALID);
    ck_assert_int_eq(dcps_layout_add(layout, "a b", DCPS_INIT_ZERO, DIMS(1), NULL), DCPS_INVALID);
    ck_assert_int_eq(dcps_layout_add(layout, "a\n", DCPS_INIT_ZERO, DIMS(1), NULL), DCPS_INVALID);
    ck_assert_int_eq(dcps_layout_add(layout, "\xc3\xa4", DCPS_INIT_ZERO, DIMS(1), NULL), DCPS_INVALID);
    ck_assert_int_eq(dcps_layout_add(layout, long_name, DCPS_INIT_ZERO, DIMS(1), NULL), DCPS_INVALID);
    ck_assert_int_eq(dcps_layout_add(layout, "taken", DCPS_INIT_ZERO, DIMS(1), NULL), DCPS_INVALID);
    ck_assert_int_eq(dcps_layout_add(layout, "x", (dcps_init)0, DIMS(1), NULL), DCPS_INVALID);
    ck_assert_int_eq(dcps_layout_add(layout, "x", (dcps_init)7, DIMS(1), NULL), DCPS_INVALID);
    ck_assert_int_eq(dcps_layout_add(layout, "x", DCPS_INIT_ZERO, DIMS(4, 0), NULL), DCPS_INVALID);
    ck_assert_int_eq(dcps_layout_add(layout, "x", DCPS_INIT_ZERO, 9, nine, NULL), DCPS_LIMIT);
    ck_assert_int_eq(dcps_layout_add(layout, "x", DCPS_INIT_ZERO, 2, huge, NULL), DCPS_LIMIT);
    ck_assert_int_eq(dcps_layout_add(layout, "x", DCPS_INIT_ZERO, DIMS(DCPS_MAX_PARAMS), NULL), DCPS_LIMIT);
    ck_assert_uint_eq(dcps_layout_tensor_count(layout), 1);
    ck_assert_uint_eq(dcps_layout_total_params(layout), 16);
    long_name[DCPS_MAX_NAME_BYTES - 1] = '\0';
    add(layout, long_name, DCPS_INIT_ZERO, DIMS(1));
    add(layout, "Az09_.-/", DCPS_INIT_ZERO, DIMS(1, 1, 1, 1, 1, 1, 1, 1));
    add(layout, "rest", DCPS_INIT_ZERO, DIMS(DCPS_MAX_PARAMS - 48));
    ck_assert_uint_eq(dcps_layout_total_params(layout), DCPS_MAX_PARAMS);
    dcps_layout_destroy(&layout);
}
END_TEST

START_TEST(test_number_of_tensors_is_limited)
{
    char name[16];
    dcps_layout *layout = make();
    for (uint32_t i = 0; i < DCPS_MAX_TENSORS; i++) {
        (void)snprintf(name, sizeof(name), "t%u", i);
        add(layout, name, DCPS_INIT_ZERO, DIMS(1));
    }
    ck_assert_int_eq(dcps_layout_add(layout, "more", DCPS_INIT_ZERO, DIMS(1), NULL), DCPS_LIMIT);
    ck_assert_str_eq(dcps_layout_tensor_at(layout, 1023)->name, "t1023");
    dcps_layout_destroy(&layout);
}
END_TEST

/* Values of one tensor do not depend on what else is in the layout; gaps are zero. */
START_TEST(test_initial_values)
{
    float one[128];
    float other[256];
    dcps_layout *layout = make();
    dcps_layout *longer = make();
    add(layout, "w", DCPS_INIT_GLOROT_UNIFORM, DIMS(4, 5));
    add(layout, "one", DCPS_INIT_ONE, DIMS(3));
    add(longer, "first", DCPS_INIT_HE_NORMAL, DIMS(33));
    add(longer, "w", DCPS_INIT_GLOROT_UNIFORM, DIMS(4, 5));
    add(longer, "zero", DCPS_INIT_ZERO, DIMS(30));
    memset(one, 0xff, sizeof(one));
    memset(other, 0xff, sizeof(other));
    dcps_layout_initialise(layout, 7, one);
    dcps_layout_initialise(longer, 7, other);
    ck_assert_mem_eq(one, other + 48, 20 * sizeof(float));
    for (int i = 20; i < 32; i++) {
        ck_assert(one[i] == 0.0f);
    }
    for (int i = 32; i < 48; i++) {
        ck_assert(one[i] == (i < 35 ? 1.0f : 0.0f));
    }
    for (int i = 80; i < 112; i++) {
        ck_assert(other[i] == 0.0f);
    }
    dcps_layout_initialise(longer, 8, other);
    ck_assert_mem_ne(one, other + 48, 20 * sizeof(float));
    dcps_layout_destroy(&layout);
    dcps_layout_destroy(&longer);
}
END_TEST

/* The stated distributions: moments within five standard errors of 40,000 draws. */
static void check_distribution(const char *name, const float *values, size_t count, double variance, double bound)
{
    double sum = 0.0, squares = 0.0;
    for (size_t i = 0; i < count; i++) {
        double value = (double)values[i];
        sum += value;
        squares += value * value;
        ck_assert_msg(fabs(value) <= bound, "%s: %g", name, value);
    }
    double n = (double)count, spread = isinf(bound) ? 2.0 : 0.8; /* (μ₄ − σ⁴) / σ⁴ of normal and uniform values */
    ck_assert_double_eq_tol(sum / n, 0.0, 5.0 * sqrt(variance / n));
    ck_assert_double_eq_tol(squares / n, variance, 5.0 * variance * sqrt(spread / n));
}

START_TEST(test_distributions)
{
    enum { ROWS = 100, COLUMNS = 400, COUNT = ROWS * COLUMNS };
    float *weights = dcps_alloc(4 * COUNT, sizeof(*weights));
    dcps_layout *layout = make();
    const double glorot_bound = sqrt(6.0 / (ROWS + COLUMNS));
    add(layout, "he", DCPS_INIT_HE_NORMAL, DIMS(4, 25, COLUMNS));
    add(layout, "glorot", DCPS_INIT_GLOROT_UNIFORM, DIMS(ROWS, COLUMNS));
    add(layout, "filters", DCPS_INIT_HE_NORMAL_FILTERS, DIMS(COLUMNS, 4, 5, 5));
    ck_assert_int_eq(dcps_layout_add_uniform(layout, "uniform", 0.1F, DIMS(ROWS, COLUMNS), NULL), DCPS_OK);
    dcps_layout_initialise(layout, 1, weights);
    check_distribution("he", weights, COUNT, 2.0 / ROWS, (double)INFINITY); /* fan_in 4 · 25 */
    check_distribution("glorot", weights + COUNT, COUNT, glorot_bound * glorot_bound / 3.0, glorot_bound);
    check_distribution("filters", weights + 2 * COUNT, COUNT, 2.0 / 100, (double)INFINITY); /* fan_in 4 · 5 · 5 */
    check_distribution("uniform", weights + 3 * COUNT, COUNT, 0.01 / 3.0, 0.1000001);
    dcps_layout_destroy(&layout);
    dcps_free(weights);
}
END_TEST

START_TEST(test_bounds_of_uniform_values)
{
    dcps_layout *here = make();
    dcps_layout *there = make();
    const float bad[] = {0.0F, -0.5F, INFINITY, NAN};
    ck_assert_int_eq(dcps_layout_add_uniform(here, "w", 0.1F, DIMS(3), NULL), DCPS_OK);
    ck_assert_int_eq(dcps_layout_add_uniform(there, "w", 0.05F, DIMS(3), NULL), DCPS_OK);
    ck_assert_int_eq(dcps_layout_compare(here, there), DCPS_MISMATCH);
    ck_assert_ptr_nonnull(strstr(dcps_error_message(), "here w [3] uniform ±0.1, there w [3] uniform ±0.05"));
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        ck_assert_int_eq(dcps_layout_add_uniform(here, "x", bad[i], DIMS(3), NULL), DCPS_INVALID);
        ck_assert_ptr_nonnull(strstr(dcps_error_message(), "above 0 for uniform initial values"));
    }
    ck_assert_int_eq(dcps_layout_add(here, "x", DCPS_INIT_UNIFORM, DIMS(3), NULL), DCPS_INVALID);
    const dcps_layout_tensor unused = {.name = "x", .init = DCPS_INIT_ONE, .init_bound = 0.1F};
    ck_assert_int_eq(dcps_layout_append(here, &unused, NULL), DCPS_INVALID);
    ck_assert_uint_eq(dcps_layout_tensor_count(here), 1);
    dcps_layout_destroy(&here);
    dcps_layout_destroy(&there);
}
END_TEST

static void check_difference(const dcps_layout *here, const dcps_layout *there, const char *text)
{
    ck_assert_int_eq(dcps_layout_compare(here, there), DCPS_MISMATCH);
    ck_assert_str_eq(dcps_error_message(), text);
}

START_TEST(test_differences_are_named)
{
    dcps_layout *here = make();
    dcps_layout *there = make();
    ck_assert_int_eq(dcps_layout_compare(here, there), DCPS_OK);
    add(here, "fc1.weight", DCPS_INIT_HE_NORMAL, DIMS(784, 256));
    add(there, "fc1.weight", DCPS_INIT_HE_NORMAL, DIMS(784, 256));
    ck_assert_int_eq(dcps_layout_compare(here, there), DCPS_OK);
    add(here, "fc2.weight", DCPS_INIT_HE_NORMAL, DIMS(256, 256));
    check_difference(here, there,
                     "layouts differ at tensor 1: here fc2.weight [256, 256] he-normal, there none (1 tensors)");
    check_difference(there, here,
                     "layouts differ at tensor 1: here none (1 tensors), there fc2.weight [256, 256] he-normal");
    add(there, "fc2.weight", DCPS_INIT_ZERO, DIMS(256, 256));
    check_difference(
        here, there,
        "layouts differ at tensor 1: here fc2.weight [256, 256] he-normal, there fc2.weight [256, 256] zero");
    dcps_layout_destroy(&here);
    dcps_layout_destroy(&there);
    here = make();
    there = make();
    add(here, "b", DCPS_INIT_ONE, DIMS(10));
    add(there, "b", DCPS_INIT_ONE, DIMS(10, 1));
    check_difference(here, there, "layouts differ at tensor 0: here b [10] one, there b [10, 1] one");
    dcps_layout_destroy(&here);
    dcps_layout_destroy(&there);
}
END_TEST

START_TEST(test_copies)
{
    dcps_layout *layout = make();
    dcps_layout *copy = NULL;
    add(layout, "w", DCPS_INIT_HE_NORMAL, DIMS(3, 5));
    add(layout, "b", DCPS_INIT_ZERO, DIMS(5));
    ck_assert_int_eq(dcps_layout_copy(layout, &copy), DCPS_OK);
    ck_assert_int_eq(dcps_layout_compare(layout, copy), DCPS_OK);
    dcps_layout_destroy(&layout);
    ck_assert_str_eq(dcps_layout_tensors(copy)[1].name, "b");
    ck_assert_uint_eq(dcps_layout_tensors(copy)[1].offset_params, 16);
    ck_assert_int_eq(dcps_layout_from_tensors(dcps_layout_tensors(copy), 2, &layout), DCPS_OK);
    ck_assert_int_eq(dcps_layout_compare(layout, copy), DCPS_OK);
    dcps_layout_destroy(&layout);
    dcps_layout_destroy(&copy);

    const dcps_layout_tensor twice[] = {{.name = "x", .init = DCPS_INIT_ZERO}, {.name = "x", .init = DCPS_INIT_ZERO}};
    ck_assert_int_eq(dcps_layout_from_tensors(twice, 2, &layout), DCPS_INVALID);
    ck_assert_ptr_null(layout);
}
END_TEST

START_TEST(test_out_of_memory)
{
    dcps_layout *layout = make();
    dcps_layout *copy = NULL;
    char name[16];
    for (int i = 0; i < 40; i++) {
        (void)snprintf(name, sizeof(name), "t%d", i);
        add(layout, name, DCPS_INIT_ZERO, DIMS(1));
    }
    uint64_t n = 0;
    for (; copy == NULL; n++) {
        dcps_alloc_fail_after(n);
        dcps_status status = dcps_layout_copy(layout, &copy);
        ck_assert_int_eq(status, copy == NULL ? DCPS_NO_MEMORY : DCPS_OK);
    }
    dcps_alloc_fail_after(UINT64_MAX);
    ck_assert_uint_gt(n, 40);
    ck_assert_int_eq(dcps_layout_compare(layout, copy), DCPS_OK);
    dcps_layout_destroy(&layout);
    dcps_layout_destroy(&copy);
}
END_TEST

START_TEST(test_averaged_tensors)
{
    dcps_layout *here = make();
    dcps_layout *there = make();
    dcps_layout *copy = NULL;
    const size_t size = 16;
    uint32_t index = 9;
    ck_assert_int_eq(dcps_layout_add_average(here, "mean", DCPS_INIT_ZERO, 0.1F, 1, &size, &index), DCPS_OK);
    ck_assert_uint_eq(index, 0);
    ck_assert(dcps_layout_tensor_at(here, 0)->average_rate == 0.1F);
    ck_assert_int_eq(dcps_layout_copy(here, &copy), DCPS_OK);
    ck_assert_int_eq(dcps_layout_compare(here, copy), DCPS_OK);
    add(there, "mean", DCPS_INIT_ZERO, 1, &size);
    ck_assert(dcps_layout_tensor_at(there, 0)->average_rate == 0.0F);
    ck_assert_int_eq(dcps_layout_compare(here, there), DCPS_MISMATCH);
    ck_assert_ptr_nonnull(strstr(dcps_error_message(), "mean [16] zero averaged at 0.1, there mean [16] zero"));
    const float bad[] = {0.0F, -0.5F, 1.5F, NAN};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        ck_assert_int_eq(dcps_layout_add_average(here, "x", DCPS_INIT_ZERO, bad[i], 1, &size, NULL), DCPS_INVALID);
        ck_assert_ptr_nonnull(strstr(dcps_error_message(), "rate"));
    }
    dcps_layout_destroy(&here);
    dcps_layout_destroy(&there);
    dcps_layout_destroy(&copy);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        test_tensors_are_placed_on_cache_lines,
        test_bad_tensors_are_refused,
        test_number_of_tensors_is_limited,
        test_initial_values,
        test_distributions,
        test_bounds_of_uniform_values,
        test_differences_are_named,
        test_copies,
        test_averaged_tensors,
        test_out_of_memory,
    };
    return CHECK_MAIN("layout", tests);
}
