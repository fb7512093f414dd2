/* One line of a trace. For server/trace and its tests. */
#ifndef DCPS_SERVER_TRACE_ROW_H
#define DCPS_SERVER_TRACE_ROW_H

#include <stddef.h>
#include <stdint.h>

#include "dcps/status.h"
#include "server/engine/taken.h"

#define DCPS_TRACE_ROW_BYTES 256u /* of the longest line, with its end and a zero */
#define DCPS_TRACE_LEAST_ROW_BYTES 24u
#define DCPS_TRACE_HEADING "ns,block,worker,incarnation,seq,step,kind,fate,staleness,samples,away_ns"

typedef struct dcps_trace_row {
    uint64_t ns;
    dcps_taken taken;
} dcps_trace_row;

/* With a line feed at its end. Returns its length. */
size_t dcps_trace_row_format(const dcps_trace_row *row, char line[DCPS_TRACE_ROW_BYTES]);
/* Of a line without its end. DCPS_CORRUPT names the column, and what was expected there. */
DCPS_MUST_CHECK dcps_status dcps_trace_row_parse(const char *line, dcps_trace_row *row);

#endif
