/* Softmax regression on a few made-up points, as a loaded model without a plugin. */
#ifndef DCPS_TESTS_SUPPORT_TOY_MODEL_H
#define DCPS_TESTS_SUPPORT_TOY_MODEL_H

#include <stdatomic.h>

#include "worker/loaded_model.h"

#define TOY_SAMPLES 50u
#define TOY_FEATURES 20u
#define TOY_CLASSES 3u
#define TOY_BATCH 8u

typedef struct toy_model {
    float points[TOY_SAMPLES][TOY_FEATURES];
    int32_t labels[TOY_SAMPLES];
    float x[TOY_BATCH][TOY_FEATURES];
    int32_t y[TOY_BATCH];
    size_t count;
    atomic_bool began;         /* a batch was loaded; any thread may ask */
    uint64_t loads;            /* batches loaded so far */
    dcps_batch first;          /* of them, but for its samples */
    dcps_batch latest;         /* likewise */
    uint64_t gaps;             /* batches whose turn was not one after that of the batch before */
    uint64_t poison_at;        /* the load whose data hold a NaN; 0: none */
    uint64_t fail_at;          /* the load that fails; 0: none */
    uint64_t fail_silently_at; /* … without a message */
    double evaluated;          /* value of the metric "sum" that evaluate left last: the sum of all weights */
} toy_model;

/* `loaded` is to be closed with toy_model_close. Batches of at most TOY_BATCH samples. */
void toy_model_open(toy_model *self, dcps_loaded_model *loaded);
void toy_model_close(dcps_loaded_model *loaded);

#endif
