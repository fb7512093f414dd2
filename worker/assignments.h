/* Options of a model as they were typed: "key=value", one for each time that --model-opt was given. */
#ifndef DCPS_WORKER_ASSIGNMENTS_H
#define DCPS_WORKER_ASSIGNMENTS_H

#include <stddef.h>

#include "dcps/status.h"

#define DCPS_MAX_ASSIGNMENTS 64u

/* A zeroed struct holds none. */
typedef struct dcps_assignments {
    const char *texts[DCPS_MAX_ASSIGNMENTS];
    size_t count;
    char *memory; /* of the texts */
} dcps_assignments;

/* Splits `lines`, what a repeatable option holds (NULL: none); to be released with fini. Errors: DCPS_INVALID (too many), DCPS_NO_MEMORY. */
DCPS_MUST_CHECK dcps_status dcps_assignments_init(const char *lines, dcps_assignments *assignments);
void dcps_assignments_fini(dcps_assignments *assignments);

#endif
