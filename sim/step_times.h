/* How long a simulated worker needs for a gradient: drawn from a distribution, longer in groups of slow workers. Pure: every draw is a function of (seed, worker, step), so it is the same
 * whatever the algorithm does with the gradients. */
#ifndef DCPS_SIM_STEP_TIMES_H
#define DCPS_SIM_STEP_TIMES_H

#include <stdint.h>

#include "dcps/status.h"

typedef enum dcps_step_distribution {
    DCPS_STEP_CONSTANT_TIME = 1,
    DCPS_STEP_UNIFORM,     /* between low and mean */
    DCPS_STEP_GAMMA,       /* of that mean and shape; its variance is mean²/shape */
    DCPS_STEP_EXPONENTIAL, /* of that mean */
    DCPS_STEP_RECORDED,
} dcps_step_distribution;

/* Step times of one worker as they were recorded. */
typedef struct dcps_recorded_steps {
    const uint64_t *times_ns;
    uint64_t count; /* > 0; begun anew behind the last */
} dcps_recorded_steps;

typedef struct dcps_step_times {
    dcps_step_distribution distribution;
    double mean_ns; /* uniform: the longest */
    double low_ns;  /* uniform */
    double shape;   /* gamma, > 0 */
    const dcps_recorded_steps
        *recorded; /* [recorded_count], the caller's; worker i has those of i mod recorded_count */
    uint32_t recorded_count;
} dcps_step_times;

/* Reads "constant:100ms", "uniform:50ms:200ms", "gamma:100ms" (shape 100) or "gamma:100ms:SHAPE", "exponential:100ms"; units ns, us, ms, s. DCPS_INVALID names `what` and what was expected. */
DCPS_MUST_CHECK dcps_status dcps_step_times_parse(const char *what, const char *text, dcps_step_times *times);

/* A duration with its unit: "100ms", "2.5s". DCPS_INVALID likewise; at most 10⁹ s. */
DCPS_MUST_CHECK dcps_status dcps_duration_parse(const char *what, const char *text, double *ns);

/* Nanoseconds, at least 1, of the step number `step` of `worker`, times `factor`. */
uint64_t dcps_step_times_draw(const dcps_step_times *times, uint64_t seed, uint32_t worker, uint64_t step,
                              double factor);

#endif
