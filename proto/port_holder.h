/* Who listens at a port, for the message of a failed bind. Inside proto/ only. */
#ifndef DCPS_PROTO_PORT_HOLDER_H
#define DCPS_PROTO_PORT_HOLDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Writes "name (process 1234)" of a process of this machine that listens at TCP port `port`. False where /proc does not tell, for instance because
 * the process is another user's. */
bool dcps_port_holder(uint16_t port, char *out, size_t capacity);

#endif
