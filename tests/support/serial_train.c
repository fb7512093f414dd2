/* Trains a model plugin by plain serial SGD in one process, without servers: what the distributed runs are measured against. */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/options.h"
#include "base/rng.h"
#include "support/metric_found.h"
#include "tensor/cpu/cpu.h"
#include "tensor/tape.h"
#include "tensor/clip.h"
#include "worker/plugin.h"

static const dcps_option table[] = {
    {.name = "model", .type = DCPS_OPTION_TEXT, .default_text = "mlp", .help = "name or path of the plugin"},
    {.name = "model-opt", .type = DCPS_OPTION_TEXT, .help = "one option of the model: key=value"},
    {.name = "data", .type = DCPS_OPTION_TEXT, .help = "folder of the data"},
    {.name = "epochs",
     .type = DCPS_OPTION_INTEGER,
     .default_text = "10",
     .minimum = 1,
     .maximum = 1000,
     .help = "passes"},
    {.name = "batch-size",
     .type = DCPS_OPTION_INTEGER,
     .default_text = "128",
     .minimum = 1,
     .maximum = 65536,
     .help = "samples"},
    {.name = "learning-rate",
     .type = DCPS_OPTION_REAL,
     .default_text = "0.1",
     .minimum = 1e-9,
     .maximum = 100,
     .help = "η"},
    {.name = "decay-epochs",
     .type = DCPS_OPTION_INTEGERS,
     .default_text = "",
     .minimum = 1,
     .maximum = 1000,
     .help = "η · factor after these"},
    {.name = "decay-factor",
     .type = DCPS_OPTION_REAL,
     .default_text = "0.1",
     .minimum = 1e-6,
     .maximum = 1,
     .help = "see decay-epochs"},
    {.name = "seed",
     .type = DCPS_OPTION_INTEGER,
     .default_text = "1",
     .minimum = 0,
     .maximum = 1e9,
     .help = "of weights and order"},
    {.name = "threads",
     .type = DCPS_OPTION_INTEGER,
     .default_text = "1",
     .minimum = 1,
     .maximum = 1024,
     .help = "of the ops"},
    {.name = "max-error",
     .type = DCPS_OPTION_REAL,
     .default_text = "1",
     .minimum = 1e-9,
     .maximum = 1,
     .help = "fail above this error"},
    {.name = "split",
     .type = DCPS_OPTION_TEXT,
     .default_text = "test",
     .choices = "test|validation",
     .help = "what the error is of"},
    {.name = "save",
     .type = DCPS_OPTION_TEXT,
     .value_name = "FILE",
     .help = "write the final weights: float32, tensors in order, no gaps"},
    {.name = NULL},
};

typedef struct trainer {
    const dcps_options *options;
    const dcps_model *model;
    void *state;
    dcps_layout *layout;
    uint64_t params;
    uint64_t samples;
    double clip_norm;
    float *weights;
    float *gradient;
    uint32_t *order;
    dcps_tape *training;
    dcps_tape *evaluation;
} trainer;

static dcps_status open_model(trainer *self, const dcps_options *model_options)
{
    dcps_model_info info = {0};
    dcps_status status = self->model->open(model_options, dcps_options_text(self->options, "data"), &self->state);
    if (status == DCPS_OK) {
        status = self->model->describe(self->state, &info);
    }
    if (status == DCPS_OK) {
        status = dcps_layout_create(&self->layout);
    }
    if (status == DCPS_OK) {
        status = self->model->declare(self->state, self->layout);
    }
    if (status != DCPS_OK) {
        return status;
    }
    self->samples = info.train_samples;
    self->clip_norm = info.clip_norm;
    self->params = dcps_layout_total_params(self->layout);
    self->weights = dcps_alloc_aligned(self->params, sizeof(*self->weights));
    self->gradient = dcps_alloc_aligned(self->params, sizeof(*self->gradient));
    self->order = dcps_alloc(self->samples, sizeof(*self->order));
    if (self->weights == NULL || self->gradient == NULL || self->order == NULL) {
        return dcps_fail(DCPS_NO_MEMORY, "no memory for %llu parameters", (unsigned long long)self->params);
    }
    dcps_layout_initialise(self->layout, (uint64_t)dcps_options_integer(self->options, "seed"), self->weights);
    return DCPS_OK;
}

static dcps_status open_tapes(trainer *self)
{
    dcps_tape_config config = {
        .layout = self->layout, .weights = self->weights, .gradient = self->gradient, .backend = dcps_cpu_backend()};
    dcps_status status = dcps_tape_create(&config, &self->training);
    config.gradient = NULL;
    return status != DCPS_OK ? status : dcps_tape_create(&config, &self->evaluation);
}

/* w ← w − η g; an averaged tensor w ← w + rate · (v − w). */
static void descend(trainer *self, float step_size)
{
    for (uint32_t t = 0; t < dcps_layout_tensor_count(self->layout); t++) {
        const dcps_layout_tensor *tensor = dcps_layout_tensor_at(self->layout, t);
        float *weights = self->weights + tensor->offset_params;
        const float *pushed = self->gradient + tensor->offset_params;
        for (uint64_t i = 0; i < tensor->count_params; i++) {
            weights[i] -=
                tensor->average_rate > 0.0f ? tensor->average_rate * (weights[i] - pushed[i]) : step_size * pushed[i];
        }
    }
}

static dcps_status step(trainer *self, const dcps_batch *batch, float step_size, double *loss_sum)
{
    dcps_status status = self->model->load(self->state, batch);
    if (status != DCPS_OK) {
        return status;
    }
    dcps_tape_reset(self->training);
    dcps_tensor *loss = self->model->loss(self->state, self->training);
    status = dcps_tape_backward(self->training, loss);
    if (status != DCPS_OK) {
        return status;
    }
    *loss_sum += (double)dcps_tensor_values(self->training, loss)[0] * batch->count;
    if (self->clip_norm > 0) {
        (void)dcps_clip_gradient(self->layout, self->clip_norm, self->gradient);
    }
    descend(self, step_size);
    return DCPS_OK;
}

static float step_size_at(const dcps_options *options, int64_t epoch)
{
    double step_size = dcps_options_real(options, "learning-rate");
    size_t count;
    const int64_t *decays = dcps_options_integers(options, "decay-epochs", &count);
    for (size_t i = 0; i < count; i++) {
        if (epoch >= decays[i]) {
            step_size *= dcps_options_real(options, "decay-factor");
        }
    }
    return (float)step_size;
}

static dcps_status epoch_run(trainer *self, uint64_t epoch, double *loss)
{
    uint64_t seed = (uint64_t)dcps_options_integer(self->options, "seed");
    uint32_t batch_size = (uint32_t)dcps_options_integer(self->options, "batch-size");
    uint64_t batches = (self->samples + batch_size - 1) / batch_size;
    dcps_rng rng;
    dcps_rng_seed_stream(&rng, seed, "epoch", epoch);
    dcps_rng_permutation(&rng, self->order, self->samples);
    *loss = 0.0;
    for (uint64_t b = 0; b < batches; b++) {
        uint64_t left = self->samples - b * batch_size;
        dcps_batch batch = {.number = epoch * batches + b,
                            .epoch = epoch,
                            .seed = seed,
                            .samples = self->order + b * batch_size,
                            .count = left < batch_size ? (uint32_t)left : batch_size,
                            .size = batch_size,
                            .workers = 1,
                            .turn = epoch * batches + b};
        dcps_status status = step(self, &batch, step_size_at(self->options, (int64_t)epoch), loss);
        if (status != DCPS_OK) {
            return status;
        }
    }
    *loss /= (double)self->samples;
    return DCPS_OK;
}

static dcps_status train(trainer *self)
{
    double error = 1.0, limit = dcps_options_real(self->options, "max-error");
    const char *split = dcps_options_text(self->options, "split");
    bool on_test = strcmp(split, "test") == 0;
    for (uint64_t epoch = 0; epoch < (uint64_t)dcps_options_integer(self->options, "epochs"); epoch++) {
        double loss;
        uint64_t start_ns = dcps_clock_ns();
        dcps_status status = epoch_run(self, epoch, &loss);
        double seconds = (double)(dcps_clock_ns() - start_ns) / (double)DCPS_NS_PER_S;
        dcps_metrics metrics = {0};
        if (status == DCPS_OK) {
            status = self->model->evaluate(self->state, self->evaluation,
                                           on_test ? DCPS_SPLIT_TEST : DCPS_SPLIT_VALIDATION, &metrics);
        }
        if (status != DCPS_OK) {
            return status;
        }
        const double *found = metric_found(&metrics, on_test ? "test_error" : "validation_error");
        error = found == NULL ? 1.0 : *found;
        printf("epoch %llu  loss %.4f  %s error %.4f  %.2f s\n", (unsigned long long)epoch + 1, loss, split, error,
               seconds);
        fflush(stdout);
    }
    return error <= limit ? DCPS_OK
                          : dcps_fail(DCPS_MISMATCH, "%s error: expected at most %g, seen %g", split, limit, error);
}

static dcps_status save(const trainer *self, const char *path)
{
    FILE *file = fopen(path, "wb");
    bool written = file != NULL;
    for (uint32_t i = 0; written && i < dcps_layout_tensor_count(self->layout); i++) {
        const dcps_layout_tensor *tensor = dcps_layout_tensor_at(self->layout, i);
        size_t count = (size_t)tensor->count_params;
        written = fwrite(self->weights + tensor->offset_params, sizeof(float), count, file) == count;
    }
    if (file != NULL && fclose(file) != 0) {
        written = false;
    }
    return written ? DCPS_OK : dcps_fail(DCPS_IO, "%s: cannot write the weights", path);
}

static dcps_status run(const dcps_options *options)
{
    const char *assignment = dcps_options_text(options, "model-opt");
    trainer self = {.options = options};
    dcps_plugin *plugin = NULL;
    dcps_options *model_options = NULL;
    static const dcps_option none[] = {{.name = NULL}};
    dcps_cpu_set_threads((uint32_t)dcps_options_integer(options, "threads"));
    dcps_status status = dcps_plugin_open(dcps_options_text(options, "model"), &plugin);
    if (status != DCPS_OK) {
        return status;
    }
    self.model = dcps_plugin_model(plugin);
    status = dcps_options_from_assignments("model", self.model->options == NULL ? none : self.model->options,
                                           &assignment, assignment == NULL ? 0 : 1, &model_options);
    if (status == DCPS_OK) {
        status = open_model(&self, model_options);
    }
    if (status == DCPS_OK) {
        status = open_tapes(&self);
    }
    if (status == DCPS_OK) {
        status = train(&self);
    }
    if (status == DCPS_OK && dcps_options_is_set(options, "save")) {
        status = save(&self, dcps_options_text(options, "save"));
    }
    dcps_tape_destroy(&self.training);
    dcps_tape_destroy(&self.evaluation);
    dcps_layout_destroy(&self.layout);
    if (self.state != NULL) {
        self.model->close(self.state);
    }
    dcps_free(self.weights);
    dcps_free(self.gradient);
    dcps_free(self.order);
    dcps_options_destroy(&model_options);
    dcps_plugin_close(&plugin);
    return status;
}

int main(int argc, char **argv)
{
    static const dcps_program program = {
        .name = "serial_train", .summary = "Trains a model plugin by serial SGD.", .options = table};
    dcps_options *options = NULL;
    int positional;
    dcps_parse_outcome outcome;
    dcps_status status = dcps_options_parse(&program, argc, argv, &options, &positional, &outcome);
    if (status == DCPS_OK && outcome == DCPS_PARSE_RUN) {
        status = run(options);
    }
    if (status != DCPS_OK) {
        fprintf(stderr, "serial_train: %s\n", dcps_error_message());
    }
    dcps_options_destroy(&options);
    return status == DCPS_OK ? 0 : 1;
}
