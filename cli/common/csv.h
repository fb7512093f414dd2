/* The tables of a comparison for other programs. Single-threaded. */
#ifndef DCPS_CLI_CSV_H
#define DCPS_CLI_CSV_H

#include <jansson.h>

#include "dcps/status.h"

/* Writes runs.csv (one line a run), curves.csv (one line an evaluation) and summary.csv into `dir`, from a document of dcps_comparison_json: RFC 4180, a point in numbers, empty where
 * something is not known. Errors: DCPS_IO, DCPS_LIMIT. */
DCPS_MUST_CHECK dcps_status dcps_csv_write(json_t *document, const char *dir);

#endif
