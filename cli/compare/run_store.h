/* Finished runs as files, so that an interrupted comparison goes on where it was: one JSON file a run, "dcps-run/1", found by what the run was started with. Single-threaded. */
#ifndef DCPS_CLI_RUN_STORE_H
#define DCPS_CLI_RUN_STORE_H

#include <limits.h>
#include <stdint.h>

#include <jansson.h>

#include "cli/common/args.h"
#include "dcps/status.h"

typedef struct dcps_run_store {
    char dir[PATH_MAX];
    const char *version; /* of the program; borrowed */
} dcps_run_store;

/* What a file holds beside the arguments and the version. */
typedef struct dcps_stored_run {
    json_t *run;     /* element of "runs" of dcps-results/1; the holder owns one reference */
    json_t *model;   /* text; likewise */
    json_t *dataset; /* text or null; likewise */
} dcps_stored_run;

/* Uses DIR/runs and makes it. Errors: DCPS_IO, DCPS_LIMIT. */
DCPS_MUST_CHECK dcps_status dcps_run_store_init(dcps_run_store *store, const char *dir, const char *version);

/* Looks for the run with these arguments; `label` ("asgd@4-seed-1") is the readable part of its name. Errors: DCPS_NOT_FOUND (there is none), DCPS_MISMATCH (of another version), DCPS_CORRUPT (damaged, or
 * of another run), both naming the file; DCPS_IO, DCPS_NO_MEMORY. */
DCPS_MUST_CHECK dcps_status dcps_run_store_load(const dcps_run_store *store, const char *label, const dcps_args *args,
                                                dcps_stored_run *stored);
/* Keeps a run; synced when this returns. Borrows. Errors: DCPS_IO, DCPS_NO_MEMORY, DCPS_LIMIT. */
DCPS_MUST_CHECK dcps_status dcps_run_store_save(const dcps_run_store *store, const char *label, const dcps_args *args,
                                                const dcps_stored_run *stored);
void dcps_stored_run_fini(dcps_stored_run *stored);

/* Forgets all runs. DCPS_IO. */
DCPS_MUST_CHECK dcps_status dcps_run_store_clear(const dcps_run_store *store);

#endif
