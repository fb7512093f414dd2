/* JSON documents as files. Single-threaded. */
#ifndef DCPS_CLI_DOCUMENT_H
#define DCPS_CLI_DOCUMENT_H

#include <jansson.h>

#include "dcps/status.h"

/* Writes a document, for people to read; reals with 12 digits: what a figure is worth, without the noise of binary fractions ("0.0865", not "0.086499999999999994"). Errors: those of
 * dcps_new_file_close. */
DCPS_MUST_CHECK dcps_status dcps_document_write(json_t *document, const char *path);

#endif
