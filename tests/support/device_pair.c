#include "support/device_pair.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cuda/cuda.h"
#include "support/cuda/ref_on_device.h"
#include "tensor/ref/ref.h"
#include "tensor/tape_state.h"

void pair_open(pair *self, const char *shapes)
{
    *self = (pair){.number = 0};
    ck_assert_msg(dcps_cuda_open(0, &self->device) == DCPS_OK, "%s", dcps_error_message());
    tape_fixture_init(&self->host, shapes, dcps_ref_backend());
    tape_fixture_init_on(&self->there, shapes, ref_on_device_backend(), self->device);
}

void pair_init(pair *self, size_t features, size_t width)
{
    char shapes[128];
    snprintf(shapes, sizeof(shapes), "%zu,%zu;%zu;%zu,%zu;%zu;%zu,%u;%u;~7;3", features, width, width, width, width,
             width, width, CLASSES, CLASSES);
    pair_open(self, shapes);
    self->features = features;
    self->width = width;
}

void pair_fini(pair *self)
{
    tape_fixture_fini(&self->host);
    tape_fixture_fini(&self->there);
    dcps_cuda_close(&self->device);
    ck_assert_ptr_null(self->device);
}

void pair_next_batch(pair *self)
{
    self->number++;
    fill_random(self->x, BATCH * self->features, 100 + self->number);
    for (uint32_t i = 0; i < BATCH; i++) {
        self->labels[i] = self->number % 3 == 0 && i == 0 ? -1 : (int32_t)((self->number + 4 * i) % CLASSES);
    }
    fill_random(self->host.weights, self->host.params, 1000 + self->number);
    memcpy(self->there.weights, self->host.weights, self->host.params * sizeof(float));
}

static dcps_tensor *dense(dcps_tape *tape, dcps_tensor *x, uint32_t first)
{
    dcps_tensor *product = dcps_tape_matmul(tape, x, dcps_tape_parameter(tape, first));
    return dcps_tape_bias(tape, product, dcps_tape_parameter(tape, first + 1));
}

dcps_tensor *pair_hidden(const pair *self, dcps_tape *tape, uint32_t batch)
{
    dcps_tensor *x = dcps_tape_input(tape, self->x, 2, (size_t[]){batch, self->features});
    x = dcps_tape_dropout(tape, dcps_tape_relu(tape, dense(tape, x, 0)), 0.25f, SEED, self->number);
    return dcps_tape_tanh(tape, dense(tape, x, 2));
}

dcps_tensor *pair_loss(const pair *self, dcps_tape *tape, dcps_tensor *hidden)
{
    return dcps_tape_cross_entropy_with(tape, dense(tape, hidden, 4), self->labels,
                                        &(dcps_cross_entropy_options){.ignore = true, .ignored_label = -1});
}

void pair_begin(tape_fixture *fixture)
{
    dcps_tape_reset(fixture->tape);
    fixture->finals = 0;
    for (uint64_t i = 0; i < fixture->params; i++) {
        fixture->at_final[i] = NAN;
        fixture->gradient[i] = fixture->tape->on_device != NULL ? NAN : 0.0f; /* a host leaves padding alone */
    }
}

void expect_same_bits(const float *a, const float *b, uint64_t count, const char *what)
{
    uint64_t i = 0;
    while (i < count &&
           memcmp(&a[i], &b[i], sizeof(a[i])) == 0) { /* Check writes down where each assertion stands: one for all */
        i++;
    }
    if (i < count) {
        ck_abort_msg("%s: element %llu is %.9g, expected %.9g", what, (unsigned long long)i, (double)b[i],
                     (double)a[i]);
    }
}

void pair_expect_same_gradients(const pair *self)
{
    ck_assert(dcps_tape_loss(self->host.tape) == dcps_tape_loss(self->there.tape));
    ck_assert(isfinite(dcps_tape_loss(self->host.tape)));
    expect_same_bits(self->host.gradient, self->there.gradient, self->host.params, "gradient");
    expect_same_bits(self->host.gradient, self->there.at_final, self->host.params, "gradient when reported");
    ck_assert_uint_eq(self->there.finals, self->host.finals);
}

void pair_step(pair *self, uint32_t batch)
{
    tape_fixture *both[] = {&self->host, &self->there};
    pair_next_batch(self);
    for (int i = 0; i < 2; i++) {
        pair_begin(both[i]);
        dcps_tensor *loss = pair_loss(self, both[i]->tape, pair_hidden(self, both[i]->tape, batch));
        ck_assert_msg(dcps_tape_backward(both[i]->tape, loss) == DCPS_OK, "%s", dcps_error_message());
    }
    pair_expect_same_gradients(self);
}
