/* Every row of the tables on the subject, compared with `ref`. */
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "parity/bench.h"
#include "parity/subject.h"
#include "support/check_main.h"
#include "tensor/cpu/cpu.h"
#include "tensor/ref/ref.h"
#include "tensor/tape_state.h"

static parity_subject subject;

#ifndef PARITY_SMALL_ROWS
#define PARITY_SMALL_ROWS                                                                                              \
    0 /* 1: leave out what is too large for finite differences, too: a GPU played under a sanitizer takes minutes for it */
#endif

static bool is_left_out(const parity_row *row)
{
    return PARITY_SMALL_ROWS && row->slope_bound <= 0.0;
}

static void tell_left_out(void)
{
    size_t count = 0;
    for (size_t i = 0; i < parity_row_count(); i++) {
        count += is_left_out(parity_row_at(i));
    }
    if (count > 0) {
        printf("%zu large rows of %zu are left out\n", count, parity_row_count());
    }
}

static void assert_error(const bench *self, const char *what, double error, double bound)
{
    ck_assert_msg(error <= bound, "%s on %s: %s: error %.3g exceeds %.3g", self->row->name,
                  self->fixture.tape->config.backend->name, what, error, bound);
}

static void compare_shapes(const dcps_tensor *seen, const dcps_tensor *expected)
{
    ck_assert_uint_eq(dcps_tensor_dim_count(seen), dcps_tensor_dim_count(expected));
    for (uint32_t i = 0; i < dcps_tensor_dim_count(seen); i++) {
        ck_assert_uint_eq(dcps_tensor_dim(seen, i), dcps_tensor_dim(expected, i));
    }
}

static void compare_gradients(bench *seen, bench *expected, bool add, float before_seen, const char *what)
{
    float *dx[PARITY_MAX_INPUTS], *ref[PARITY_MAX_INPUTS];
    bench_backward(seen, add, before_seen, BENCH_ALL_INPUTS, dx);
    bench_backward(expected, add, 0.25f, BENCH_ALL_INPUTS, ref);
    for (uint32_t i = 0; i < seen->call->input_count; i++) {
        assert_error(seen, what, bench_error(dx[i], ref[i], bench_count(seen, i)), seen->row->backward_bound);
    }
    bench_free(seen, dx);
    bench_free(expected, ref);
}

START_TEST(equals_ref)
{
    bench ref, self;
    const parity_row *row = parity_row_at((size_t)_i);
    if (is_left_out(row)) {
        return;
    }
    bench_init(&ref, row, dcps_ref_backend(), NULL);
    bench_init(&self, row, subject.backend, subject.device);
    compare_shapes(self.y, ref.y);
    assert_error(&self, "y", bench_error(bench_result(&self), bench_result(&ref), ref.y->count), row->forward_bound);
    compare_gradients(&self, &ref, false, NAN, "dx, overwriting");
    compare_gradients(&self, &ref, true, 0.25f, "dx, adding");
    bench_compare_unwanted(&self);
    bench_fini(&self);
    bench_fini(&ref);
}
END_TEST

/* The same inputs and number of threads give the same bits, and allocate nothing once the first steps have shown what they need. */
static void repeat(const parity_row *row)
{
    bench self;
    float *first[PARITY_MAX_INPUTS], *again[PARITY_MAX_INPUTS];
    bench_init(&self, row, subject.backend, subject.device);
    bench_backward(&self, false, NAN, BENCH_ALL_INPUTS, first);
    size_t y_bytes = self.y->count * sizeof(float);
    float *y = dcps_alloc(1, y_bytes);
    memcpy(y, bench_result(&self), y_bytes);
    for (int round = 0; round < 4; round++) {
        uint64_t before = dcps_alloc_count();
        bench_forward(&self);
        if (round >= 2) {
            ck_assert_msg(dcps_alloc_count() == before, "%s: forward allocates", row->name);
        }
        ck_assert_msg(memcmp(y, bench_result(&self), y_bytes) == 0, "%s: y differs when repeated", row->name);
        bench_backward(&self, false, NAN, BENCH_ALL_INPUTS, again);
        if (round >= 2) {
            ck_assert_msg(self.backward_allocations == 0, "%s: backward allocates", row->name);
        }
        for (uint32_t i = 0; i < self.call->input_count; i++) {
            ck_assert_msg(memcmp(first[i], again[i], bench_count(&self, i) * sizeof(float)) == 0,
                          "%s: dx %u differs when repeated", row->name, i);
        }
        bench_free(&self, again);
    }
    bench_free(&self, first);
    dcps_free(y);
    bench_fini(&self);
}

START_TEST(repeats_to_the_bit_without_allocating)
{
    const parity_row *row = parity_row_at((size_t)_i);
    for (uint32_t threads = 1; threads <= subject.max_threads && !is_left_out(row); threads++) {
        dcps_cpu_set_threads(threads);
        repeat(row);
    }
}
END_TEST

static void put_nans(bench *self)
{
    for (size_t i = 0; i < bench_count(self, 0); i += 5) {
        bench_input(self, 0)[i] = NAN;
    }
    bench_forward(self);
}

/* A NaN is the largest of its window, so that it is not lost; the first of several. */
START_TEST(max_pool_keeps_nans)
{
    for (size_t i = 0; i < parity_row_count(); i++) {
        const parity_row *row = parity_row_at(i);
        if (strncmp(row->name, "max_pool", 8) != 0 || is_left_out(row)) {
            continue;
        }
        bench ref, self;
        bench_init(&ref, row, dcps_ref_backend(), NULL);
        bench_init(&self, row, subject.backend, subject.device);
        put_nans(&ref);
        put_nans(&self);
        const float *seen = bench_result(&self), *expected = bench_result(&ref);
        for (size_t k = 0; k < ref.y->count; k++) {
            ck_assert_msg(isnan(expected[k]) ? isnan(seen[k]) : seen[k] == expected[k],
                          "%s: element %zu of y is %g, not %g", row->name, k, (double)seen[k], (double)expected[k]);
        }
        compare_gradients(&self, &ref, false, NAN, "dx with NaNs in x");
        bench_fini(&self);
        bench_fini(&ref);
    }
}
END_TEST

/* Ops without a row would go unnoticed. */
START_TEST(every_op_has_rows)
{
    bool seen[DCPS_OP_COUNT] = {false};
    for (size_t i = 0; i < parity_row_count(); i++) {
        bench self;
        if (is_left_out(parity_row_at(i))) {
            continue;
        }
        bench_init(&self, parity_row_at(i), subject.backend, subject.device);
        for (const dcps_call *call = self.call; call != NULL; call = call->previous) {
            seen[call->op] = true;
        }
        bench_fini(&self);
    }
    for (unsigned op = 0; op < DCPS_OP_COUNT; op++) {
        ck_assert_msg(seen[op], "%s has no row", dcps_op_name((dcps_op)op));
    }
}
END_TEST

int main(void)
{
    if (!parity_subject_open(&subject)) {
        return DCPS_TEST_SKIPPED;
    }
    tell_left_out();
    Suite *suite = suite_create("parity");
    TCase *tests = tcase_create("parity");
    tcase_set_timeout(tests, 120);
    int rows = (int)parity_row_count();
    tcase_add_loop_test(tests, equals_ref, 0, rows);
    tcase_add_loop_test(tests, repeats_to_the_bit_without_allocating, 0, rows);
    tcase_add_test(tests, max_pool_keeps_nans);
    tcase_add_test(tests, every_op_has_rows);
    suite_add_tcase(suite, tests);
    return check_run_in(suite, subject.one_process ? CK_NOFORK : CK_FORK_GETENV);
}
