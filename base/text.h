/* Strict parsing of text from users and files, and bounded formatting. */
#ifndef DCPS_BASE_TEXT_H
#define DCPS_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "dcps/status.h"

/* Whole text must parse; DCPS_INVALID otherwise, naming `what` and the text. Reals must be finite; decimal point whatever the locale. */
DCPS_MUST_CHECK dcps_status dcps_parse_integer(const char *what, const char *text, int64_t *value);
DCPS_MUST_CHECK dcps_status dcps_parse_real(const char *what, const char *text, double *value);

#define DCPS_MAX_HOST_BYTES 256u

typedef struct dcps_host_port {
    char host[DCPS_MAX_HOST_BYTES]; /* name, IPv4, or IPv6 without brackets */
    uint16_t port;                  /* 0: choose a free one (binding only) */
} dcps_host_port;

/* "host:port", "[v6]:port". */
DCPS_MUST_CHECK dcps_status dcps_parse_host_port(const char *what, const char *text, dcps_host_port *value);
/* Comma-separated list; *count entries written, at most `capacity` (DCPS_LIMIT beyond). */
DCPS_MUST_CHECK dcps_status dcps_parse_host_ports(const char *what, const char *text, dcps_host_port *values,
                                                  size_t capacity, size_t *count);
/* A host of at most DCPS_MAX_HOST_BYTES as it stands before a port: an IPv6 address gets brackets. Returns out. */
#define DCPS_MAX_BRACKETED_BYTES (DCPS_MAX_HOST_BYTES + 2u)
const char *dcps_host_bracketed(const char *host, char out[DCPS_MAX_BRACKETED_BYTES]);
/* True for 127.0.0.0/8, ::1 and "localhost". */
bool dcps_host_is_loopback(const char *host);

/* Bytes of the UTF-8 character at the start of `text`, which is 1 at its end; 0 if it is none (overlong, surrogate, too large, cut short). */
size_t dcps_utf8_length(const char *text);
/* The same, and 0 if it is a control character, which terminals obey (C0, DEL, C1), or the end. */
size_t dcps_printable_length(const char *text);
/* Whether the whole text is UTF-8. */
bool dcps_text_is_utf8(const char *text);

/* Copies as many whole characters as fit into out[capacity], which is at least 1; bytes that are no UTF-8, or of control characters, become '?'. */
void dcps_text_fit(char *out, size_t capacity, const char *text);

/* snprintf that fails instead of cutting: DCPS_LIMIT. */
DCPS_MUST_CHECK dcps_status dcps_format(char *out, size_t capacity, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Prints `text` in lines of at most 100 columns, broken at blanks and indented by so many; the first begins with `head` in the place of its indent. Columns are
 * counted in bytes: good enough. */
void dcps_print_wrapped(FILE *out, unsigned indent_columns, const char *head, const char *text);

#endif
