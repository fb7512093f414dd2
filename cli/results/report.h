/* report.html: one self-contained page with curves, table and settings. */
#ifndef DCPS_CLI_REPORT_H
#define DCPS_CLI_REPORT_H

#include <stdio.h>

#include <jansson.h>

#include "dcps/status.h"

/* What the page tells beside the results. Borrowed. */
typedef struct dcps_report_page {
    const char *command; /* as typed */
    const char *created; /* date and time, for people */
    json_t *settings;    /* array of [name, value] texts */
} dcps_report_page;

/* Writes the page for a document of dcps-results/1 to `path` (by way of a temporary name). Errors: DCPS_IO with path and reason, DCPS_NO_MEMORY. */
DCPS_MUST_CHECK dcps_status dcps_report_write(json_t *results, const dcps_report_page *page, const char *path);

/* Writes JSON text so that it may stand inside a script element of HTML: no '<' is left. */
void dcps_report_put_json(const char *json, FILE *out);

#endif
