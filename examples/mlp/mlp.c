/* A multi-layer perceptron for images: fully connected layers with ReLU between them, softmax cross-entropy at the end. */
#include <stdio.h>
#include <stdlib.h>

#include <dcps/model.h>

static const dcps_option mlp_options[] = {
    {.name = "dataset",
     .type = DCPS_OPTION_TEXT,
     .default_text = "fashion-mnist",
     .choices = "fashion-mnist|mnist",
     .help = "Images to learn from"},
    {.name = "hidden",
     .type = DCPS_OPTION_INTEGERS,
     .default_text = "256,256",
     .value_name = "N,…",
     .minimum = 1,
     .maximum = 65536,
     .help = "Units of each hidden layer; none: softmax regression"},
    {.name = "validation",
     .type = DCPS_OPTION_INTEGER,
     .default_text = "0",
     .value_name = "N",
     .minimum = 0,
     .maximum = 1000000,
     .help = "Training images to hold out, the last ones, for --split validation"},
    {.name = NULL},
};

typedef struct mlp {
    const dcps_options *options;
    dcps_images *images;
    dcps_image_batch batch;
    size_t layers; /* layer l has parameters 2l (weight) and 2l + 1 (bias) */
} mlp;

static dcps_status mlp_open(const dcps_options *options, const char *data_dir, void **state)
{
    mlp *self = calloc(1, sizeof(*self));
    if (self == NULL) {
        return dcps_fail(DCPS_NO_MEMORY, "mlp: no memory");
    }
    dcps_status status = dcps_images_open(dcps_options_text(options, "dataset"), data_dir, &self->images);
    if (status == DCPS_OK) {
        status = dcps_images_hold_out(self->images, (uint32_t)dcps_options_integer(options, "validation"));
    }
    if (status != DCPS_OK) {
        dcps_images_close(&self->images);
        free(self);
        return status;
    }
    dcps_options_integers(options, "hidden", &self->layers);
    self->layers++; /* the hidden ones and the output */
    self->options = options;
    *state = self;
    return DCPS_OK;
}

static dcps_status mlp_describe(void *state, dcps_model_info *info)
{
    const mlp *self = state;
    *info = (dcps_model_info){.train_samples = self->images->train.count,
                              .dataset = dcps_options_text(self->options, "dataset")};
    return DCPS_OK;
}

static dcps_status declare_layer(dcps_layout *layout, size_t number, size_t inputs, size_t outputs)
{
    char name[32];
    snprintf(name, sizeof(name), "fc%zu.weight", number);
    dcps_status status = dcps_layout_add(layout, name, DCPS_INIT_HE_NORMAL, 2, (size_t[]){inputs, outputs}, NULL);
    if (status != DCPS_OK) {
        return status;
    }
    snprintf(name, sizeof(name), "fc%zu.bias", number);
    return dcps_layout_add(layout, name, DCPS_INIT_ZERO, 1, &outputs, NULL);
}

static dcps_status mlp_declare(void *state, dcps_layout *layout)
{
    const mlp *self = state;
    const dcps_image_set *train = &self->images->train;
    size_t hidden_count, inputs = (size_t)train->channels * train->height * train->width;
    const int64_t *hidden = dcps_options_integers(self->options, "hidden", &hidden_count);
    dcps_status status = DCPS_OK;
    for (size_t l = 0; l < self->layers && status == DCPS_OK; l++) {
        size_t outputs = l < hidden_count ? (size_t)hidden[l] : self->images->classes;
        status = declare_layer(layout, l + 1, inputs, outputs);
        inputs = outputs;
    }
    return status;
}

static dcps_status mlp_load(void *state, const dcps_batch *batch)
{
    mlp *self = state;
    return dcps_image_batch_load(&self->batch, &self->images->train, batch->samples, batch->count);
}

/* x [rows, features] → [rows, classes] */
static dcps_tensor *mlp_logits(void *state, dcps_tape *tape, dcps_tensor *x)
{
    const mlp *self = state;
    for (uint32_t l = 0; l < self->layers; l++) {
        if (l > 0) {
            x = dcps_tape_relu(tape, x);
        }
        x = dcps_tape_matmul(tape, x, dcps_tape_parameter(tape, 2 * l));
        x = dcps_tape_bias(tape, x, dcps_tape_parameter(tape, 2 * l + 1));
    }
    return x;
}

static dcps_tensor *mlp_loss(void *state, dcps_tape *tape)
{
    mlp *self = state;
    dcps_tensor *x = dcps_tape_input(tape, self->batch.x, 2, (size_t[]){self->batch.count, self->batch.features});
    return dcps_tape_cross_entropy(tape, mlp_logits(self, tape, x), self->batch.y);
}

static dcps_status mlp_evaluate(void *state, dcps_tape *tape, dcps_split split, dcps_metrics *metrics)
{
    mlp *self = state;
    return dcps_evaluate_classifier(tape, self->images, split, mlp_logits, self, metrics);
}

static void mlp_close(void *state)
{
    mlp *self = state;
    dcps_image_batch_release(&self->batch);
    dcps_images_close(&self->images);
    free(self);
}

static const dcps_setting mlp_settings[] = {
    {"epochs", "10"},       {"batch-size", "128"},   {"learning-rate", "0.15"},
    {"warmup-epochs", "1"}, {"decay-epochs", "7,9"}, {"decay-factor", "0.3"},
    {NULL, NULL},
};

DCPS_MODEL_EXPORT = {
    DCPS_MODEL_HEAD,
    .name = "mlp",
    .summary = "Multi-layer perceptron with ReLU and softmax cross-entropy, for Fashion-MNIST or MNIST.",
    .options = mlp_options,
    .settings = mlp_settings,
    .open = mlp_open,
    .describe = mlp_describe,
    .declare = mlp_declare,
    .load = mlp_load,
    .loss = mlp_loss,
    .evaluate = mlp_evaluate,
    .close = mlp_close,
};
