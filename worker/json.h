/* The few JSON lines that a worker prints. */
#ifndef DCPS_WORKER_JSON_H
#define DCPS_WORKER_JSON_H

#include <stdio.h>

/* The shortest text that reads back as the same number, with a decimal point whatever the locale, and null for what is not finite. */
void dcps_json_real(FILE *out, double value);
/* A quoted text, escaped; bytes that are no UTF-8 become '?'. */
void dcps_json_text(FILE *out, const char *text);

#endif
