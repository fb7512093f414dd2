/* One run of a local cluster: server and worker processes started, watched, restarted, evaluated and ended. Single-threaded. */
#ifndef DCPS_CLI_CLUSTER_H
#define DCPS_CLI_CLUSTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cli/common/args.h"
#include "cli/common/screen.h"
#include "cli/common/supervisor.h"
#include "cli/results/results.h"
#include "cli/settings/groups.h"
#include "dcps/status.h"

/* Deadlines of a run. */
typedef struct dcps_cluster_limits {
    uint32_t start_ms;   /* a server must listen */
    uint32_t silence_ms; /* a server that does not answer is reported */
    uint32_t lost_ms;    /* … and given up */
    uint32_t load_ms;    /* … so much later while it starts again, and may load a checkpoint */
    uint32_t stall_ms;   /* neither a sample nor an evaluation for that long: given up */
    uint32_t stop_ms;    /* a process must end after SIGTERM */
    uint32_t backoff_ms; /* before the first restart of a process; doubles each time */
} dcps_cluster_limits;

extern const dcps_cluster_limits dcps_cluster_default_limits;

/* Everything a run needs; borrowed until dcps_cluster_run returns. */
typedef struct dcps_cluster_config {
    const char *title;       /* of the live line: "asgd@4" */
    const char *program_dir; /* where dcps-server and dcps-worker lie */
    uint32_t servers;
    uint32_t workers;
    const dcps_groups *groups;      /* of slower workers */
    const dcps_args *server_args;   /* for every server, beside those of addresses */
    const dcps_args *worker_args;   /* for every worker, beside --servers */
    const dcps_args *evaluate_args; /* for the evaluating worker, beside --servers; NULL: no evaluation */
    bool evaluate_beside;           /* during the training, not after it */
    bool can_resume;                /* servers keep checkpoints: a dead one is started again with --resume auto */
    bool replays;                   /* a recorded run: whoever dies ends it */
    bool needs_all;                 /* a worker that dies too often ends the run, which otherwise goes on without it */
    uint32_t max_restarts;          /* of each process */
    dcps_cluster_limits limits;
    dcps_supervisor *supervisor;
    dcps_screen *screen;
    /* Adds to the live line what is left beyond this run, given the seconds this run still needs (NaN: unknown). NULL: nothing. */
    void (*overall)(void *context, double seconds_left, char *out, size_t capacity);
    void *overall_context;
} dcps_cluster_config;

/* Runs to the end and fills the measured parts of *run, those of a failed one as far as they are known, and `dataset` (capacity DCPS_RESULT_NAME_BYTES) where the evaluation names it. No child is left whatever
 * happens. A failure is named on the screen as soon as it is seen. Errors: DCPS_CANCELLED (a person asked to stop), or why the run failed: DCPS_INVALID when a program refused its flags, else DCPS_SYSTEM, DCPS_TIMEOUT, … */
DCPS_MUST_CHECK dcps_status dcps_cluster_run(const dcps_cluster_config *config, dcps_result_run *run, char *dataset);

#endif
