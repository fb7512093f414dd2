/* One table for all ops: each row is an op, its attributes and its input shapes, and every backend is held to it.
 *
 * `ref` is compared with finite differences of itself, every other backend with `ref`. An error is the largest difference between two tensors over
 * the largest magnitude of the expected one. */
#ifndef DCPS_TESTS_PARITY_PARITY_H
#define DCPS_TESTS_PARITY_PARITY_H

#include "tensor/tape.h"

#define PARITY_MAX_INPUTS 6
#define PARITY_MAX_ARGUMENTS 8

/* Where the inputs are drawn from. */
typedef enum parity_domain {
    PARITY_SIGNED = 0, /* [-1, 1) */
    PARITY_NO_KINK,    /* the same, and at least 0.05 from zero, for what is not smooth there */
    PARITY_POSITIVE,   /* [0.5, 2.5) */
    PARITY_WIDE,       /* [-6, 6) */
    PARITY_DISTINCT,   /* all different by at least 0.05, in random order, for what chooses a maximum */
    PARITY_TIES        /* -1, 0 and 1 */
} parity_domain;

typedef struct parity_row {
    const char *name; /* in messages */
    /* Calls the op on x; constant data that it needs is made by the row and equal every time. */
    dcps_tensor *(*build)(dcps_tape *tape, dcps_tensor *const *x, const size_t *arguments);
    const char
        *shapes; /* of x: "3,5;5,7"; ~ before one that is averaged: what backward gives for it is no derivative */
    size_t arguments[PARITY_MAX_ARGUMENTS];
    parity_domain domain;
    double forward_bound;  /* error of y against ref */
    double backward_bound; /* error of each dx against ref */
    double slope_bound;    /* error of ref's dx against finite differences; 0: too large to try */
} parity_row;

typedef struct parity_table {
    const parity_row *rows;
    size_t count;
} parity_table;

/* The tables, one a family of ops. */
extern const parity_table parity_basic;
extern const parity_table parity_elementwise;
extern const parity_table parity_shape;
extern const parity_table parity_images;
extern const parity_table parity_sequence;

/* All rows of all tables. */
size_t parity_row_count(void);
const parity_row *parity_row_at(size_t index);

#endif
