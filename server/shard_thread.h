/* A shard at work: one thread that owns one socket and one shard engine. Everybody else sends it commands and reads what it publishes. */
#ifndef DCPS_SERVER_SHARD_THREAD_H
#define DCPS_SERVER_SHARD_THREAD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/queue.h"
#include "proto/transport.h"
#include "server/engine/replay_gate.h"
#include "server/engine/shard.h"
#include "server/trace/trace.h"

typedef struct dcps_shard_thread dcps_shard_thread;

#define DCPS_SHARD_BATCH_MESSAGES 64u /* received before time and counters get their turn */

typedef enum dcps_shard_report_kind {
    DCPS_SHARD_EXPORTED = 1, /* answer to dcps_shard_thread_export */
    DCPS_SHARD_FAILED,       /* the thread cannot go on and has ended */
} dcps_shard_report_kind;

#define DCPS_SHARD_REPORT_TEXT_BYTES 256u

/* What a thread tells its maker through the queue of reports. */
typedef struct dcps_shard_report {
    dcps_shard_report_kind kind;
    uint32_t shard; /* number within this server */
    dcps_status status;
    dcps_shard_image image;                  /* EXPORTED with DCPS_OK: belongs to the receiver */
    char text[DCPS_SHARD_REPORT_TEXT_BYTES]; /* where status is a failure */
} dcps_shard_report;

/* Counters as the thread last published them. */
typedef struct dcps_shard_published {
    dcps_shard_stats stats;
    uint64_t malformed;   /* messages that the socket refused */
    uint64_t replay_left; /* requests of the order that are still to come */
    dcps_awaited_list awaited;
    /* How many messages the thread took, once it had woken, before its socket ran dry; DCPS_SHARD_BATCH_MESSAGES: perhaps it had not. One means that the shard
     * keeps up with those who ask. Messages that came while it served others count, those still in ZeroMQ's own queues or the kernel's do not. */
    uint64_t wakes; /* with a message at least */
    uint64_t messages;
    uint64_t backlog_max;
} dcps_shard_published;

typedef struct dcps_shard_thread_config {
    const char *endpoint;
    dcps_shard_config engine;       /* the callbacks are set by the callee */
    uint32_t shard;                 /* within this server; engine.shard counts over all */
    dcps_queue *reports;            /* holds dcps_shard_report */
    dcps_trace_writer *writer;      /* told what the shard does; NULL: nobody is */
    const dcps_replay_order *order; /* to be followed; NULL: requests are taken as they come */
} dcps_shard_thread_config;

/* Binds the socket and makes the engine; nothing runs yet. What the configuration points to outlives the thread. Errors: those of dcps_socket_bind, dcps_shard_create and
 * dcps_replay_gate_create. */
DCPS_MUST_CHECK dcps_status dcps_shard_thread_create(dcps_transport *transport, const dcps_shard_thread_config *config,
                                                     dcps_shard_thread **thread);
/* The endpoint really bound. */
const char *dcps_shard_thread_endpoint(const dcps_shard_thread *thread);

/* Before start only: fixes the partition and loads what the shard owns of `image`. */
DCPS_MUST_CHECK dcps_status dcps_shard_thread_restore(dcps_shard_thread *thread, const dcps_partition *partition,
                                                      const dcps_layout *layout, uint64_t samples_per_epoch,
                                                      const dcps_shard_image *image);

/* Signals are blocked in the new thread. */
DCPS_MUST_CHECK dcps_status dcps_shard_thread_start(dcps_shard_thread *thread);

/* Commands: carried out in the order given, and before any message that is received later. They may wait while the thread is far behind. `layout` must outlive the thread
 * unchanged. */
void dcps_shard_thread_set_partition(dcps_shard_thread *thread, const dcps_partition *partition,
                                     const dcps_layout *layout, uint64_t samples_per_epoch);
void dcps_shard_thread_join_worker(dcps_shard_thread *thread, const dcps_session *session);
void dcps_shard_thread_leave_worker(dcps_shard_thread *thread, uint32_t worker, dcps_departure departure);
void dcps_shard_thread_export(dcps_shard_thread *thread);
void dcps_shard_thread_drain(dcps_shard_thread *thread);

/* Copies the latest counters. Any thread. */
void dcps_shard_thread_published(dcps_shard_thread *thread, dcps_shard_published *published);
/* Adds what the shard has counted of a worker to what others have. Any thread. */
void dcps_shard_thread_add_worker(dcps_shard_thread *thread, dcps_worker_statistics *worker);

/* Asks the thread to end; does not wait. */
void dcps_shard_thread_stop(dcps_shard_thread *thread);
/* Stops and waits for the end: what was published then is final, and the writer of the trace is not used any more. */
void dcps_shard_thread_join(dcps_shard_thread *thread);
/* The same, and frees everything. Accepts NULL inside. */
void dcps_shard_thread_destroy(dcps_shard_thread **thread);

#endif
