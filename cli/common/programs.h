/* Finds the other programs of this build or installation. */
#ifndef DCPS_CLI_PROGRAMS_H
#define DCPS_CLI_PROGRAMS_H

#include <stddef.h>
#include <stdint.h>

#include "dcps/status.h"

/* The folder of this executable into out[capacity]. Errors: DCPS_SYSTEM, DCPS_LIMIT. */
DCPS_MUST_CHECK dcps_status dcps_program_dir(char *out, size_t capacity);
/* Path of program `name` in `dir`. Errors: DCPS_NOT_FOUND (not there or not executable), DCPS_LIMIT. */
DCPS_MUST_CHECK dcps_status dcps_program_find(const char *dir, const char *name, char *out, size_t capacity);
/* Processors this process may run on, at least 1. */
uint32_t dcps_cores_online(void);
/* `count` different TCP ports of 127.0.0.1 that are free now (another process may take one before it is used). DCPS_SYSTEM. */
DCPS_MUST_CHECK dcps_status dcps_ports_pick(uint16_t *ports, uint32_t count);

#endif
