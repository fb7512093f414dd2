/* The children of this program: starting them, hearing from them, ending them in time. Also takes Ctrl-C. Single-threaded; one at a time. */
#ifndef DCPS_CLI_SUPERVISOR_H
#define DCPS_CLI_SUPERVISOR_H

#include <stdint.h>

#include "cli/common/process.h"
#include "dcps/status.h"

typedef struct dcps_supervisor dcps_supervisor;

/* Blocks SIGINT, SIGTERM, SIGHUP and SIGCHLD for this thread and those it creates later, until destroyed. */
DCPS_MUST_CHECK dcps_status dcps_supervisor_create(dcps_supervisor **supervisor);
/* Kills and reaps whatever is left. Accepts NULL inside. */
void dcps_supervisor_destroy(dcps_supervisor **supervisor);

/* Readable when dcps_supervisor_step has something to do. */
int dcps_supervisor_fd(const dcps_supervisor *supervisor);

/* Starts a child; it belongs to the supervisor until dcps_supervisor_forget. Errors as of dcps_process_start. */
DCPS_MUST_CHECK dcps_status dcps_supervisor_start(dcps_supervisor *supervisor, const dcps_process_config *config,
                                                  dcps_process **process);
/* Drops a child (killed if it still runs) and clears the pointer. NULL inside is fine. */
void dcps_supervisor_forget(dcps_supervisor *supervisor, dcps_process **process);

/* Hands on lines, notices exits, takes signals. Never blocks. */
void dcps_supervisor_step(dcps_supervisor *supervisor);
/* Waits at most `timeout_ms` for something to happen, then steps. */
void dcps_supervisor_wait(dcps_supervisor *supervisor, int timeout_ms);

/* How often a person asked to stop (SIGINT, SIGTERM, SIGHUP). */
uint32_t dcps_supervisor_interrupts(const dcps_supervisor *supervisor);
uint32_t dcps_supervisor_running(const dcps_supervisor *supervisor);

/* SIGTERM to all children; those that still run after `grace_ms`, or at a further interrupt, get SIGKILL. Returns how many had to be killed.
 * Blocks at most grace_ms and some seconds. */
uint32_t dcps_supervisor_stop_all(dcps_supervisor *supervisor, uint32_t grace_ms);

#endif
