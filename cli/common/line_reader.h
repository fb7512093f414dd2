/* Cuts what arrives on a descriptor into lines. Single-threaded. */
#ifndef DCPS_CLI_LINE_READER_H
#define DCPS_CLI_LINE_READER_H

#include <stdbool.h>
#include <stddef.h>

/* What a worker prints at its end, with any histogram, is shorter than 312 · 39 and a few hundred bytes. */
#define DCPS_LINE_READER_BYTES 16384u

typedef void (*dcps_line_fn)(void *context, const char *line);

typedef struct dcps_line_reader {
    int fd; /* -1 once at its end */
    size_t used;
    char bytes[DCPS_LINE_READER_BYTES];
} dcps_line_reader;

/* Takes over `fd` and makes it non-blocking. */
void dcps_line_reader_init(dcps_line_reader *reader, int fd);
void dcps_line_reader_fini(dcps_line_reader *reader);

/* Hands on the lines that have arrived, control characters replaced by '?'; reads a bounded amount, or all there is if `last`, when a final
 * line without line feed is handed on too. A line of DCPS_LINE_READER_BYTES or more arrives in pieces of that many,
 * and a last one that is shorter, if need be empty. Never blocks. */
void dcps_line_reader_drain(dcps_line_reader *reader, bool last, dcps_line_fn line, void *context);

#endif
