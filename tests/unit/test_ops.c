/* What the parity table (tests/parity) does not cover: results worked out by hand, and values that are not numbers. */
#include <check.h>
#include <math.h>

#include "support/check_main.h"
#include "support/tape_fixture.h"
#include "tensor/cpu/cpu.h"
#include "tensor/ref/ref.h"

/* Results worked out by hand. */
START_TEST(known_results)
{
    const dcps_backend *backend = _i == 0 ? dcps_ref_backend() : dcps_cpu_backend();
    tape_fixture fixture;
    tape_fixture_init(&fixture, "1", backend);
    dcps_tape *tape = fixture.tape;
    const float a[] = {1, 2, 3, 4, 5, 6}, b[] = {1, -1, 2, -2, 3, -3}, bias[] = {-20, 20};
    dcps_tensor *product = dcps_tape_matmul(tape, dcps_tape_input(tape, a, 2, (size_t[]){2, 3}),
                                            dcps_tape_input(tape, b, 2, (size_t[]){3, 2}));
    ck_assert_mem_eq(dcps_tensor_values(tape, product), ((float[]){14, -14, 32, -32}), 4 * sizeof(float));
    dcps_tensor *shifted = dcps_tape_bias(tape, product, dcps_tape_input(tape, bias, 1, (size_t[]){2}));
    ck_assert_mem_eq(dcps_tensor_values(tape, shifted), ((float[]){-6, 6, 12, -12}), 4 * sizeof(float));
    ck_assert_mem_eq(dcps_tensor_values(tape, dcps_tape_relu(tape, shifted)), ((float[]){0, 6, 12, 0}),
                     4 * sizeof(float));
    /* Two equal logits: log 2. Logits 1000 and 0, wrong label: 1000, not infinity. */
    const float logits[] = {5, 5, 1000, 0};
    dcps_tensor *loss =
        dcps_tape_cross_entropy(tape, dcps_tape_input(tape, logits, 2, (size_t[]){2, 2}), (int32_t[]){0, 1});
    ck_assert_double_eq_tol((double)dcps_tensor_values(tape, loss)[0], (log(2.0) + 1000.0) / 2.0, 1e-4);
    ck_assert_uint_eq(dcps_tensor_dim_count(loss), 0);
    tape_fixture_fini(&fixture);
}
END_TEST

START_TEST(not_a_number_stays_visible)
{
    const dcps_backend *backend = _i == 0 ? dcps_ref_backend() : dcps_cpu_backend();
    tape_fixture fixture;
    tape_fixture_init(&fixture, "1", backend);
    const float x[] = {NAN, 1, 2, 3};
    dcps_tensor *rectified = dcps_tape_relu(fixture.tape, dcps_tape_input(fixture.tape, x, 2, (size_t[]){2, 2}));
    ck_assert(isnan(dcps_tensor_values(fixture.tape, rectified)[0]));
    dcps_tensor *loss = dcps_tape_cross_entropy(fixture.tape, rectified, (int32_t[]){1, 1});
    ck_assert(isnan(dcps_tensor_values(fixture.tape, loss)[0]));
    tape_fixture_fini(&fixture);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("ops");
    TCase *tests = tcase_create("ops");
    tcase_set_timeout(tests, 60);
    const TTest *on_both[] = {known_results, not_a_number_stays_visible};
    for (size_t i = 0; i < sizeof on_both / sizeof on_both[0]; i++)
        tcase_add_loop_test(tests, on_both[i], 0, 2);
    suite_add_tcase(suite, tests);
    return check_run(suite);
}
