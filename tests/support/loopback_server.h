/* A server on 127.0.0.1 for tests of the client: the engines behind real sockets, on a thread of its own, and a will to misbehave. */
#ifndef DCPS_TESTS_SUPPORT_LOOPBACK_SERVER_H
#define DCPS_TESTS_SUPPORT_LOOPBACK_SERVER_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/message.h"
#include "server/engine/shard.h"

/* Zero-initialise; 0 means 1 for counts and "choose" for the port. */
typedef struct loopback_config {
    uint16_t port;
    uint32_t index; /* of `servers` servers */
    uint32_t servers;
    uint32_t shards;
    const char *algorithm; /* NULL: asgd */
    uint32_t workers;
    uint32_t epochs;
    uint32_t batch_size;
    double rate;
    uint64_t seed;
    uint32_t block_params; /* 0: the engine's choice */
    uint64_t snapshot_every_samples;
    uint32_t lease_ms; /* 0: 10000 */
} loopback_config;

typedef struct loopback_server loopback_server;

loopback_server *loopback_start(const loopback_config *config);
/* As if it were killed: nobody is told. */
void loopback_kill(loopback_server **server);
/* Killed and started again at its port with what it knew of model and workers, but none of its parameters: as from a checkpoint that had no values yet. */
void loopback_restart(loopback_server **server);

/* "127.0.0.1:PORT" */
const char *loopback_address(const loopback_server *server);
uint16_t loopback_port(const loopback_server *server);

/* While mute it takes messages and does nothing with them. */
void loopback_mute(loopback_server *server, bool mute);
/* … its shards alone. */
void loopback_mute_shards(loopback_server *server, bool mute);
/* Hands out no more batches. */
void loopback_drain(loopback_server *server);

/* Messages of a type that have arrived, and updates applied to all blocks, counted a moment after they were answered. */
uint64_t loopback_received(const loopback_server *server, dcps_message_type type);
/* Workers that left so. */
uint64_t loopback_departures(const loopback_server *server, dcps_departure departure);
uint64_t loopback_applied(const loopback_server *server);

/* A port that was free a moment ago. */
uint16_t loopback_free_port(void);

#endif
