/* Every row of the tables on `ref`, whose gradients are compared with finite differences of itself. */
#include <check.h>
#include <math.h>

#include "base/alloc.h"
#include "parity/bench.h"
#include "support/check_main.h"
#include "tensor/ref/ref.h"
#include "tensor/tape_state.h"

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
    const parity_row *row = parity_row_at((size_t)_i);
    if (row->slope_bound <= 0.0) {
        return;
    }
    float *dx[PARITY_MAX_INPUTS];
    bench_init(&self, row, dcps_ref_backend(), NULL);
    uint32_t input_count = self.call->input_count;
    bench_backward(&self, false, NAN, BENCH_ALL_INPUTS, dx);
    for (uint32_t i = 0; i < input_count; i++) {
        size_t count = bench_count(&self, i), stride = count / 40 + 1;
        double magnitude = 0.0;
        if (dcps_layout_tensor_at(self.fixture.layout, i)->average_rate > 0.0f) {
            continue;
        }
        for (size_t j = 0; j < count; j++) {
            magnitude = fmax(magnitude, fabs((double)dx[i][j]));
        }
        for (size_t j = 0; j < count; j += stride) {
            double expected = slope(&self, i, j), seen = (double)dx[i][j];
            ck_assert_msg(fabs(expected - seen) <= row->slope_bound * fmax(magnitude, 0.01),
                          "%s input %u at %zu: slope %.8g, gradient %.8g", row->name, i, j, expected, seen);
        }
    }
    for (uint32_t i = 0; i < input_count; i++) {
        dcps_free(dx[i]);
    }
    bench_fini(&self);
}
END_TEST

/* The gradient of one input does not depend on whether another is wanted. */
START_TEST(ref_gradients_stand_alone)
{
    bench self;
    bench_init(&self, parity_row_at((size_t)_i), dcps_ref_backend(), NULL);
    bench_compare_unwanted(&self);
    bench_fini(&self);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("parity");
    TCase *tests = tcase_create("parity");
    tcase_set_timeout(tests, 120);
    tcase_add_loop_test(tests, ref_backward_is_the_derivative, 0, (int)parity_row_count());
    tcase_add_loop_test(tests, ref_gradients_stand_alone, 0, (int)parity_row_count());
    suite_add_tcase(suite, tests);
    return check_run(suite);
}
