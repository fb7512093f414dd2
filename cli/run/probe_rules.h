/* The rules that dcps sim --probe examines, as they are typed. */
#ifndef DCPS_CLI_PROBE_RULES_H
#define DCPS_CLI_PROBE_RULES_H

#include <stdint.h>

#include "dcps/status.h"
#include "sim/probe.h"

#define DCPS_MAX_PROBE_RULES 32u

/* "dc-c:lambda=0.04;dc-b,gap-aware:lambda=512:correction-bound=2": compensations as --compensation takes them, with what they need to know (lambda, mean-square-decay, correction-bound) where it is not
 * that of their preset. Each is named by its text. *count entries are written, at most DCPS_MAX_PROBE_RULES. Errors: DCPS_INVALID, naming --probe-rules and what is wrong. */
DCPS_MUST_CHECK dcps_status dcps_probe_rules_parse(const char *text, dcps_probe_rule rules[DCPS_MAX_PROBE_RULES],
                                                   uint32_t *count);

#endif
