/* Workers that share the processors of one machine: while more of them compute than there are cores, each runs slower, so that together they get what there is. Pure arithmetic on times; the world plans
 * the events. */
#ifndef DCPS_SIM_CORES_H
#define DCPS_SIM_CORES_H

#include <stdbool.h>
#include <stdint.h>

#include "dcps/status.h"

typedef struct dcps_cores dcps_cores;

/* `workers` places for those who compute, `cores` > 0 processors. DCPS_NO_MEMORY. */
DCPS_MUST_CHECK dcps_status dcps_cores_create(uint32_t workers, uint32_t cores, dcps_cores **cores_made);
void dcps_cores_destroy(dcps_cores **cores);

/* Worker `place`, which does not compute, begins something that takes work_ns on a core of its own. */
void dcps_cores_begin(dcps_cores *cores, uint32_t place, uint64_t work_ns, uint64_t now_ns);
/* Who is done first, and when, if nobody else begins: false while nobody computes. */
bool dcps_cores_next(const dcps_cores *cores, uint32_t *place, uint64_t *done_ns);
/* It is done, or gives up. */
void dcps_cores_end(dcps_cores *cores, uint32_t place, uint64_t now_ns);

#endif
