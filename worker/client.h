/* The client's shell, for the other files of worker/: what dcps/client.h leaves out. */
#ifndef DCPS_WORKER_CLIENT_H
#define DCPS_WORKER_CLIENT_H

#include "dcps/client.h"

/* dcps_client_connect in two steps, so that a waiting join can be cancelled. create does not wait; errors: DCPS_INVALID, DCPS_NO_MEMORY, DCPS_SYSTEM. */
DCPS_MUST_CHECK dcps_status dcps_client_create(const dcps_client_config *config, dcps_client **client);
/* Waits until every server has welcomed us. Errors as of dcps_client_connect, and DCPS_CANCELLED. */
DCPS_MUST_CHECK dcps_status dcps_client_join(dcps_client *client);

/* Updates by others between our latest pull and push, on block 0. For progress lines. */
uint64_t dcps_client_staleness(const dcps_client *client);

#endif
