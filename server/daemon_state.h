/* What the daemon remembers. Only server/daemon*.c include this. All of it belongs to the main thread. */
#ifndef DCPS_SERVER_DAEMON_STATE_H
#define DCPS_SERVER_DAEMON_STATE_H

#include <limits.h>
#include <uv.h>

#include "proto/transport.h"
#include "server/checkpoint.h"
#include "server/config.h"
#include "server/engine/control.h"
#include "server/lease_guard.h"
#include "server/shard_thread.h"
#include "server/status.h"
#include "server/trace/trace.h"

typedef enum dcps_phase {
    DCPS_PHASE_SERVING = 1,
    DCPS_PHASE_DRAINING, /* workers are told to end; waiting for them */
    DCPS_PHASE_SAVING,   /* the last checkpoint is being written */
    DCPS_PHASE_STOPPED   /* the loop is being left */
} dcps_phase;

#define DCPS_MAX_SAVE_WAITERS 16u

/* Those who asked for a checkpoint. */
typedef struct dcps_save_waiters {
    uint32_t count;
    dcps_peer peers[DCPS_MAX_SAVE_WAITERS];
} dcps_save_waiters;

/* One checkpoint at a time: shards export, then a pool thread writes. */
typedef struct dcps_save {
    bool active;
    bool again;                /* asked for while one was being made, which may lack the latest updates */
    uint32_t missing;          /* shards that have not exported yet */
    dcps_save_waiters waiters; /* of the one being made */
    dcps_save_waiters next;
    dcps_checkpoint checkpoint;
    dcps_shard_image images[DCPS_MAX_SHARDS];
    uv_work_t work;
    dcps_status status; /* of the latest one finished */
    char path[PATH_MAX];
    char text[DCPS_MAX_TEXT_BYTES]; /* path, or what went wrong */
    uint64_t generation;            /* of the latest one begun */
    uint64_t changes;               /* that it holds, see count_changes */
    uint64_t changes_written;       /* of the latest one written */
    bool written;                   /* a restart finds one */
    uint64_t failed_ns;             /* when one could not be written last; 0: not yet */
} dcps_save;

/* A trace of this run that is being recorded, and one that it follows. */
typedef struct dcps_traces {
    bool recording;
    bool run_over;  /* every batch was done before anybody asked to stop */
    uint32_t joins; /* sessions opened */
    dcps_trace_record record;
    dcps_trace_replay replay;
} dcps_traces;

/* For log lines that come now and then. */
typedef struct dcps_progress {
    uint64_t started_ns;
    uint64_t waited_ns; /* when the wait for workers was last told of */
    uint64_t told_ns;   /* when progress was last told of */
    uint64_t told_samples;
    uint64_t awaited_ns; /* when it was last told whom others wait for */
    bool done_told;
} dcps_progress;

typedef struct dcps_daemon {
    const dcps_server_config *config;
    dcps_phase phase;
    dcps_status result; /* of the run as a whole */
    dcps_rule *rule;    /* for the names of its states */
    dcps_transport *transport;
    dcps_socket *control_socket;
    dcps_control *control;
    dcps_queue *reports;
    dcps_shard_thread *shards[DCPS_MAX_SHARDS];
    bool resumes;          /* the run goes on from a checkpoint */
    dcps_checkpoint saved; /* that one, until it is restored */
    bool restoring;        /* a checkpoint is being loaded: shards are told directly */
    int checkpoint_lock;   /* descriptor; -1: none */
    char ipc_dir[128];     /* "" without one */
    char endpoints[DCPS_MAX_SHARDS][DCPS_MAX_ENDPOINT_BYTES]; /* as workers are told */

    bool loop_made;
    uv_loop_t loop;
    uv_poll_t control_poll;
    uv_poll_t reports_poll;
    uv_prepare_t prepare;
    uv_idle_t idle; /* runs while messages may be left, so that the loop does not sleep */
    uv_signal_t signals[3];
    uv_timer_t tick;
    dcps_lease_guard lease_guard;
    uv_timer_t checkpoint_timer;

    uint64_t drain_deadline_ns;
    uint64_t signalled_ns;   /* when a signal last asked for the end */
    uint64_t empty_since_ns; /* while draining: nobody is left since then; 0: somebody is */
    dcps_progress progress;
    dcps_save save;
    dcps_traces traces;
    dcps_shard_published published[DCPS_MAX_SHARDS];
    dcps_status_storage status; /* of the latest answer to STATUS */
} dcps_daemon;

/* ---- daemon.c ---- */
/* Leaves the loop; `result` unless a failure was noted before. */
void dcps_daemon_stop(dcps_daemon *daemon, dcps_status result);

/* ---- daemon_start.c: everything up to the first turn of the loop, and its undoing ---- */
DCPS_MUST_CHECK dcps_status dcps_daemon_open(dcps_daemon *daemon);
void dcps_daemon_close(dcps_daemon *daemon);
/* The model is known, and with it how many snapshots for evaluation there will be: warns where this machine cannot hold them all. Whether it must depends on when an evaluator takes
 * them, so that is no reason to refuse. */
void dcps_daemon_check_snapshots(const dcps_daemon *daemon, uint64_t own_params, uint64_t samples_per_epoch);

/* ---- daemon_resume.c ---- */
/* Reads the newest checkpoint and compares it with the configuration, if that says so: daemon->resumes tells whether there is one. */
DCPS_MUST_CHECK dcps_status dcps_daemon_load(dcps_daemon *daemon);
/* Puts what was read into control engine and shards. */
DCPS_MUST_CHECK dcps_status dcps_daemon_restore(dcps_daemon *daemon);

/* ---- daemon_control.c ---- */
/* Callbacks of the control engine; context is the daemon. */
void dcps_daemon_emit(void *context, const dcps_peer *peer, const dcps_message *message, dcps_buffer *payload);
void dcps_daemon_event(void *context, const dcps_control_event *event);
uint64_t dcps_daemon_token(void *context);
/* Serves what the control socket holds, up to a limit; true when more may be left. */
bool dcps_daemon_serve_control(dcps_daemon *daemon);
/* Collects counters from all shards. `reply` points into the daemon, until the next call. */
void dcps_daemon_status(dcps_daemon *daemon, dcps_status_reply *reply);

/* ---- daemon_save.c ---- */
/* Starts a checkpoint, or has another made after the one under way. Only where checkpoints are kept. */
void dcps_daemon_save(dcps_daemon *daemon);
/* … because `peer` asks for it, which is told the outcome: at once where none are kept, and while the server stops. */
void dcps_daemon_save_asked(dcps_daemon *daemon, const dcps_peer *peer);
/* The first checkpoint, as soon as every block has values, tried again until it is written: from then on a restart finds one. Cheap: call often. */
void dcps_daemon_save_first(dcps_daemon *daemon, uint64_t now_ns);
/* One more, if anything has changed since the last. */
void dcps_daemon_save_again(dcps_daemon *daemon);
/* The one of a run that is complete, where checkpoints are kept: from then on nobody is left to train again what a crash would lose. */
void dcps_daemon_save_run(dcps_daemon *daemon);
/* A shard's answer; takes over the image. */
void dcps_daemon_take_export(dcps_daemon *daemon, dcps_shard_report *report);
/* Frees what an unfinished checkpoint holds. */
void dcps_save_fini(dcps_save *save);

/* ---- daemon_stop.c ---- */
void dcps_daemon_drain(dcps_daemon *daemon, const char *why);
/* Called on every tick and when a checkpoint is finished: goes to the next phase when its time has come. */
void dcps_daemon_advance(dcps_daemon *daemon, uint64_t now_ns);

/* ---- daemon_trace.c ---- */
/* Before the shards are made: reads the trace to follow, begins the one to record. */
DCPS_MUST_CHECK dcps_status dcps_daemon_open_traces(dcps_daemon *daemon);
/* The model is known. DCPS_MISMATCH: the trace to follow is of another. */
DCPS_MUST_CHECK dcps_status dcps_daemon_trace_model(dcps_daemon *daemon, const dcps_partition *partition,
                                                    uint64_t samples_per_epoch);
/* When the threads of all shards have ended: says how it went, and closes the files. A replay that came to other weights is a failure of the run. */
void dcps_daemon_close_traces(dcps_daemon *daemon);

/* ---- daemon_awaited.c ---- */
/* Names those whom others wait for, now and then, and goes on without them when their time is up. */
void dcps_daemon_watch_awaited(dcps_daemon *daemon, uint64_t now_ns);

/* ---- daemon_progress.c ---- */
/* Log lines on what is waited for and how far the run is. */
void dcps_daemon_tell_progress(dcps_daemon *daemon, uint64_t now_ns);

#endif
