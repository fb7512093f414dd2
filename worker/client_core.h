/* The worker's side of the protocol as a pure state machine: sessions, sequence numbers, retries. No socket, clock, thread or randomness.
 *
 * Its shell passes in messages and the time and sends what is emitted. `weights` and `gradient` are the caller's flat vectors; a WEIGHTS answer
 * is copied into `weights`, gradients leave straight from `gradient`. */
#ifndef DCPS_WORKER_CLIENT_CORE_H
#define DCPS_WORKER_CLIENT_CORE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "dcps/layout.h"
#include "proto/message.h"

#define DCPS_ROUTE_CONTROL UINT32_MAX
#define DCPS_CLIENT_SILENCE_MS 2500u

/* A socket: server index, and shard of that server or DCPS_ROUTE_CONTROL. */
typedef struct dcps_route {
    uint32_t server;
    uint32_t shard;
} dcps_route;

typedef struct dcps_client_core dcps_client_core;

typedef enum dcps_client_notice_kind {
    DCPS_CLIENT_CONNECTED =
        1,              /* server `server` welcomed us: `welcome` holds endpoints to connect to before this returns */
    DCPS_CLIENT_SILENT, /* nothing heard from `server`, or from its shard `shard` alone, for silent_ms although something was asked; repeated every few seconds */
    DCPS_CLIENT_BACK,   /* it answers again */
    DCPS_CLIENT_REJOINED, /* it had forgotten our session (restart, or lease over): joined anew, weights pulled anew */
    DCPS_CLIENT_GRADIENT_LOST, /* a push had to be dropped because that server no longer knows what we had pulled */
} dcps_client_notice_kind;

typedef struct dcps_client_notice {
    dcps_client_notice_kind kind;
    uint32_t server;
    uint32_t shard; /* SILENT and BACK; DCPS_ROUTE_CONTROL: the server itself */
    uint64_t silent_ms;
    uint32_t block;
    const dcps_welcome *welcome;
} dcps_client_notice;

typedef struct dcps_client_core_config {
    uint32_t server_count;
    dcps_role role;
    uint64_t nonce;
    const char *name;    /* "host:pid"; copied */
    uint32_t silence_ms; /* after which SILENT is reported. 0: DCPS_CLIENT_SILENCE_MS */
    /* Takes a message for `route`. `payload` bytes stay valid and unchanged until the block's answer is in. */
    void (*emit)(void *context, dcps_route route, const dcps_message *message, const void *payload,
                 size_t payload_bytes);
    void (*notice)(void *context, const dcps_client_notice *notice);
    void *context;
} dcps_client_core_config;

DCPS_MUST_CHECK dcps_status dcps_client_core_create(const dcps_client_core_config *config, dcps_client_core **core);
void dcps_client_core_destroy(dcps_client_core **core);

/* Says HELLO to every server. */
void dcps_client_core_start(dcps_client_core *core, uint64_t now_ns);

/* Run settings from server 0's WELCOME; NULL before. Texts are not kept. */
const dcps_welcome *dcps_client_core_welcome(const dcps_client_core *core);

/* Declares the model (layout copied). `weights` holds the initial values and receives the server's; `gradient` may be NULL for an observer.
 * Both [total params], the caller's, valid until destroy. A worker's first pull of all blocks follows by itself. */
DCPS_MUST_CHECK dcps_status dcps_client_core_declare(dcps_client_core *core, const dcps_layout *layout,
                                                     uint64_t samples_per_epoch, float *weights, const float *gradient,
                                                     uint64_t now_ns);

/* NULL until the servers answered the declaration. */
const dcps_partition *dcps_client_core_partition(const dcps_client_core *core);

/* True when no answer is outstanding: weights are complete and *ticket is the batch to train on. */
bool dcps_client_core_ready(const dcps_client_core *core, dcps_ticket *ticket);

/* Pushes one block's gradient and asks for its new weights; each block once between two ready states. samples 0: abstain. */
void dcps_client_core_push(dcps_client_core *core, uint32_t block, uint32_t samples, float loss, uint64_t now_ns);
/* Pulls every block anew. Ready state only. */
void dcps_client_core_pull(dcps_client_core *core, uint64_t now_ns);
/* Observer: asks for an evaluation snapshot of all blocks, into `weights`. Ready state only. */
void dcps_client_core_snapshot(dcps_client_core *core, uint32_t index, bool release, uint64_t now_ns);
/* Of the latest snapshot, when ready: block 0's answer; available only if every block's was. */
const dcps_snapshot_reply *dcps_client_core_snapshot_info(const dcps_client_core *core);

/* Tells every server that we leave. */
void dcps_client_core_finish(dcps_client_core *core, uint64_t now_ns);
bool dcps_client_core_finished(const dcps_client_core *core);

/* A message from `route`; payload borrowed. Wrong or late ones are ignored. */
void dcps_client_core_receive(dcps_client_core *core, dcps_route route, const dcps_message *message,
                              const void *payload, size_t payload_bytes, uint64_t now_ns);
/* So many payloads for this shard have not left yet. Where they are fewer than the last time, its answers can wait until it has them; but only a message brings a shard back of which silence was told. */
void dcps_client_core_unsent(dcps_client_core *core, dcps_route route, uint32_t count);
/* Heartbeats, repeats, silence; returns when to call again at the latest. */
uint64_t dcps_client_core_tick(dcps_client_core *core, uint64_t now_ns);

/* Nobody listened for the last `gap_ns`, because this process stood still: it counts as nobody's silence. Before the tick that follows. */
void dcps_client_core_paused(dcps_client_core *core, uint64_t gap_ns, uint64_t now_ns);

/* The longest silence of those that SILENT has told of and BACK has not, and in *whose whose it is; 0: nobody is silent. */
uint64_t dcps_client_core_silence_ms(const dcps_client_core *core, uint64_t now_ns, dcps_route *whose);

/* Somebody is silent, or will be if no answer comes soon: it cannot be said that all servers answer. */
bool dcps_client_core_in_doubt(const dcps_client_core *core);

/* DCPS_OK, or why this client cannot go on (layout refused, servers disagree): final. Text in *text. */
dcps_status dcps_client_core_failure(const dcps_client_core *core, const char **text);

/* Updates by others between our pull and our latest push's answer, per block 0: version difference minus one. For progress lines. */
uint64_t dcps_client_core_staleness(const dcps_client_core *core);

#endif
