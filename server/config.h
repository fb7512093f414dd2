/* Everything a person tells a server, checked. */
#ifndef DCPS_SERVER_CONFIG_H
#define DCPS_SERVER_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/log.h"
#include "base/options.h"
#include "base/text.h"
#include "proto/limits.h"
#include "server/engine/algorithm.h"

typedef enum dcps_resume { DCPS_RESUME_NO = 1, DCPS_RESUME_YES, DCPS_RESUME_AUTO } dcps_resume;

typedef struct dcps_server_config {
    dcps_host_port bind;
    dcps_host_port advertise; /* port 0: the one bound */
    uint32_t index;
    uint32_t server_count;
    uint32_t workers;
    uint32_t shards;
    bool shards_on_ipc;
    dcps_algorithm algorithm;
    dcps_schedule schedule;
    uint32_t epochs;
    uint32_t batch_size;
    uint64_t seed;
    uint32_t block_params; /* 0: chosen from the layout */
    uint32_t lease_ms;
    uint64_t start_grace_ns;
    uint64_t round_timeout_ns; /* 0: nobody is left out */
    uint64_t snapshot_every_samples;
    const char *checkpoint_dir; /* NULL: no checkpoints. Belongs to the options */
    double checkpoint_every_s;  /* 0: at the end and on request */
    dcps_resume resume;
    const char *record_dir; /* of a trace of this run; NULL: none. Belongs to the options, like the next */
    const char *replay_dir; /* of a trace to follow; NULL: none */
    bool log_json;
    dcps_log_level log_level;
    uint32_t io_threads;
    char settings[DCPS_MAX_TEXT_BYTES]; /* all that updates depend on, in words: equal on all servers of a run */
} dcps_server_config;

/* The program, for dcps_options_parse. */
extern const dcps_program dcps_server_program;

/* Turns resolved options into a configuration, which borrows texts from them. Errors: DCPS_INVALID and DCPS_LIMIT naming the flag, DCPS_NOT_FOUND (algorithm). */
DCPS_MUST_CHECK dcps_status dcps_server_config_read(const dcps_options *options, dcps_server_config *config);

#endif
