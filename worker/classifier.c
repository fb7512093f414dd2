/* Evaluation that most image models share. */
#include <stdio.h>

#include "base/alloc.h"
#include "dcps/model.h"

/* Large enough for good matrix products, small enough for the last-level cache; convolutions make much of each image. */
#define EVALUATION_BATCH 500u
#define IMAGE_EVALUATION_BATCH 100u

typedef dcps_tensor *(*logits_fn)(void *state, dcps_tape *tape, dcps_tensor *x);

/* How a model wants to see the images. */
typedef struct view {
    bool as_images; /* [count, channels, height, width], not [count, features] */
    const dcps_image_norm *norm;
    uint32_t batch_samples;
} view;

typedef struct totals {
    uint64_t wrong;
    double loss; /* summed over samples */
} totals;

/* Samples whose largest logit is not their label's; a NaN is never right. */
static uint64_t count_wrong(const float *logits, size_t rows, size_t classes, const int32_t *labels)
{
    uint64_t wrong = 0;
    for (size_t i = 0; i < rows; i++) {
        const float *row = logits + i * classes;
        bool right = row[labels[i]] == row[labels[i]];
        for (size_t j = 0; j < classes; j++) {
            if (j != (size_t)labels[i] && !(row[j] < row[labels[i]])) {
                right = false;
            }
        }
        wrong += !right;
    }
    return wrong;
}

static dcps_status evaluate_batch(dcps_tape *tape, const dcps_image_batch *batch, bool as_images, logits_fn logits,
                                  void *state, totals *sums)
{
    dcps_tape_reset(tape);
    const size_t flat[] = {batch->count, batch->features};
    dcps_tensor *x = dcps_tape_input(tape, batch->x, as_images ? 4 : 2, as_images ? batch->dims : flat);
    dcps_tensor *y = logits(state, tape, x);
    if (y != NULL && (dcps_tensor_dim_count(y) != 2 || dcps_tensor_dim(y, 0) != batch->count)) {
        return dcps_fail(DCPS_INVALID, "evaluate: expected logits [%zu, classes], seen %u dims with %zu rows",
                         batch->count, dcps_tensor_dim_count(y), dcps_tensor_dim(y, 0));
    }
    const float *loss = dcps_tensor_values(tape, dcps_tape_cross_entropy(tape, y, batch->y));
    if (loss == NULL) {
        return dcps_tape_status(tape);
    }
    sums->wrong += count_wrong(dcps_tensor_values(tape, y), batch->count, dcps_tensor_dim(y, 1), batch->y);
    sums->loss += (double)*loss * (double)batch->count;
    return DCPS_OK;
}

static void metrics_set(dcps_metrics *metrics, const char *split, uint32_t samples, const totals *sums)
{
    char name[32];
    snprintf(name, sizeof(name), "%s_error", split);
    dcps_metrics_set(metrics, name, (double)sums->wrong / (double)samples);
    snprintf(name, sizeof(name), "%s_loss", split);
    dcps_metrics_set(metrics, name, sums->loss / (double)samples);
}

static dcps_status choose(const dcps_images *data, dcps_split split, const dcps_image_set **set, const char **name)
{
    switch (split) {
    case DCPS_SPLIT_TRAIN:
        *set = &data->train;
        *name = "train";
        return DCPS_OK;
    case DCPS_SPLIT_TEST:
        *set = &data->test;
        *name = "test";
        return DCPS_OK;
    case DCPS_SPLIT_VALIDATION:
        *set = &data->validation;
        *name = "validation";
        if (data->validation.count == 0) {
            return dcps_fail(DCPS_UNSUPPORTED, "evaluate: no training images were held out for validation");
        }
        return DCPS_OK;
    }
    return dcps_fail(DCPS_UNSUPPORTED, "evaluate: split %d was asked for, which images do not have", (int)split);
}

static dcps_status evaluate(dcps_tape *tape, const dcps_images *data, dcps_split split, const view *seen,
                            logits_fn logits, void *state, dcps_metrics *metrics)
{
    const dcps_image_set *set = NULL;
    const char *name = NULL;
    dcps_status status = choose(data, split, &set, &name);
    if (status != DCPS_OK) {
        return status;
    }
    uint32_t samples[EVALUATION_BATCH];
    dcps_image_batch batch = {0};
    totals sums = {0};
    for (uint32_t first = 0; status == DCPS_OK && first < set->count; first += seen->batch_samples) {
        uint32_t count = set->count - first < seen->batch_samples ? set->count - first : seen->batch_samples;
        for (uint32_t i = 0; i < count; i++) {
            samples[i] = first + i;
        }
        status = dcps_image_batch_load_augmented(&batch, set, samples, count, seen->norm, NULL);
        if (status == DCPS_OK) {
            status = evaluate_batch(tape, &batch, seen->as_images, logits, state, &sums);
        }
    }
    dcps_image_batch_release(&batch);
    if (status == DCPS_OK) {
        metrics_set(metrics, name, set->count, &sums);
    }
    return status;
}

dcps_status dcps_evaluate_classifier(dcps_tape *tape, const dcps_images *data, dcps_split split,
                                     dcps_tensor *(*logits)(void *state, dcps_tape *tape, dcps_tensor *x), void *state,
                                     dcps_metrics *metrics)
{
    const view flat = {.batch_samples = EVALUATION_BATCH};
    return evaluate(tape, data, split, &flat, logits, state, metrics);
}

dcps_status dcps_evaluate_image_classifier(dcps_tape *tape, const dcps_images *data, dcps_split split,
                                           const dcps_image_norm *norm,
                                           dcps_tensor *(*logits)(void *state, dcps_tape *tape, dcps_tensor *x),
                                           void *state, dcps_metrics *metrics)
{
    const view images = {.as_images = true, .norm = norm, .batch_samples = IMAGE_EVALUATION_BATCH};
    return evaluate(tape, data, split, &images, logits, state, metrics);
}
