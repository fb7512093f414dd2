/* What this machine can do at most, measured without any of dcps's own machinery. Each call takes about a second and blocks. */
#ifndef DCPS_CLI_LIMITS_H
#define DCPS_CLI_LIMITS_H

#include <stdint.h>

#include "dcps/status.h"

/* Bytes per second of memory traffic, all `threads` (1 … 256) together: the best of several passes of the triad a = b + 3·c of the STREAM benchmark
 * (McCalpin 1995) over arrays far beyond the caches, 12 bytes an element. Where the processor can, a is stored past the caches, so
 * that these 12 bytes are all the traffic there is. Errors: DCPS_NO_MEMORY, DCPS_SYSTEM. */
DCPS_MUST_CHECK dcps_status dcps_limit_memory(uint32_t threads, double *bytes_per_second);

typedef enum dcps_loopback { DCPS_LOOPBACK_TCP = 1, DCPS_LOOPBACK_UNIX } dcps_loopback;

/* Bytes per second that one thread can send to another in messages of 1 MiB through a plain socket of this kind; the best of several rounds. Errors: DCPS_NO_MEMORY,
 * DCPS_SYSTEM. */
DCPS_MUST_CHECK dcps_status dcps_limit_loopback(dcps_loopback kind, double *bytes_per_second);

#endif
