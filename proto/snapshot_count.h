/* How many snapshots for evaluation a run leaves behind: servers keep and evaluators ask for as many. */
#ifndef DCPS_PROTO_SNAPSHOT_COUNT_H
#define DCPS_PROTO_SNAPSHOT_COUNT_H

#include <stdint.h>

/* One each `every_samples` and one at the end; DCPS_SNAPSHOT_EVERY_EPOCH: one an epoch; 0: none. A run of more samples than can be counted has UINT64_MAX of them. */
uint64_t dcps_snapshot_count(uint64_t every_samples, uint64_t samples_per_epoch, uint32_t epochs);

#endif
