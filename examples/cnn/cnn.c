/* A small convolutional net for images: layers of 5 × 5 convolution, batch norm, ReLU and 2 × 2 max pooling, then two fully connected layers. */
#include <stdio.h>
#include <stdlib.h>

#include <dcps/model.h>

#define KERNEL 5
#define AVERAGE_RATE 0.1f /* of a step's statistics in the running ones */
#define EPSILON 1e-5f
#define TENSORS_A_CONV 5 /* weight, scale, shift, mean, variance */

static const dcps_option cnn_options[] = {
    {.name = "dataset",
     .type = DCPS_OPTION_TEXT,
     .default_text = "fashion-mnist",
     .choices = "fashion-mnist|mnist",
     .help = "Images to learn from"},
    {.name = "filters",
     .type = DCPS_OPTION_INTEGERS,
     .default_text = "16,32",
     .value_name = "N,…",
     .minimum = 1,
     .maximum = 4096,
     .help = "Filters of each convolution; one to four of them"},
    {.name = "hidden",
     .type = DCPS_OPTION_INTEGER,
     .default_text = "128",
     .value_name = "N",
     .minimum = 1,
     .maximum = 65536,
     .help = "Units of the first fully connected layer"},
    {.name = "dropout",
     .type = DCPS_OPTION_REAL,
     .default_text = "0",
     .value_name = "X",
     .minimum = 0,
     .maximum = 0.99,
     .help = "Share of its units dropped"},
    {.name = "validation",
     .type = DCPS_OPTION_INTEGER,
     .default_text = "0",
     .value_name = "N",
     .minimum = 0,
     .maximum = 1000000,
     .help = "Training images to hold out, the last ones, for --split validation"},
    {.name = "samples",
     .type = DCPS_OPTION_INTEGER,
     .default_text = "0",
     .value_name = "N",
     .minimum = 0,
     .maximum = 1000000,
     .help = "Use only the first images of each set, for a quick trial; 0: all"},
    {.name = NULL},
};

typedef struct cnn {
    const dcps_options *options;
    dcps_images *images;
    dcps_image_norm norm;
    dcps_image_batch batch;
    uint64_t seed, number; /* of the batch, for dropout */
    uint32_t convs;
    float dropout;
} cnn;

static void cnn_close(void *state)
{
    cnn *self = state;
    dcps_image_batch_release(&self->batch);
    dcps_images_close(&self->images);
    free(self);
}

static dcps_status read_options(cnn *self, const dcps_options *options)
{
    size_t count;
    dcps_options_integers(options, "filters", &count);
    if (count < 1 || count > 4) {
        return dcps_fail(DCPS_INVALID, "model cnn, option filters: expected one to four convolutions, got %zu", count);
    }
    self->options = options;
    self->convs = (uint32_t)count;
    self->dropout = (float)dcps_options_real(options, "dropout");
    return DCPS_OK;
}

static dcps_status read_images(cnn *self, const dcps_options *options, const char *data_dir)
{
    dcps_status status = dcps_images_open(dcps_options_text(options, "dataset"), data_dir, &self->images);
    if (status == DCPS_OK) {
        dcps_images_limit(self->images, (uint32_t)dcps_options_integer(options, "samples"));
        status = dcps_images_hold_out(self->images, (uint32_t)dcps_options_integer(options, "validation"));
    }
    return status == DCPS_OK ? dcps_image_norm_measure(&self->images->train, &self->norm) : status;
}

static dcps_status cnn_open(const dcps_options *options, const char *data_dir, void **state)
{
    cnn *self = calloc(1, sizeof(*self));
    if (self == NULL) {
        return dcps_fail(DCPS_NO_MEMORY, "cnn: no memory");
    }
    dcps_status status = read_options(self, options);
    if (status == DCPS_OK) {
        status = read_images(self, options, data_dir);
    }
    if (status != DCPS_OK) {
        cnn_close(self);
        return status;
    }
    *state = self;
    return DCPS_OK;
}

static dcps_status cnn_describe(void *state, dcps_model_info *info)
{
    const cnn *self = state;
    *info = (dcps_model_info){.train_samples = self->images->train.count,
                              .dataset = dcps_options_text(self->options, "dataset")};
    return DCPS_OK;
}

/* The five tensors of a convolution and its batch norm. */
static dcps_status declare_conv(dcps_layout *layout, uint32_t number, size_t channels, size_t filters)
{
    const size_t dims[] = {filters, channels, KERNEL, KERNEL};
    static const struct {
        const char *name;
        dcps_init init;
        float average_rate; /* 0: trained */
    } rest[] = {{"scale", DCPS_INIT_ONE, 0.0f},
                {"shift", DCPS_INIT_ZERO, 0.0f},
                {"mean", DCPS_INIT_ZERO, AVERAGE_RATE},
                {"variance", DCPS_INIT_ONE, AVERAGE_RATE}};
    char name[32];
    snprintf(name, sizeof(name), "conv%u.weight", number);
    dcps_status status = dcps_layout_add(layout, name, DCPS_INIT_HE_NORMAL_FILTERS, 4, dims, NULL);
    for (size_t i = 0; i < sizeof(rest) / sizeof(rest[0]) && status == DCPS_OK; i++) {
        snprintf(name, sizeof(name), "conv%u.%s", number, rest[i].name);
        status = rest[i].average_rate > 0.0f
                     ? dcps_layout_add_average(layout, name, rest[i].init, rest[i].average_rate, 1, &filters, NULL)
                     : dcps_layout_add(layout, name, rest[i].init, 1, &filters, NULL);
    }
    return status;
}

static dcps_status declare_fc(dcps_layout *layout, uint32_t number, size_t inputs, size_t outputs)
{
    char name[32];
    snprintf(name, sizeof(name), "fc%u.weight", number);
    dcps_status status = dcps_layout_add(layout, name, DCPS_INIT_HE_NORMAL, 2, (size_t[]){inputs, outputs}, NULL);
    snprintf(name, sizeof(name), "fc%u.bias", number);
    return status == DCPS_OK ? dcps_layout_add(layout, name, DCPS_INIT_ZERO, 1, &outputs, NULL) : status;
}

static dcps_status cnn_declare(void *state, dcps_layout *layout)
{
    const cnn *self = state;
    const dcps_image_set *train = &self->images->train;
    size_t count, channels = train->channels, height = train->height, width = train->width;
    size_t hidden = (size_t)dcps_options_integer(self->options, "hidden");
    const int64_t *filters = dcps_options_integers(self->options, "filters", &count);
    dcps_status status = DCPS_OK;
    for (uint32_t i = 0; i < self->convs && status == DCPS_OK; i++) {
        status = declare_conv(layout, i + 1, channels, (size_t)filters[i]);
        channels = (size_t)filters[i];
        height /= 2;
        width /= 2;
    }
    if (status == DCPS_OK) {
        status = declare_fc(layout, 1, channels * height * width, hidden);
    }
    return status == DCPS_OK ? declare_fc(layout, 2, hidden, self->images->classes) : status;
}

static dcps_status cnn_load(void *state, const dcps_batch *batch)
{
    cnn *self = state;
    self->seed = batch->seed;
    self->number = batch->number;
    return dcps_image_batch_load_augmented(&self->batch, &self->images->train, batch->samples, batch->count,
                                           &self->norm, NULL);
}

/* x [batch, channels, height, width] → [batch, filters, height / 2, width / 2] */
static dcps_tensor *conv_layer(dcps_tape *tape, dcps_tensor *x, uint32_t first)
{
    x = dcps_tape_conv2d(tape, x, dcps_tape_parameter(tape, first), 1, KERNEL / 2);
    x = dcps_tape_batch_norm_relu(tape, x, dcps_tape_parameter(tape, first + 1), dcps_tape_parameter(tape, first + 2),
                                  dcps_tape_parameter(tape, first + 3), dcps_tape_parameter(tape, first + 4), EPSILON,
                                  NULL);
    return dcps_tape_max_pool(tape, x, 2, 2, 0);
}

static dcps_tensor *fc_layer(dcps_tape *tape, dcps_tensor *x, uint32_t first)
{
    x = dcps_tape_matmul(tape, x, dcps_tape_parameter(tape, first));
    return dcps_tape_bias(tape, x, dcps_tape_parameter(tape, first + 1));
}

/* x [batch, channels, height, width] → [batch, classes] */
static dcps_tensor *cnn_logits(void *state, dcps_tape *tape, dcps_tensor *x)
{
    const cnn *self = state;
    const uint32_t fc = TENSORS_A_CONV * self->convs;
    size_t batch = dcps_tensor_dim(x, 0);
    for (uint32_t i = 0; i < self->convs; i++) {
        x = conv_layer(tape, x, TENSORS_A_CONV * i);
    }
    if (x == NULL) {
        return NULL;
    }
    x = dcps_tape_reshape(tape, x, 2, (size_t[]){batch, dcps_tensor_count(x) / batch});
    x = dcps_tape_relu(tape, fc_layer(tape, x, fc));
    if (self->dropout > 0.0f) {
        x = dcps_tape_dropout(tape, x, self->dropout, self->seed, self->number);
    }
    return fc_layer(tape, x, fc + 2);
}

static dcps_tensor *cnn_loss(void *state, dcps_tape *tape)
{
    cnn *self = state;
    dcps_tensor *x = dcps_tape_input(tape, self->batch.x, 4, self->batch.dims);
    return dcps_tape_cross_entropy(tape, cnn_logits(self, tape, x), self->batch.y);
}

static dcps_status cnn_evaluate(void *state, dcps_tape *tape, dcps_split split, dcps_metrics *metrics)
{
    cnn *self = state;
    return dcps_evaluate_image_classifier(tape, self->images, split, &self->norm, cnn_logits, self, metrics);
}

static const dcps_setting cnn_settings[] = {
    {"epochs", "10"},       {"batch-size", "128"},   {"learning-rate", "0.1"},
    {"warmup-epochs", "1"}, {"decay-epochs", "7,9"}, {"decay-factor", "0.1"},
    {NULL, NULL},
};

DCPS_MODEL_EXPORT = {
    DCPS_MODEL_HEAD,
    .name = "cnn",
    .summary = "Small convolutional net for Fashion-MNIST or MNIST.",
    .options = cnn_options,
    .settings = cnn_settings,
    .open = cnn_open,
    .describe = cnn_describe,
    .declare = cnn_declare,
    .load = cnn_load,
    .loss = cnn_loss,
    .evaluate = cnn_evaluate,
    .close = cnn_close,
};
