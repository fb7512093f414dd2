/* Kernels, straight at the backend tables: ref against written-out results and finite differences, every other backend against ref. */
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "support/check_main.h"
#include "support/tape_fixture.h"
#include "tensor/cpu/cpu.h"
#include "tensor/ops.h"
#include "tensor/ref/ref.h"

/* One op applied to random inputs. */
typedef struct op_case {
    dcps_op op;
    size_t a, b, c; /* sizes, as the op reads them */
} op_case;

static const op_case cases[] = {
    /* a [a, b] · b [b, c] */
    {DCPS_OP_MATMUL, 1, 1, 1},
    {DCPS_OP_MATMUL, 1, 7, 1},
    {DCPS_OP_MATMUL, 3, 5, 7},
    {DCPS_OP_MATMUL, 17, 1, 33},
    {DCPS_OP_MATMUL, 65, 129, 10},
    {DCPS_OP_MATMUL, 128, 784, 256},
    /* x [a, b] + bias [b] */
    {DCPS_OP_BIAS, 1, 1, 0},
    {DCPS_OP_BIAS, 5, 3, 0},
    {DCPS_OP_BIAS, 1, 31, 0},
    {DCPS_OP_BIAS, 127, 257, 0},
    /* x [a, b, c] */
    {DCPS_OP_RELU, 1, 1, 1},
    {DCPS_OP_RELU, 3, 5, 1},
    {DCPS_OP_RELU, 13, 11, 17},
    /* logits [a, b] */
    {DCPS_OP_CROSS_ENTROPY, 1, 1, 0},
    {DCPS_OP_CROSS_ENTROPY, 1, 10, 0},
    {DCPS_OP_CROSS_ENTROPY, 7, 3, 0},
    {DCPS_OP_CROSS_ENTROPY, 128, 1001, 0},
};
#define CASE_COUNT ((int)(sizeof cases / sizeof cases[0]))
_Static_assert(DCPS_OP_COUNT == 4, "a new op needs cases here");

/* A call with memory of its own. */
typedef struct bench {
    dcps_call call;
    dcps_tensor x[2];
    dcps_tensor y;
    float *values[2];
    float *dy;
    int32_t *labels;
    dcps_cross_entropy_attributes attributes;
} bench;

static float *floats(size_t count)
{
    float *values = dcps_alloc_aligned(count, sizeof(float));
    ck_assert_ptr_nonnull(values);
    return values;
}

static void shape(dcps_tensor *tensor, uint32_t dim_count, size_t d0, size_t d1, size_t d2)
{
    size_t dims[3] = {d0, d1, d2};
    *tensor = (dcps_tensor){.dim_count = dim_count, .count = 1};
    for (uint32_t i = 0; i < dim_count; i++) {
        tensor->dims[i] = dims[i];
        tensor->count *= dims[i];
    }
}

static void bench_shape(bench *self, const op_case *which)
{
    size_t a = which->a, b = which->b, c = which->c;
    self->call.input_count = which->op == DCPS_OP_MATMUL || which->op == DCPS_OP_BIAS ? 2 : 1;
    shape(&self->x[0], which->op == DCPS_OP_RELU ? 3 : 2, a, b, c);
    switch (which->op) {
    case DCPS_OP_MATMUL:
        shape(&self->x[1], 2, b, c, 0);
        shape(&self->y, 2, a, c, 0);
        break;
    case DCPS_OP_BIAS:
        shape(&self->x[1], 1, b, 0, 0);
        shape(&self->y, 2, a, b, 0);
        break;
    case DCPS_OP_RELU:
        shape(&self->y, 3, a, b, c);
        break;
    default:
        shape(&self->y, 0, 0, 0, 0);
        self->labels = dcps_alloc(a, sizeof(int32_t));
        for (size_t i = 0; i < a; i++)
            self->labels[i] = (int32_t)(i * 7 % b);
        self->attributes.labels = self->labels;
        self->call.attributes = &self->attributes;
        self->call.saved = floats(a * b);
    }
}

static void bench_init(bench *self, const op_case *which)
{
    *self = (bench){.call = {.op = which->op}};
    bench_shape(self, which);
    self->call.y = &self->y;
    for (uint32_t i = 0; i < self->call.input_count; i++) {
        self->values[i] = floats(self->x[i].count);
        fill_random(self->values[i], self->x[i].count, 100 + i);
        /* Away from the kink of relu, so that finite differences mean something. */
        for (size_t j = 0; j < self->x[i].count; j++)
            self->values[i][j] += self->values[i][j] < 0.0f ? -0.05f : 0.05f;
        self->x[i].values = self->values[i];
        self->call.x[i] = &self->x[i];
    }
    self->dy = floats(self->y.count);
    fill_random(self->dy, self->y.count, 200);
}

static void bench_fini(bench *self)
{
    for (int i = 0; i < 2; i++)
        dcps_free(self->values[i]);
    dcps_free(self->dy);
    dcps_free(self->labels);
    dcps_free(self->call.saved);
}

static void forward(const bench *self, const dcps_backend *backend, float *y)
{
    ck_assert_int_eq(backend->kernels[self->call.op]->forward(&self->call, y), DCPS_OK);
}

/* Sum over dy · y in double: the scalar whose gradient backward computes. */
static double objective(const bench *self)
{
    float *y = floats(self->y.count);
    double sum = 0.0;
    forward(self, dcps_ref_backend(), y);
    for (size_t i = 0; i < self->y.count; i++)
        sum += (double)self->dy[i] * (double)y[i];
    dcps_free(y);
    return sum;
}

/* Gradients of all inputs; each vector is first filled with `before`. */
static void backward(const bench *self, const dcps_backend *backend, bool add, float before, float *dx[2])
{
    dcps_gradient_slot slots[DCPS_OP_MAX_INPUTS] = {0};
    for (uint32_t i = 0; i < self->call.input_count; i++) {
        dx[i] = floats(self->x[i].count);
        for (size_t j = 0; j < self->x[i].count; j++)
            dx[i][j] = before;
        slots[i] = (dcps_gradient_slot){.values = dx[i], .add = add};
    }
    float *y = floats(self->y.count);
    forward(self, backend, y); /* leaves `saved` */
    dcps_free(y);
    ck_assert_int_eq(backend->kernels[self->call.op]->backward(&self->call, self->dy, slots), DCPS_OK);
}

static void assert_close(const float *seen, const float *expected, size_t count, double tolerance)
{
    for (size_t i = 0; i < count; i++)
        ck_assert_msg(fabs((double)seen[i] - (double)expected[i]) <= tolerance * (1.0 + fabs((double)expected[i])),
                      "at %zu of %zu: expected %.9g, seen %.9g", i, count, (double)expected[i], (double)seen[i]);
}

START_TEST(cpu_forward_equals_ref)
{
    bench self;
    bench_init(&self, &cases[_i]);
    float *ref = floats(self.y.count), *cpu = floats(self.y.count);
    forward(&self, dcps_ref_backend(), ref);
    forward(&self, dcps_cpu_backend(), cpu);
    assert_close(cpu, ref, self.y.count, 3e-5);
    dcps_free(ref);
    dcps_free(cpu);
    bench_fini(&self);
}
END_TEST

static void compare_backward(bool add, float before_cpu)
{
    for (int which = 0; which < CASE_COUNT; which++) {
        bench self;
        float *ref[2], *cpu[2];
        bench_init(&self, &cases[which]);
        backward(&self, dcps_ref_backend(), add, 0.25f, ref);
        backward(&self, dcps_cpu_backend(), add, before_cpu, cpu);
        for (uint32_t i = 0; i < self.call.input_count; i++) {
            assert_close(cpu[i], ref[i], self.x[i].count, 3e-5);
            dcps_free(ref[i]);
            dcps_free(cpu[i]);
        }
        bench_fini(&self);
    }
}

START_TEST(cpu_backward_overwrites_whatever_was_there)
{
    compare_backward(false, NAN);
}
END_TEST

START_TEST(cpu_backward_adds)
{
    compare_backward(true, 0.25f);
}
END_TEST

START_TEST(unwanted_gradients_are_skipped)
{
    for (int which = 0; which < CASE_COUNT; which++) {
        bench self;
        bench_init(&self, &cases[which]);
        const dcps_backend *backends[] = {dcps_ref_backend(), dcps_cpu_backend()};
        float *all[2], *y = floats(self.y.count), *one = floats(self.x[0].count);
        for (int b = 0; b < 2 && self.call.input_count == 2; b++) {
            const dcps_kernel *kernel = backends[b]->kernels[self.call.op];
            backward(&self, backends[b], false, 0.0f, all);
            dcps_gradient_slot first[2] = {{.values = one}, {0}}, second[2] = {{0}, {.values = all[1]}};
            ck_assert_int_eq(kernel->backward(&self.call, self.dy, first), DCPS_OK);
            ck_assert_mem_eq(one, all[0], self.x[0].count * sizeof(float));
            ck_assert_int_eq(kernel->backward(&self.call, self.dy, second), DCPS_OK);
            dcps_free(all[0]);
            dcps_free(all[1]);
        }
        dcps_free(y);
        dcps_free(one);
        bench_fini(&self);
    }
}
END_TEST

/* Central differences of the reference, in at most 40 coordinates of each input. */
START_TEST(ref_backward_is_the_derivative)
{
    bench self;
    float *dx[2];
    bench_init(&self, &cases[_i]);
    backward(&self, dcps_ref_backend(), false, NAN, dx);
    for (uint32_t i = 0; i < self.call.input_count && self.x[i].count < 20000; i++) {
        size_t stride = self.x[i].count / 40 + 1;
        for (size_t j = 0; j < self.x[i].count; j += stride) {
            const float keep = self.values[i][j], h = 1.0f / 64.0f;
            self.values[i][j] = keep + h;
            double above = objective(&self);
            self.values[i][j] = keep - h;
            double below = objective(&self), width = (double)(keep + h) - (double)(keep - h);
            self.values[i][j] = keep;
            double slope = (above - below) / width, seen = (double)dx[i][j];
            ck_assert_msg(fabs(slope - seen) <= 2e-4 * (1.0 + fabs(slope)),
                          "%s input %u at %zu: slope %.8g, gradient %.8g", dcps_op_name(self.call.op), i, j, slope,
                          seen);
        }
    }
    dcps_free(dx[0]);
    if (self.call.input_count == 2)
        dcps_free(dx[1]);
    bench_fini(&self);
}
END_TEST

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

/* The same inputs and number of threads give the same bits. */
START_TEST(cpu_products_repeat_to_the_bit)
{
    dcps_cpu_set_threads((uint32_t)_i);
    for (int which = 0; which < CASE_COUNT; which++) {
        bench self;
        float *first[2], *again[2];
        bench_init(&self, &cases[which]);
        backward(&self, dcps_cpu_backend(), false, NAN, first);
        float *y = floats(self.y.count), *y_again = floats(self.y.count);
        forward(&self, dcps_cpu_backend(), y);
        for (int round = 0; round < 5; round++) {
            forward(&self, dcps_cpu_backend(), y_again);
            ck_assert_mem_eq(y, y_again, self.y.count * sizeof(float));
            backward(&self, dcps_cpu_backend(), false, NAN, again);
            for (uint32_t i = 0; i < self.call.input_count; i++) {
                ck_assert_mem_eq(first[i], again[i], self.x[i].count * sizeof(float));
                dcps_free(again[i]);
            }
        }
        for (uint32_t i = 0; i < self.call.input_count; i++)
            dcps_free(first[i]);
        dcps_free(y);
        dcps_free(y_again);
        bench_fini(&self);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("ops");
    TCase *tests = tcase_create("ops");
    tcase_set_timeout(tests, 60);
    tcase_add_loop_test(tests, cpu_forward_equals_ref, 0, CASE_COUNT);
    tcase_add_test(tests, cpu_backward_overwrites_whatever_was_there);
    tcase_add_test(tests, cpu_backward_adds);
    tcase_add_test(tests, unwanted_gradients_are_skipped);
    tcase_add_loop_test(tests, ref_backward_is_the_derivative, 0, CASE_COUNT);
    tcase_add_loop_test(tests, known_results, 0, 2);
    tcase_add_loop_test(tests, not_a_number_stays_visible, 0, 2);
    tcase_add_loop_test(tests, cpu_products_repeat_to_the_bit, 1, 3);
    suite_add_tcase(suite, tests);
    return check_run(suite);
}
