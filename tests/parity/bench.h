/* A row of the table set up on one backend, ready to be run forward and backward. */
#ifndef DCPS_TESTS_PARITY_BENCH_H
#define DCPS_TESTS_PARITY_BENCH_H

#include "parity/parity.h"
#include "support/tape_fixture.h"
#include "tensor/backend.h"

typedef struct bench {
    const parity_row *row;
    tape_fixture fixture; /* the inputs are its parameters */
    uint32_t input_count;
    dcps_tensor *y;                /* of the latest forward; NULL before */
    const dcps_call *call;         /* the op's */
    uint64_t backward_allocations; /* of the latest backward, the bench's own aside */
    float *dy;                     /* [y->count], row-major */
} bench;

#define BENCH_ALL_INPUTS UINT32_MAX

/* The row on `backend`, on `device` if it is not NULL; inputs and dy are the same whatever the backend. Ends with a forward pass. */
void bench_init(bench *self, const parity_row *row, const dcps_backend *backend, dcps_device *device);
void bench_fini(bench *self);

/* Calls the op anew. */
void bench_forward(bench *self);
/* y, row-major, in memory of the tape. */
const float *bench_result(const bench *self);
/* Elements of input i. */
size_t bench_count(const bench *self, uint32_t i);
/* Values of input i, which may be changed before a forward pass. */
float *bench_input(bench *self, uint32_t i);
/* Gradient of input i, row-major, to be freed. Each slot first holds `before`; `wanted` is a set of bits, one for each input. */
void bench_backward(bench *self, bool add, float before, uint32_t wanted, float *dx[PARITY_MAX_INPUTS]);
/* Asserts that the gradient of one input does not depend on whether another is wanted. */
void bench_compare_unwanted(bench *self);
/* Σ dy · y in double, of a new forward pass. */
double bench_objective(bench *self);
void bench_free(const bench *self, float *dx[PARITY_MAX_INPUTS]);

/* Largest |seen − expected| over largest |expected|; infinite where one is not finite. */
double bench_error(const float *seen, const float *expected, size_t count);

#endif
