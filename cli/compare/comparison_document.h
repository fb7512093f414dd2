/* What a comparison came to, as one document: results.json, from which tables and the report are made. */
#ifndef DCPS_CLI_COMPARISON_DOCUMENT_H
#define DCPS_CLI_COMPARISON_DOCUMENT_H

#include <jansson.h>

#include "cli/compare/comparison.h"
#include "cli/results/overview.h"
#include "dcps/status.h"

/* The final runs that there are, entry by entry, with speed-ups; `documents` [run_count], borrowed from the plan, in the same order, freed with dcps_free. DCPS_NO_MEMORY; DCPS_CORRUPT is a bug. */
DCPS_MUST_CHECK dcps_status dcps_comparison_results(const dcps_comparison *comparison, dcps_results *results,
                                                    json_t ***documents);

/* dcps-results/1 with the members "summary" and, after a sweep, "trials". The caller owns one reference. NULL when out of memory. */
json_t *dcps_comparison_json(const dcps_comparison *comparison, const dcps_overview *overview,
                             json_t *const *documents);

#endif
