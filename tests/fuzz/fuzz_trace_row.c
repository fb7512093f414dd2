/* Any text as a line of a trace: refused, or understood and then said again in the same way. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/trace/row.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int holds, const char *what)
{
    if (!holds) {
        (void)fprintf(stderr, "%s: %s\n", what, dcps_error_message());
        abort();
    }
}

/* Writes the row as a line and reads that. */
static size_t say(const dcps_trace_row *row, char line[DCPS_TRACE_ROW_BYTES], dcps_trace_row *again)
{
    size_t length = dcps_trace_row_format(row, line);
    require(length >= DCPS_TRACE_LEAST_ROW_BYTES && length < DCPS_TRACE_ROW_BYTES, "a line has a length that none has");
    line[length - 1u] = '\0';
    require(dcps_trace_row_parse(line, again) == DCPS_OK, "our own words are refused");
    return length;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char text[DCPS_TRACE_ROW_BYTES] = "";
    char said[DCPS_TRACE_ROW_BYTES];
    char said_again[DCPS_TRACE_ROW_BYTES];
    dcps_trace_row row;
    dcps_trace_row again;
    if (size >= sizeof(text)) {
        return 0;
    }
    memcpy(text, data, size);
    if (dcps_trace_row_parse(text, &row) != DCPS_OK) {
        return 0;
    }
    size_t length = say(&row, said, &again);
    require(say(&again, said_again, &row) == length && strcmp(said, said_again) == 0, "our own words change");
    return 0;
}
