/* The tape: differentiation through whole graphs, when gradients are final, errors that stick, memory. */
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "support/check_main.h"
#include "support/tape_fixture.h"
#include "tensor/cpu/cpu.h"
#include "tensor/ref/ref.h"

#define ROWS 5
static float data[ROWS * 6];
static const int32_t labels[ROWS] = {0, 2, 1, 2, 0};

/* Parameters 0: [6, 4], 1: [4], 2: [4, 4], 3: [4, 3], 4: [3], 5: [17] (unused). Parameter 2 is used twice. */
#define SHAPES "6,4;4;4,4;4,3;3;17"

static dcps_tensor *network(dcps_tape *tape)
{
    dcps_tensor *x = dcps_tape_input(tape, data, 2, (size_t[]){ROWS, 6});
    x = dcps_tape_relu(tape, dcps_tape_bias(tape, dcps_tape_matmul(tape, x, dcps_tape_parameter(tape, 0)),
                                            dcps_tape_parameter(tape, 1)));
    x = dcps_tape_matmul(tape, x, dcps_tape_parameter(tape, 2));
    x = dcps_tape_matmul(tape, x, dcps_tape_parameter(tape, 2));
    x = dcps_tape_bias(tape, dcps_tape_matmul(tape, x, dcps_tape_parameter(tape, 3)), dcps_tape_parameter(tape, 4));
    return dcps_tape_cross_entropy(tape, x, labels);
}

static const dcps_backend *backend_at(int index)
{
    return index == 0 ? dcps_ref_backend() : dcps_cpu_backend();
}

static void setup(tape_fixture *fixture, const char *shapes, int backend)
{
    fill_random(data, ROWS * 6, 3);
    tape_fixture_init(fixture, shapes, backend_at(backend));
}

static void step(tape_fixture *fixture)
{
    fixture->finals = 0;
    dcps_tape_reset(fixture->tape);
    ck_assert_int_eq(dcps_tape_backward(fixture->tape, network(fixture->tape)), DCPS_OK);
}

static double loss_value(tape_fixture *fixture)
{
    dcps_tape_reset(fixture->evaluation);
    dcps_tensor *loss = network(fixture->evaluation);
    ck_assert_ptr_nonnull(loss);
    return (double)dcps_tensor_values(fixture->evaluation, loss)[0];
}

/* Every weight of the network, padding included, by central differences of the loss. */
START_TEST(gradient_is_the_derivative_of_the_loss)
{
    tape_fixture fixture;
    setup(&fixture, SHAPES, _i);
    step(&fixture);
    for (uint64_t i = 0; i < fixture.params; i++) {
        const float keep = fixture.weights[i], h = 1.0f / 256.0f;
        fixture.weights[i] = keep + h;
        double above = loss_value(&fixture);
        fixture.weights[i] = keep - h;
        double slope = (above - loss_value(&fixture)) / (2.0 * (double)h);
        fixture.weights[i] = keep;
        ck_assert_msg(fabs(slope - (double)fixture.gradient[i]) < 1e-3, "weight %llu: slope %g, gradient %g",
                      (unsigned long long)i, slope, (double)fixture.gradient[i]);
    }
    tape_fixture_fini(&fixture);
}
END_TEST

START_TEST(second_step_equals_first)
{
    tape_fixture fixture;
    setup(&fixture, SHAPES, _i);
    step(&fixture);
    float *first = dcps_alloc(fixture.params, sizeof(float));
    memcpy(first, fixture.gradient, fixture.params * sizeof(float));
    step(&fixture);
    ck_assert_mem_eq(first, fixture.gradient, fixture.params * sizeof(float));
    dcps_free(first);
    tape_fixture_fini(&fixture);
}
END_TEST

START_TEST(each_gradient_is_reported_once_when_final)
{
    tape_fixture fixture;
    setup(&fixture, SHAPES, _i);
    step(&fixture);
    const uint32_t order[] = {4, 3, 2, 1, 0, 5}; /* of back-propagation; the unused one last */
    ck_assert_uint_eq(fixture.finals, 6);
    uint64_t covered = 0;
    for (uint32_t i = 0; i < 6; i++) {
        const dcps_layout_tensor *tensor = dcps_layout_tensor_at(fixture.layout, order[i]);
        ck_assert_uint_eq(fixture.final_first[i], tensor->offset_params);
        ck_assert_uint_eq(fixture.final_count[i], (tensor->count_params + 15) / 16 * 16);
        covered += fixture.final_count[i];
    }
    ck_assert_uint_eq(covered, fixture.params);
    /* Nothing changed after it was reported. */
    ck_assert_mem_eq(fixture.at_final, fixture.gradient, fixture.params * sizeof(float));
    tape_fixture_fini(&fixture);
}
END_TEST

/* A forward pass that nobody walked back leaves no trace in the next step. */
START_TEST(steps_may_be_abandoned)
{
    tape_fixture fixture;
    setup(&fixture, SHAPES, _i);
    step(&fixture);
    float *clean = dcps_alloc(fixture.params, sizeof(float));
    memcpy(clean, fixture.gradient, fixture.params * sizeof(float));
    dcps_tape_reset(fixture.tape);
    ck_assert_ptr_nonnull(network(fixture.tape));
    step(&fixture);
    ck_assert_uint_eq(fixture.finals, 6);
    ck_assert_mem_eq(fixture.at_final, clean, fixture.params * sizeof(float));
    dcps_free(clean);
    tape_fixture_fini(&fixture);
}
END_TEST

START_TEST(unused_parameters_and_padding_are_zero)
{
    tape_fixture fixture;
    setup(&fixture, SHAPES, _i);
    step(&fixture);
    for (uint32_t i = 0; i < 6; i++) {
        const dcps_layout_tensor *tensor = dcps_layout_tensor_at(fixture.layout, i);
        uint64_t padded = (tensor->count_params + 15) / 16 * 16;
        for (uint64_t j = i == 5 ? 0 : tensor->count_params; j < padded; j++) {
            ck_assert_double_eq((double)fixture.gradient[tensor->offset_params + j], 0.0);
        }
    }
    tape_fixture_fini(&fixture);
}
END_TEST

/* A call that the loss does not depend on adds nothing, and its parameter is final nonetheless. */
START_TEST(dead_branches_contribute_nothing)
{
    tape_fixture fixture;
    setup(&fixture, SHAPES, _i);
    step(&fixture);
    float *clean = dcps_alloc(fixture.params, sizeof(float));
    memcpy(clean, fixture.gradient, fixture.params * sizeof(float));
    dcps_tape_reset(fixture.tape);
    fixture.finals = 0;
    dcps_tensor *w = dcps_tape_parameter(fixture.tape, 2);
    dcps_tape_relu(fixture.tape, dcps_tape_parameter(fixture.tape, 5));
    dcps_tensor *loss = network(fixture.tape);
    dcps_tape_matmul(fixture.tape, w, w);
    ck_assert_int_eq(dcps_tape_backward(fixture.tape, loss), DCPS_OK);
    ck_assert_uint_eq(fixture.finals, 6);
    ck_assert_mem_eq(clean, fixture.gradient, fixture.params * sizeof(float));
    dcps_free(clean);
    tape_fixture_fini(&fixture);
}
END_TEST

/* d/dw of w·w for one number is 2w: both inputs of a call may be the same tensor. */
START_TEST(one_tensor_may_be_both_inputs)
{
    tape_fixture fixture;
    setup(&fixture, "1,1", _i);
    fixture.weights[0] = 3.0f;
    dcps_tensor *w = dcps_tape_parameter(fixture.tape, 0);
    ck_assert_int_eq(dcps_tape_backward(fixture.tape, dcps_tape_matmul(fixture.tape, w, w)), DCPS_OK);
    ck_assert_double_eq((double)fixture.gradient[0], 6.0);
    ck_assert_uint_eq(fixture.finals, 1);
    tape_fixture_fini(&fixture);
}
END_TEST

START_TEST(parameter_may_be_the_loss)
{
    tape_fixture fixture;
    setup(&fixture, "1;2", _i);
    ck_assert_int_eq(dcps_tape_backward(fixture.tape, dcps_tape_parameter(fixture.tape, 0)), DCPS_OK);
    ck_assert_double_eq((double)fixture.gradient[0], 1.0);
    ck_assert_double_eq((double)fixture.gradient[16], 0.0);
    ck_assert_uint_eq(fixture.finals, 2);
    tape_fixture_fini(&fixture);
}
END_TEST

static void assert_failed(dcps_tape *tape, dcps_tensor *result, dcps_status status, const char *const *words)
{
    ck_assert_ptr_null(result);
    ck_assert_int_eq(dcps_tape_status(tape), status);
    for (; *words != NULL; words++) {
        ck_assert_msg(strstr(dcps_error_message(), *words) != NULL, "no \"%s\" in: %s", *words, dcps_error_message());
    }
}

START_TEST(errors_stick_until_reset)
{
    tape_fixture fixture;
    setup(&fixture, SHAPES, _i);
    dcps_tape *tape = fixture.tape;
    dcps_tensor *x = dcps_tape_input(tape, data, 2, (size_t[]){ROWS, 6});
    dcps_tensor *wrong = dcps_tape_matmul(tape, x, dcps_tape_parameter(tape, 3));
    const char *words[] = {"matmul", "[5, 6] and [4, 3]", "a [m, k] and b [k, n]", backend_at(_i)->name, NULL};
    assert_failed(tape, wrong, DCPS_INVALID, words);
    /* Neither NULL inputs nor calls that would be right change what is said. */
    ck_assert_ptr_null(dcps_tape_relu(tape, wrong));
    ck_assert_ptr_null(dcps_tape_relu(tape, x));
    ck_assert_ptr_null(dcps_tape_parameter(tape, 99));
    ck_assert_ptr_null(dcps_tape_input(tape, NULL, 0, NULL));
    ck_assert_int_eq(dcps_tape_backward(tape, NULL), DCPS_INVALID);
    assert_failed(tape, NULL, DCPS_INVALID, words);
    step(&fixture);
    ck_assert_int_eq(dcps_tape_status(tape), DCPS_OK);
    tape_fixture_fini(&fixture);
}
END_TEST

START_TEST(wrong_shapes_are_named)
{
    tape_fixture fixture;
    setup(&fixture, SHAPES, _i);
    dcps_tape *tape = fixture.tape;
    dcps_tensor *bias = dcps_tape_parameter(tape, 1), *matrix = dcps_tape_parameter(tape, 0);
    assert_failed(tape, dcps_tape_bias(tape, matrix, dcps_tape_parameter(tape, 4)), DCPS_INVALID,
                  (const char *[]){"bias", "[6, 4] and [3]", NULL});
    dcps_tape_reset(tape);
    assert_failed(tape, dcps_tape_matmul(tape, matrix, bias), DCPS_INVALID,
                  (const char *[]){"matmul", "[6, 4] and [4]", NULL});
    dcps_tape_reset(tape);
    assert_failed(tape, dcps_tape_cross_entropy(tape, bias, labels), DCPS_INVALID,
                  (const char *[]){"cross_entropy", "[4]", NULL});
    dcps_tape_reset(tape);
    assert_failed(tape, dcps_tape_relu(tape, NULL), DCPS_INVALID, (const char *[]){"relu", "input 0 is NULL", NULL});
    tape_fixture_fini(&fixture);
}
END_TEST

START_TEST(wrong_data_is_named)
{
    tape_fixture fixture;
    setup(&fixture, SHAPES, _i);
    dcps_tape *tape = fixture.tape;
    dcps_tensor *matrix = dcps_tape_parameter(tape, 0);
    assert_failed(tape, dcps_tape_cross_entropy(tape, matrix, (int32_t[]){0, 1, 2, 3, 4, 0}), DCPS_INVALID,
                  (const char *[]){"cross_entropy", "row 4 is 4", "0 … 3", NULL});
    dcps_tape_reset(tape);
    assert_failed(tape, dcps_tape_cross_entropy(tape, matrix, (int32_t[]){0, -1, 2, 3, 3, 0}), DCPS_INVALID,
                  (const char *[]){"row 1 is -1", NULL});
    dcps_tape_reset(tape);
    assert_failed(tape, dcps_tape_cross_entropy(tape, matrix, NULL), DCPS_INVALID, (const char *[]){"labels", NULL});
    dcps_tape_reset(tape);
    assert_failed(tape, dcps_tape_parameter(tape, 6), DCPS_INVALID, (const char *[]){"parameter 6", "6 tensors", NULL});
    dcps_tape_reset(tape);
    assert_failed(tape, dcps_tape_input(tape, data, 2, (size_t[]){3, 0}), DCPS_INVALID,
                  (const char *[]){"input", "[3, 0]", NULL});
    dcps_tape_reset(tape);
    assert_failed(tape, dcps_tape_input(tape, data, 2, (size_t[]){SIZE_MAX, 4}), DCPS_INVALID,
                  (const char *[]){"input", NULL});
    dcps_tape_reset(tape);
    size_t nine[9] = {1, 1, 1, 1, 1, 1, 1, 1, 1};
    assert_failed(tape, dcps_tape_input(tape, data, 9, nine), DCPS_INVALID, (const char *[]){"at most 8 dims", NULL});
    dcps_tape_reset(tape);
    assert_failed(tape, dcps_tape_input(tape, NULL, 1, nine), DCPS_INVALID, (const char *[]){"values are NULL", NULL});
    tape_fixture_fini(&fixture);
}
END_TEST

START_TEST(backward_refuses_what_makes_no_sense)
{
    tape_fixture fixture;
    setup(&fixture, SHAPES, _i);
    dcps_tape *tape = fixture.tape;
    ck_assert_int_eq(dcps_tape_backward(tape, NULL), DCPS_INVALID);
    dcps_tape_reset(tape);
    ck_assert_int_eq(dcps_tape_backward(tape, dcps_tape_relu(tape, dcps_tape_parameter(tape, 1))), DCPS_INVALID);
    ck_assert_ptr_nonnull(strstr(dcps_error_message(), "[4]"));
    dcps_tape_reset(fixture.evaluation);
    ck_assert_int_eq(dcps_tape_backward(fixture.evaluation, network(fixture.evaluation)), DCPS_INVALID);
    step(&fixture);
    dcps_tensor *loss = dcps_tape_input(tape, data, 0, NULL);
    ck_assert_int_eq(dcps_tape_backward(tape, loss), DCPS_INVALID);
    ck_assert_uint_eq(fixture.finals, 6);
    tape_fixture_fini(&fixture);
}
END_TEST

START_TEST(missing_op_is_named)
{
    dcps_backend lacking = *dcps_ref_backend();
    lacking.name = "lacking";
    lacking.kernels[DCPS_OP_BIAS] = NULL;
    tape_fixture fixture;
    fill_random(data, ROWS * 6, 3);
    tape_fixture_init(&fixture, SHAPES, &lacking);
    assert_failed(fixture.tape, network(fixture.tape), DCPS_UNSUPPORTED,
                  (const char *[]){"bias", "[5, 4] and [4]", "backend lacking", NULL});
    ck_assert_int_eq(dcps_tape_backward(fixture.tape, NULL), DCPS_UNSUPPORTED);
    tape_fixture_fini(&fixture);
}
END_TEST

static dcps_status broken(const dcps_call *call, const float *dy, const dcps_gradient_slot *dx)
{
    (void)call, (void)dy, (void)dx;
    return dcps_fail(DCPS_SYSTEM, "broken on purpose");
}

START_TEST(kernel_failures_stop_the_walk)
{
    dcps_kernel kernel = {.forward = dcps_ref_backend()->kernels[DCPS_OP_RELU]->forward, .backward = broken};
    dcps_backend lacking = *dcps_ref_backend();
    lacking.kernels[DCPS_OP_RELU] = &kernel;
    tape_fixture fixture;
    fill_random(data, ROWS * 6, 3);
    tape_fixture_init(&fixture, SHAPES, &lacking);
    ck_assert_int_eq(dcps_tape_backward(fixture.tape, network(fixture.tape)), DCPS_SYSTEM);
    ck_assert_int_eq(dcps_tape_status(fixture.tape), DCPS_SYSTEM);
    ck_assert_uint_eq(fixture.finals, 3); /* those behind the relu were never complete */
    tape_fixture_fini(&fixture);
}
END_TEST

START_TEST(steady_state_allocates_nothing)
{
    tape_fixture fixture;
    setup(&fixture, SHAPES, _i);
    step(&fixture);
    step(&fixture);
    loss_value(&fixture);
    loss_value(&fixture);
    uint64_t before = dcps_alloc_count();
    for (int i = 0; i < 10; i++) {
        step(&fixture);
        loss_value(&fixture);
    }
    ck_assert_uint_eq(dcps_alloc_count(), before);
    tape_fixture_fini(&fixture);
}
END_TEST

START_TEST(activations_are_aligned)
{
    tape_fixture fixture;
    setup(&fixture, SHAPES, _i);
    for (int round = 0; round < 3; round++) {
        dcps_tape_reset(fixture.tape);
        dcps_tensor *x = dcps_tape_relu(fixture.tape, dcps_tape_input(fixture.tape, data + 1, 2, (size_t[]){3, 3}));
        ck_assert_uint_eq((uintptr_t)dcps_tensor_values(fixture.tape, x) % 64, 0);
    }
    tape_fixture_fini(&fixture);
}
END_TEST

/* Makes each allocation of two steps fail in turn: an error every time, and the step after works. */
START_TEST(every_failed_allocation_is_survived)
{
    uint64_t n = 0;
    for (bool failed = true; failed; n++) {
        tape_fixture fixture;
        setup(&fixture, SHAPES, _i);
        dcps_alloc_fail_after(n);
        failed = false;
        for (int round = 0; round < 2; round++) {
            dcps_tape_reset(fixture.tape);
            dcps_status status = dcps_tape_backward(fixture.tape, network(fixture.tape));
            ck_assert(status == DCPS_OK || status == DCPS_NO_MEMORY);
            failed = failed || status != DCPS_OK;
        }
        dcps_alloc_fail_after(UINT64_MAX);
        step(&fixture);
        tape_fixture_fini(&fixture);
    }
    ck_assert_uint_gt(n, 20);
}
END_TEST

START_TEST(create_survives_failed_allocations)
{
    tape_fixture fixture;
    setup(&fixture, SHAPES, _i);
    dcps_tape_config config = {.layout = fixture.layout, .weights = fixture.weights, .backend = backend_at(_i)};
    for (uint64_t n = 0; n < 2; n++) {
        dcps_tape *tape = NULL;
        dcps_alloc_fail_after(n);
        ck_assert_int_eq(dcps_tape_create(&config, &tape), DCPS_NO_MEMORY);
        ck_assert_ptr_null(tape);
    }
    dcps_tape *none = NULL;
    dcps_tape_destroy(&none);
    tape_fixture_fini(&fixture);
}
END_TEST

START_TEST(evaluation_tape_keeps_nothing)
{
    tape_fixture fixture;
    setup(&fixture, SHAPES, _i);
    ck_assert(dcps_tape_is_training(fixture.tape));
    ck_assert(!dcps_tape_is_training(fixture.evaluation));
    step(&fixture);
    dcps_tape_reset(fixture.tape);
    float training = dcps_tensor_values(fixture.tape, network(fixture.tape))[0];
    ck_assert_double_eq((double)training, loss_value(&fixture));
    ck_assert_uint_eq(dcps_tensor_count(NULL), 0);
    ck_assert_ptr_null(dcps_tensor_values(fixture.tape, NULL));
    tape_fixture_fini(&fixture);
}
END_TEST

/* Twenty results are alive at the end of the forward pass, but never more than two gradients. */
START_TEST(gradients_use_the_memory_of_others)
{
    tape_fixture fixture;
    setup(&fixture, "100,100", _i);
    const size_t results = 20, bytes = (size_t)100 * 100 * sizeof(float);
    for (int round = 0; round < 2; round++) {
        dcps_tape_reset(fixture.tape);
        fixture.finals = 0;
        dcps_tensor *x = dcps_tape_parameter(fixture.tape, 0);
        for (size_t i = 0; i < results; i++) {
            x = i % 2 == 0 ? dcps_tape_scale(fixture.tape, x, 2.0f)
                           : dcps_tape_add(fixture.tape, x, dcps_tape_parameter(fixture.tape, 0));
        }
        ck_assert_int_eq(dcps_tape_backward(fixture.tape, dcps_tape_sum(fixture.tape, x)), DCPS_OK);
    }
    /* y ← 2 y, y ← y + x: after ten rounds of both, y = (2¹¹ − 1) x */
    for (uint64_t i = 0; i < fixture.params; i++) {
        ck_assert_double_eq((double)fixture.gradient[i], 2047.0);
    }
    ck_assert_uint_lt(dcps_tape_step_bytes(fixture.tape), (results + 3) * bytes);
    tape_fixture_fini(&fixture);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("tape");
    TCase *tests = tcase_create("tape");
    const TTest *on_both[] = {gradient_is_the_derivative_of_the_loss,
                              second_step_equals_first,
                              each_gradient_is_reported_once_when_final,
                              steps_may_be_abandoned,
                              unused_parameters_and_padding_are_zero,
                              dead_branches_contribute_nothing,
                              one_tensor_may_be_both_inputs,
                              parameter_may_be_the_loss,
                              errors_stick_until_reset,
                              wrong_shapes_are_named,
                              wrong_data_is_named,
                              backward_refuses_what_makes_no_sense,
                              steady_state_allocates_nothing,
                              gradients_use_the_memory_of_others,
                              activations_are_aligned,
                              every_failed_allocation_is_survived,
                              create_survives_failed_allocations,
                              evaluation_tape_keeps_nothing};
    for (size_t i = 0; i < sizeof(on_both) / sizeof(on_both[0]); i++) {
        tcase_add_loop_test(tests, on_both[i], 0, 2);
    }
    tcase_add_test(tests, missing_op_is_named);
    tcase_add_test(tests, kernel_failures_stop_the_walk);
    suite_add_tcase(suite, tests);
    return check_run(suite);
}
