/* What the control engine remembers. Only files of server/engine include this. */
#ifndef DCPS_ENGINE_CONTROL_STATE_H
#define DCPS_ENGINE_CONTROL_STATE_H

#include "server/engine/control.h"

#define DCPS_WORKER_NAME_BYTES 64u

/* One worker id. incarnation 0: never used. */
typedef struct dcps_registration {
    bool live;
    uint32_t incarnation;
    uint64_t token;
    uint64_t nonce; /* 0: of nobody any more */
    dcps_peer peer; /* whence the session was heard last */
    uint64_t heard_ns;
    char name[DCPS_WORKER_NAME_BYTES];
} dcps_registration;

struct dcps_control {
    dcps_control_config config;
    char **endpoints;
    char *algorithm;
    char *settings;
    dcps_layout *layout;
    dcps_partition partition;
    uint64_t samples_per_epoch;
    uint64_t run; /* drawn with the first declaration, or a checkpoint's; 0: no model yet */
    dcps_control_stats stats;
    dcps_registration workers[DCPS_MAX_WORKERS];
};

/* Fixes the model of run `run` and tells the shards. Takes over `layout` on success. */
dcps_status dcps_control_set_layout(dcps_control *control, dcps_layout *layout, uint64_t samples_per_epoch,
                                    uint32_t block_params, uint64_t run);

#endif
