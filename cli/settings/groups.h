/* Groups of workers that are slower than the rest: the value of --groups. Pure. */
#ifndef DCPS_CLI_GROUPS_H
#define DCPS_CLI_GROUPS_H

#include <stdint.h>

#include "dcps/status.h"

#define DCPS_MAX_GROUPS 16u
#define DCPS_GROUP_NAME_BYTES 32u
#define DCPS_GROUP_REST "rest" /* whoever is in no other */

typedef struct dcps_group {
    char name[DCPS_GROUP_NAME_BYTES];
    uint32_t workers; /* ≥ 1 */
    double factor;    /* ≥ 1: a step takes so many times as long */
} dcps_group;

/* All zero: everybody is in the rest. */
typedef struct dcps_groups {
    uint32_t count;
    dcps_group items[DCPS_MAX_GROUPS];
} dcps_groups;

/* "NAME:WORKERS:FACTOR[,…]"; NULL: no groups. DCPS_INVALID names the entry and what is wrong with it. */
DCPS_MUST_CHECK dcps_status dcps_groups_parse(const char *text, dcps_groups *groups);

/* Whether a run called `run` ("asgd@4") of `workers` workers has enough of them. DCPS_INVALID. */
DCPS_MUST_CHECK dcps_status dcps_groups_check(const dcps_groups *groups, const char *run, uint32_t workers);

/* The group of worker `index` of `workers`: groups are the last workers, in the order in which they were named. NULL: the rest. */
const dcps_group *dcps_groups_find(const dcps_groups *groups, uint32_t index, uint32_t workers);

#endif
