/* The residual nets for CIFAR-10 of He, Zhang, Ren and Sun (2015), "Deep Residual Learning for Image Recognition", section 4.2, with shortcuts of option A:
 * a 3 × 3 convolution, three stages of n blocks of two 3 × 3 convolutions with 16, 32 and 64 filters, global average pooling, one fully connected layer. */
#include <stdio.h>
#include <stdlib.h>

#include <dcps/model.h>

#define STAGES 3
#define FIRST_FILTERS 16
#define CHANNELS 3
#define AVERAGE_RATE 0.1f /* of a step's statistics in the running ones */
#define EPSILON 1e-5f
#define TENSORS_A_CONV 5 /* weight, scale, shift, mean, variance */

static const dcps_option resnet_options[] = {
    {.name = "depth",
     .type = DCPS_OPTION_INTEGER,
     .default_text = "20",
     .value_name = "6n+2",
     .minimum = 8,
     .maximum = 200,
     .help = "Layers with weights: 8, 14, 20, 32, 44, 56, 110, …"},
    {.name = "augment",
     .type = DCPS_OPTION_FLAG,
     .default_text = "true",
     .help = "Pad training images by 4 pixels, crop them at random and mirror half of them"},
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

typedef struct resnet {
    dcps_images *images;
    dcps_image_norm norm;
    dcps_image_batch batch;
    uint32_t blocks; /* of a stage: n */
    bool augment;
} resnet;

static void resnet_close(void *state)
{
    resnet *self = state;
    dcps_image_batch_release(&self->batch);
    dcps_images_close(&self->images);
    free(self);
}

static dcps_status read_options(resnet *self, const dcps_options *options)
{
    int64_t depth = dcps_options_integer(options, "depth");
    if (depth % 6 != 2) {
        return dcps_fail(DCPS_INVALID, "model resnet, option depth: expected 6n+2 (8, 14, 20, 32, …), got %lld",
                         (long long)depth);
    }
    self->blocks = (uint32_t)(depth - 2) / 6;
    self->augment = dcps_options_flag(options, "augment");
    return DCPS_OK;
}

static dcps_status read_images(resnet *self, const dcps_options *options, const char *data_dir)
{
    dcps_status status = dcps_images_open("cifar10", data_dir, &self->images);
    if (status == DCPS_OK) {
        dcps_images_limit(self->images, (uint32_t)dcps_options_integer(options, "samples"));
        status = dcps_images_hold_out(self->images, (uint32_t)dcps_options_integer(options, "validation"));
    }
    return status == DCPS_OK ? dcps_image_norm_measure(&self->images->train, &self->norm) : status;
}

static dcps_status resnet_open(const dcps_options *options, const char *data_dir, void **state)
{
    resnet *self = calloc(1, sizeof(*self));
    if (self == NULL) {
        return dcps_fail(DCPS_NO_MEMORY, "resnet: no memory");
    }
    dcps_status status = read_options(self, options);
    if (status == DCPS_OK) {
        status = read_images(self, options, data_dir);
    }
    if (status != DCPS_OK) {
        resnet_close(self);
        return status;
    }
    *state = self;
    return DCPS_OK;
}

static dcps_status resnet_describe(void *state, dcps_model_info *info)
{
    const resnet *self = state;
    *info = (dcps_model_info){.train_samples = self->images->train.count, .dataset = "cifar10"};
    return DCPS_OK;
}

static dcps_status add_tensor(dcps_layout *layout, const char *place, const char *name, dcps_init init, float rate,
                              uint32_t dim_count, const size_t *dims)
{
    char full[64];
    snprintf(full, sizeof(full), "%s.%s", place, name);
    return rate > 0.0f ? dcps_layout_add_average(layout, full, init, rate, dim_count, dims, NULL)
                       : dcps_layout_add(layout, full, init, dim_count, dims, NULL);
}

/* A 3 × 3 convolution and its batch norm: the five tensors of conv_norm. */
static dcps_status declare_conv(dcps_layout *layout, const char *place, size_t channels, size_t filters)
{
    const size_t dims[] = {filters, channels, 3, 3};
    dcps_status status = add_tensor(layout, place, "weight", DCPS_INIT_HE_NORMAL_FILTERS, 0.0f, 4, dims);
    if (status == DCPS_OK) {
        status = add_tensor(layout, place, "scale", DCPS_INIT_ONE, 0.0f, 1, &filters);
    }
    if (status == DCPS_OK) {
        status = add_tensor(layout, place, "shift", DCPS_INIT_ZERO, 0.0f, 1, &filters);
    }
    if (status == DCPS_OK) {
        status = add_tensor(layout, place, "mean", DCPS_INIT_ZERO, AVERAGE_RATE, 1, &filters);
    }
    if (status == DCPS_OK) {
        status = add_tensor(layout, place, "variance", DCPS_INIT_ONE, AVERAGE_RATE, 1, &filters);
    }
    return status;
}

static dcps_status declare_stage(const resnet *self, dcps_layout *layout, int stage, size_t channels, size_t filters)
{
    dcps_status status = DCPS_OK;
    for (uint32_t block = 0; block < self->blocks && status == DCPS_OK; block++) {
        char place[48];
        snprintf(place, sizeof(place), "stage%d.block%u.conv1", stage + 1, block + 1);
        status = declare_conv(layout, place, channels, filters);
        snprintf(place, sizeof(place), "stage%d.block%u.conv2", stage + 1, block + 1);
        if (status == DCPS_OK) {
            status = declare_conv(layout, place, filters, filters);
        }
        channels = filters;
    }
    return status;
}

static dcps_status resnet_declare(void *state, dcps_layout *layout)
{
    const resnet *self = state;
    size_t channels = FIRST_FILTERS, filters = FIRST_FILTERS;
    dcps_status status = declare_conv(layout, "conv", CHANNELS, FIRST_FILTERS);
    for (int stage = 0; stage < STAGES && status == DCPS_OK; stage++) {
        filters = (size_t)FIRST_FILTERS << stage;
        status = declare_stage(self, layout, stage, channels, filters);
        channels = filters;
    }
    const size_t fc[] = {filters, self->images->classes};
    if (status == DCPS_OK) {
        status = dcps_layout_add(layout, "fc.weight", DCPS_INIT_HE_NORMAL, 2, fc, NULL);
    }
    return status == DCPS_OK ? dcps_layout_add(layout, "fc.bias", DCPS_INIT_ZERO, 1, &fc[1], NULL) : status;
}

static dcps_status resnet_load(void *state, const dcps_batch *batch)
{
    resnet *self = state;
    dcps_image_augment augment = {.pad = 4, .flip = true, .seed = batch->seed, .number = batch->number};
    return dcps_image_batch_load_augmented(&self->batch, &self->images->train, batch->samples, batch->count,
                                           &self->norm, self->augment ? &augment : NULL);
}

/* x [batch, channels, height, width] → [batch, filters, height / stride, width / stride]; its tensors are those from `first` on. Before ReLU, `residual` is
 * added, if any. */
static dcps_tensor *conv_norm_relu(dcps_tape *tape, dcps_tensor *x, uint32_t first, size_t stride,
                                   dcps_tensor *residual)
{
    x = dcps_tape_conv2d(tape, x, dcps_tape_parameter(tape, first), stride, 1);
    return dcps_tape_batch_norm_relu(tape, x, dcps_tape_parameter(tape, first + 1),
                                     dcps_tape_parameter(tape, first + 2), dcps_tape_parameter(tape, first + 3),
                                     dcps_tape_parameter(tape, first + 4), EPSILON, residual);
}

/* Option A: every second pixel of every second row, and as many channels of zeros again. */
static dcps_tensor *shortcut(dcps_tape *tape, dcps_tensor *x)
{
    dcps_tensor *thinned = dcps_tape_avg_pool(tape, x, 1, 2, 0);
    dcps_tensor *zeros = dcps_tape_scale(tape, thinned, 0.0f);
    return dcps_tape_concat(tape, 2, (dcps_tensor *[]){thinned, zeros}, 1);
}

/* y = relu(x + F(x)), F two convolutions; where the stage begins, F halves height and width. */
static dcps_tensor *block(dcps_tape *tape, dcps_tensor *x, uint32_t first, bool halve)
{
    dcps_tensor *y = conv_norm_relu(tape, x, first, halve ? 2 : 1, NULL);
    return conv_norm_relu(tape, y, first + TENSORS_A_CONV, 1, halve ? shortcut(tape, x) : x);
}

/* x [batch, 3, 32, 32] → [batch, classes] */
static dcps_tensor *resnet_logits(void *state, dcps_tape *tape, dcps_tensor *x)
{
    const resnet *self = state;
    uint32_t next = TENSORS_A_CONV;
    x = conv_norm_relu(tape, x, 0, 1, NULL);
    for (int stage = 0; stage < STAGES; stage++) {
        for (uint32_t i = 0; i < self->blocks; i++) {
            x = block(tape, x, next, stage > 0 && i == 0);
            next += 2 * TENSORS_A_CONV;
        }
    }
    x = dcps_tape_matmul(tape, dcps_tape_global_avg_pool(tape, x), dcps_tape_parameter(tape, next));
    return dcps_tape_bias(tape, x, dcps_tape_parameter(tape, next + 1));
}

static dcps_tensor *resnet_loss(void *state, dcps_tape *tape)
{
    resnet *self = state;
    dcps_tensor *x = dcps_tape_input(tape, self->batch.x, 4, self->batch.dims);
    return dcps_tape_cross_entropy(tape, resnet_logits(self, tape, x), self->batch.y);
}

static dcps_status resnet_evaluate(void *state, dcps_tape *tape, dcps_split split, dcps_metrics *metrics)
{
    resnet *self = state;
    return dcps_evaluate_image_classifier(tape, self->images, split, &self->norm, resnet_logits, self, metrics);
}

static const dcps_setting resnet_settings[] = {
    {"epochs", "160"},          {"batch-size", "128"},   {"learning-rate", "0.5"}, {"warmup-epochs", "1"},
    {"decay-epochs", "80,120"}, {"decay-factor", "0.1"}, {"weight-decay", "1e-4"}, {NULL, NULL},
};

DCPS_MODEL_EXPORT = {
    DCPS_MODEL_HEAD,
    .name = "resnet",
    .summary = "Residual nets of He et al. (2015) for CIFAR-10, 20 layers unless told otherwise.",
    .options = resnet_options,
    .settings = resnet_settings,
    .open = resnet_open,
    .describe = resnet_describe,
    .declare = resnet_declare,
    .load = resnet_load,
    .loss = resnet_loss,
    .evaluate = resnet_evaluate,
    .close = resnet_close,
};
