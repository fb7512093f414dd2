/* A worker as slow as a slower machine, for experiments with unequal workers on equal processors.
 *
 * On a machine that is slower by a factor everything between two pulls takes so many times as long, back-propagation too, and each gradient leaves when it is
 * final there. So it is here: whenever a gradient is about to leave, the worker first sleeps until the step has taken `factor` times what was computed in it so
 * far. Waiting for servers is not stretched, and no processor is used while it sleeps. One thread. */
#ifndef DCPS_WORKER_PACE_H
#define DCPS_WORKER_PACE_H

#include <stdint.h>

#include "worker/stop.h"

typedef struct dcps_pace {
    double factor;         /* ≥ 1; 1, or 0: no pause ever */
    const dcps_stop *stop; /* ends pauses; NULL: nothing does */
    uint64_t began_ns;
    uint64_t slept_ns; /* since then */
} dcps_pace;

/* A step begins. */
void dcps_pace_begin(dcps_pace *pace);
/* A gradient is about to leave. Sleeps as long as it has to, or until a stop is asked for. */
void dcps_pace_hold(dcps_pace *pace);

#endif
