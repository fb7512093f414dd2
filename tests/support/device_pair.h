/* A net on the host and the same on the emulated GPU, step by step. */
#ifndef DCPS_TESTS_DEVICE_PAIR_H
#define DCPS_TESTS_DEVICE_PAIR_H

#include "support/tape_fixture.h"
#include "tensor/device.h"

/* Features and hidden units. In a large network two of the three matrices are larger than a piece; a small one is a single piece. */
#define LARGE 600, 512
#define SMALL 6, 5
#define MOST_FEATURES 600u
#define MOST_HIDDEN 512u
#define CLASSES 10u
#define BATCH 3u
#define SEED 77u

typedef struct pair {
    dcps_device *device;
    tape_fixture host, there;
    size_t features, width;
    float x[BATCH * MOST_FEATURES];
    int32_t labels[BATCH];
    uint64_t number;
} pair;

void pair_open(pair *self, const char *shapes);
/* Three layers, an average and a parameter that nothing uses. */
void pair_init(pair *self, size_t features, size_t width);
void pair_fini(pair *self);
/* Another batch and other weights. */
void pair_next_batch(pair *self);
dcps_tensor *pair_hidden(const pair *self, dcps_tape *tape, uint32_t batch);
dcps_tensor *pair_loss(const pair *self, dcps_tape *tape, dcps_tensor *hidden);
void pair_begin(tape_fixture *fixture);
void expect_same_bits(const float *a, const float *b, uint64_t count, const char *what);
void pair_expect_same_gradients(const pair *self);
/* One step on the host and on the device. */
void pair_step(pair *self, uint32_t batch);

#endif
