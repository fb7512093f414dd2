/* A dcps-server of a benchmark's own: a real process, found beside this program, on a free port. Single-threaded. */
#ifndef DCPS_CLI_BENCH_SERVER_H
#define DCPS_CLI_BENCH_SERVER_H

#include <stdbool.h>
#include <stdint.h>

#include "dcps/status.h"

typedef struct dcps_bench_server dcps_bench_server;

typedef struct dcps_bench_server_config {
    uint32_t workers;
    uint32_t shards;
    const char *transport; /* "tcp", "ipc" */
    const char *algorithm;
} dcps_bench_server_config;

/* Starts it and waits until it listens. Errors: DCPS_NOT_FOUND (no such program), DCPS_TIMEOUT, DCPS_SYSTEM (it ended; its last words are in the
 * message), DCPS_NO_MEMORY. */
DCPS_MUST_CHECK dcps_status dcps_bench_server_start(const dcps_bench_server_config *config, dcps_bench_server **server);
/* "127.0.0.1:40123". */
const char *dcps_bench_server_address(const dcps_bench_server *server);
/* Takes what it has written, waiting at most `timeout_ms` for something; false once it has ended. */
bool dcps_bench_server_poll(dcps_bench_server *server, int timeout_ms);
/* Why a server that ended without being asked to did so, as the failure of the calling thread. */
dcps_status dcps_bench_server_fail(const dcps_bench_server *server);
/* Asks it to end and waits. DCPS_TIMEOUT if it has to be killed, DCPS_SYSTEM if its exit code is not 0. */
DCPS_MUST_CHECK dcps_status dcps_bench_server_stop(dcps_bench_server *server);
/* Kills it if it still runs. Accepts NULL inside. */
void dcps_bench_server_destroy(dcps_bench_server **server);

#endif
