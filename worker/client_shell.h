/* The shell of the client core: threads, queues, sockets. Only client.c, the interface that callers see, and client_shell_*.c include this.
 *
 * Two threads: the caller's, which hands commands over `commands` and waits for `answers`, and the I/O thread, which owns the core and all sockets.
 * Each field below names its owner. Nothing is locked: what crosses goes through the queues. */
#ifndef DCPS_WORKER_CLIENT_SHELL_H
#define DCPS_WORKER_CLIENT_SHELL_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/buffer.h"
#include "base/log.h"
#include "base/queue.h"
#include "base/text.h"
#include "proto/partition.h"
#include "proto/transport.h"
#include "worker/client.h"
#include "worker/client_core.h"

typedef enum dcps_command_kind {
    DCPS_COMMAND_NONE = 0,
    DCPS_COMMAND_JOIN,
    DCPS_COMMAND_DECLARE,
    DCPS_COMMAND_PUSH, /* not answered */
    DCPS_COMMAND_WAIT,
    DCPS_COMMAND_ABSTAIN,
    DCPS_COMMAND_PULL,
    DCPS_COMMAND_SNAPSHOT,
    DCPS_COMMAND_FINISH,
    DCPS_COMMAND_STOP /* not answered: the I/O thread ends */
} dcps_command_kind;

/* From the caller to the I/O thread. A new waiting command takes the place of one whose caller was cancelled. */
typedef struct dcps_command {
    dcps_command_kind kind;
    uint64_t id;
    uint32_t first_block; /* PUSH: blocks [first_block, first_block + block_count) */
    uint32_t block_count;
    uint32_t samples;
    float loss;
    uint32_t index; /* SNAPSHOT */
    bool release;
    uint32_t timeout_ms; /* FINISH */
} dcps_command;

/* The I/O thread's answer to the command of that id; others are leftovers of cancelled calls. */
typedef struct dcps_answer {
    uint64_t id;
    dcps_status status;
    dcps_work work;
    dcps_snapshot_info snapshot;
    uint64_t staleness;
    char text[DCPS_MAX_TEXT_BYTES];
} dcps_answer;

/* What the caller may do next. */
typedef enum dcps_client_phase {
    DCPS_CLIENT_PHASE_CREATED = 0,
    DCPS_CLIENT_PHASE_JOINED,
    DCPS_CLIENT_PHASE_DECLARING, /* a declaration that was cancelled or refused ends here */
    DCPS_CLIENT_PHASE_READY,     /* weights are complete */
    DCPS_CLIENT_PHASE_PUSHING,   /* some parameters of the step are pushed */
    DCPS_CLIENT_PHASE_WAITING,   /* all pushed, or pulling: a wait is due */
    DCPS_CLIENT_PHASE_SNAPSHOT,  /* a snapshot was asked for and given up */
    DCPS_CLIENT_PHASE_FINISHED
} dcps_client_phase;

/* One server as the I/O thread sees it. */
typedef struct dcps_shell_link {
    char endpoint[DCPS_MAX_ENDPOINT_BYTES];
    dcps_socket *control;
    dcps_socket *shards[DCPS_MAX_SHARDS];
    char *shard_endpoints[DCPS_MAX_SHARDS]; /* as the server named them */
    uint32_t shard_count;
    bool connected;           /* welcomed at least once */
    uint64_t heard_ns;        /* any message of it */
    uint64_t probed_ns;       /* we last asked for a sign of life */
    bool silent;              /* its control socket */
    uint64_t silence_told_ns; /* last line about that */
} dcps_shell_link;

/* Payloads of one block, wrapped once: each message on its way holds a reference. */
typedef struct dcps_block_buffers {
    dcps_buffer gradient;
    dcps_buffer weights;
} dcps_block_buffers;

struct dcps_client {
    /* Set by dcps_client_create, then read by both. */
    uint32_t server_count;
    bool observer;
    uint32_t timeout_ms;
    uint64_t nonce;
    char name[DCPS_MAX_HOST_BYTES];
    dcps_queue *commands;
    dcps_queue *answers;
    int cancel_fd;
    pthread_t thread;
    bool thread_started;

    /* The caller's. */
    dcps_client_phase phase;
    uint64_t last_id;
    uint64_t staleness;
    uint32_t step_samples; /* of the pushes of this step */
    float step_loss;
    uint64_t step_params; /* pushed in this step */
    uint64_t *pushed;     /* bit for each 16 parameters */
    uint32_t *missing;    /* [block_count], units of 16 parameters not pushed yet */

    /* Written by one side before its message, read by the other after it. */
    dcps_run_info info;  /* I/O thread, before the answer to JOIN */
    dcps_layout *layout; /* caller, before DECLARE */
    uint64_t samples_per_epoch;
    float *weights;
    float *gradient;
    dcps_partition partition; /* I/O thread, before the answer to DECLARE */

    /* The I/O thread's. */
    dcps_transport *transport;
    dcps_client_core *core;
    dcps_shell_link links[DCPS_MAX_SERVERS];
    dcps_socket **sockets; /* all that are open, [socket_count]; control socket of server 0 first */
    dcps_route *routes;    /* of sockets */
    uint32_t socket_count;
    bool sockets_changed;
    dcps_block_buffers *buffers; /* [block_count]; NULL until the first payload leaves */
    uint64_t unsent_counted_ns;
    dcps_command active; /* the command somebody waits for; kind NONE: none */
    uint64_t active_since_ns;
    uint64_t awake_ns;         /* when we last looked at the clock */
    uint64_t patient_since_ns; /* the weights waited for are held back by servers that answer */
    uint64_t patience_told_ns; /* last line about that; 0: none */
    dcps_rate_limit lost_limit;
    bool stopping;
    dcps_status failure; /* of the shell itself: final */
    char failure_text[DCPS_MAX_TEXT_BYTES];
};

/* ---- client_shell_push.c: which parameters of the step are pushed; the caller's thread ---- */
DCPS_MUST_CHECK dcps_status dcps_shell_create_coverage(dcps_client *client);
void dcps_shell_reset_coverage(dcps_client *client);

/* ---- client_shell_io.c ---- */
/* The I/O thread of the client that is the context. */
void *dcps_shell_main(void *context);
/* Remembers the first reason why the shell cannot go on. */
void dcps_shell_fail(dcps_client *client, dcps_status status, const char *text);

/* ---- client_shell_sockets.c, on the I/O thread (control sockets: by dcps_client_create, before it starts) ---- */
DCPS_MUST_CHECK dcps_status dcps_shell_open_sockets(dcps_client *client, const dcps_host_port *servers);
void dcps_shell_close_sockets(dcps_client *client);
/* Connects to the shards that a WELCOME names, unless that is done. */
void dcps_shell_connect_shards(dcps_client *client, uint32_t server, const dcps_welcome *welcome);
/* Lists all open sockets again after a change. */
void dcps_shell_list_sockets(dcps_client *client);
/* The core's emit. */
void dcps_shell_emit(void *context, dcps_route route, const dcps_message *message, const void *payload,
                     size_t payload_bytes);
/* Hands everything that has arrived to the core. */
void dcps_shell_receive(dcps_client *client);
/* Asks servers that have said nothing for a while for a sign of life: an observer has no heartbeat, and that of a worker may be rare. */
void dcps_shell_probe(dcps_client *client, uint64_t now_ns);

/* Tells the core to which shards payloads go on leaving: a large model takes its time on a slow network. */
void dcps_shell_watch_sending(dcps_client *client, uint64_t now_ns);

/* ---- client_shell_notices.c: what people are told ---- */
void dcps_shell_notice(void *context, const dcps_client_notice *notice);
/* Tells once in a while what a long wait is for. */
void dcps_shell_tell_patience(dcps_client *client, uint64_t now_ns);
/* DCPS_TIMEOUT with the server or shard named in text[DCPS_MAX_TEXT_BYTES] once one was silent for too long. */
DCPS_MUST_CHECK dcps_status dcps_shell_check_silence(const dcps_client *client, uint64_t now_ns, char *text);

#endif
