/* The small JSON files of a trace. Only files of server/trace include this. */
#ifndef DCPS_SERVER_TRACE_JSON_FILE_H
#define DCPS_SERVER_TRACE_JSON_FILE_H

#include <jansson.h>

#include "dcps/status.h"

/* By way of a temporary name. Errors: DCPS_IO, DCPS_LIMIT. */
DCPS_MUST_CHECK dcps_status dcps_trace_json_write(const json_t *root, const char *path);
/* An object whose "schema" is DCPS_TRACE_SCHEMA; the caller owns one reference. Errors: DCPS_NOT_FOUND, DCPS_IO, DCPS_LIMIT (too long), DCPS_CORRUPT. */
DCPS_MUST_CHECK dcps_status dcps_trace_json_read(const char *path, json_t **root);

#endif
