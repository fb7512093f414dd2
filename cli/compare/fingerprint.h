/* What a result depends on beside its arguments: the very programs that made it. */
#ifndef DCPS_CLI_FINGERPRINT_H
#define DCPS_CLI_FINGERPRINT_H

#include <stddef.h>
#include <stdint.h>

#include "dcps/status.h"

/* "0.1.0-0123456789abcdef" into out[capacity]: the version, and a fingerprint of this program, of the plugin of `model` and, where `program_dir` is not NULL, of the servers and workers there that real runs
 * are made by, so that a result of an older build is not taken for one of this. (libdcps.so makes none: plugins find its functions in the programs.) Errors: DCPS_LIMIT, those of dcps_regular_file_open,
 * dcps_plugin_open and dcps_program_find. */
DCPS_MUST_CHECK dcps_status dcps_fingerprint_build(const char *version, const char *model, const char *program_dir,
                                                   char *out, size_t capacity);

#endif
