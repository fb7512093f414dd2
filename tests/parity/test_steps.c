/* Some steps of SGD with whole models: a backend against ref, which computes in double between the ops. */
#include <check.h>
#include <math.h>
#include <stdio.h>

#include "base/alloc.h"
#include "parity/subject.h"
#include "support/check_main.h"
#include "support/data_fixture.h"
#include "tensor/ref/ref.h"
#include "tensor/tape_state.h"
#include "worker/loaded_model.h"
#include "worker/shuffle.h"
#include "worker/trainer.h"

#ifndef STEPS
#define STEPS 10u /* a GPU replays from the fourth on */
#endif
#define SEED 5u

static parity_subject subject;
static const parity_subject *reference(void)
{
    static parity_subject ref;
    ref.backend = dcps_ref_backend();
    return &ref;
}

/* Bounds are on the largest difference over the largest magnitude: of the losses, and for each tensor of what all steps have changed in it. */
typedef struct step_row {
    const char *model;
    const char *options[4];
    size_t option_count;
    uint32_t batch_size;
    float rate;
    double loss_bound;
    double change_bound;
} step_row;

static const step_row rows[] = {
    {"resnet", {"depth=8", "samples=40"}, 2, 4, 0.02f, 1e-5, 1e-3},
    {"lstm", {"layers=2", "hidden=24", "bptt=7", "init-range=0.3"}, 4, 5, 1.0f, 1e-5, 1e-4},
    {"lstm", {"layers=2", "hidden=24", "tied=true", "dropout=0.3"}, 4, 5, 1.0f, 1e-5, 1e-4},
};
#define ROW_COUNT ((int)(sizeof(rows) / sizeof(rows[0])))

/* What the steps come to on one backend. */
typedef struct course {
    dcps_loaded_model loaded;
    float *initial, *weights, *gradient;
    double losses[STEPS];
} course;

/* w ← w − η g; an averaged tensor w ← w + rate · (v − w). */
static void descend(course *self, float step_size)
{
    const dcps_layout *layout = self->loaded.layout;
    for (uint32_t t = 0; t < dcps_layout_tensor_count(layout); t++) {
        const dcps_layout_tensor *tensor = dcps_layout_tensor_at(layout, t);
        for (uint64_t i = tensor->offset_params; i < tensor->offset_params + tensor->count_params; i++) {
            self->weights[i] -= tensor->average_rate > 0.0f
                                    ? tensor->average_rate * (self->weights[i] - self->gradient[i])
                                    : step_size * self->gradient[i];
        }
    }
}

/* A device has come across the segments of one step again and again, and launches them as graphs. */
static void check_replayed(const dcps_tape *tape)
{
    if (tape->on_device == NULL) {
        return;
    }
    const dcps_replay *replay = &tape->on_device->replay;
    ck_assert_uint_ge(replay->count, 1);
    ck_assert_uint_le(replay->count, DCPS_MAX_PIECES + 1);
    for (uint32_t i = 0; i < replay->count; i++) {
        ck_assert_ptr_nonnull(replay->segments[i].graph);
    }
}

static void run(course *self, const step_row *row, const parity_subject *on)
{
    dcps_tape_config config = {.layout = self->loaded.layout,
                               .weights = self->weights,
                               .gradient = self->gradient,
                               .backend = on->backend,
                               .device = on->device,
                               .clip_norm = self->loaded.info.clip_norm};
    dcps_tape *tape = NULL;
    dcps_shuffle *shuffle = NULL;
    ck_assert_int_eq(dcps_tape_create(&config, &tape), DCPS_OK);
    ck_assert_int_eq(dcps_shuffle_create(self->loaded.info.train_samples, row->batch_size, SEED, &shuffle), DCPS_OK);
    for (uint64_t number = 0; number < STEPS; number++) {
        float loss = NAN;
        const dcps_batch batch = dcps_shuffle_batch(shuffle, number);
        ck_assert_msg(dcps_trainer_step(self->loaded.model, self->loaded.state, tape, &batch, &loss) == DCPS_OK,
                      "%s on %s: %s", row->model, on->backend->name, dcps_error_message());
        self->losses[number] = (double)loss;
        descend(self, row->rate);
    }
    check_replayed(tape);
    dcps_shuffle_destroy(&shuffle);
    dcps_tape_destroy(&tape);
}

static void course_run(course *self, const step_row *row, const char *data, const parity_subject *on)
{
    *self = (course){0};
    ck_assert_msg(dcps_loaded_model_open(row->model, row->options, row->option_count, data, &self->loaded) == DCPS_OK,
                  "%s", dcps_error_message());
    uint64_t params = dcps_layout_total_params(self->loaded.layout);
    self->initial = dcps_alloc_aligned(params, sizeof(float));
    self->weights = dcps_alloc_aligned(params, sizeof(float));
    self->gradient = dcps_alloc_aligned(params, sizeof(float));
    dcps_layout_initialise(self->loaded.layout, SEED, self->initial);
    dcps_layout_initialise(self->loaded.layout, SEED, self->weights);
    run(self, row, on);
}

static void course_end(course *self)
{
    dcps_free(self->initial);
    dcps_free(self->weights);
    dcps_free(self->gradient);
    dcps_loaded_model_close(&self->loaded);
}

static double change_error(const course *seen, const course *expected, const dcps_layout_tensor *tensor)
{
    double difference = 0.0, magnitude = 0.0;
    for (uint64_t i = tensor->offset_params; i < tensor->offset_params + tensor->count_params; i++) {
        if (!isfinite((double)seen->weights[i])) {
            return (double)INFINITY;
        }
        difference = fmax(difference, fabs((double)seen->weights[i] - (double)expected->weights[i]));
        magnitude = fmax(magnitude, fabs((double)expected->weights[i] - (double)expected->initial[i]));
    }
    return difference / magnitude; /* a tensor that does not change fails */
}

static void compare(const step_row *row, const char *backend, const course *seen, const course *expected)
{
    double worst = 0.0, worst_loss = 0.0;
    for (uint32_t i = 0; i < STEPS; i++) {
        worst_loss = fmax(worst_loss, fabs(seen->losses[i] - expected->losses[i]) / expected->losses[i]);
    }
    ck_assert_msg(worst_loss <= row->loss_bound, "%s on %s: error %.3g of a loss exceeds %.3g", row->model, backend,
                  worst_loss, row->loss_bound);
    for (uint32_t t = 0; t < dcps_layout_tensor_count(expected->loaded.layout); t++) {
        const dcps_layout_tensor *tensor = dcps_layout_tensor_at(expected->loaded.layout, t);
        double error = change_error(seen, expected, tensor);
        ck_assert_msg(error <= row->change_bound, "%s on %s: %s: error %.3g exceeds %.3g", row->model, backend,
                      tensor->name, error, row->change_bound);
        worst = fmax(worst, error);
    }
    printf("%s on %s: error %.2g of a loss, %.2g of a change\n", row->model, backend, worst_loss, worst);
}

START_TEST(steps_agree)
{
    const step_row *row = &rows[_i];
    temp_folder folder;
    temp_folder_create(&folder);
    fixture_cifar10(&folder);
    fixture_ptb(&folder, 50, 3000);
    course expected, seen;
    course_run(&expected, row, folder.path, reference());
    course_run(&seen, row, folder.path, &subject);
    compare(row, subject.backend->name, &seen, &expected);
    course_end(&seen);
    course_end(&expected);
    temp_folder_delete(&folder);
}
END_TEST

int main(void)
{
    if (!parity_subject_open(&subject)) {
        return DCPS_TEST_SKIPPED;
    }
    Suite *suite = suite_create("steps");
    TCase *tests = tcase_create("steps");
    tcase_set_timeout(tests, 120);
    tcase_add_loop_test(tests, steps_agree, 0, ROW_COUNT);
    suite_add_tcase(suite, tests);
    return check_run_in(suite, subject.one_process ? CK_NOFORK : CK_FORK_GETENV);
}
