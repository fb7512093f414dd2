/* Clipping of gradients on a device: as the host does it, to the rounding of a float. */
#include <check.h>
#include <math.h>

#include "base/alloc.h"
#include "support/check_main.h"
#include "support/cuda/ref_on_device.h"
#include "support/device_pair.h"
#include "tensor/ref/ref.h"
#include "tensor/tape_state.h"

/* A tape whose gradient is clipped. */
typedef struct clipped {
    dcps_tape *tape;
    float *gradient;
    uint64_t params, reported;
    bool early; /* a tensor was reported whose gradient was not there */
} clipped;

static void count_clipped(void *context, uint64_t first, uint64_t count)
{
    clipped *self = context;
    for (uint64_t i = first; i < first + count; i++) {
        self->early |= isnan(self->gradient[i]);
    }
    self->reported += count;
}

static void clipped_init(clipped *self, const tape_fixture *fixture, const dcps_backend *backend, dcps_device *device,
                         double limit)
{
    *self = (clipped){.params = fixture->params, .gradient = dcps_alloc_aligned(fixture->params, sizeof(float))};
    dcps_tape_config config = {.layout = fixture->layout,
                               .weights = fixture->weights,
                               .gradient = self->gradient,
                               .backend = backend,
                               .device = device,
                               .gradient_final = count_clipped,
                               .context = self,
                               .clip_norm = limit};
    ck_assert_int_eq(dcps_tape_create(&config, &self->tape), DCPS_OK);
}

static void clipped_fini(clipped *self)
{
    dcps_tape_destroy(&self->tape);
    dcps_free(self->gradient);
}

static void clipped_step(clipped *self, const pair *of)
{
    self->reported = 0;
    self->early = false;
    dcps_tape_reset(self->tape);
    dcps_tensor *loss = pair_loss(of, self->tape, pair_hidden(of, self->tape, BATCH));
    ck_assert_msg(dcps_tape_backward(self->tape, loss) == DCPS_OK, "%s", dcps_error_message());
    ck_assert_uint_eq(self->reported, self->params);
    ck_assert(!self->early);
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

/* Whole, to a norm that it has not, and to one that it has. */
static void clip_to(double share)
{
    pair self;
    clipped host, there;
    pair_init(&self, LARGE);
    pair_step(&self, BATCH);
    const double norm = norm_of(self.host.layout, self.host.gradient, false);
    clipped_init(&host, &self.host, dcps_ref_backend(), NULL, share * norm);
    clipped_init(&there, &self.there, ref_on_device_backend(), self.device, share * norm);
    for (int i = 0; i < 6; i++) { /* run, captured, replayed */
        if (i > 0) {
            pair_step(&self, BATCH);
        }
        const double before = norm_of(self.host.layout, self.host.gradient, false);
        clipped_step(&host, &self);
        clipped_step(&there, &self);
        const double after = norm_of(self.host.layout, there.gradient, false);
        ck_assert_double_eq_tol(after, fmin(before, share * norm), 1e-6 * before);
        ck_assert(norm_of(self.host.layout, there.gradient, true) ==
                  norm_of(self.host.layout, self.host.gradient, true));
        for (uint64_t k = 0; k < self.host.params; k++) {
            if (!(fabsf(there.gradient[k] - host.gradient[k]) <= 2e-7f * fabsf(host.gradient[k]))) {
                ck_abort_msg("element %llu is %.9g, expected %.9g", (unsigned long long)k, (double)there.gradient[k],
                             (double)host.gradient[k]);
            }
        }
    }
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

START_TEST(a_gradient_that_is_not_finite_is_not_clipped)
{
    pair self;
    clipped there;
    pair_init(&self, SMALL);
    pair_next_batch(&self);
    self.there.weights[0] = INFINITY;
    clipped_init(&there, &self.there, ref_on_device_backend(), self.device, 1e-6);
    dcps_tape_reset(there.tape);
    dcps_tensor *loss = pair_loss(&self, there.tape, pair_hidden(&self, there.tape, BATCH));
    ck_assert_int_eq(dcps_tape_backward(there.tape, loss), DCPS_OK);
    ck_assert(!(norm_of(self.there.layout, there.gradient, false) < 1.0)); /* neither zero nor tiny: divergence shows */
    clipped_fini(&there);
    pair_fini(&self);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("device_clip");
    TCase *group = tcase_create("device_clip");
    tcase_set_timeout(group, 120);
    tcase_add_test(group, gradients_are_clipped_on_the_device);
    tcase_add_test(group, a_gradient_that_is_not_finite_is_not_clipped);
    suite_add_tcase(suite, group);
    return check_run(suite);
}
