/* The worker as a function: dcps-worker is a main that calls it. Part of the public interface. */
#ifndef DCPS_WORKER_H
#define DCPS_WORKER_H

#include "dcps/api.h"

/* Runs dcps-worker with the command line argv [argc]; see dcps-worker --help. Returns its exit code: 0 training (or evaluation) ended or was asked to stop, 1 failure, 2 wrong
 * usage, 75 a server did not answer in time. Results go to stdout, the log to stderr. SIGINT and SIGTERM end it cleanly; they are blocked in the calling thread while it
 * runs, and must be in threads started before. Once at a time in a process. */
DCPS_API int dcps_worker_main(int argc, char **argv);

#endif
