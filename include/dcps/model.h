/* What a model plugin is: a shared object that exports one table of functions. Part of the public interface.
 *
 *     #include <dcps/model.h>
 *     …
 *     DCPS_MODEL_EXPORT = {
 *         DCPS_MODEL_HEAD, .name = "softmax", .summary = "…", .options = options, .open = …, …
 *     };
 *
 * Of each state: open, then describe and declare, then load and loss for every batch, and evaluate between batches; close at the end. One thread at a time uses a state, not
 * always the same. A process may have several states open and use them side by side, as dcps sim does: what changes is kept behind *state, never in a global. */
#ifndef DCPS_MODEL_H
#define DCPS_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dcps/data.h"
#include "dcps/layout.h"
#include "dcps/options.h"
#include "dcps/status.h"
#include "dcps/tape.h"

#define DCPS_MODEL_ABI 4u
#define DCPS_MODEL_HEAD .abi = DCPS_MODEL_ABI, .struct_bytes = sizeof(dcps_model)
#define DCPS_MODEL_SYMBOL "dcps_model_table"
#define DCPS_MODEL_EXPORT __attribute__((visibility("default"))) const dcps_model dcps_model_table

/* What a model says of itself once its data is open. Texts are kept by the model. */
typedef struct dcps_model_info {
    uint64_t train_samples; /* samples in an epoch, > 0 */
    const char *dataset;    /* "fashion-mnist" */
    /* > 0: a gradient whose Euclidean norm over all trained tensors is larger is scaled to this one before it is pushed (Pascanu et al. 2013); 0: as it is */
    double clip_norm;
    bool
        carries_state; /* what a batch does depends on the batch before: every worker of a simulation then gets a state of its own, instead of one for each thread */
} dcps_model_info;

/* One mini-batch to load: `samples` [count] are indices 0 … train_samples − 1, a slice of the epoch's permutation.
 *
 * A model that carries state from batch to batch reads its data in order instead, each worker a part of its own: `turn` says where it stands. The batch is then of `size`
 * streams, and `count` only says that it weighs as much as so many samples. With one worker `turn` is `number`. */
typedef struct dcps_batch {
    uint64_t number; /* of the batch over the whole run; seeds any randomness of the model */
    uint64_t epoch;
    uint64_t seed; /* of the run */
    const uint32_t *samples;
    uint32_t count;   /* fewer than `size` at the end of an epoch */
    uint32_t size;    /* of a full batch */
    uint32_t worker;  /* who loads it, 0 … workers − 1 */
    uint32_t workers; /* among whom the data are to be divided */
    uint64_t turn;    /* batches that this worker has had before; grows by one from batch to batch */
} dcps_batch;

typedef enum dcps_split { DCPS_SPLIT_TRAIN = 1, DCPS_SPLIT_VALIDATION, DCPS_SPLIT_TEST } dcps_split;

/* Receives named metrics: fractions for errors ("test_error" 0.0865). Names are UTF-8 and copied, as many characters as fit 47 bytes; control characters become '?'. A name set again takes the new value; a 17th name is dropped with a warning. */
typedef struct dcps_metrics dcps_metrics;
DCPS_API void dcps_metrics_set(dcps_metrics *metrics, const char *name, double value);

/* A training setting that suits a model: an option of `dcps run` without its dashes and a value for it, as typed. Texts are static. */
typedef struct dcps_setting {
    const char *
        name; /* epochs, batch-size, learning-rate, warmup-epochs, decay-epochs, decay-factor, optimizer, momentum or weight-decay */
    const char *value;
} dcps_setting;

typedef struct dcps_model {
    uint32_t abi;          /* DCPS_MODEL_ABI */
    uint32_t struct_bytes; /* sizeof(dcps_model) */
    const char *name;
    const char *summary;        /* one sentence */
    const dcps_option *options; /* ended by a NULL name; NULL: none */
    const dcps_setting *
        settings; /* what dcps run and dcps compare take where the user gives nothing; ended by a NULL name; NULL: none */

    /* Opens data and makes the model's own state. `data_dir` may be NULL. Options and data_dir live until close. On failure nothing is kept. */
    dcps_status (*open)(const dcps_options *options, const char *data_dir, void **state);
    dcps_status (*describe)(void *state, dcps_model_info *info);
    /* Adds every tensor; must not depend on anything but the options and the data's shape. */
    dcps_status (*declare)(void *state, dcps_layout *layout);
    /* Gathers a mini-batch into the model's own memory. */
    dcps_status (*load)(void *state, const dcps_batch *batch);
    /* Forward pass on the batch loaded last; returns the scalar mean loss, NULL on failure (the tape knows why). */
    dcps_tensor *(*loss)(void *state, dcps_tape *tape);
    /* Metrics of the tape's weights on a split; calls dcps_tape_reset between its batches. DCPS_UNSUPPORTED for a split it has not. */
    dcps_status (*evaluate)(void *state, dcps_tape *tape, dcps_split split, dcps_metrics *metrics);
    void (*close)(void *state);
} dcps_model;

/* For `evaluate` of classifiers: runs `logits` over a split of `data` in batches and sets "test_error" (or "validation_error", "train_error") and "test_loss" (…).
 * `logits` maps x [count, features], pixels scaled to 0 … 1, to [count, classes]. DCPS_UNSUPPORTED for validation when nothing was held out. */
DCPS_API DCPS_MUST_CHECK dcps_status dcps_evaluate_classifier(
    dcps_tape *tape, const dcps_images *data, dcps_split split,
    dcps_tensor *(*logits)(void *state, dcps_tape *tape, dcps_tensor *x), void *state, dcps_metrics *metrics);
/* The same for nets that see images: `logits` maps x [count, channels, height, width], normalised as told (NULL: scaled to 0 … 1), to [count, classes]. */
DCPS_API DCPS_MUST_CHECK dcps_status dcps_evaluate_image_classifier(
    dcps_tape *tape, const dcps_images *data, dcps_split split, const dcps_image_norm *norm,
    dcps_tensor *(*logits)(void *state, dcps_tape *tape, dcps_tensor *x), void *state, dcps_metrics *metrics);

#endif
