/* Watches the servers of one run by asking each for its STATUS again and again. Single-threaded. */
#ifndef DCPS_CLI_MONITOR_H
#define DCPS_CLI_MONITOR_H

#include <stdbool.h>
#include <stdint.h>

#include "base/text.h"
#include "dcps/status.h"
#include "proto/limits.h"
#include "proto/message.h"
#include "proto/run_statistics.h"

typedef struct dcps_monitor dcps_monitor;

/* The latest answer of one server. */
typedef struct dcps_server_view {
    bool known;        /* it has answered at least once */
    uint64_t heard_ns; /* when last; the monitor's start before the first answer */
    uint64_t answers;  /* so far */
    dcps_status_reply
        status; /* .staleness, .shards and .algorithm point into this view; it has no .workers, .histograms and .held_ns */
    dcps_counts staleness;
    dcps_shard_statistics shards[DCPS_MAX_SHARDS];
    dcps_worker_table workers;                         /* as last told of, which is now and then, as are histograms */
    dcps_shard_histograms histograms[DCPS_MAX_SHARDS]; /* of `shards`; empty where the server does not know how */
    uint64_t rounds; /* times that all workers and histograms were told of, or what the server knows of them */
    char algorithm[64];
    bool checkpoint_known; /* answered dcps_monitor_ask_checkpoint */
    dcps_status checkpoint_status;
    char checkpoint_text[DCPS_MAX_TEXT_BYTES];
} dcps_server_view;

/* Connects to `count` servers at once, in the background. */
DCPS_MUST_CHECK dcps_status dcps_monitor_create(const dcps_host_port *servers, uint32_t count, uint32_t interval_ms,
                                                dcps_monitor **monitor);
void dcps_monitor_destroy(dcps_monitor **monitor);

/* Asks every server for a checkpoint; the answers appear in the views. */
DCPS_MUST_CHECK dcps_status dcps_monitor_ask_checkpoint(dcps_monitor *monitor);
/* From now on workers and histograms are asked for all the time, not now and then: what is told from the next round but one on is newer than this call. */
void dcps_monitor_want_rounds(dcps_monitor *monitor);
/* Waits at most `timeout_ms` for an answer or for `wake_fd` (-1: none) to become readable; sends what is due and takes in what has come. */
DCPS_MUST_CHECK dcps_status dcps_monitor_turn(dcps_monitor *monitor, int wake_fd, int timeout_ms);

uint32_t dcps_monitor_server_count(const dcps_monitor *monitor);
const dcps_server_view *dcps_monitor_server(const dcps_monitor *monitor, uint32_t index);
/* "127.0.0.1:7070". */
const char *dcps_monitor_address(const dcps_monitor *monitor, uint32_t index);

/* What all servers together say of the run. State and progress are those of block 0, hence of server 0, which alone knows when the run
 * is over; the histogram is the sum over all. */
typedef struct dcps_run_progress {
    bool known; /* every server has answered */
    dcps_run_state state;
    uint64_t samples;
    uint64_t samples_per_epoch;
    uint32_t epochs;
    uint64_t updates;
    double seconds;
    double train_loss;
    uint32_t workers_live;
    dcps_counts staleness;
    bool weights_final;      /* on every server: nobody trains any more */
    uint64_t weights_digest; /* then: of the model */
} dcps_run_progress;

void dcps_monitor_progress(const dcps_monitor *monitor, dcps_run_progress *progress);

/* Adds what all servers together say of shards and workers to *statistics. DCPS_NO_MEMORY. */
DCPS_MUST_CHECK dcps_status dcps_monitor_statistics(const dcps_monitor *monitor, dcps_run_statistics *statistics);

#endif
