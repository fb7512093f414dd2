/* The server daemon: a libuv loop with the control socket on the calling thread, and one thread a shard. */
#ifndef DCPS_SERVER_DAEMON_H
#define DCPS_SERVER_DAEMON_H

#include "dcps/status.h"
#include "server/config.h"

/* Serves until a signal (SIGINT, SIGTERM; SIGHUP unless it is ignored) or, if so configured, the end of the run. Prints one line on stdout when it listens. Failures
 * have been logged. Errors: whatever kept it from starting, running, or writing the final checkpoint. */
DCPS_MUST_CHECK dcps_status dcps_daemon_run(const dcps_server_config *config);

#endif
