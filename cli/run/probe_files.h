/* What dcps sim --probe writes: probe.csv with a line for each candidate at each probe, tensors.csv with one for each tensor too. Single-threaded. */
#ifndef DCPS_CLI_PROBE_FILES_H
#define DCPS_CLI_PROBE_FILES_H

#include <stdint.h>
#include <stdio.h>

#include "dcps/status.h"
#include "server/engine/algorithm.h"
#include "sim/probe.h"

/* Zeroed: nothing is open. */
typedef struct dcps_probe_files {
    FILE *all;
    FILE *tensors;
    dcps_schedule schedule;
    uint64_t samples_per_epoch;
} dcps_probe_files;

/* Makes the folder and both files, with their heads. Learning rate and epoch of a line follow from the other two. Errors: DCPS_IO naming the path. */
DCPS_MUST_CHECK dcps_status dcps_probe_files_open(const char *folder, const dcps_schedule *schedule,
                                                  uint64_t samples_per_epoch, dcps_probe_files *files);
/* For dcps_probe_config.found, `context` being the files. What cannot be written shows when they are closed. */
void dcps_probe_files_add(void *context, const dcps_probe_row *row);
/* DCPS_IO: not everything could be written. */
DCPS_MUST_CHECK dcps_status dcps_probe_files_close(dcps_probe_files *files);

#endif
