/* What --sweep asks for: training options with several values each, tried in every combination. Pure. */
#ifndef DCPS_CLI_SWEEP_H
#define DCPS_CLI_SWEEP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cli/settings/run_spec.h"
#include "dcps/status.h"

#define DCPS_SWEEP_MAX_PARAMETERS 8u
#define DCPS_SWEEP_MAX_VALUES 32u /* of one parameter */
#define DCPS_SWEEP_MAX_POINTS 1024u

typedef struct dcps_sweep_parameter {
    char name[DCPS_OVERRIDE_NAME_BYTES];
    uint32_t value_count;
    char values[DCPS_SWEEP_MAX_VALUES][DCPS_OVERRIDE_VALUE_BYTES]; /* as typed */
} dcps_sweep_parameter;

/* A grid. Point p takes its last parameter's values fastest. No parameters: one point, which changes nothing. */
typedef struct dcps_sweep {
    uint32_t count;
    dcps_sweep_parameter parameters[DCPS_SWEEP_MAX_PARAMETERS];
} dcps_sweep;

/* One of the combinations. */
typedef struct dcps_sweep_point {
    uint32_t number; /* 0 … dcps_sweep_points − 1 */
    uint32_t unused; /* bit i: parameter i has no effect there, and is neither set nor named */
} dcps_sweep_point;

/* Finds the sweep of one of `specs` [count] in `lines`, the values of --sweep with a line feed between them, NULL: none. A line is
 * "[RUN:]OPTION=VALUE:VALUE…,OPTION=…", where RUN is a run as named ("asgd@4"), a name without its workers, or an algorithm, and holds for those runs only, instead of what
 * holds for less. A comma that no OPTION= follows belongs to a value. Errors: DCPS_INVALID (the line named, with what was expected), DCPS_LIMIT. */
DCPS_MUST_CHECK dcps_status dcps_sweep_find(const char *lines, const dcps_run_spec *specs, size_t count,
                                            const dcps_run_spec *spec, dcps_sweep *sweep);
/* Checks every line, also those that hold for no run: DCPS_INVALID names one. */
DCPS_MUST_CHECK dcps_status dcps_sweeps_check(const char *lines, const dcps_run_spec *specs, size_t count);

void dcps_sweep_drop(dcps_sweep *sweep, const char *name);
uint32_t dcps_sweep_points(const dcps_sweep *sweep);
/* The value of parameter `index` at a point; NULL: it has no effect there. */
const char *dcps_sweep_value(const dcps_sweep *sweep, dcps_sweep_point point, uint32_t index);
/* Whether two points set the same. */
bool dcps_sweep_same(const dcps_sweep *sweep, dcps_sweep_point one, dcps_sweep_point other);
/* Adds the settings of a point to `overrides`. DCPS_LIMIT. */
DCPS_MUST_CHECK dcps_status dcps_sweep_apply(const dcps_sweep *sweep, dcps_sweep_point point,
                                             dcps_overrides *overrides);
/* "learning-rate=0.1 lambda=2" into out[capacity]. Returns out. */
const char *dcps_sweep_describe(const dcps_sweep *sweep, dcps_sweep_point point, char *out, size_t capacity);

/* Whether the point's value of a parameter is the smallest or the largest of several numbers, so that a better one may lie beyond: -1, 1, else 0. Nothing lies
 * below a value of 0. */
int dcps_sweep_edge(const dcps_sweep *sweep, dcps_sweep_point point, uint32_t index);

#endif
