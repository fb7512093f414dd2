/* SIGINT, SIGTERM and, unless it is ignored already (nohup), SIGHUP end a worker cleanly: the step at hand is finished, goodbyes are said. A second SIGINT or SIGTERM kills. */
#ifndef DCPS_WORKER_STOP_H
#define DCPS_WORKER_STOP_H

#include <stdbool.h>
#include <stdint.h>

#include "dcps/client.h"

typedef struct dcps_stop dcps_stop;

/* Blocks these signals in the calling thread, and so in every thread it starts from now on, and waits for them in a thread of its own. Errors: DCPS_NO_MEMORY, DCPS_SYSTEM. */
DCPS_MUST_CHECK dcps_status dcps_stop_create(dcps_stop **stop);
/* Ends the thread and restores the calling thread's signal mask. */
void dcps_stop_destroy(dcps_stop **stop);

/* Once a stop is asked for (or was before), and `grace_ms` later, `client` is cancelled, once. NULL: nobody; a client must be taken back before it is destroyed. */
void dcps_stop_watch(dcps_stop *stop, dcps_client *client, uint32_t grace_ms);

bool dcps_stop_requested(const dcps_stop *stop);

/* Sleeps that long, or until a stop is asked for; not at all if it was before. NULL: nobody can ask. Any thread. */
void dcps_stop_sleep(const dcps_stop *stop, uint64_t duration_ns);

#endif
