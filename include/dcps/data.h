/* Data sets for models. Part of the public interface. */
#ifndef DCPS_DATA_H
#define DCPS_DATA_H

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
} dcps_images;

/* Opens a data set; its files may be plain, .gz or .xz. Errors name the file: DCPS_INVALID (no such name), DCPS_NOT_FOUND (with the places looked at and what to do),
 * DCPS_CORRUPT, DCPS_IO, DCPS_LIMIT, DCPS_NO_MEMORY.
 *   "fashion-mnist", "mnist": the four idx files, in DIR/NAME or DIR, or for fashion-mnist where Debian's package dataset-fashion-mnist puts them. [count, 1, 28, 28]
 *   "cifar10": the binary version, data_batch_1.bin … data_batch_5.bin and test_batch.bin, in DIR/cifar10, DIR/cifar-10-batches-bin or DIR. [count, 3, 32, 32] */
DCPS_API DCPS_MUST_CHECK dcps_status dcps_images_open(const char *name, const char *dir, dcps_images **images);
DCPS_API void dcps_images_close(dcps_images **images);

/* A mini-batch of images ready for the tape, in memory of its own that grows to the largest batch seen. Starts zeroed: dcps_image_batch batch = {0}. */
typedef struct dcps_image_batch {
    float *x;        /* [count, features], pixels scaled to 0 … 1 */
    int32_t *y;      /* [count] labels */
    size_t count;    /* samples */
    size_t features; /* channels * height * width */
    size_t capacity_samples;
} dcps_image_batch;

/* Gathers samples[count] of `set`, count > 0. On failure the batch is as before. Errors: DCPS_INVALID (an index beyond the set), DCPS_NO_MEMORY.
 * A batch is used with sets of one shape. */
DCPS_API DCPS_MUST_CHECK dcps_status dcps_image_batch_load(dcps_image_batch *batch, const dcps_image_set *set,
                                                           const uint32_t *samples, uint32_t count);
/* Frees its memory; the batch is zeroed. */
DCPS_API void dcps_image_batch_release(dcps_image_batch *batch);

#endif
