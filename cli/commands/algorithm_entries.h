/* What `dcps algorithms` lists, as JSON: presets, and the parts and settings that they are made of. Single-threaded. */
#ifndef DCPS_CLI_ALGORITHM_ENTRIES_H
#define DCPS_CLI_ALGORITHM_ENTRIES_H

#include <jansson.h>

#include "dcps/status.h"

/* The document "dcps-algorithms/1": `algorithms` and `parts` called by one of names[count], all with count 0, and `symbols` of their formulas. A name is that of a preset, of a part, of a setting
 * that adds something ("weight-decay"), or a chain of compensations ("dc-b,gap-aware"). The caller owns one reference. Errors: DCPS_INVALID (a name is unknown; lists the known),
 * DCPS_NO_MEMORY. */
DCPS_MUST_CHECK dcps_status dcps_algorithm_entries(char *const *names, int count, json_t **document);

#endif
