/* A stage: one step of the update pipeline over one tile. Each rule is one file that defines one table of this type.
 *
 * Adding a rule: write <rule>.c with its tile function and its dcps_stage_ops, declare the table below, and add it to the choices in rule.c.
 *
 * The arrays of a tile never overlap, start at a multiple of 64 bytes and stay in the first-level cache between stages, so a
 * pipeline costs the memory traffic of one fused pass whatever its length. */
#ifndef DCPS_COMPENSATE_STAGE_H
#define DCPS_COMPENSATE_STAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "compensate/rule.h"

/* 512 bytes an array. Measured: with so small a tile the processor overlaps one stage's arithmetic with the loads of the next tile (fetched ahead by
 * rule.c) and reaches the rate of a loop written by hand for the whole rule; with 4 KiB it loses a fifth of that. */
#define DCPS_TILE_PARAMS 128u
#define DCPS_CACHE_LINE_PARAMS 16u
#define DCPS_TILE_ALIGN_BYTES 64

#define DCPS_STAGE_MAX_STATES 1u

/* Every number a stage may need, in the precision it is used in. */
typedef struct dcps_coefficients {
    float lambda;            /* λ₀ */
    float mean_square_decay; /* m */
    float mean_square_gain;  /* 1 − m */
    float momentum;          /* μ */
    float weight_decay;      /* wd */
    float step_size;         /* η of this update */
} dcps_coefficients;

/* One tile as one stage sees it: float32 [count] each. */
typedef struct dcps_tile {
    const float *gradient; /* as the stage before left it, the pushed gradient for the first */
    float *result;         /* written by stages that change the gradient */
    float *weights;        /* current; written by the optimizer alone */
    const float *pulled;   /* w_bak; undefined unless the stage needs it */
    float *states[DCPS_STAGE_MAX_STATES];
    float *snapshot; /* written by the optimizer alone: the new weights */
    size_t count;    /* 1 … DCPS_TILE_PARAMS */
} dcps_tile;

typedef struct dcps_stage_ops {
    const char *name;
    bool needs_pulled;
    const char *state_names[DCPS_STAGE_MAX_STATES + 1]; /* ended by NULL; also the names in a checkpoint */
    /* An optimizer writes weights and snapshot, any other stage writes result. */
    void (*run)(const dcps_coefficients *coefficients, const dcps_tile *tile);
} dcps_stage_ops;

extern const dcps_stage_ops dcps_stage_dc_c;
extern const dcps_stage_ops dcps_stage_dc_a;
extern const dcps_stage_ops dcps_stage_weight_decay;
extern const dcps_stage_ops dcps_stage_sgd;
extern const dcps_stage_ops dcps_stage_momentum;

/* A tile function, compiled once for each width of vector registers and chosen when the program is loaded. Results do not depend on the choice: each
 * element is computed by the same roundings, because contraction to fused multiply-adds is off. Sanitizers instrument the
 * chooser, which runs before they are set up, so there the one portable version is used. */
#if defined(__GNUC__) && !defined(__clang__) && defined(__x86_64__) && defined(__GLIBC__) &&                           \
    !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define DCPS_TILE_FUNCTION __attribute__((target_clones("avx512f", "avx2", "default"))) static
#else
#define DCPS_TILE_FUNCTION static
#endif

#define DCPS_TILE_ALIGNED(pointer) __builtin_assume_aligned((pointer), DCPS_TILE_ALIGN_BYTES)

/* Gradients come as messages, at whatever address these have: one that is not aligned is copied tile by tile, which adds no memory traffic. */
static inline const float *dcps_tile_align(const float *gradient, size_t count, float *aligned)
{
    if ((uintptr_t)gradient % DCPS_TILE_ALIGN_BYTES == 0)
        return gradient;
    memcpy(aligned, gradient, count * sizeof(float));
    return aligned;
}

#endif
