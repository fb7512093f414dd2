/* One child "dcps sim … --json": what it prints, and what it came to. Single-threaded. */
#ifndef DCPS_CLI_SIM_CHILD_H
#define DCPS_CLI_SIM_CHILD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "cli/common/args.h"
#include "cli/common/process.h"
#include "cli/common/screen.h"
#include "cli/common/supervisor.h"
#include "dcps/status.h"

typedef struct dcps_sim_child {
    dcps_process *process; /* NULL: none */
    dcps_screen *screen;   /* for its error lines; borrowed */
    char *line;            /* what has come of the current line of its output */
    size_t line_bytes;
    size_t line_capacity;
    double share;    /* of its samples that are done */
    json_t *answer;  /* its last line: an object with "run"; NULL before */
    char fault[256]; /* what is wrong with its output; "" if nothing */
} dcps_sim_child;

/* Starts "PROGRAM ARGS"; `name` stands before its error lines. Errors as of dcps_process_start. */
DCPS_MUST_CHECK dcps_status dcps_sim_child_start(dcps_sim_child *child, dcps_supervisor *supervisor,
                                                 dcps_screen *screen, const char *name, const char *program,
                                                 const dcps_args *args);
/* Whether it has ended. */
bool dcps_sim_child_ended(const dcps_sim_child *child);
/* Of one that has ended: its answer, which the caller then owns. Errors: DCPS_INVALID (it refused its arguments), DCPS_SYSTEM (it failed), DCPS_CORRUPT (it printed something else). */
DCPS_MUST_CHECK dcps_status dcps_sim_child_take(dcps_sim_child *child, json_t **answer);
/* Kills it if it still runs. The child is as if never started. */
void dcps_sim_child_fini(dcps_sim_child *child, dcps_supervisor *supervisor);

#endif
