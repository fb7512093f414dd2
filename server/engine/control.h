/* The control engine of one server: who is a member, until when, and which model is trained. A pure state machine like the shard engine.
 *
 * It answers HELLO, LAYOUT, HEARTBEAT and FINISH itself and tells its shell about membership through events, which the shell
 * forwards to every shard before it sends the messages emitted after them. STATUS and CHECKPOINT are the shell's, which sees all shards. */
#ifndef DCPS_ENGINE_CONTROL_H
#define DCPS_ENGINE_CONTROL_H

#include <stdbool.h>
#include <stdint.h>

#include "dcps/layout.h"
#include "proto/message.h"
#include "proto/transport.h"
#include "server/engine/shard.h"

typedef struct dcps_control dcps_control;

typedef enum dcps_control_event_kind {
    DCPS_CONTROL_JOIN = 1, /* session: give it to every shard */
    DCPS_CONTROL_LEAVE,    /* session.worker is gone; departure tells why */
    DCPS_CONTROL_LAYOUT,   /* partition, layout and samples_per_epoch are fixed */
} dcps_control_event_kind;

typedef struct dcps_control_event {
    dcps_control_event_kind kind;
    dcps_session session;
    dcps_departure departure; /* LEAVE */
    const char *name;         /* of the worker, for people */
    uint64_t silent_ms;       /* LEAVE on an expired lease: how long nothing was heard */
    uint64_t awaited_ms;      /* LEAVE of one that was expelled: how long others have waited for it */
    bool renamed;             /* LEAVE of one that joins now under another id, which server 0 gave it */
    dcps_partition partition;
    const dcps_layout *layout; /* lives as long as the engine and does not change */
    uint64_t samples_per_epoch;
} dcps_control_event;

typedef void (*dcps_control_event_fn)(void *context, const dcps_control_event *event);
typedef uint64_t (*dcps_token_fn)(void *context); /* a fresh unpredictable token, never 0 */

typedef struct dcps_control_config {
    uint32_t server_index;
    uint32_t server_count;
    uint32_t shards_per_server;
    const char *const *endpoints; /* [shards_per_server], copied */
    uint32_t lease_ms;
    uint32_t workers;
    uint64_t seed;
    uint32_t batch_size;
    uint32_t epochs;
    uint64_t snapshot_every_samples;
    uint32_t block_params; /* 0: chosen from the layout */
    uint64_t max_params;   /* larger models are refused; 0: any size */
    const char *algorithm; /* copied */
    const char *settings;  /* all that updates depend on, in words, copied; workers compare it between servers */
    dcps_emit_fn emit;
    dcps_control_event_fn event;
    dcps_token_fn token;
    void *context; /* of all three */
} dcps_control_config;

DCPS_MUST_CHECK dcps_status dcps_control_create(const dcps_control_config *config, dcps_control **control);
void dcps_control_destroy(dcps_control **control);

/* A message of the control plane. Never fails: what cannot be served is answered with ERROR and counted. STATUS and CHECKPOINT must not be passed in. */
void dcps_control_receive(dcps_control *control, const dcps_peer *peer, const dcps_message *message, uint64_t now_ns);
/* Ends the leases that ran out. Call at least every quarter lease. */
void dcps_control_tick(dcps_control *control, uint64_t now_ns);

/* Ends the session, if it is still the worker's, because others have waited too long for what it computes, although it lives: what it had counts as lost, as if its lease had run
 * out. It is told, and may come back with HELLO. From server 0 it gets another identity then, which it shows to all servers: so none of them takes what it has computed for a mini-batch
 * that another worker has by now. */
void dcps_control_expel(dcps_control *control, const dcps_session *session, uint64_t awaited_ms);

/* NULL until a worker declared it or a checkpoint brought it. */
const dcps_layout *dcps_control_layout(const dcps_control *control);
const dcps_partition *dcps_control_partition(const dcps_control *control);
uint64_t dcps_control_samples_per_epoch(const dcps_control *control);

/* As the worker that has, or had, this id introduced itself; NULL: the id was never given. Borrowed until the next call that takes a time. */
const char *dcps_control_worker_name(const dcps_control *control, uint32_t worker);

typedef struct dcps_control_stats {
    uint32_t workers_live;
    uint32_t
        workers_lost; /* leases that ran out, sessions expelled, and those of workers that came back under another identity */
    uint32_t workers_finished; /* goodbyes when all was done */
    uint64_t rejected;
} dcps_control_stats;

void dcps_control_stats_get(const dcps_control *control, dcps_control_stats *stats);

/* ---- checkpoints ---- */

/* A worker id and who held it last. */
typedef struct dcps_image_worker {
    uint32_t worker;
    uint32_t incarnation;
    uint64_t nonce;
} dcps_image_worker;

/* Everything of a server but its blocks. Arrays belong to the image. */
typedef struct dcps_control_image {
    dcps_layout *layout;
    uint64_t samples_per_epoch;
    uint32_t block_params;
    uint64_t run; /* token of the run */
    uint32_t worker_count;
    dcps_image_worker *workers;
} dcps_control_image;

/* DCPS_AGAIN while there is no layout. */
DCPS_MUST_CHECK dcps_status dcps_control_export(const dcps_control *control, dcps_control_image *image);
void dcps_control_image_fini(dcps_control_image *image);
/* On a fresh control engine. Emits the LAYOUT event. Worker ids keep their incarnations but have no session: each must say HELLO again. */
DCPS_MUST_CHECK dcps_status dcps_control_import(dcps_control *control, const dcps_control_image *image);

#endif
