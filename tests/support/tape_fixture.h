/* A tape over a layout of given shapes with random weights, for the tests of tensor/. */
#ifndef DCPS_TESTS_SUPPORT_TAPE_FIXTURE_H
#define DCPS_TESTS_SUPPORT_TAPE_FIXTURE_H

#include "tensor/tape.h"

#define FIXTURE_MAX_FINALS 32

typedef struct tape_fixture {
    dcps_layout *layout;
    float *weights;
    float *gradient;
    uint64_t params;
    dcps_tape *tape;
    dcps_tape *evaluation;
    uint64_t final_first[FIXTURE_MAX_FINALS]; /* ranges reported, in order */
    uint64_t final_count[FIXTURE_MAX_FINALS];
    uint32_t finals;
    float *at_final; /* copy of each range when it was reported */
} tape_fixture;

/* Shapes as "3,4;4;~4": tensors t0, t1, …, one after a ~ being averaged and not trained. The gradient starts as NaN throughout. */
void tape_fixture_init(tape_fixture *fixture, const char *shapes, const dcps_backend *backend);
/* The same on an open device of the backend. */
void tape_fixture_init_on(tape_fixture *fixture, const char *shapes, const dcps_backend *backend, dcps_device *device);
void tape_fixture_fini(tape_fixture *fixture);

/* Uniform in [-1, 1), from `seed`. */
void fill_random(float *values, size_t count, uint64_t seed);

#endif
