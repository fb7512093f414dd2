/* Every row of the tables on every backend. */
#include <check.h>
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "parity/bench.h"
#include "support/check_main.h"
#include "tensor/cpu/cpu.h"
#include "tensor/ref/ref.h"
#include "tensor/tape_state.h"

static const parity_table *const tables[] = {&parity_basic, &parity_elementwise, &parity_shape, &parity_images,
                                             &parity_sequence};
#define TABLE_COUNT (sizeof tables / sizeof tables[0])

/* Those compared with ref. */
static const dcps_backend *(*const backends[])(void) = {dcps_cpu_backend};
#define BACKEND_COUNT (sizeof backends / sizeof backends[0])
#define ALL_INPUTS UINT32_MAX

static size_t row_count(void)
{
    size_t count = 0;
    for (size_t i = 0; i < TABLE_COUNT; i++)
        count += tables[i]->count;
    return count;
}

static const parity_row *row_at(size_t index)
{
    size_t i = 0;
    for (; index >= tables[i]->count; i++)
        index -= tables[i]->count;
    return &tables[i]->rows[index];
}

static void assert_error(const bench *self, const char *what, double error, double bound)
{
    ck_assert_msg(error <= bound, "%s on %s: %s: error %.3g exceeds %.3g", self->row->name,
                  self->fixture.tape->config.backend->name, what, error, bound);
}

static void compare_shapes(const dcps_tensor *seen, const dcps_tensor *expected)
{
    ck_assert_uint_eq(dcps_tensor_dim_count(seen), dcps_tensor_dim_count(expected));
    for (uint32_t i = 0; i < dcps_tensor_dim_count(seen); i++)
        ck_assert_uint_eq(dcps_tensor_dim(seen, i), dcps_tensor_dim(expected, i));
}

static void compare_gradients(bench *seen, bench *expected, bool add, float before_seen, const char *what)
{
    float *dx[PARITY_MAX_INPUTS], *ref[PARITY_MAX_INPUTS];
    bench_backward(seen, add, before_seen, ALL_INPUTS, dx);
    bench_backward(expected, add, 0.25f, ALL_INPUTS, ref);
    for (uint32_t i = 0; i < seen->call->input_count; i++)
        assert_error(seen, what, bench_error(dx[i], ref[i], bench_count(seen, i)), seen->row->backward_bound);
    bench_free(seen, dx);
    bench_free(expected, ref);
}

/* The gradient of one input does not depend on whether another is wanted. */
static void compare_unwanted(bench *self)
{
    float *all[PARITY_MAX_INPUTS], *one[PARITY_MAX_INPUTS];
    bench_backward(self, false, NAN, ALL_INPUTS, all);
    for (uint32_t i = 0; i < self->call->input_count; i++) {
        bench_backward(self, false, NAN, 1u << i, one);
        ck_assert_msg(memcmp(one[i], all[i], bench_count(self, i) * sizeof(float)) == 0,
                      "%s: the gradient of input %u alone differs", self->row->name, i);
        bench_free(self, one);
    }
    bench_free(self, all);
}

START_TEST(backends_equal_ref)
{
    bench ref;
    bench_init(&ref, row_at((size_t)_i), dcps_ref_backend());
    for (size_t b = 0; b < BACKEND_COUNT; b++) {
        bench self;
        bench_init(&self, ref.row, backends[b]());
        compare_shapes(self.y, ref.y);
        assert_error(&self, "y", bench_error(bench_result(&self), bench_result(&ref), ref.y->count),
                     ref.row->forward_bound);
        compare_gradients(&self, &ref, false, NAN, "dx, overwriting");
        compare_gradients(&self, &ref, true, 0.25f, "dx, adding");
        compare_unwanted(&self);
        bench_fini(&self);
    }
    compare_unwanted(&ref);
    bench_fini(&ref);
}
END_TEST

/* Central differences at h and h / 2, extrapolated (Richardson), so that the error is of order h⁴. */
static double slope(bench *self, uint32_t input, size_t index)
{
    float *value = bench_input(self, input) + index;
    const float keep = *value;
    double found[2];
    for (int i = 0; i < 2; i++) {
        const float h = i == 0 ? 1.0f / 64.0f : 1.0f / 128.0f;
        *value = keep + h;
        double above = bench_objective(self);
        double width = (double)*value;
        *value = keep - h;
        width -= (double)*value;
        found[i] = (above - bench_objective(self)) / width;
    }
    *value = keep;
    return (4.0 * found[1] - found[0]) / 3.0;
}

/* At most 40 coordinates of each input. */
START_TEST(ref_backward_is_the_derivative)
{
    bench self;
    const parity_row *row = row_at((size_t)_i);
    if (row->slope_bound <= 0.0)
        return;
    float *dx[PARITY_MAX_INPUTS];
    bench_init(&self, row, dcps_ref_backend());
    uint32_t input_count = self.call->input_count;
    bench_backward(&self, false, NAN, ALL_INPUTS, dx);
    for (uint32_t i = 0; i < input_count; i++) {
        size_t count = bench_count(&self, i), stride = count / 40 + 1;
        double magnitude = 0.0;
        if (dcps_layout_tensor_at(self.fixture.layout, i)->average_rate > 0.0f)
            continue;
        for (size_t j = 0; j < count; j++)
            magnitude = fmax(magnitude, fabs((double)dx[i][j]));
        for (size_t j = 0; j < count; j += stride) {
            double expected = slope(&self, i, j), seen = (double)dx[i][j];
            ck_assert_msg(fabs(expected - seen) <= row->slope_bound * fmax(magnitude, 0.01),
                          "%s input %u at %zu: slope %.8g, gradient %.8g", row->name, i, j, expected, seen);
        }
    }
    for (uint32_t i = 0; i < input_count; i++)
        dcps_free(dx[i]);
    bench_fini(&self);
}
END_TEST

/* The same inputs and number of threads give the same bits, and allocate nothing once the first steps have shown what they need. */
static void repeat(const parity_row *row, const dcps_backend *backend)
{
    bench self;
    float *first[PARITY_MAX_INPUTS], *again[PARITY_MAX_INPUTS];
    bench_init(&self, row, backend);
    bench_backward(&self, false, NAN, ALL_INPUTS, first);
    size_t y_bytes = self.y->count * sizeof(float);
    float *y = dcps_alloc(1, y_bytes);
    memcpy(y, bench_result(&self), y_bytes);
    for (int round = 0; round < 4; round++) {
        uint64_t before = dcps_alloc_count();
        bench_forward(&self);
        if (round >= 2)
            ck_assert_msg(dcps_alloc_count() == before, "%s: forward allocates", row->name);
        ck_assert_msg(memcmp(y, bench_result(&self), y_bytes) == 0, "%s: y differs when repeated", row->name);
        bench_backward(&self, false, NAN, ALL_INPUTS, again);
        if (round >= 2)
            ck_assert_msg(self.backward_allocations == 0, "%s: backward allocates", row->name);
        for (uint32_t i = 0; i < self.call->input_count; i++)
            ck_assert_msg(memcmp(first[i], again[i], bench_count(&self, i) * sizeof(float)) == 0,
                          "%s: dx %u differs when repeated", row->name, i);
        bench_free(&self, again);
    }
    bench_free(&self, first);
    dcps_free(y);
    bench_fini(&self);
}

START_TEST(backends_repeat_to_the_bit_without_allocating)
{
    for (size_t b = 0; b < BACKEND_COUNT; b++)
        for (uint32_t threads = 1; threads <= 2; threads++) {
            dcps_cpu_set_threads(threads);
            repeat(row_at((size_t)_i), backends[b]());
        }
}
END_TEST

/* Ops without a row would go unnoticed. */
START_TEST(every_op_has_rows)
{
    bool seen[DCPS_OP_COUNT] = {false};
    for (size_t i = 0; i < row_count(); i++) {
        bench self;
        bench_init(&self, row_at(i), dcps_cpu_backend());
        for (const dcps_call *call = self.call; call != NULL; call = call->previous)
            seen[call->op] = true;
        bench_fini(&self);
    }
    for (unsigned op = 0; op < DCPS_OP_COUNT; op++)
        ck_assert_msg(seen[op], "%s has no row", dcps_op_name((dcps_op)op));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("parity");
    TCase *tests = tcase_create("parity");
    tcase_set_timeout(tests, 120);
    tcase_add_loop_test(tests, backends_equal_ref, 0, (int)row_count());
    tcase_add_loop_test(tests, ref_backward_is_the_derivative, 0, (int)row_count());
    tcase_add_loop_test(tests, backends_repeat_to_the_bit_without_allocating, 0, (int)row_count());
    tcase_add_test(tests, every_op_has_rows);
    suite_add_tcase(suite, tests);
    return check_run(suite);
}
