/* Data sets for models. Part of the public interface. */
#ifndef DCPS_DATA_H
#define DCPS_DATA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dcps/status.h"

/* Labelled images, pixels as bytes. */
typedef struct dcps_image_set {
    uint32_t count;
    uint32_t height;
    uint32_t width;
    uint32_t channels;
    const uint8_t *pixels; /* [count, channels, height, width] */
    const uint8_t *labels; /* [count], 0 … classes − 1 */
} dcps_image_set;

/* A training and a test set of equal shapes. */
typedef struct dcps_images {
    dcps_image_set train;
    dcps_image_set test;
    uint32_t classes;
    dcps_image_set validation; /* count 0 unless dcps_images_hold_out was called */
} dcps_images;

/* Opens a data set; its files may be plain, .gz or .xz. Errors name the file: DCPS_INVALID (no such name), DCPS_NOT_FOUND (with the places looked at and what to do),
 * DCPS_CORRUPT, DCPS_IO, DCPS_LIMIT, DCPS_NO_MEMORY.
 *   "fashion-mnist", "mnist": the four idx files, in DIR/NAME or DIR, or for fashion-mnist where Debian's package dataset-fashion-mnist puts them. [count, 1, 28, 28]
 *   "cifar10": the binary version, data_batch_1.bin … data_batch_5.bin and test_batch.bin, in DIR/cifar10, DIR/cifar-10-batches-bin or DIR. [count, 3, 32, 32] */
DCPS_API DCPS_MUST_CHECK dcps_status dcps_images_open(const char *name, const char *dir, dcps_images **images);
DCPS_API void dcps_images_close(dcps_images **images);

/* Keeps the first `count` images of each set, for quick trials: of the training set before any are held out. 0, or as many as there are: all. */
DCPS_API void dcps_images_limit(dcps_images *images, uint32_t count);

/* What is usually held out of the 50,000 or 60,000 training images of these sets. */
#define DCPS_HOLD_OUT_SAMPLES 5000u

/* Moves the last `count` of the training images to `validation`, for choices that must not look at the test set; train.count shrinks, so what `describe` says of the model must
 * come after. Called again it divides anew; 0: all for training, as after opening. Errors: DCPS_INVALID (none would be left for training), and then nothing changes. */
DCPS_API DCPS_MUST_CHECK dcps_status dcps_images_hold_out(dcps_images *images, uint32_t count);

#define DCPS_MAX_CHANNELS 4u

/* How the pixels of each channel become numbers: x = (pixel / 255 − mean) / deviation. */
typedef struct dcps_image_norm {
    float mean[DCPS_MAX_CHANNELS];
    float deviation[DCPS_MAX_CHANNELS]; /* > 0 */
} dcps_image_norm;

/* Mean and standard deviation (of all the pixels: divided by their number) of each channel; deviation 1 for a channel that is the same everywhere. Takes a pass over the set:
 * call it once. The same on every machine. Errors: DCPS_INVALID (an empty set, more than DCPS_MAX_CHANNELS). */
DCPS_API DCPS_MUST_CHECK dcps_status dcps_image_norm_measure(const dcps_image_set *set, dcps_image_norm *norm);

/* Random changes of training images: each is padded with zeros (after normalisation: the mean) by `pad` pixels on every side, cropped to its size at a random place, and, if `flip`,
 * mirrored left to right half of the time. He et al. (2016) pad CIFAR-10 by 4. */
typedef struct dcps_image_augment {
    uint32_t pad; /* less than height and width */
    bool flip;
    uint64_t seed;   /* of the run */
    uint64_t number; /* of the batch: what happens to its i-th image depends on seed, number and i alone */
} dcps_image_augment;

/* A mini-batch of images ready for the tape, in memory of its own that grows to the largest batch seen. Starts zeroed: dcps_image_batch batch = {0}. */
typedef struct dcps_image_batch {
    float *x;        /* [count, features] or [count, channels, height, width] */
    int32_t *y;      /* [count] labels */
    size_t count;    /* samples */
    size_t features; /* channels * height * width */
    size_t dims[4];  /* count, channels, height, width */
    size_t capacity_samples;
} dcps_image_batch;

/* Gathers samples[count] of `set`, count > 0, pixels scaled to 0 … 1. On failure the batch is as before. Errors: DCPS_INVALID (an index beyond the set), DCPS_NO_MEMORY.
 * A batch is used with sets of one shape. */
DCPS_API DCPS_MUST_CHECK dcps_status dcps_image_batch_load(dcps_image_batch *batch, const dcps_image_set *set,
                                                           const uint32_t *samples, uint32_t count);
/* The same, normalised (NULL: scaled to 0 … 1) and augmented (NULL: not, as for evaluation). Errors: also DCPS_INVALID (a deviation that is not positive, padding too large). */
DCPS_API DCPS_MUST_CHECK dcps_status dcps_image_batch_load_augmented(dcps_image_batch *batch, const dcps_image_set *set,
                                                                     const uint32_t *samples, uint32_t count,
                                                                     const dcps_image_norm *norm,
                                                                     const dcps_image_augment *augment);
/* Frees its memory; the batch is zeroed. */
DCPS_API void dcps_image_batch_release(dcps_image_batch *batch);

#endif
