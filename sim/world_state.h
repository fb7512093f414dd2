/* What the simulated world remembers. Only files of sim/ include this. */
#ifndef DCPS_SIM_WORLD_STATE_H
#define DCPS_SIM_WORLD_STATE_H

#include "base/arena.h"
#include "base/rng.h"
#include "server/engine/control.h"
#include "server/trace/trace.h"
#include "sim/cores.h"
#include "sim/events.h"
#include "sim/world.h"
#include "worker/client_core.h"

/* One end of a message: a client process, or a socket of a server. */
typedef struct dcps_address {
    bool is_client;
    uint32_t process; /* of a client */
    dcps_route route; /* of a server */
} dcps_address;

/* A link carries one message at a time in each direction. */
typedef struct dcps_sim_link {
    uint64_t in_free_ns;
    uint64_t out_free_ns;
} dcps_sim_link;

/* What a server records, and what it follows. */
typedef struct dcps_sim_traces {
    bool recording;
    uint32_t joins;
    uint32_t finished;
    dcps_trace_record record;
    dcps_trace_replay replay;
    dcps_replay_gate *gates[DCPS_MAX_SHARDS]; /* of a replay */
} dcps_sim_traces;

/* The thread of a shard does one thing after another. */
typedef struct dcps_sim_thread {
    dcps_world *world;
    uint32_t place;            /* of its work */
    struct dcps_packet *first; /* what it is at */
    struct dcps_packet *last;
} dcps_sim_thread;

/* What is to be done when the work of a place is. */
typedef struct dcps_sim_work {
    dcps_event_fn done;
    void *context;
} dcps_sim_work;

typedef struct dcps_sim_server {
    dcps_world *world;
    uint32_t index;
    bool up;
    dcps_sim_link link;
    dcps_sim_thread threads[DCPS_MAX_SHARDS]; /* of the shards */
    dcps_control *control;
    dcps_shard *shards[DCPS_MAX_SHARDS];
    dcps_address sending; /* socket whose engine is at work: the sender of what is emitted */
    bool has_image;
    dcps_control_image control_image;
    dcps_shard_image images[DCPS_MAX_SHARDS];
    dcps_shard_stats past; /* counters of lives that ended */
    dcps_sim_traces traces;
    uint64_t leases_expired;
} dcps_sim_server;

typedef enum dcps_sim_phase {
    DCPS_SIM_ABSENT = 0,
    DCPS_SIM_CONNECTING, /* until the layout is declared */
    DCPS_SIM_WAITING,    /* for weights */
    DCPS_SIM_COMPUTING,
    DCPS_SIM_LEAVING,
    DCPS_SIM_ENDED, /* finished or crashed */
} dcps_sim_phase;

/* A worker process, or the observer that evaluates. */
typedef struct dcps_sim_client {
    dcps_world *world;
    uint32_t process;
    dcps_sim_phase phase;
    dcps_client_core *core;
    dcps_sim_link link;
    float *weights;  /* [total params] */
    float *gradient; /* [total params]; NULL: an observer */
    bool pushed;     /* the answers awaited are those to pushes */
    bool waits;      /* for answers of a step, since: */
    uint64_t waits_since_ns;
    bool began; /* has had weights, first at: */
    uint64_t began_ns;
    uint64_t steps;   /* begun */
    uint64_t batch;   /* that the latest was begun with */
    uint64_t held_ns; /* by how much later the step begun is done, because the process stood still */
    uint64_t stalled_until_ns;
    bool *lost;              /* [block_count]: this step's push was dropped */
    dcps_push_count *pushes; /* [block_count] */
    uint32_t mark;           /* observer: asked for */
    uint32_t mark_count;
    dcps_rng rng; /* of its stops */
} dcps_sim_client;

struct dcps_world {
    dcps_world_config config;
    dcps_events events;
    uint64_t now_ns;
    uint64_t events_run;
    dcps_rng network_rng;
    dcps_rng trouble_rng;
    dcps_rng token_rng;
    dcps_partition partition;
    dcps_sim_server *servers; /* [servers] */
    dcps_sim_client *clients; /* [process_capacity], the last one the observer */
    uint32_t process_capacity;
    uint32_t processes;    /* workers' processes started so far */
    uint32_t starts_due;   /* client processes that will still be started */
    uint64_t samples_done; /* that workers know to have been learnt from */
    dcps_cores *cores;     /* NULL: each worker and each shard has one of its own */
    uint64_t cores_due_ns; /* of the event at which somebody may be done; UINT64_MAX: none is planned */
    dcps_sim_work *works;  /* [places], where there are cores: processes first, then the threads of shards */
    dcps_arena arena;
    float *weights;
    uint64_t *versions;
    uint64_t *samples;
    float *watched; /* [total params]: the servers' weights, for who watches; NULL: nobody does */
    dcps_push_count *pushes;
    dcps_world_wait *waits; /* [process_capacity] */
    dcps_run_statistics statistics;
    dcps_world_outcome outcome;
    dcps_status failure;
};

#define DCPS_SIM_TICK_NS (UINT64_C(100) * 1000 * 1000)

/* The observer's place among the clients. */
static inline dcps_sim_client *dcps_world_observer(const dcps_world *world)
{
    return &world->clients[world->process_capacity - 1u];
}

/* ---- world.c ---- */
/* Plans an event; a failure ends the run. */
void dcps_world_at(dcps_world *world, uint64_t at_ns, dcps_event_fn run, void *context);
/* Uniform in [low, high]. */
uint64_t dcps_world_between(dcps_rng *rng, uint64_t low, uint64_t high);
void dcps_world_fail(dcps_world *world, dcps_status status);
/* Ends the run: weights are no numbers any more. */
void dcps_world_diverge(dcps_world *world);

/* ---- work.c: who computes on which processor ---- */
/* `place`, which is at nothing else, begins something that takes work_ns on a processor of its own, and longer where there are too few of them; then `done` is called, unless it is ended before. */
void dcps_world_work(dcps_world *world, uint32_t place, uint64_t work_ns, dcps_event_fn done, void *context);
/* Gives up what it is at, if anything: the processor is free for others. Where each has its own, `done` is still called. */
void dcps_world_work_end(dcps_world *world, uint32_t place);
/* Makes what there is to make for `places`. DCPS_NO_MEMORY. */
DCPS_MUST_CHECK dcps_status dcps_world_work_init(dcps_world *world, uint32_t places);
void dcps_world_work_fini(dcps_world *world);

/* ---- network.c: the memory transport ---- */
/* Encodes the message and lets it arrive, or not. Payload bytes are copied. */
void dcps_network_send(dcps_world *world, dcps_address from, dcps_address to, const dcps_message *message,
                       const void *payload, size_t payload_bytes);
/* Throws away every event, and with it what is under way. */
void dcps_network_drain(dcps_world *world);

/* ---- sim_server.c ---- */
void dcps_sim_server_start(dcps_sim_server *server);
/* Lets time pass for its engines while it is up, and plans itself again. */
void dcps_sim_server_tick(void *context, uint64_t now_ns);
void dcps_sim_server_crash(dcps_sim_server *server);
void dcps_sim_server_checkpoint(dcps_sim_server *server);
void dcps_sim_server_receive(dcps_sim_server *server, uint32_t shard, uint32_t process, const dcps_message *message,
                             dcps_buffer *payload);
/* Adds its counters and blocks to the outcome. */
void dcps_sim_server_report(dcps_sim_server *server);
void dcps_sim_server_fini(dcps_sim_server *server);

/* What the engines send while the selected socket is theirs: a dcps_emit_fn; context is the server. */
void dcps_sim_server_emit(void *context, const dcps_peer *peer, const dcps_message *message, dcps_buffer *payload);

/* ---- sim_trace.c ---- */
/* Before the server starts: reads the trace to follow, begins the one to record. */
void dcps_sim_trace_open(dcps_sim_server *server);
/* Has a shard tell what it takes, if anybody wants to know. */
void dcps_sim_trace_listen(dcps_sim_server *server, dcps_shard_config *shard);
void dcps_sim_trace_event(dcps_sim_server *server, uint32_t shard, const dcps_control_event *event);
/* In the place of dcps_shard_receive. */
void dcps_sim_trace_receive(dcps_sim_server *server, uint32_t shard, const dcps_peer *peer, const dcps_message *message,
                            dcps_buffer *payload);
/* The server is gone, and what it records or follows is spoilt. */
void dcps_sim_trace_crash(dcps_sim_server *server);
/* At the end of the run, while its engines are still there. */
void dcps_sim_trace_close(dcps_sim_server *server);
void dcps_sim_trace_fini(dcps_sim_server *server);

/* ---- sim_client.c ---- */
void dcps_sim_client_start(dcps_sim_client *client);
void dcps_sim_client_crash(dcps_sim_client *client);
/* Nothing of it runs until then; what it computes is done so much later. */
void dcps_sim_client_stall(dcps_sim_client *client, uint64_t until_ns);
/* Ends the run, where that is asked for, if the weights it has are no numbers any more: nothing brings them back. */
void dcps_sim_client_check_weights(const dcps_sim_client *client);
/* The run is over: how long it trained, if it still does. */
void dcps_sim_client_report(const dcps_sim_client *client);
void dcps_sim_client_receive(dcps_sim_client *client, dcps_route route, const dcps_message *message,
                             const void *payload, size_t payload_bytes);
void dcps_sim_client_fini(dcps_sim_client *client);

/* ---- sim_watch.c ---- */
/* Shows the gradient that the client is about to push to the watcher, if there is one. */
DCPS_MUST_CHECK dcps_status dcps_sim_watch(const dcps_sim_client *client, uint32_t samples);

/* ---- sim_observer.c ---- */
/* Goes on where it can: called when a message has come or time has passed. */
void dcps_sim_observer_proceed(dcps_sim_client *client);

#endif
