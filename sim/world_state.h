/* What the simulated world remembers. Only files of sim/ include this. */
#ifndef DCPS_SIM_WORLD_STATE_H
#define DCPS_SIM_WORLD_STATE_H

#include "base/arena.h"
#include "base/rng.h"
#include "server/engine/control.h"
#include "sim/events.h"
#include "sim/world.h"
#include "worker/client_core.h"

#define DCPS_WORLD_MAX_BLOCKS 64u

/* One end of a message: a client process, or a socket of a server. */
typedef struct dcps_address {
    bool is_client;
    uint32_t process; /* of a client */
    dcps_route route; /* of a server */
} dcps_address;

typedef struct dcps_sim_server {
    dcps_world *world;
    uint32_t index;
    bool up;
    dcps_control *control;
    dcps_shard *shards[DCPS_MAX_SHARDS];
    dcps_address sending; /* socket whose engine is at work: the sender of what is emitted */
    bool has_image;
    dcps_control_image control_image;
    dcps_shard_image images[DCPS_MAX_SHARDS];
    dcps_shard_stats past; /* counters of lives that ended */
    uint64_t leases_expired;
} dcps_sim_server;

typedef enum dcps_client_phase {
    DCPS_CLIENT_ABSENT = 0,
    DCPS_CLIENT_CONNECTING, /* until the layout is declared */
    DCPS_CLIENT_WAITING,    /* for weights */
    DCPS_CLIENT_COMPUTING,
    DCPS_CLIENT_LEAVING,
    DCPS_CLIENT_ENDED, /* finished or crashed */
} dcps_client_phase;

typedef struct dcps_sim_client {
    dcps_world *world;
    uint32_t process;
    dcps_client_phase phase;
    dcps_client_core *core;
    float *weights;
    float *gradient;
    bool pushed; /* the answers awaited are those to pushes */
    uint64_t batch;
    uint64_t stalled_until_ns;
    bool lost[DCPS_WORLD_MAX_BLOCKS]; /* [block]: this step's push was dropped */
    dcps_push_count *pushes;          /* [block_count] */
    dcps_rng rng;
} dcps_sim_client;

struct dcps_world {
    dcps_world_config config;
    dcps_events events;
    uint64_t now_ns;
    dcps_rng network_rng;
    dcps_rng trouble_rng;
    dcps_rng token_rng;
    dcps_layout *layout;
    uint32_t block_count;
    dcps_sim_server servers[DCPS_MAX_SERVERS];
    dcps_sim_client clients[DCPS_WORLD_MAX_PROCESSES];
    uint32_t processes;
    uint32_t starts_due; /* client processes that will still be started */
    dcps_arena arena;
    float *weights;
    uint64_t *versions;
    uint64_t *samples;
    dcps_push_count *pushes;
    dcps_world_outcome outcome;
    dcps_status failure;
};

#define DCPS_SIM_TICK_NS (UINT64_C(100) * 1000 * 1000)

/* ---- world.c ---- */
/* Plans an event; a failure ends the run. */
void dcps_world_at(dcps_world *world, uint64_t at_ns, dcps_event_fn run, void *context);
/* Uniform in [low, high]. */
uint64_t dcps_world_between(dcps_rng *rng, uint64_t low, uint64_t high);
void dcps_world_fail(dcps_world *world, dcps_status status);

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

/* ---- sim_client.c ---- */
void dcps_sim_client_start(dcps_sim_client *client);
void dcps_sim_client_crash(dcps_sim_client *client);
void dcps_sim_client_stall(dcps_sim_client *client, uint64_t until_ns);
void dcps_sim_client_receive(dcps_sim_client *client, dcps_route route, const dcps_message *message,
                             const void *payload, size_t payload_bytes);
void dcps_sim_client_fini(dcps_sim_client *client);

#endif
