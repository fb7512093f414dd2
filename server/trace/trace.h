/* Traces: what the shards of a run did, in files, to be done once more or to be simulated.
 *
 * "DIR/run.json" tells how the run was started. "DIR/server-<index>.json" says under which settings a server was recorded and whether the record is complete. "DIR/shard-<number>.csv", the number
 * counting over all servers, has a line for each request that the shard took, in order:
 *   ns           since the server began
 *   block, worker, incarnation, seq, step
 *   kind         pull, init, push or abstain
 *   fate         of a gradient: applied or dropped; else -
 *   staleness    of a gradient outside synchronous rounds; else 0
 *   samples      of a gradient; else 0
 *   away_ns      of push and abstain: since the worker's latest answer from this block left; else 0
 *
 * Blocking file access. Files that are read may be hostile: errors name file, line and column, and memory stays within a small multiple of the size of the files. */
#ifndef DCPS_SERVER_TRACE_H
#define DCPS_SERVER_TRACE_H

#include <stdbool.h>
#include <stdint.h>

#include "dcps/status.h"
#include "proto/limits.h"
#include "proto/partition.h"
#include "server/engine/replay_gate.h"
#include "server/engine/taken.h"

#define DCPS_TRACE_SCHEMA "dcps-trace/1"
#define DCPS_TRACE_REASON_BYTES 256u

/* What one server was recorded under, and how that went. */
typedef struct dcps_trace_run {
    uint32_t server_index;
    uint32_t server_count;
    uint32_t shards_per_server;
    uint32_t workers;
    uint64_t seed;
    uint32_t batch_size;
    uint32_t epochs;
    char settings[DCPS_MAX_TEXT_BYTES]; /* all that updates depend on, in words */
    uint64_t total_params;              /* 0: no model was declared */
    uint32_t block_params;
    uint64_t samples_per_epoch;
    uint64_t rows[DCPS_MAX_SHARDS];       /* of each shard of this server */
    bool complete;                        /* the run came to its end, and nobody was lost on the way */
    char reason[DCPS_TRACE_REASON_BYTES]; /* where it is not: why */
    uint64_t weights_digest;              /* of this server's parameters at the end; 0 where it was not reached */
} dcps_trace_run;

/* ---- run.c: DIR/server-<index>.json ---- */

/* Whether there is such a file. */
bool dcps_trace_run_exists(const char *dir, uint32_t server_index);
/* Writes it, in the place of an older one. Errors: DCPS_IO, DCPS_LIMIT (path), DCPS_NO_MEMORY. */
DCPS_MUST_CHECK dcps_status dcps_trace_run_write(const dcps_trace_run *run, const char *dir);
/* Errors name the file: DCPS_NOT_FOUND, DCPS_IO, DCPS_CORRUPT, DCPS_LIMIT. */
DCPS_MUST_CHECK dcps_status dcps_trace_run_read(const char *dir, uint32_t server_index, dcps_trace_run *run);
/* Whether a run with the settings `now` can follow the trace `recorded`, which must be complete. Models are not compared. DCPS_MISMATCH names what differs. */
DCPS_MUST_CHECK dcps_status dcps_trace_run_check(const dcps_trace_run *recorded, const dcps_trace_run *now);
/* The same of the model, once it is known. */
DCPS_MUST_CHECK dcps_status dcps_trace_run_check_model(const dcps_trace_run *recorded, const dcps_partition *partition,
                                                       uint64_t samples_per_epoch);

/* ---- settings.c: DIR/run.json, how whoever started servers and workers was told to, as names and values of options ---- */

typedef struct dcps_trace_setting {
    char *name;
    char *value;
} dcps_trace_setting;

/* All zero: none. */
typedef struct dcps_trace_settings {
    size_t count;
    dcps_trace_setting *items;
} dcps_trace_settings;

DCPS_MUST_CHECK dcps_status dcps_trace_settings_add(dcps_trace_settings *settings, const char *name, const char *value);
void dcps_trace_settings_fini(dcps_trace_settings *settings);
/* NULL: there is none of that name. */
const char *dcps_trace_settings_find(const dcps_trace_settings *settings, const char *name);
DCPS_MUST_CHECK dcps_status dcps_trace_settings_write(const dcps_trace_settings *settings, const char *dir);
/* Belong to the caller. Errors: DCPS_NOT_FOUND, DCPS_IO, DCPS_CORRUPT, DCPS_LIMIT, DCPS_NO_MEMORY. */
DCPS_MUST_CHECK dcps_status dcps_trace_settings_read(const char *dir, dcps_trace_settings *settings);

/* ---- write.c ---- */

typedef struct dcps_trace_writer dcps_trace_writer;

/* Begins DIR/shard-<shard>.csv, which must not be there. Times are told since `origin_ns`. Errors: DCPS_IO, DCPS_LIMIT, DCPS_NO_MEMORY. */
DCPS_MUST_CHECK dcps_status dcps_trace_writer_create(const char *dir, uint32_t shard, uint64_t origin_ns,
                                                     dcps_trace_writer **writer);
/* A dcps_taken_fn; context is the writer. What cannot be written is told when the writer is closed. */
void dcps_trace_writer_add(void *context, const dcps_taken *taken, uint64_t now_ns);
/* Something happened that a trace does not tell: it will not be complete. The first reason counts. */
void dcps_trace_writer_spoil(dcps_trace_writer *writer, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Closes the file. *rows is the number of lines; `reason` why they are not all there is to tell, "" if they are. Accepts NULL inside. */
void dcps_trace_writer_close(dcps_trace_writer **writer, uint64_t *rows, char reason[DCPS_TRACE_REASON_BYTES]);

/* ---- server.c: all shards of one server ---- */

/* All zero: nothing is recorded. */
typedef struct dcps_trace_record {
    const char *dir; /* the caller's */
    dcps_trace_run run;
    dcps_trace_writer *writers[DCPS_MAX_SHARDS]; /* of each shard */
} dcps_trace_record;

/* Makes the folder and begins the files of the server that `run` tells the settings of. Errors: DCPS_INVALID (there is a trace of it already), those of the writers. */
DCPS_MUST_CHECK dcps_status dcps_trace_record_begin(dcps_trace_record *record, const dcps_trace_run *run,
                                                    const char *dir, uint64_t origin_ns);
void dcps_trace_record_model(dcps_trace_record *record, const dcps_partition *partition, uint64_t samples_per_epoch);
/* A worker leaves a shard, which has not been told yet. A trace does not tell of leaving, which changes nothing as long as everybody stays until every batch is done: the writer is spoilt
 * otherwise. */
void dcps_trace_record_leave(dcps_trace_writer *writer, const dcps_shard *shard, uint32_t worker,
                             dcps_departure departure);

/* How the run ended, as far as a server knows. */
typedef struct dcps_trace_ending {
    bool resumed;   /* it was older than this server */
    bool run_over;  /* every batch was done before anybody asked to stop */
    uint32_t joins; /* sessions opened */
    uint32_t finished;
    uint32_t lost;
    uint64_t early_starts; /* as in dcps_shard_stats; of all shards, like the next */
    uint64_t weights_digest;
} dcps_trace_ending;

/* Closes the files and says what has become of the record; record->run tells whether it is complete and, if not, why. */
DCPS_MUST_CHECK dcps_status dcps_trace_record_end(dcps_trace_record *record, const dcps_trace_ending *ending);
/* Closes what is still open. */
void dcps_trace_record_fini(dcps_trace_record *record);

/* All zero: nothing is replayed. */
typedef struct dcps_trace_replay {
    const char *dir; /* the caller's */
    dcps_trace_run run;
    dcps_replay_order orders[DCPS_MAX_SHARDS]; /* of each shard */
} dcps_trace_replay;

/* Reads what the server with the settings `now` is to do. Errors: those of dcps_trace_run_read, dcps_trace_run_check and dcps_trace_read_order. */
DCPS_MUST_CHECK dcps_status dcps_trace_replay_open(dcps_trace_replay *replay, const dcps_trace_run *now,
                                                   const char *dir);
/* At the end: DCPS_MISMATCH where `left` requests are still to come, or the weights are not those of the run. */
DCPS_MUST_CHECK dcps_status dcps_trace_replay_check(const dcps_trace_replay *replay, uint64_t left,
                                                    uint64_t weights_digest);
void dcps_trace_replay_fini(dcps_trace_replay *replay);

/* ---- read.c ---- */

/* The order of one shard, by its number over all servers, of a complete trace. Belongs to the caller. Errors: DCPS_NOT_FOUND, DCPS_IO, DCPS_CORRUPT, DCPS_LIMIT,
 * DCPS_NO_MEMORY. */
DCPS_MUST_CHECK dcps_status dcps_trace_read_order(const char *dir, const dcps_trace_run *run, uint32_t shard,
                                                  dcps_replay_order *order);

/* How long each worker took for its steps: from an answer of block 0 to the next push that reached it. */
typedef struct dcps_trace_times {
    uint32_t workers; /* that pushed at all, in the order of their ids */
    struct dcps_trace_steps {
        uint64_t count;
        uint64_t *step_ns; /* [count] */
    } * steps;
} dcps_trace_times;

/* Any trace will do, complete or not, in which somebody pushed. Belongs to the caller. Errors as above. */
DCPS_MUST_CHECK dcps_status dcps_trace_read_times(const char *dir, dcps_trace_times *times);
void dcps_trace_times_fini(dcps_trace_times *times);

#endif
