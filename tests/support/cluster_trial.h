/* One run of a cluster whose servers and workers are stand-ins, found in $DCPS_FAKE_DIR, that misbehave as their modes tell. */
#ifndef DCPS_TESTS_SUPPORT_CLUSTER_TRIAL_H
#define DCPS_TESTS_SUPPORT_CLUSTER_TRIAL_H

#include <stdio.h>

#include "cli/run/cluster.h"

/* Whatever happens, a run is over by then: no test may hang. */
#define MOST_S 30u

/* One run and everything it left. */
typedef struct trial {
    dcps_cluster_config config;
    dcps_args server;
    dcps_args worker;
    dcps_args evaluate;
    dcps_result_run run;
    char dataset[DCPS_RESULT_NAME_BYTES];
    char marker[64];
    char *shown;
    size_t shown_bytes;
    FILE *screen_file;
    dcps_screen screen;
    dcps_supervisor *supervisor;
    dcps_status status;
    double took_s;
} trial;

/* One server and two workers, to be changed in `config` before the run. */
void trial_init(trial *self, const char *server_mode, const char *worker_mode);
/* Runs it, and makes sure that no process is left. */
void trial_run(trial *self);
void trial_fini(trial *self);

/* These words were shown to people. */
void trial_check_shown(const trial *self, const char *text);
/* It ended well, with the figures of the stand-ins. */
void trial_check_good(const trial *self);
/* It failed like this, for this reason. */
void trial_check_bad(const trial *self, dcps_status status, const char *message);

#endif
