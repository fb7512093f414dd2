/* What the client core remembers. Only client_core.c, client_links.c, client_blocks.c and client_silence.c include this. */
#ifndef DCPS_WORKER_CLIENT_STATE_H
#define DCPS_WORKER_CLIENT_STATE_H

#include "worker/client_core.h"

#define DCPS_CLIENT_NAME_BYTES 64u
#define DCPS_CLIENT_RETRY_MS 1000u /* until the first repeat of an unanswered request; doubles from one to the next */
#define DCPS_CLIENT_MAX_RETRY_MS 8000u /* of requests for blocks */

/* How far we are with one server. */
typedef enum dcps_link_state {
    DCPS_LINK_WAITING = 0, /* nothing said yet: server 0 must give us an identity first */
    DCPS_LINK_HELLO,       /* HELLO sent */
    DCPS_LINK_WELCOMED,    /* session open, no model to declare yet */
    DCPS_LINK_LAYOUT,      /* LAYOUT sent */
    DCPS_LINK_READY,       /* serves our requests */
    DCPS_LINK_FINISHING,   /* FINISH sent */
    DCPS_LINK_FINISHED,
} dcps_link_state;

/* One server. */
typedef struct dcps_link {
    dcps_link_state state;
    dcps_session session;
    bool was_ready; /* READY at least once */
    uint64_t run;   /* that its parameters belong to; 0: not told yet */
    uint32_t lease_ms;
    uint32_t shard_count;     /* as its WELCOME names them */
    uint64_t sent_ns;         /* latest control request */
    uint64_t heartbeat_ns;    /* latest heartbeat */
    uint64_t heard_ns;        /* latest message from any socket of this server; at first, when we began to ask */
    uint64_t silence_told_ns; /* SILENT reported last; 0: not silent */
} dcps_link;

/* A shard that was asked again and has not been heard since; repeats 0: none of that. */
typedef struct dcps_shard_watch {
    uint32_t repeats;     /* unanswered; those of several blocks at one time count once */
    uint64_t since_ns;    /* the first of them */
    uint64_t repeated_ns; /* the latest that was counted */
    uint64_t doubted_ns;  /* the one that makes it silent unless it answers soon */
    uint64_t told_ns;     /* SILENT reported last; 0: not silent */
    uint32_t unsent;      /* payloads that had not left when we last looked */
} dcps_shard_watch;

typedef enum dcps_pending_kind {
    DCPS_PENDING_NONE = 0,
    DCPS_PENDING_PULL,
    DCPS_PENDING_INIT,
    DCPS_PENDING_PUSH,
    DCPS_PENDING_SNAPSHOT,
} dcps_pending_kind;

/* Our latest request for one block. */
typedef struct dcps_pending {
    dcps_pending_kind kind;
    uint64_t seq;
    uint64_t sent_ns;
    uint32_t retry_ms; /* until the next repeat */
    uint32_t samples;
    float loss;
    uint64_t version; /* of the weights we hold */
} dcps_pending;

struct dcps_client_core {
    dcps_client_core_config config;
    char name[DCPS_CLIENT_NAME_BYTES];
    dcps_link links[DCPS_MAX_SERVERS];
    bool has_identity;
    uint32_t worker;
    uint32_t incarnation;
    bool has_welcome;
    dcps_welcome welcome; /* server 0's, without texts */
    char settings[DCPS_MAX_TEXT_BYTES];
    dcps_layout *layout;
    uint64_t samples_per_epoch;
    float *weights;
    const float *gradient;
    bool has_partition;
    dcps_partition partition;
    dcps_pending *blocks;      /* [block_count] */
    dcps_shard_watch *watches; /* [server_count, DCPS_MAX_SHARDS] */
    uint32_t pending_count;
    uint64_t step;         /* latest begun; 0: none */
    uint32_t pushed_count; /* blocks pushed in it */
    uint64_t latest_clock; /* largest that an answer told */
    uint64_t run_samples;  /* of block 0 in its latest answer */
    dcps_ticket ticket;
    uint64_t staleness;
    uint32_t snapshot_index;
    bool snapshot_release;
    bool snapshot_complete; /* every answer so far was available */
    dcps_snapshot_reply snapshot;
    bool finishing;
    dcps_status failure;
    char failure_text[DCPS_MAX_TEXT_BYTES];
};

/* ---- client_core.c ---- */
/* Remembers the first reason why this client cannot go on. */
void dcps_client_core_fail(dcps_client_core *core, dcps_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* ---- client_links.c: the control plane ---- */
void dcps_link_hello(dcps_client_core *core, uint32_t server, uint64_t now_ns);
void dcps_link_declare(dcps_client_core *core, uint32_t server, uint64_t now_ns);
void dcps_link_finish(dcps_client_core *core, uint32_t server, uint64_t now_ns);
/* A message of the control plane; any other is ignored. */
void dcps_link_receive(dcps_client_core *core, uint32_t server, const dcps_message *message, uint64_t now_ns);
/* The server does not know the session of this token; 0: it does not say which. One that we have replaced since is no loss: its requests may be refused long after. */
void dcps_link_lost(dcps_client_core *core, uint32_t server, uint64_t token, uint64_t now_ns);
/* Whether an answer belongs to a session that we have replaced since; token 0: it does not say. */
bool dcps_link_has_replaced(const dcps_client_core *core, uint32_t server, uint64_t token);
void dcps_link_tick(dcps_client_core *core, uint32_t server, uint64_t now_ns);

/* ---- client_silence.c: who has not answered ---- */
void dcps_silence_heard(dcps_client_core *core, dcps_route route, uint64_t now_ns);
/* A request was repeated at this shard, which owes an answer now. False if that belongs to a repeat already counted. */
bool dcps_silence_repeated(dcps_client_core *core, dcps_route route, uint64_t now_ns);
/* Its shards are asked anew. */
void dcps_silence_forget_shards(dcps_client_core *core, uint32_t server);
void dcps_silence_tick(dcps_client_core *core, uint32_t server, uint64_t now_ns);

/* ---- client_blocks.c: the data plane ---- */
dcps_status dcps_blocks_create(dcps_client_core *core);
void dcps_blocks_request(dcps_client_core *core, uint32_t block, dcps_pending_kind kind, uint64_t now_ns);
/* The server serves us (again): first pulls, or what is unanswered once more. */
void dcps_blocks_server_ready(dcps_client_core *core, uint32_t server, bool first, uint64_t now_ns);
bool dcps_blocks_any_pending(const dcps_client_core *core, uint32_t server);
void dcps_blocks_receive(dcps_client_core *core, dcps_route route, const dcps_message *message, const void *payload,
                         size_t payload_bytes, uint64_t now_ns);
void dcps_blocks_tick(dcps_client_core *core, uint64_t now_ns);

#endif
