/* What a watched tape reports, the arithmetic counted for each op against figures worked out by hand, and how a profile adds them up. */
#include <check.h>
#include <math.h>

#include "cli/bench/bench_profile.h"
#include "support/check_main.h"
#include "support/tape_fixture.h"
#include "tensor/cpu/cpu.h"

static void expect(double seen, double should)
{
    ck_assert_double_eq_tol(seen, should, 1e-9);
}

static const dcps_profile_row *row(const dcps_profile *profile, dcps_op op, dcps_pass pass)
{
    const dcps_profile_row *found = NULL;
    for (size_t i = 0; i < DCPS_OP_COUNT * DCPS_PASS_COUNT; i++) {
        if (profile->rows[i].calls > 0 && profile->rows[i].op == op && profile->rows[i].pass == pass) {
            found = &profile->rows[i];
        }
    }
    ck_assert_ptr_nonnull(found);
    return found;
}

static void backward(tape_fixture *fixture, dcps_tensor *x)
{
    ck_assert_int_eq(dcps_tape_backward(fixture->tape, dcps_tape_sum(fixture->tape, x)), DCPS_OK);
}

/* [6, 4] · [4, 5], the left one data, then [6, 5] · [5, 2], both differentiated */
START_TEST(products_count_what_is_differentiated)
{
    static const float data[24];
    tape_fixture fixture;
    dcps_profile profile = {0};
    tape_fixture_init(&fixture, "4,5;5,2", dcps_cpu_backend());
    dcps_tape_watch(fixture.tape, dcps_profile_watch, &profile);
    dcps_tensor *x = dcps_tape_input(fixture.tape, data, 2, (size_t[]){6, 4});
    x = dcps_tape_matmul(fixture.tape, x, dcps_tape_parameter(fixture.tape, 0));
    backward(&fixture, dcps_tape_matmul(fixture.tape, x, dcps_tape_parameter(fixture.tape, 1)));
    ck_assert_uint_eq(row(&profile, DCPS_OP_MATMUL, DCPS_PASS_FORWARD)->calls, 2);
    expect(row(&profile, DCPS_OP_MATMUL, DCPS_PASS_FORWARD)->flops, 2.0 * 6 * 4 * 5 + 2.0 * 6 * 5 * 2);
    expect(row(&profile, DCPS_OP_MATMUL, DCPS_PASS_BACKWARD)->flops, 2.0 * 6 * 4 * 5 + 2.0 * 2.0 * 6 * 5 * 2);
    expect(dcps_profile_flops(&profile), 240 + 120 + 240 + 240);
    ck_assert(row(&profile, DCPS_OP_MATMUL, DCPS_PASS_FORWARD)->seconds > 0.0);
    tape_fixture_fini(&fixture);
}
END_TEST

/* Two images of three channels, 5 × 5 with padding 1 and stride 2: 3 × 3 places, four filters of 3 × 3 × 3. */
START_TEST(convolution_counts_every_place_of_the_kernel)
{
    static const float data[2 * 3 * 5 * 5];
    tape_fixture fixture;
    dcps_profile profile = {0};
    tape_fixture_init(&fixture, "4,3,3,3", dcps_cpu_backend());
    dcps_tape_watch(fixture.tape, dcps_profile_watch, &profile);
    dcps_tensor *x = dcps_tape_input(fixture.tape, data, 4, (size_t[]){2, 3, 5, 5});
    backward(&fixture, dcps_tape_conv2d(fixture.tape, x, dcps_tape_parameter(fixture.tape, 0), 2, 1));
    const double product = 2.0 * (2 * 4 * 3 * 3) * (3 * 3 * 3);
    expect(row(&profile, DCPS_OP_CONV2D, DCPS_PASS_FORWARD)->flops, product);
    expect(row(&profile, DCPS_OP_CONV2D, DCPS_PASS_BACKWARD)->flops, product);
    tape_fixture_fini(&fixture);
}
END_TEST

/* Seven steps of a batch of 2, input 3, hidden 5: what comes in is data. */
START_TEST(lstm_counts_both_of_its_products)
{
    static const float data[7 * 2 * 3], state[2 * 5];
    tape_fixture fixture;
    dcps_profile profile = {0};
    tape_fixture_init(&fixture, "3,20;5,20;20", dcps_cpu_backend());
    dcps_tape_watch(fixture.tape, dcps_profile_watch, &profile);
    dcps_tape *tape = fixture.tape;
    const dcps_lstm_layer layer = {.w_input = dcps_tape_parameter(tape, 0),
                                   .w_hidden = dcps_tape_parameter(tape, 1),
                                   .bias = dcps_tape_parameter(tape, 2),
                                   .h = dcps_tape_input(tape, state, 2, (size_t[]){2, 5}),
                                   .c = dcps_tape_input(tape, state, 2, (size_t[]){2, 5})};
    dcps_tensor *x = dcps_tape_input(tape, data, 3, (size_t[]){7, 2, 3});
    backward(&fixture, dcps_tape_lstm(tape, x, 1, &layer, NULL));
    const double of_input = 2.0 * 14 * 3 * 20, of_hidden = 2.0 * 14 * 5 * 20;
    expect(row(&profile, DCPS_OP_LSTM, DCPS_PASS_FORWARD)->flops, of_input + of_hidden);
    expect(row(&profile, DCPS_OP_LSTM, DCPS_PASS_BACKWARD)->flops, of_input + 2.0 * of_hidden);
    tape_fixture_fini(&fixture);
}
END_TEST

START_TEST(a_tape_that_nobody_watches_says_nothing)
{
    tape_fixture fixture;
    dcps_profile profile = {0};
    tape_fixture_init(&fixture, "4,5;5,2", dcps_cpu_backend());
    dcps_tape_watch(fixture.tape, dcps_profile_watch, &profile);
    dcps_tape_watch(fixture.tape, NULL, NULL);
    dcps_tape *tape = fixture.tape;
    backward(&fixture, dcps_tape_matmul(tape, dcps_tape_parameter(tape, 0), dcps_tape_parameter(tape, 1)));
    dcps_profile_row sorted[DCPS_OP_COUNT * DCPS_PASS_COUNT];
    ck_assert_uint_eq(dcps_profile_sort(&profile, sorted), 0);
    ck_assert_uint_gt(dcps_tape_step_bytes(tape), 0);
    tape_fixture_fini(&fixture);
}
END_TEST

START_TEST(a_profile_puts_the_longest_first)
{
    dcps_profile profile = {0};
    dcps_call call = {.op = DCPS_OP_RELU};
    dcps_profile_watch(&profile, &call, DCPS_PASS_FORWARD, 300);
    dcps_profile_watch(&profile, &call, DCPS_PASS_BACKWARD, 500);
    dcps_profile_watch(&profile, &call, DCPS_PASS_FORWARD, 400);
    call.op = DCPS_OP_ADD;
    dcps_profile_watch(&profile, &call, DCPS_PASS_FORWARD, 600);
    dcps_profile_row sorted[DCPS_OP_COUNT * DCPS_PASS_COUNT];
    ck_assert_uint_eq(dcps_profile_sort(&profile, sorted), 3);
    ck_assert(sorted[0].op == DCPS_OP_RELU && sorted[0].pass == DCPS_PASS_FORWARD && sorted[0].calls == 2);
    ck_assert(sorted[1].op == DCPS_OP_ADD && sorted[2].pass == DCPS_PASS_BACKWARD);
    expect(sorted[0].seconds * 1e9, 700);
    expect(dcps_profile_seconds(&profile) * 1e9, 1800);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {products_count_what_is_differentiated, convolution_counts_every_place_of_the_kernel,
                                  lstm_counts_both_of_its_products, a_tape_that_nobody_watches_says_nothing,
                                  a_profile_puts_the_longest_first};
    return CHECK_MAIN("profile", tests);
}
