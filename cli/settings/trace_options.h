/* The options of a run on which its weights depend: written beside a trace, and taken from there for a replay. */
#ifndef DCPS_CLI_TRACE_OPTIONS_H
#define DCPS_CLI_TRACE_OPTIONS_H

#include <stdint.h>

#include "base/options.h"
#include "dcps/status.h"

/* Makes the folder of --record-trace and writes the options into it; each gradient is computed by `threads` threads. `options` is of the table of dcps run or dcps sim. Errors: DCPS_INVALID
 * (there is a trace already), DCPS_IO, DCPS_NO_MEMORY. */
DCPS_MUST_CHECK dcps_status dcps_trace_options_write(const dcps_options *options, uint32_t threads, const char *dir);

/* For dcps_program.recommend: options that are not given become those of the trace in `dir`. DCPS_INVALID names one that is given and differs; else as of
 * dcps_trace_settings_read. */
DCPS_MUST_CHECK dcps_status dcps_trace_options_follow(dcps_options *options, const char *dir);

/* The same for dcps sim, where --threads says something else: how many gradients are computed side by side. */
DCPS_MUST_CHECK dcps_status dcps_trace_options_follow_virtually(dcps_options *options, const char *dir);
/* By how many threads each gradient of a trace was computed. Errors: those of dcps_trace_settings_read, DCPS_CORRUPT. */
DCPS_MUST_CHECK dcps_status dcps_trace_options_threads(const char *dir, uint32_t *threads);

#endif
