/* The models of examples/: their layouts against published figures, what they refuse, and state that is carried on. */
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "support/check_main.h"
#include "support/data_fixture.h"
#include "support/metric_found.h"
#include "tensor/cpu/cpu.h"
#include "tensor/tape.h"
#include "worker/loaded_model.h"
#include "worker/trainer.h"

#define VOCABULARY 10000u

static temp_folder images, text;

static void folders_up(void)
{
    temp_folder_create(&images);
    temp_folder_create(&text);
}

static void folders_down(void)
{
    temp_folder_delete(&images);
    temp_folder_delete(&text);
}

/* `options` separated by blanks. */
static dcps_status open_model(const char *name, const char *options, const char *data, dcps_loaded_model *loaded)
{
    char texts[256];
    const char *assignments[8];
    size_t count = 0;
    strncpy(texts, options, sizeof(texts) - 1);
    texts[sizeof(texts) - 1] = '\0';
    for (char *word = strtok(texts, " "); word != NULL; word = strtok(NULL, " ")) {
        assignments[count++] = word;
    }
    return dcps_loaded_model_open(name, assignments, count, data, loaded);
}

static void opened(const char *name, const char *options, const char *data, dcps_loaded_model *loaded)
{
    ck_assert_msg(open_model(name, options, data, loaded) == DCPS_OK, "%s", dcps_error_message());
}

static uint64_t count_params(const dcps_layout *layout, bool trained)
{
    uint64_t count = 0;
    for (uint32_t i = 0; i < dcps_layout_tensor_count(layout); i++) {
        const dcps_layout_tensor *tensor = dcps_layout_tensor_at(layout, i);
        count += (tensor->average_rate == 0.0f) == trained ? tensor->count_params : 0;
    }
    return count;
}

static void check_counts(const char *model, const char *options, const char *data, uint64_t trained, uint64_t averaged)
{
    dcps_loaded_model loaded;
    opened(model, options, data, &loaded);
    ck_assert_uint_eq(count_params(loaded.layout, true), trained);
    ck_assert_uint_eq(count_params(loaded.layout, false), averaged);
    dcps_loaded_model_close(&loaded);
}

/* Depths 20 to 110 have 0.27, 0.46, 0.66, 0.85 and 1.7 million parameters in table 6 of the paper. */
START_TEST(resnets_have_the_published_sizes)
{
    fixture_cifar10(&images);
    check_counts("resnet", "depth=8 samples=10", images.path, 75290, 480);
    check_counts("resnet", "samples=10", images.path, 269722, 1376);
    check_counts("resnet", "depth=32 samples=10", images.path, 464154, 2272);
    check_counts("resnet", "depth=56 samples=10", images.path, 853018, 4064);
    check_counts("resnet", "depth=110 samples=10", images.path, 1727962, 8096);
    dcps_loaded_model loaded;
    opened("resnet", "depth=8 samples=100 validation=30", images.path, &loaded);
    ck_assert_uint_eq(loaded.info.train_samples, 70);
    ck_assert_str_eq(loaded.info.dataset, "cifar10");
    dcps_loaded_model_close(&loaded);
}
END_TEST

/* The small and the medium net of Zaremba et al., 4.65 and 19.8 million parameters. */
START_TEST(lstms_have_the_published_sizes)
{
    fixture_ptb(&text, VOCABULARY, 12000);
    check_counts("lstm", "", text.path, 4651600, 0);
    check_counts("lstm", "tied=true", text.path, 2651600, 0);
    check_counts("lstm", "hidden=650 dropout=0.5", text.path, 19775200, 0);
    dcps_loaded_model loaded;
    opened("lstm", "clip=2.5", text.path, &loaded);
    ck_assert(loaded.info.clip_norm == 2.5);
    ck_assert_uint_eq(loaded.info.train_samples, (12000 + 12000 / 16 - 1) / 20);
    dcps_loaded_model_close(&loaded);
}
END_TEST

START_TEST(cnn_has_the_stated_size)
{
    check_counts("cnn", "samples=10", NULL, 215418, 96);
    check_counts("cnn", "samples=10 filters=8,8,8,8 hidden=3", NULL, 5131, 64);
}
END_TEST

static void check_refused(const char *model, const char *options, const char *data, dcps_status status,
                          const char *words)
{
    dcps_loaded_model loaded;
    ck_assert_msg(open_model(model, options, data, &loaded) == status, "%s %s: %s", model, options,
                  dcps_error_message());
    ck_assert_msg(strstr(dcps_error_message(), words) != NULL, "no \"%s\" in: %s", words, dcps_error_message());
}

START_TEST(what_cannot_be_is_refused)
{
    fixture_ptb(&text, 12, 30);
    check_refused("resnet", "depth=21", images.path, DCPS_INVALID, "expected 6n+2 (8, 14, 20, 32, …), got 21");
    check_refused("resnet", "depth=2", images.path, DCPS_INVALID, "from 8 to 200");
    check_refused("resnet", "", images.path, DCPS_NOT_FOUND, "data_batch_1.bin");
    check_refused("cnn", "filters=1,2,3,4,5", images.path, DCPS_INVALID, "one to four convolutions, got 5");
    check_refused("cnn", "filters=", images.path, DCPS_INVALID, "got 0");
    check_refused("cnn", "dataset=mnist", images.path, DCPS_NOT_FOUND, "train-images-idx3-ubyte");
    check_refused("lstm", "layers=17", text.path, DCPS_INVALID, "layers");
    check_refused("lstm", "bptt=32", text.path, DCPS_INVALID, "option bptt: the training text has 32 words");
    check_refused("lstm", "", images.path, DCPS_NOT_FOUND, "ptb.train.txt");
    check_refused("quadratic", "curvatures=", NULL, DCPS_INVALID, "expected at least one, got none");
    check_refused("quadratic", "dims=3 curvatures=1", NULL, DCPS_INVALID, "expected two of them with dims");
    check_refused("quadratic", "curvatures=1,-1", NULL, DCPS_INVALID, "curvatures");
    check_refused("quadratic", "noise=nan", NULL, DCPS_INVALID, "noise");
    check_refused("quadratic", "samples=0", NULL, DCPS_INVALID, "samples");
}
END_TEST

/* A model, and a tape over its initial weights. */
typedef struct bench {
    dcps_loaded_model loaded;
    float *weights, *gradient;
    dcps_tape *tape, *evaluation;
} bench;

static void bench_open(bench *self, const char *model, const char *options, const char *data)
{
    opened(model, options, data, &self->loaded);
    uint64_t params = dcps_layout_total_params(self->loaded.layout);
    self->weights = dcps_alloc_aligned(params, sizeof(float));
    self->gradient = dcps_alloc_aligned(params, sizeof(float));
    dcps_layout_initialise(self->loaded.layout, 3, self->weights);
    dcps_tape_config config = {.layout = self->loaded.layout,
                               .weights = self->weights,
                               .gradient = self->gradient,
                               .backend = dcps_cpu_backend()};
    ck_assert_int_eq(dcps_tape_create(&config, &self->tape), DCPS_OK);
    config.gradient = NULL;
    ck_assert_int_eq(dcps_tape_create(&config, &self->evaluation), DCPS_OK);
}

static void bench_close(bench *self)
{
    dcps_tape_destroy(&self->tape);
    dcps_tape_destroy(&self->evaluation);
    dcps_free(self->weights);
    dcps_free(self->gradient);
    dcps_loaded_model_close(&self->loaded);
}

static double step(bench *self, uint64_t turn)
{
    float loss = NAN;
    const dcps_batch batch = {.number = turn, .seed = 1, .count = 4, .size = 4, .workers = 1, .turn = turn};
    ck_assert_msg(dcps_trainer_step(self->loaded.model, self->loaded.state, self->tape, &batch, &loss) == DCPS_OK, "%s",
                  dcps_error_message());
    return (double)loss;
}

static double metric(bench *self, dcps_split split, const char *name)
{
    dcps_metrics metrics = {0};
    ck_assert_msg(self->loaded.model->evaluate(self->loaded.state, self->evaluation, split, &metrics) == DCPS_OK, "%s",
                  dcps_error_message());
    const double *found = metric_found(&metrics, name);
    ck_assert_ptr_nonnull(found);
    return *found;
}

/* With weights that stay the same, two batches in a row are one of twice the length; one that does not follow begins with an empty state. Layer by layer too. */
START_TEST(state_is_carried_from_batch_to_batch)
{
    const char *const options[] = {"layers=2 hidden=9 init-range=1 bptt=5", "layers=2 hidden=9 init-range=1 bptt=10",
                                   "layers=2 hidden=9 init-range=1 bptt=5 dropout=1e-9"};
    fixture_ptb(&text, 30, 500);
    bench halves, whole, layered, other;
    bench_open(&halves, "lstm", options[0], text.path);
    bench_open(&whole, "lstm", options[1], text.path);
    bench_open(&layered, "lstm", options[2], text.path);
    bench_open(&other, "lstm", options[0], text.path);
    double first = step(&halves, 0), second = step(&halves, 1), third = step(&halves, 2);
    ck_assert_double_eq_tol(first + second, step(&whole, 0), 1e-4);
    ck_assert_double_eq_tol(step(&layered, 0), first, 1e-4);
    ck_assert_double_eq_tol(step(&layered, 1), second, 1e-4);
    double begun = step(&other, 2);
    ck_assert(fabs(begun - third) > 1e-3);
    ck_assert(step(&halves, 0) == first); /* back, so not after what came before */
    ck_assert(step(&halves, 2) == begun);
    bench_close(&halves);
    bench_close(&whole);
    bench_close(&layered);
    bench_close(&other);
}
END_TEST

START_TEST(evaluations_carry_state_and_repeat)
{
    fixture_ptb(&text, 30, 3000);
    bench self;
    bench_open(&self, "lstm", "layers=1 hidden=8 init-range=1e-6 bptt=5", text.path);
    ck_assert_double_eq_tol(metric(&self, DCPS_SPLIT_TEST, "test_perplexity"), 30.0, 1e-3); /* knows nothing */
    bench_close(&self);
    bench_open(&self, "lstm", "layers=1 hidden=8 init-range=1 bptt=5", text.path);
    double once = metric(&self, DCPS_SPLIT_TEST, "test_perplexity"), first = step(&self, 0);
    ck_assert(metric(&self, DCPS_SPLIT_TEST, "test_perplexity") == once);
    ck_assert(metric(&self, DCPS_SPLIT_VALIDATION, "validation_perplexity") == once);
    ck_assert(step(&self, 0) == first);
    bench_close(&self);
}
END_TEST

/* Three weights at 1 that want to be at −1, with curvatures 1, 10 and 100. */
START_TEST(quadratic_is_what_is_asked_for)
{
    bench self;
    bench_open(&self, "quadratic", "curvatures=1,100 dims=3 minimum=-1 samples=77", NULL);
    ck_assert_uint_eq(self.loaded.info.train_samples, 77);
    ck_assert_double_eq_tol(step(&self, 0), 0.5 * 111 * 4, 1e-4);
    for (int i = 0; i < 3; i++) {
        ck_assert_double_eq_tol((double)self.gradient[i], 2.0 * pow(10.0, i), 1e-4);
    }
    ck_assert_double_eq_tol(metric(&self, DCPS_SPLIT_TEST, "test_loss"), 0.5 * 111 * 4, 1e-9);
    ck_assert_double_eq_tol(metric(&self, DCPS_SPLIT_VALIDATION, "validation_loss"), 0.5 * 111 * 4, 1e-9);
    ck_assert_double_eq_tol(metric(&self, DCPS_SPLIT_TRAIN, "norm"), sqrt(12.0), 1e-9);
    bench_close(&self);
    check_counts("quadratic", "curvatures=3,2,1,0.5", NULL, 4, 0);
}
END_TEST

/* Batches of 4 samples halve the noise of one. At curvature 1e-12 the gradient is noise alone. */
START_TEST(quadratic_noise_has_its_deviation)
{
    enum { DIMS = 4000 };
    const double deviation = 3.0 / 2.0;
    float first[DIMS];
    bench self;
    double sum = 0.0, square = 0.0, product = 0.0;
    bench_open(&self, "quadratic", "curvatures=1e-12,1e-12 dims=4000 noise=3", NULL);
    step(&self, 0);
    memcpy(first, self.gradient, sizeof(first));
    step(&self, 1);
    for (size_t i = 0; i < DIMS; i++) {
        sum += (double)first[i];
        square += (double)first[i] * (double)first[i];
        product += (double)first[i] * (double)self.gradient[i];
    }
    /* Five standard errors of each. */
    ck_assert_double_eq_tol(sum / DIMS, 0.0, 5 * deviation / sqrt(DIMS));
    ck_assert_double_eq_tol(square / DIMS, deviation * deviation, 5 * deviation * deviation / sqrt(DIMS));
    ck_assert_double_eq_tol(product / DIMS, 0.0, 5 * deviation * deviation / sqrt(DIMS));
    step(&self, 0);
    ck_assert_mem_eq(first, self.gradient, sizeof(first));
    ck_assert(metric(&self, DCPS_SPLIT_TEST, "test_loss") < 1e-8);
    bench_close(&self);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("models");
    TCase *tests = tcase_create("models");
    tcase_set_timeout(tests, 120);
    tcase_add_checked_fixture(tests, folders_up, folders_down);
    tcase_add_test(tests, resnets_have_the_published_sizes);
    tcase_add_test(tests, lstms_have_the_published_sizes);
    tcase_add_test(tests, cnn_has_the_stated_size);
    tcase_add_test(tests, what_cannot_be_is_refused);
    tcase_add_test(tests, state_is_carried_from_batch_to_batch);
    tcase_add_test(tests, evaluations_carry_state_and_repeat);
    tcase_add_test(tests, quadratic_is_what_is_asked_for);
    tcase_add_test(tests, quadratic_noise_has_its_deviation);
    suite_add_tcase(suite, tests);
    return check_run(suite);
}
