/* A stage: one step of the update pipeline over one tile. Each rule is one file that defines one table of this type.
 *
 * Adding a rule: write <rule>.c with its tile function and its dcps_stage_ops, declare the table below, and go on as CONTRIBUTING.md says.
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
 * rule_apply.c) and reaches the rate of a loop written by hand for the whole rule; with 4 KiB it loses a fifth of that. */
#define DCPS_TILE_PARAMS 128u
#define DCPS_CACHE_LINE_PARAMS 16u
#define DCPS_TILE_ALIGN_BYTES 64

#define DCPS_STAGE_MAX_STATES 2u

/* Every number a stage may need, in the precision it is used in. The first part belongs to the rule, the second to one update: `begin` of the stage
 * that needs it sets it. */
typedef struct dcps_coefficients {
    float lambda;            /* λ₀ */
    float mean_square_decay; /* m */
    float mean_square_gain;  /* 1 − m */
    float correction_bound;  /* c */
    float momentum;          /* μ */
    float weight_decay;      /* wd */
    float adadelay_offset;   /* L */

    float step_size;      /* η of this update */
    float step_size_next; /* dana: of the one after it */
    float staleness;      /* max(τ, 1) */
    float average_factor; /* gap-aware: what the running average is short of, squared; 0: there is none yet */
    float average_floor;  /* gap-aware: smallest C */
    float average_step;   /* gap-aware: η_max */
    float sum_keep;       /* adadelay: (t−1)/t */
    float sum_gain;       /* adadelay: 1/(t+τ) */
    float sum_root;       /* adadelay: √(t+τ) */
    float bucket_keep;    /* ormo: what is kept of u: β where a bucket begins, else 1 */
    float bucket_step;    /* ormo: what of u is applied: β where a bucket begins, else 0 */
    float lag_gain;       /* ormo: η·β^lag */
    float lag_step;       /* ormo: η·(1 + β + … + β^lag) */
} dcps_coefficients;

/* What `begin` goes by. */
typedef struct dcps_stage_call {
    double momentum;
    double step_size;
    double step_size_max;
    uint64_t updates; /* that the stage's first state has seen before this one */
    uint64_t staleness;
    uint32_t workers;
} dcps_stage_call;

/* One tile as one stage sees it: float32 [count] each. */
typedef struct dcps_tile {
    const float *gradient; /* as the stage before left it, the pushed gradient for the first */
    const float *pushed;   /* the gradient as the worker sent it */
    float *result;         /* written by stages that change the gradient */
    float *weights;        /* current; written by the optimizer alone */
    const float *pulled;   /* w_bak; undefined unless the stage needs it */
    float *states[DCPS_STAGE_MAX_STATES];
    float *snapshot; /* written by the optimizer alone: what replies show */
    size_t count;    /* 1 … DCPS_TILE_PARAMS */
} dcps_tile;

/* Whose a state is. */
typedef enum dcps_state_owner {
    DCPS_STATE_BLOCK = 0,
    DCPS_STATE_WORKER,      /* each worker has its own */
    DCPS_STATE_MEAN_SQUARE, /* of a worker or the block, as the rule was configured */
} dcps_state_owner;

typedef struct dcps_stage_state {
    const char *name; /* NULL: no further state. In a checkpoint, "worker_" goes before the name of a worker's */
    dcps_state_owner owner;
} dcps_stage_state;

/* Where the direction d of w ← w − η·d is once an optimizer has run on a tile. */
typedef enum dcps_direction { DCPS_DIRECTION_RESULT = 0, DCPS_DIRECTION_GRADIENT, DCPS_DIRECTION_STATE } dcps_direction;

typedef struct dcps_stage_ops {
    const char *name;
    const char *formula; /* for people */
    bool needs_pulled;
    dcps_stage_state states[DCPS_STAGE_MAX_STATES + 1];
    dcps_direction direction; /* optimizers; DCPS_DIRECTION_STATE: the last state */
    /* Sets the coefficients of one update; NULL: nothing to set. */
    void (*begin)(const dcps_stage_call *call, dcps_coefficients *coefficients);
    /* An optimizer writes weights and snapshot, any other stage writes result. */
    void (*run)(const dcps_coefficients *coefficients, const dcps_tile *tile);
    /* Runs after the optimizer: tile->gradient is then the direction of the step. NULL: not wanted. */
    void (*observe)(const dcps_coefficients *coefficients, const dcps_tile *tile);
    /* Optimizers: writes to the snapshot what replies show of the states as they are. NULL: they show the weights. */
    void (*show)(const dcps_coefficients *coefficients, const dcps_tile *tile);
    /* Takes the worker's states out of the block's, before they are made zero. NULL: they are the worker's own affair. */
    void (*forget)(const dcps_tile *tile);
} dcps_stage_ops;

extern const dcps_stage_ops dcps_stage_dc_c;
extern const dcps_stage_ops dcps_stage_dc_a;
extern const dcps_stage_ops dcps_stage_dc_b;
extern const dcps_stage_ops dcps_stage_dc_i;
extern const dcps_stage_ops dcps_stage_gap_aware;
extern const dcps_stage_ops dcps_stage_weight_decay;
extern const dcps_stage_ops dcps_stage_staleness;
extern const dcps_stage_ops dcps_stage_adadelay;
extern const dcps_stage_ops dcps_stage_sgd;
extern const dcps_stage_ops dcps_stage_momentum;
extern const dcps_stage_ops dcps_stage_nesterov;
extern const dcps_stage_ops dcps_stage_dana;
extern const dcps_stage_ops dcps_stage_ormo;

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
    if ((uintptr_t)gradient % DCPS_TILE_ALIGN_BYTES == 0) {
        return gradient;
    }
    memcpy(aligned, gradient, count * sizeof(float));
    return aligned;
}

#endif
