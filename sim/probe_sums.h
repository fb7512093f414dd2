/* The sums that all findings of a probe follow from. Pure arithmetic, in double precision. */
#ifndef DCPS_SIM_PROBE_SUMS_H
#define DCPS_SIM_PROBE_SUMS_H

#include <stddef.h>
#include <stdint.h>

/* What a correction is held against: float32 vectors of the same length. */
typedef struct dcps_probe_target {
    const float *gradient; /* g */
    const float *drift;    /* δ */
    const float *change;   /* Δ */
    const float *product;  /* H(w_b)·δ */
} dcps_probe_target;

/* A correction c. */
typedef struct dcps_probe_correction {
    const float *values;
    const double
        *squares; /* what counts as c² of each parameter, where c is an estimate whose noise must not count; NULL: c² */
    double bound; /* of |c|/|g|: parameters that reach it are counted. 0: none is set */
} dcps_probe_correction;

/* Over some parameters. */
typedef struct dcps_probe_sums {
    uint64_t params;
    uint64_t active;  /* with g ≠ 0 */
    uint64_t against; /* g·δ < 0: the parameter has moved the way this gradient wants to move it */
    uint64_t bounded; /* |c| reaches the bound */
    uint64_t flipped; /* (g + c)·g < 0 */
    double gradient_square;
    double drift_square;
    double change_square;
    double product_square;
    double gradient_drift; /* ⟨g, δ⟩ */
    double gradient_change;
    double gradient_product;
    double change_product;
    double correction_square;
    double correction_gradient;
    double correction_change;
    double correction_product;
    double bounded_square; /* Σ g² where |c| reaches the bound */
} dcps_probe_sums;

/* How well c fits a target t, from ⟨c, c⟩, ⟨c, t⟩ and ⟨t, t⟩. Nothing fits a target of zero: then all are NaN, as is what depends on a scale where c is zero. */
typedef struct dcps_probe_fit {
    double cosine;
    double share;      /* 1 − ‖c − t‖²/‖t‖² */
    double best_scale; /* of c */
    double best_share; /* with it: the square of the cosine */
} dcps_probe_fit;

/* Adds parameters [first, first + length). */
void dcps_probe_sums_add(dcps_probe_sums *sums, const dcps_probe_target *target,
                         const dcps_probe_correction *correction, size_t first, size_t length);
/* Adds what was found over other parameters. */
void dcps_probe_sums_join(dcps_probe_sums *sums, const dcps_probe_sums *more);

dcps_probe_fit dcps_probe_fit_of(double correction_square, double correction_target, double target_square);

#endif
