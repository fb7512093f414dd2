/* Clipping of gradients on a device: as the host does it, to the rounding of a float. */
#include <check.h>
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "cuda/cuda.h"
#include "support/check_main.h"
#include "support/cuda/ref_on_device.h"
#include "support/device_pair.h"
#include "tensor/ref/ref.h"
#include "tensor/tape_state.h"

/* A tape whose gradient is clipped. */
typedef struct clipped {
    dcps_tape *tape;
    float *gradient, *at_report;
    uint64_t params, reported;
} clipped;

static void on_report(void *context, uint64_t first, uint64_t count)
{
    clipped *self = context;
    memcpy(self->at_report + first, self->gradient + first, count * sizeof(float));
    self->reported += count;
}

static void clipped_init(clipped *self, const tape_fixture *fixture, const dcps_backend *backend, dcps_device *device,
                         double limit)
{
    *self = (clipped){.params = fixture->params,
                      .gradient = dcps_alloc_aligned(fixture->params, sizeof(float)),
                      .at_report = dcps_alloc_aligned(fixture->params, sizeof(float))};
    dcps_tape_config config = {.layout = fixture->layout,
                               .weights = fixture->weights,
                               .gradient = self->gradient,
                               .backend = backend,
                               .device = device,
                               .gradient_final = on_report,
                               .context = self,
                               .clip_norm = limit};
    ck_assert_int_eq(dcps_tape_create(&config, &self->tape), DCPS_OK);
}

static void clipped_fini(clipped *self)
{
    dcps_tape_destroy(&self->tape);
    dcps_free(self->gradient);
    dcps_free(self->at_report);
}

static dcps_status run(clipped *self, const pair *of)
{
    self->reported = 0;
    dcps_tape_reset(self->tape);
    for (uint64_t i = 0; self->tape->on_device != NULL && i < self->params; i++) {
        self->gradient[i] = NAN; /* a host leaves padding alone */
    }
    return dcps_tape_backward(self->tape, pair_loss(of, self->tape, pair_hidden(of, self->tape, BATCH)));
}

/* A step in which each tensor is reported once, and as it stays. */
static void clipped_step(clipped *self, const pair *of)
{
    ck_assert_msg(run(self, of) == DCPS_OK, "%s", dcps_error_message());
    ck_assert_uint_eq(self->reported, self->params);
    expect_same_bits(self->gradient, self->at_report, self->params, "gradient when reported");
}

static double norm_of(const dcps_layout *layout, const float *gradient, bool averaged)
{
    double sum = 0.0;
    for (uint32_t t = 0; t < dcps_layout_tensor_count(layout); t++) {
        const dcps_layout_tensor *tensor = dcps_layout_tensor_at(layout, t);
        for (uint64_t i = tensor->offset_params; i < tensor->offset_params + tensor->count_params; i++) {
            sum += (tensor->average_rate > 0.0f) == averaged ? (double)gradient[i] * (double)gradient[i] : 0.0;
        }
    }
    return sqrt(sum);
}

static void expect_close(const float *expected, const float *seen, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        if (!(fabsf(seen[i] - expected[i]) <= 2e-7f * fabsf(expected[i]))) {
            ck_abort_msg("element %llu is %.9g, expected %.9g", (unsigned long long)i, (double)seen[i],
                         (double)expected[i]);
        }
    }
}

/* To `share` of the norm that the gradient has. */
static void clip_to(double share)
{
    pair self;
    clipped host, there;
    unsigned long calls = 0;
    pair_init(&self, LARGE);
    pair_step(&self, BATCH);
    const double norm = norm_of(self.host.layout, self.host.gradient, false);
    clipped_init(&host, &self.host, dcps_ref_backend(), NULL, share * norm);
    clipped_init(&there, &self.there, ref_on_device_backend(), self.device, share * norm);
    for (int i = 0; i < 7; i++) { /* measured, run, captured, replayed */
        if (i > 0) {
            pair_step(&self, BATCH);
        }
        const double before = norm_of(self.host.layout, self.host.gradient, false);
        clipped_step(&host, &self);
        calls = ref_on_device_calls();
        clipped_step(&there, &self);
        const double after = norm_of(self.host.layout, there.gradient, false);
        ck_assert_double_eq_tol(after, fmin(before, share * norm), 1e-6 * before);
        ck_assert(norm_of(self.host.layout, there.gradient, true) ==
                  norm_of(self.host.layout, self.host.gradient, true));
        expect_close(host.gradient, there.gradient, self.host.params);
    }
    ck_assert(!there.tape->on_device->replay.off);
    ck_assert_uint_eq(ref_on_device_calls(), calls);
    clipped_fini(&host);
    clipped_fini(&there);
    pair_fini(&self);
}

START_TEST(gradients_are_clipped_on_the_device)
{
    clip_to(0.25);
    clip_to(4.0);
}
END_TEST

/* Whatever fails, in whichever step: that step says so, and the next is right. */
START_TEST(failures_spoil_no_other_step)
{
    pair self;
    clipped there;
    pair_init(&self, SMALL);
    clipped_init(&there, &self.there, ref_on_device_backend(), self.device, 0.1);
    for (unsigned long n = 0; n < 60; n++) {
        pair_next_batch(&self);
        if (n % 2 == 0) {
            ref_on_device_fail_after(n / 2 % 20);
        } else {
            dcps_alloc_fail_after(n / 2);
        }
        const dcps_status status = run(&there, &self);
        ref_on_device_fail_after(~0ul);
        dcps_alloc_fail_after(UINT64_MAX);
        ck_assert(status == DCPS_OK || status == (n % 2 == 0 ? DCPS_SYSTEM : DCPS_NO_MEMORY));
        if (n % 3 == 0) {
            clipped_step(&there, &self);
            ck_assert_double_eq_tol(norm_of(self.there.layout, there.gradient, false), 0.1, 1e-6);
        }
    }
    clipped_fini(&there);
    pair_fini(&self);
}
END_TEST

START_TEST(lack_of_memory_makes_no_tape)
{
    pair self;
    pair_init(&self, SMALL);
    dcps_tape_config config = {.layout = self.there.layout,
                               .weights = self.there.weights,
                               .gradient = self.there.gradient,
                               .backend = ref_on_device_backend(),
                               .device = self.device,
                               .clip_norm = 1.0};
    dcps_tape *tape = NULL;
    uint64_t n = 0;
    dcps_status status = DCPS_NO_MEMORY;
    for (; status == DCPS_NO_MEMORY; n++) {
        dcps_alloc_fail_after(n);
        status = dcps_tape_create(&config, &tape);
        dcps_alloc_fail_after(UINT64_MAX);
    }
    ck_assert_int_eq(status, DCPS_OK);
    ck_assert_uint_gt(n, 3);
    dcps_tape_destroy(&tape);
    pair_fini(&self);
}
END_TEST

/* Two ranges, the first larger than all blocks take in one go, and what lies between and behind them, which is not clipped. */
#define FIRST 4300032u
#define GAP 64u
#define SECOND 320u
#define TOTAL (FIRST + GAP + SECOND + GAP)

static void clip_values(dcps_device *device, const float *values, double limit, float *clipped_values)
{
    const dcps_device_ops *ops = ref_on_device_backend()->device_ops;
    const dcps_device_range ranges[] = {{.first = 0, .count = FIRST}, {.first = FIRST + GAP, .count = SECOND}};
    float *there = ops->take(device, TOTAL * sizeof(float));
    double *sums = ops->take(device, (2 * DCPS_CLIP_SUMS + 1) * sizeof(double));
    ck_assert_int_eq(ops->upload(device, there, values, TOTAL * sizeof(float)), DCPS_OK);
    ck_assert_int_eq(ops->clip(device, there, ranges, 2, limit, sums), DCPS_OK);
    ck_assert_int_eq(ops->follow(device), DCPS_OK);
    ck_assert_int_eq(ops->download(device, clipped_values, there, TOTAL * sizeof(float)), DCPS_OK);
    ck_assert_int_eq(ops->finish(device), DCPS_OK);
    ops->release(device, there);
    ops->release(device, sums);
}

static double square_sum(const float *values, size_t count)
{
    double sum = 0.0;
    for (size_t i = 0; i < count; i++) {
        sum += (double)values[i] * (double)values[i];
    }
    return sum;
}

START_TEST(two_ranges_share_one_norm)
{
    dcps_device *device = NULL;
    ck_assert_int_eq(dcps_cuda_open(0, &device), DCPS_OK);
    float *values = dcps_alloc_aligned(TOTAL, sizeof(float)), *seen = dcps_alloc_aligned(TOTAL, sizeof(float));
    fill_random(values, TOTAL, 3);
    for (size_t i = FIRST + GAP; i < FIRST + GAP + SECOND; i++) {
        values[i] *= 100.0f; /* so that its share of the norm shows */
    }
    const double norm = sqrt(square_sum(values, FIRST) + square_sum(values + FIRST + GAP, SECOND));
    clip_values(device, values, norm / 3.0, seen);
    for (size_t i = 0; i < TOTAL; i++) {
        bool trained = i < FIRST || (i >= FIRST + GAP && i < FIRST + GAP + SECOND);
        float expected = trained ? values[i] * (float)(1.0 / 3.0) : values[i];
        if (!(fabsf(seen[i] - expected) <= (trained ? 2e-7f * fabsf(expected) : 0.0f))) {
            ck_abort_msg("element %zu is %.9g, expected %.9g", i, (double)seen[i], (double)expected);
        }
    }
    clip_values(device, values, norm * 1.001, seen);
    expect_same_bits(values, seen, TOTAL, "below the limit");
    dcps_free(values);
    dcps_free(seen);
    dcps_cuda_close(&device);
}
END_TEST

/* An infinite norm, and one that is no number: nothing is scaled, so that divergence shows. */
START_TEST(a_gradient_that_is_not_finite_is_left_alone)
{
    dcps_device *device = NULL;
    ck_assert_int_eq(dcps_cuda_open(0, &device), DCPS_OK);
    float *values = dcps_alloc_aligned(TOTAL, sizeof(float)), *seen = dcps_alloc_aligned(TOTAL, sizeof(float));
    fill_random(values, TOTAL, 4);
    values[FIRST + GAP + 5] = _i == 0 ? INFINITY : NAN;
    clip_values(device, values, 1e-6, seen);
    expect_same_bits(values, seen, TOTAL, "gradient");
    dcps_free(values);
    dcps_free(seen);
    dcps_cuda_close(&device);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("device_clip");
    TCase *group = tcase_create("device_clip");
    tcase_set_timeout(group, 120);
    tcase_add_test(group, gradients_are_clipped_on_the_device);
    tcase_add_test(group, failures_spoil_no_other_step);
    tcase_add_test(group, lack_of_memory_makes_no_tape);
    tcase_add_test(group, two_ranges_share_one_norm);
    tcase_add_loop_test(group, a_gradient_that_is_not_finite_is_left_alone, 0, 2);
    suite_add_tcase(suite, group);
    return check_run(suite);
}
