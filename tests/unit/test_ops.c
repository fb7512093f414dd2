/* What the parity table (tests/parity) does not cover: results worked out by hand, and values that are not numbers. */
#include <check.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "base/alloc.h"
#include "support/check_main.h"
#include "support/tape_fixture.h"
#include "tensor/cpu/cpu.h"
#include "tensor/philox.h"
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

/* The call has failed as invalid, and the message has the words. */
static void assert_refused(tape_fixture *fixture, const dcps_tensor *result, const char *const *words)
{
    ck_assert_ptr_null(result);
    ck_assert_int_eq(dcps_tape_status(fixture->tape), DCPS_INVALID);
    for (; *words != NULL; words++) {
        ck_assert_msg(strstr(dcps_error_message(), *words) != NULL, "no \"%s\" in: %s", *words, dcps_error_message());
    }
    dcps_tape_reset(fixture->tape);
}
#define REFUSED(call, ...) assert_refused(&fixture, call, (const char *[]){__VA_ARGS__, NULL})

START_TEST(wrong_shapes_are_refused)
{
    const char *backend = _i == 0 ? "backend ref" : "backend cpu";
    tape_fixture fixture;
    tape_fixture_init(&fixture, "2,3;3;2,3,4;1,3,4;;4,3", _i == 0 ? dcps_ref_backend() : dcps_cpu_backend());
    dcps_tape *tape = fixture.tape;
    dcps_tensor *p[6];
    for (uint32_t i = 0; i < 6; i++) {
        p[i] = dcps_tape_parameter(tape, i);
    }
    REFUSED(dcps_tape_matmul_transposed(tape, p[0], true, p[0], true), "matmul", "a [k, m] and b [n, k]",
            "[2, 3] and [2, 3]", backend);
    REFUSED(dcps_tape_matmul(tape, p[2], p[3]), "matmul", "[batch]", "[2, 3, 4] and [1, 3, 4]");
    REFUSED(dcps_tape_matmul(tape, p[0], p[2]), "matmul", "[2, 3] and [2, 3, 4]");
    REFUSED(dcps_tape_bias(tape, p[4], p[1]), "bias", "[] and [3]", backend);
    REFUSED(dcps_tape_add(tape, p[0], p[1]), "add", "same shape", "[2, 3] and [3]", backend);
    REFUSED(dcps_tape_sub(tape, p[2], p[3]), "sub", "[2, 3, 4] and [1, 3, 4]");
    REFUSED(dcps_tape_mul(tape, p[4], p[1]), "mul", "[] and [3]");
    REFUSED(dcps_tape_reshape(tape, p[0], 2, (size_t[]){2, 4}), "reshape", "as many elements as [2, 4]", "[2, 3]",
            backend);
    REFUSED(dcps_tape_reshape(tape, p[0], 2, (size_t[]){0, 6}), "reshape", "[0, 6]");
    REFUSED(dcps_tape_reshape(tape, p[0], 1, NULL), "reshape");
    REFUSED(dcps_tape_transpose(tape, p[0], 0, 2), "transpose", "[2, 3]", backend);
    REFUSED(dcps_tape_transpose(tape, p[0], 1, 1), "transpose", "two different dims");
    REFUSED(dcps_tape_concat(tape, 2, (dcps_tensor *[]){p[0], p[5]}, 1), "concat", "[2, 3] and [4, 3]", backend);
    REFUSED(dcps_tape_concat(tape, 2, (dcps_tensor *[]){p[0], p[5]}, 2), "concat", "[2, 3] and [4, 3]");
    REFUSED(dcps_tape_concat(tape, 2, (dcps_tensor *[]){p[0], p[2]}, 0), "concat", "[2, 3] and [2, 3, 4]");
    REFUSED(dcps_tape_concat(tape, 6, p, 0), "concat", "[1, 3, 4] and 2 more");
    REFUSED(dcps_tape_concat(tape, 0, p, 0), "concat", "1 to 64 tensors, seen 0", backend);
    REFUSED(dcps_tape_concat(tape, 65, p, 0), "concat", "seen 65");
    REFUSED(dcps_tape_slice(tape, p[0], 1, 1, 3), "slice", "[2, 3]", backend);
    REFUSED(dcps_tape_slice(tape, p[0], 1, 0, 0), "slice");
    REFUSED(dcps_tape_slice(tape, p[0], 1, SIZE_MAX, 2), "slice");
    REFUSED(dcps_tape_slice(tape, p[0], 2, 0, 1), "slice");
    REFUSED(dcps_tape_sum_over(tape, p[0], 2), "sum", "dim to reduce", "[2, 3]", backend);
    REFUSED(dcps_tape_mean_over(tape, p[4], 0), "mean", "[]");
    REFUSED(dcps_tape_scale(tape, NULL, 1.0f), "scale", "NULL");
    tape_fixture_fini(&fixture);
}
END_TEST

START_TEST(wrong_images_are_refused)
{
    const char *backend = _i == 0 ? "backend ref" : "backend cpu";
    tape_fixture fixture;
    tape_fixture_init(&fixture, "2,3,5,5;4,3,3,3;4,2,3,3;3;1,3;~3;~3;~2",
                      _i == 0 ? dcps_ref_backend() : dcps_cpu_backend());
    dcps_tape *tape = fixture.tape;
    dcps_tensor *p[8];
    for (uint32_t i = 0; i < 8; i++) {
        p[i] = dcps_tape_parameter(tape, i);
    }
    REFUSED(dcps_tape_conv2d(tape, p[0], p[2], 1, 1), "conv2d", "[2, 3, 5, 5] and [4, 2, 3, 3]", backend);
    REFUSED(dcps_tape_conv2d(tape, p[3], p[1], 1, 1), "conv2d", "x [batch, channels, height, width]");
    REFUSED(dcps_tape_conv2d(tape, p[0], p[1], 0, 1), "conv2d", "stride");
    REFUSED(dcps_tape_conv2d(tape, p[1], p[0], 1, 0), "conv2d", "holds the kernel");
    REFUSED(dcps_tape_conv2d(tape, p[0], p[1], 1, SIZE_MAX / 2), "conv2d");
    REFUSED(dcps_tape_max_pool(tape, p[0], 2, 2, 2), "max_pool", "less padding than window", "[2, 3, 5, 5]", backend);
    REFUSED(dcps_tape_max_pool(tape, p[0], 6, 1, 0), "max_pool");
    REFUSED(dcps_tape_avg_pool(tape, p[0], 0, 1, 0), "avg_pool");
    REFUSED(dcps_tape_avg_pool(tape, p[3], 1, 1, 0), "avg_pool", "[3]");
    REFUSED(dcps_tape_global_avg_pool(tape, p[4]), "global_avg_pool", "[1, 3]", backend);
    REFUSED(dcps_tape_batch_norm(tape, p[3], p[3], p[3], p[5], p[6], 1e-5f), "batch_norm", "[3] and [3] and [3]",
            backend);
    REFUSED(dcps_tape_batch_norm(tape, p[0], p[3], p[4], p[5], p[6], 1e-5f), "batch_norm", "variance [channels]");
    REFUSED(dcps_tape_batch_norm(tape, p[0], p[3], p[3], p[5], p[7], 1e-5f), "batch_norm", "variance [channels]");
    REFUSED(dcps_tape_batch_norm(tape, p[4], p[3], p[3], p[5], p[6], 1e-5f), "batch_norm", "two elements");
    REFUSED(dcps_tape_batch_norm(tape, p[0], p[3], p[3], p[3], p[6], 1e-5f), "batch_norm", "averaged tensors");
    REFUSED(dcps_tape_batch_norm(tape, p[0], p[3], p[3], p[5], p[5], 1e-5f), "batch_norm", "nowhere else");
    REFUSED(dcps_tape_batch_norm(tape, p[0], p[3], p[3], p[5], p[6], 0.0f), "batch_norm", "epsilon");
    REFUSED(dcps_tape_bias(tape, p[4], p[5]), "bias", "input 1 is t5", "only batch_norm");
    REFUSED(dcps_tape_batch_norm(tape, p[0], p[5], p[3], p[5], p[6], 1e-5f), "batch_norm", "input 1 is t5",
            "as mean or variance");
    REFUSED(dcps_tape_batch_norm_relu(tape, p[0], p[3], p[6], p[5], p[6], 1e-5f, NULL), "input 2 is t6");
    dcps_tape_reset(tape);
    dcps_tensor *once = dcps_tape_batch_norm(tape, p[0], p[3], p[3], p[5], p[6], 1e-5f);
    ck_assert_ptr_nonnull(once);
    ck_assert_ptr_null(dcps_tape_batch_norm(tape, once, p[3], p[3], p[5], p[6], 1e-5f)); /* p[5] and p[6] once more */
    ck_assert_int_eq(dcps_tape_status(tape), DCPS_INVALID);
    ck_assert_ptr_nonnull(strstr(dcps_error_message(), "nowhere else in the step"));
    tape_fixture_fini(&fixture);
}
END_TEST

START_TEST(wrong_data_is_refused)
{
    const char *backend = _i == 0 ? "backend ref" : "backend cpu";
    tape_fixture fixture;
    tape_fixture_init(&fixture, "2,3;3;;2", _i == 0 ? dcps_ref_backend() : dcps_cpu_backend());
    dcps_tape *tape = fixture.tape;
    dcps_tensor *p[4];
    for (uint32_t i = 0; i < 4; i++) {
        p[i] = dcps_tape_parameter(tape, i);
    }
    dcps_cross_entropy_options options = {.ignore = true, .ignored_label = -1, .label_smoothing = 1.0f};
    const int32_t labels[] = {-1, 3};
    REFUSED(dcps_tape_cross_entropy_with(tape, p[0], labels, &options), "cross_entropy", "smoothing", "[2, 3]",
            backend);
    REFUSED(dcps_tape_cross_entropy_with(tape, p[0], labels, NULL), "cross_entropy", "options");
    options.label_smoothing = 0.0f;
    REFUSED(dcps_tape_cross_entropy_with(tape, p[0], labels, &options), "row 1 is 3", "0 … 2");
    REFUSED(dcps_tape_softmax(tape, p[2]), "softmax", "[]", backend);
    REFUSED(dcps_tape_log_softmax(tape, p[2]), "log_softmax", "[]");
    REFUSED(dcps_tape_masked_softmax(tape, p[0], NULL), "softmax", "mask [batch, columns]");
    REFUSED(dcps_tape_masked_softmax(tape, p[0], (const uint8_t[]){1, 0, 0, 0, 0, 0}), "row 1 of the mask [2, 3]",
            backend);
    REFUSED(dcps_tape_embedding(tape, p[0], (const int32_t[]){1, 2}, 1, (size_t[]){2}), "embedding", "index 1 is 2",
            "[2, 3]", "0 … 1");
    REFUSED(dcps_tape_embedding(tape, p[0], (const int32_t[]){-1}, 0, NULL), "index 0 is -1");
    REFUSED(dcps_tape_embedding(tape, p[1], labels, 0, NULL), "embedding", "a table [rows, width]", "[3]", backend);
    REFUSED(dcps_tape_embedding(tape, p[0], NULL, 0, NULL), "embedding");
    REFUSED(dcps_tape_dropout(tape, p[0], 1.0f, 0, 0), "dropout", "below 1", "[2, 3]", backend);
    REFUSED(dcps_tape_dropout(tape, p[0], NAN, 0, 0), "dropout");
    REFUSED(dcps_tape_layer_norm(tape, p[0], p[1], p[3], 1e-5f), "layer_norm", "[2, 3] and [3] and [2]", backend);
    REFUSED(dcps_tape_layer_norm(tape, p[0], p[1], p[1], 0.0f), "layer_norm", "epsilon");
    tape_fixture_fini(&fixture);
}
END_TEST

/* Known answers of the reference implementation that comes with the paper (kat_vectors of Random123, philox4x32 10). */
START_TEST(philox_known_answers)
{
    uint32_t zeros[4] = {0, 0, 0, 0}, ones[4] = {~0u, ~0u, ~0u, ~0u};
    dcps_philox_rounds(zeros, 0);
    ck_assert_mem_eq(zeros, ((uint32_t[]){0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}), sizeof(zeros));
    dcps_philox_rounds(ones, UINT64_MAX);
    ck_assert_mem_eq(ones, ((uint32_t[]){0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}), sizeof(ones));
}
END_TEST

/* The share dropped is the rate; masks differ from call to call and from batch to batch, and come again with the same batch. */
START_TEST(dropout_masks)
{
    enum { COUNT = 40000 };
    static float x[COUNT], seen[4][COUNT];
    tape_fixture fixture;
    tape_fixture_init(&fixture, "40000", _i == 0 ? dcps_ref_backend() : dcps_cpu_backend());
    for (int i = 0; i < COUNT; i++) {
        x[i] = fixture.weights[i] = 1.0f;
    }
    dcps_tape *tape = fixture.tape;
    for (int batch = 0; batch < 2; batch++) {
        for (int call = 0; call < 2; call++) {
            dcps_tensor *y = dcps_tape_dropout(tape, dcps_tape_parameter(tape, 0), 0.3f, 5, (uint64_t)batch);
            memcpy(seen[2 * batch + call], dcps_tensor_values(tape, y), sizeof(seen[0]));
        }
        dcps_tape_reset(tape);
    }
    for (int a = 0; a < 4; a++) {
        int dropped = 0;
        for (int i = 0; i < COUNT; i++) {
            dropped += seen[a][i] == 0.0f;
        }
        ck_assert_double_eq_tol(dropped / (double)COUNT, 0.3, 0.01); /* four standard deviations */
        for (int b = 0; b < a; b++) {
            int equal = 0;
            for (int i = 0; i < COUNT; i++) {
                equal += seen[a][i] == seen[b][i];
            }
            ck_assert_double_eq_tol(equal / (double)COUNT, 0.58, 0.012);
        }
    }
    dcps_tensor *again = dcps_tape_dropout(tape, dcps_tape_parameter(tape, 0), 0.3f, 5, 0);
    ck_assert_mem_eq(dcps_tensor_values(tape, again), seen[0], sizeof(seen[0]));
    dcps_tensor *whole =
        dcps_tape_dropout(fixture.evaluation, dcps_tape_input(fixture.evaluation, x, 1, (size_t[]){COUNT}), 0.3f, 5, 0);
    ck_assert_ptr_eq(dcps_tensor_values(fixture.evaluation, whole), x);
    tape_fixture_fini(&fixture);
}
END_TEST

/* Two layers over `steps` steps in one call, or in two calls of which the second takes up the states of the first. Mean square of the uppermost h. */
static void run_lstm(tape_fixture *fixture, const dcps_backend *backend, bool split)
{
    enum { STEPS = 5, BATCH = 3, INPUT = 4, FIRST = 2 };
    static float x[STEPS * BATCH * INPUT];
    fill_random(x, sizeof(x) / sizeof(x[0]), 5);
    tape_fixture_init(fixture, "4,24;6,24;24;3,6;3,6;6,24;6,24;24;3,6;3,6", backend);
    dcps_tape *tape = fixture->tape;
    dcps_tensor *p[10];
    for (uint32_t i = 0; i < 10; i++) {
        p[i] = dcps_tape_parameter(tape, i);
    }
    dcps_lstm_layer layers[2] = {{p[0], p[1], p[2], p[3], p[4]}, {p[5], p[6], p[7], p[8], p[9]}};
    dcps_lstm_state after[2] = {{NULL, NULL}, {NULL, NULL}};
    dcps_tensor *h;
    if (split) {
        dcps_tensor *parts[2];
        for (int i = 0; i < 2; i++) {
            size_t steps = i == 0 ? FIRST : STEPS - FIRST;
            dcps_tensor *in = dcps_tape_input(tape, x + i * FIRST * BATCH * INPUT, 3, (size_t[]){steps, BATCH, INPUT});
            parts[i] = dcps_tape_lstm(tape, in, 2, layers, after);
            for (int l = 0; l < 2; l++) {
                layers[l].h = after[l].h;
                layers[l].c = after[l].c;
            }
        }
        h = dcps_tape_concat(tape, 2, parts, 0);
    } else {
        h = dcps_tape_lstm(tape, dcps_tape_input(tape, x, 3, (size_t[]){STEPS, BATCH, INPUT}), 2, layers, after);
    }
    dcps_tensor *loss = dcps_tape_add(tape, dcps_tape_mean(tape, dcps_tape_mul(tape, h, h)),
                                      dcps_tape_mean(tape, dcps_tape_mul(tape, after[0].c, after[1].h)));
    ck_assert_msg(loss != NULL, "%s", dcps_error_message());
    ck_assert_uint_eq(dcps_tensor_dim(h, 0), STEPS);
    ck_assert_uint_eq(dcps_tensor_dim_count(after[1].h), 2);
    ck_assert_int_eq(dcps_tape_backward(tape, loss), DCPS_OK);
}

START_TEST(lstm_states_carry_on)
{
    tape_fixture whole, other;
    run_lstm(&whole, dcps_ref_backend(), false);
    run_lstm(&other, _i == 0 ? dcps_ref_backend() : dcps_cpu_backend(), true);
    for (uint64_t i = 0; i < whole.params; i++) {
        ck_assert_double_eq_tol((double)other.gradient[i], (double)whole.gradient[i], 1e-6);
    }
    for (uint32_t i = 0; i < 10; i++) {
        const dcps_layout_tensor *tensor = dcps_layout_tensor_at(whole.layout, i);
        double largest = 0.0;
        for (uint64_t j = 0; j < tensor->count_params; j++) {
            largest = fmax(largest, fabs((double)whole.gradient[tensor->offset_params + j]));
        }
        ck_assert_msg(largest > 1e-4, "the gradient of parameter %u vanishes", i);
    }
    tape_fixture_fini(&whole);
    tape_fixture_fini(&other);
}
END_TEST

START_TEST(wrong_lstms_are_refused)
{
    tape_fixture fixture;
    tape_fixture_init(&fixture, "2,3,4;4,8;2,8;8;3,2", _i == 0 ? dcps_ref_backend() : dcps_cpu_backend());
    dcps_tape *tape = fixture.tape;
    dcps_tensor *p[5];
    for (uint32_t i = 0; i < 5; i++) {
        p[i] = dcps_tape_parameter(tape, i);
    }
    const dcps_lstm_layer good = {p[1], p[2], p[3], p[4], p[4]};
    dcps_lstm_layer layers[2] = {good, good};
    REFUSED(dcps_tape_lstm(tape, p[0], 0, layers, NULL), "lstm", "at least one layer",
            _i == 0 ? "backend ref" : "backend cpu");
    REFUSED(dcps_tape_lstm(tape, p[4], 1, layers, NULL), "lstm", "[3, 2] and [4, 8] and [2, 8] and [8] and 2 more");
    REFUSED(dcps_tape_lstm(tape, p[0], 2, layers, NULL), "lstm", "[2, 3, 2] and [4, 8]");
    for (int wrong = 0; wrong < 5; wrong++) {
        layers[0] = good;
        *(dcps_tensor * *[]){&layers[0].w_input, &layers[0].w_hidden, &layers[0].bias, &layers[0].h,
                             &layers[0].c}[wrong] = p[0];
        REFUSED(dcps_tape_lstm(tape, p[0], 1, layers, NULL), "lstm", "w_input [input, 4 hidden]");
    }
    ck_assert_ptr_nonnull(dcps_tape_lstm(tape, p[0], 1, &good, NULL));
    tape_fixture_fini(&fixture);
}
END_TEST

/* A batch is normalised by itself and its statistics are what is pushed; an evaluation takes those of the layout. */
START_TEST(batch_norm_statistics)
{
    tape_fixture fixture;
    tape_fixture_init(&fixture, "1;1;~1;~1;~1", _i == 0 ? dcps_ref_backend() : dcps_cpu_backend());
    const float weights[5] = {3.0f, 5.0f, 2.0f, 7.0f, 11.0f}; /* scale, shift, mean, variance, one that is not used */
    for (int i = 0; i < 5; i++) {
        fixture.weights[16 * i] = weights[i];
    }
    const float x[4] = {2, 4, 6, 8}; /* mean 5, variance 5, with divisor n − 1 20 / 3 */
    for (int round = 0; round < 2; round++) {
        dcps_tape *tape = round == 0 ? fixture.tape : fixture.evaluation;
        dcps_tensor *p[4];
        for (uint32_t i = 0; i < 4; i++) {
            p[i] = dcps_tape_parameter(tape, i);
        }
        dcps_tensor *y = dcps_tape_batch_norm(tape, dcps_tape_input(tape, x, 4, (size_t[]){1, 1, 2, 2}), p[0], p[1],
                                              p[2], p[3], 1.0f);
        double used_mean = round == 0 ? 5.0 : 2.0, used_variance = round == 0 ? 5.0 : 7.0;
        for (int i = 0; i < 4; i++) {
            ck_assert_double_eq_tol((double)dcps_tensor_values(tape, y)[i],
                                    3.0 * ((double)x[i] - used_mean) / sqrt(used_variance + 1.0) + 5.0, 1e-5);
        }
        if (round == 0) {
            ck_assert_int_eq(dcps_tape_backward(tape, dcps_tape_sum(tape, y)), DCPS_OK);
        }
    }
    const double pushed[5] = {0.0, 4.0, 5.0, 20.0 / 3.0, 11.0};
    for (int i = 0; i < 5; i++) {
        ck_assert_double_eq_tol((double)fixture.gradient[16 * i], pushed[i], 1e-5);
    }
    tape_fixture_fini(&fixture);
}
END_TEST

/* Images of nets, [4, 3, 9, 9]. */
static float net_images[4 * 3 * 9 * 9];
static const int32_t net_labels[4] = {1, 4, 0, 2};

static dcps_tensor *norm(dcps_tape *tape, dcps_tensor *x, uint32_t first, uint32_t mean)
{
    return dcps_tape_batch_norm(tape, x, dcps_tape_parameter(tape, first), dcps_tape_parameter(tape, first + 1),
                                dcps_tape_parameter(tape, mean), dcps_tape_parameter(tape, mean + 1), 1e-5f);
}

/* A small residual net: its images change order in many places, and are used more than once. */
static dcps_tensor *residual_net(dcps_tape *tape)
{
    dcps_tensor *input = dcps_tape_input(tape, net_images, 4, (size_t[]){4, 3, 9, 9});
    dcps_tensor *h = dcps_tape_conv2d(tape, input, dcps_tape_parameter(tape, 0), 2, 1);
    dcps_tensor *shortcut = dcps_tape_relu(tape, norm(tape, h, 1, 6));
    h = dcps_tape_conv2d(tape, shortcut, dcps_tape_parameter(tape, 3), 1, 1);
    h = dcps_tape_add(tape, h, shortcut);
    h = dcps_tape_add(tape, h, dcps_tape_transpose(tape, h, 2, 3)); /* row-major on one side only */
    h = dcps_tape_max_pool(tape, h, 3, 2, 1);
    dcps_tensor *logits = dcps_tape_matmul(tape, dcps_tape_global_avg_pool(tape, h), dcps_tape_parameter(tape, 4));
    dcps_tensor *flat = dcps_tape_reshape(tape, h, 2, (size_t[]){4, dcps_tensor_count(h) / 4});
    logits = dcps_tape_add(tape, logits, dcps_tape_matmul(tape, flat, dcps_tape_parameter(tape, 5)));
    return dcps_tape_cross_entropy(tape, logits, net_labels);
}

/* A net whose images lie in three orders, among them one and the same image; where it is halved, the shortcut gets channels of its own. */
static dcps_tensor *halving_net(dcps_tape *tape)
{
    dcps_tensor *p[11];
    for (uint32_t i = 0; i < 11; i++) {
        p[i] = dcps_tape_parameter(tape, i);
    }
    dcps_tensor *x = dcps_tape_input(tape, net_images, 4, (size_t[]){4, 3, 9, 9});
    x = dcps_tape_conv2d(tape, x, p[0], 1, 1);
    x = dcps_tape_batch_norm_relu(tape, x, p[1], p[2], p[7], p[8], 1e-5f, NULL);
    dcps_tensor *thinned = dcps_tape_avg_pool(tape, x, 1, 2, 0);
    dcps_tensor *shortcut =
        dcps_tape_concat(tape, 2, (dcps_tensor *[]){thinned, dcps_tape_scale(tape, thinned, 0.5f)}, 1);
    dcps_tensor *y = dcps_tape_conv2d(tape, x, p[3], 2, 1);
    y = dcps_tape_batch_norm_relu(tape, y, p[4], p[5], p[9], p[10], 1e-5f, shortcut);
    dcps_tensor *turned = dcps_tape_transpose(tape, y, 2, 3); /* needs y row-major, */
    dcps_tensor *few = dcps_tape_conv2d(tape, y, p[6], 1, 1); /* channels last, */
    y = dcps_tape_add(tape, y, turned);                       /* and in blocks */
    dcps_tensor *logits = dcps_tape_add(tape, dcps_tape_global_avg_pool(tape, few),
                                        dcps_tape_slice(tape, dcps_tape_global_avg_pool(tape, y), 1, 3, 5));
    return dcps_tape_cross_entropy(tape, logits, net_labels);
}

static const struct {
    const char *shapes;
    dcps_tensor *(*build)(dcps_tape *tape);
} nets[] = {
    {"6,3,3,3;6;6;6,6,3,3;6,5;54,5;~6;~6", residual_net},
    {"16,3,3,3;16;16;16,16,3,3;16,5;144,5;~16;~16", residual_net},
    {"16,3,3,3;16;16;32,16,3,3;32;32;5,32,3,3;~16;~16;~32;~32", halving_net},
    {"5,3,3,3;5;5;10,5,3,3;10;10;5,10,3,3;~5;~5;~10;~10", halving_net},
};

/* The loss of a net, and in the fixture its gradients. */
static double run_net(tape_fixture *fixture, int net, const dcps_backend *backend)
{
    fill_random(net_images, sizeof(net_images) / sizeof(net_images[0]), 5);
    tape_fixture_init(fixture, nets[net].shapes, backend);
    dcps_tape *tape = fixture->tape;
    double loss = 0.0;
    for (int round = 0; round < 3; round++) {
        uint64_t before = dcps_alloc_count();
        dcps_tape_reset(tape);
        fixture->finals = 0;
        dcps_tensor *result = nets[net].build(tape);
        ck_assert_msg(result != NULL, "%s", dcps_error_message());
        loss = (double)dcps_tensor_values(tape, result)[0];
        ck_assert_int_eq(dcps_tape_backward(tape, result), DCPS_OK);
        ck_assert(round < 2 || dcps_alloc_count() == before);
    }
    return loss;
}

START_TEST(image_nets_agree)
{
    tape_fixture ref, cpu;
    ck_assert_double_eq_tol(run_net(&ref, _i, dcps_ref_backend()), run_net(&cpu, _i, dcps_cpu_backend()), 1e-5);
    ck_assert_uint_eq(ref.finals, dcps_layout_tensor_count(ref.layout));
    ck_assert_uint_eq(cpu.finals, ref.finals);
    double largest = 0.0;
    for (uint64_t i = 0; i < ref.params; i++) {
        largest = fmax(largest, fabs((double)ref.gradient[i]));
        ck_assert_double_eq_tol((double)cpu.gradient[i], (double)ref.gradient[i], 2e-5);
    }
    ck_assert_double_gt(largest, 0.01);
    tape_fixture_fini(&ref);
    tape_fixture_fini(&cpu);
}
END_TEST

/* A view is the same memory, and its gradient reaches what it shows. */
START_TEST(reshape_shares_values)
{
    tape_fixture fixture;
    tape_fixture_init(&fixture, "2,3", _i == 0 ? dcps_ref_backend() : dcps_cpu_backend());
    dcps_tensor *w = dcps_tape_parameter(fixture.tape, 0);
    dcps_tensor *view = dcps_tape_reshape(fixture.tape, w, 1, (size_t[]){6});
    ck_assert_ptr_eq(dcps_tensor_values(fixture.tape, view), fixture.weights);
    dcps_tensor *loss = dcps_tape_sum(fixture.tape, dcps_tape_mul(fixture.tape, view, view));
    ck_assert_int_eq(dcps_tape_backward(fixture.tape, loss), DCPS_OK);
    for (int i = 0; i < 6; i++) {
        ck_assert_double_eq((double)fixture.gradient[i], 2.0 * (double)fixture.weights[i]);
    }
    tape_fixture_fini(&fixture);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("ops");
    TCase *tests = tcase_create("ops");
    tcase_set_timeout(tests, 60);
    const TTest *on_both[] = {
        known_results,         not_a_number_stays_visible, wrong_shapes_are_refused, wrong_images_are_refused,
        wrong_data_is_refused, wrong_lstms_are_refused,    lstm_states_carry_on,     dropout_masks,
        batch_norm_statistics, reshape_shares_values};
    for (size_t i = 0; i < sizeof(on_both) / sizeof(on_both[0]); i++) {
        tcase_add_loop_test(tests, on_both[i], 0, 2);
    }
    tcase_add_test(tests, philox_known_answers);
    tcase_add_loop_test(tests, image_nets_agree, 0, (int)(sizeof(nets) / sizeof(nets[0])));
    suite_add_tcase(suite, tests);
    return check_run(suite);
}
