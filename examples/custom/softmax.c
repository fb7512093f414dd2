/* Softmax regression on Fashion-MNIST: the smallest useful model. */
#include <stdlib.h>

#include <dcps/model.h>

enum { WEIGHT, BIAS }; /* in the order of declaration */

/* All that an open model knows; nothing is global, because a simulation opens several side by side. */
typedef struct softmax {
    dcps_images *images;
    dcps_image_batch batch;
} softmax;

static dcps_status softmax_open(const dcps_options *options, const char *data_dir, void **state)
{
    softmax *self = calloc(1, sizeof(*self));
    if (self == NULL) {
        return dcps_fail(DCPS_NO_MEMORY, "softmax: no memory");
    }
    dcps_status status = dcps_images_open("fashion-mnist", data_dir, &self->images);
    if (status != DCPS_OK) {
        free(self);
        return status;
    }
    *state = self;
    return DCPS_OK;
}
static dcps_status softmax_describe(void *state, dcps_model_info *info)
{
    const softmax *self = state;
    *info = (dcps_model_info){.train_samples = self->images->train.count, .dataset = "fashion-mnist"};
    return DCPS_OK;
}
static dcps_status softmax_declare(void *state, dcps_layout *layout)
{
    dcps_status status = dcps_layout_add(layout, "weight", DCPS_INIT_ZERO, 2, (size_t[]){784, 10}, NULL);
    return status != DCPS_OK ? status : dcps_layout_add(layout, "bias", DCPS_INIT_ZERO, 1, (size_t[]){10}, NULL);
}
static dcps_status softmax_load(void *state, const dcps_batch *slice)
{
    softmax *self = state;
    return dcps_image_batch_load(&self->batch, &self->images->train, slice->samples, slice->count);
}
static dcps_tensor *softmax_logits(void *state, dcps_tape *tape, dcps_tensor *x)
{
    dcps_tensor *scores = dcps_tape_matmul(tape, x, dcps_tape_parameter(tape, WEIGHT));
    return dcps_tape_bias(tape, scores, dcps_tape_parameter(tape, BIAS));
}
static dcps_tensor *softmax_loss(void *state, dcps_tape *tape)
{
    softmax *self = state;
    dcps_tensor *x = dcps_tape_input(tape, self->batch.x, 2, (size_t[]){self->batch.count, self->batch.features});
    return dcps_tape_cross_entropy(tape, softmax_logits(self, tape, x), self->batch.y);
}
static dcps_status softmax_evaluate(void *state, dcps_tape *tape, dcps_split split, dcps_metrics *metrics)
{
    softmax *self = state;
    return dcps_evaluate_classifier(tape, self->images, split, softmax_logits, self, metrics);
}
static void softmax_close(void *state)
{
    softmax *self = state;
    dcps_image_batch_release(&self->batch);
    dcps_images_close(&self->images);
    free(self);
}

DCPS_MODEL_EXPORT = {DCPS_MODEL_HEAD,
                     .name = "softmax",
                     .summary = "Softmax regression on Fashion-MNIST.",
                     .open = softmax_open,
                     .describe = softmax_describe,
                     .declare = softmax_declare,
                     .load = softmax_load,
                     .loss = softmax_loss,
                     .evaluate = softmax_evaluate,
                     .close = softmax_close};
