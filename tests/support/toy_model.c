#include "support/toy_model.h"

#include <check.h>
#include <math.h>
#include <string.h>

#include "base/rng.h"

enum { WEIGHT, BIAS };

static dcps_status toy_load(void *state, const dcps_batch *batch)
{
    toy_model *self = state;
    atomic_store(&self->began, true);
    self->gaps += self->loads > 0 && batch->turn != self->latest.turn + 1;
    self->latest = *batch;
    self->latest.samples = NULL;
    self->first = self->loads == 0 ? self->latest : self->first;
    self->loads++;
    if (self->loads == self->fail_silently_at) {
        return DCPS_CORRUPT;
    }
    if (self->loads == self->fail_at) {
        return dcps_fail(DCPS_IO, "the toy is broken");
    }
    ck_assert_uint_le(batch->count, TOY_BATCH);
    for (uint32_t i = 0; i < batch->count; i++) {
        memcpy(self->x[i], self->points[batch->samples[i]], sizeof(self->x[i]));
        self->y[i] = self->labels[batch->samples[i]];
    }
    if (self->loads == self->poison_at) {
        self->x[0][0] = NAN;
    }
    self->count = batch->count;
    return DCPS_OK;
}

static dcps_tensor *toy_loss(void *state, dcps_tape *tape)
{
    toy_model *self = state;
    dcps_tensor *x = dcps_tape_input(tape, self->x[0], 2, (size_t[]){self->count, TOY_FEATURES});
    dcps_tensor *logits = dcps_tape_bias(tape, dcps_tape_matmul(tape, x, dcps_tape_parameter(tape, WEIGHT)),
                                         dcps_tape_parameter(tape, BIAS));
    return dcps_tape_cross_entropy(tape, logits, self->y);
}

static dcps_status toy_evaluate(void *state, dcps_tape *tape, dcps_split split, dcps_metrics *metrics)
{
    toy_model *self = state;
    if (split != DCPS_SPLIT_TEST) {
        return dcps_fail(DCPS_UNSUPPORTED, "the toy has no such split");
    }
    double sum = 0;
    for (uint32_t tensor = WEIGHT; tensor <= BIAS; tensor++) {
        dcps_tensor *parameter = dcps_tape_parameter(tape, tensor);
        const float *values = dcps_tensor_values(tape, parameter);
        for (size_t i = 0; i < dcps_tensor_count(parameter); i++) {
            sum += (double)values[i];
        }
    }
    self->evaluated = sum;
    dcps_metrics_set(metrics, "sum", sum);
    dcps_metrics_set(metrics, "not a number", (double)NAN);
    return DCPS_OK;
}

static void toy_close(void *state)
{
    (void)state;
}

static const dcps_model toy_table = {DCPS_MODEL_HEAD,   .name = "toy",    .summary = "A toy.",
                                     .load = toy_load,  .loss = toy_loss, .evaluate = toy_evaluate,
                                     .close = toy_close};

void toy_model_open(toy_model *self, dcps_loaded_model *loaded)
{
    dcps_rng rng;
    dcps_rng_seed(&rng, 4711);
    memset(self, 0, sizeof(*self));
    for (uint32_t i = 0; i < TOY_SAMPLES; i++) {
        self->labels[i] = (int32_t)dcps_rng_below(&rng, TOY_CLASSES);
        for (uint32_t k = 0; k < TOY_FEATURES; k++) {
            self->points[i][k] = (float)dcps_rng_normal(&rng) + ((uint32_t)self->labels[i] == k ? 2.0f : 0.0f);
        }
    }
    *loaded = (dcps_loaded_model){.model = &toy_table,
                                  .state = self,
                                  .is_open = true,
                                  .info = {.train_samples = TOY_SAMPLES, .dataset = "to\"ys"}};
    ck_assert_int_eq(dcps_layout_create(&loaded->layout), DCPS_OK);
    ck_assert_int_eq(dcps_layout_add(loaded->layout, "weight", DCPS_INIT_GLOROT_UNIFORM, 2,
                                     (size_t[]){TOY_FEATURES, TOY_CLASSES}, NULL),
                     DCPS_OK);
    ck_assert_int_eq(dcps_layout_add(loaded->layout, "bias", DCPS_INIT_ZERO, 1, (size_t[]){TOY_CLASSES}, NULL),
                     DCPS_OK);
}

void toy_model_close(dcps_loaded_model *loaded)
{
    dcps_loaded_model_close(loaded);
}
