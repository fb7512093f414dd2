/* A client core on its own: the test plays its servers and its clock, and sees everything it sends and says. */
#ifndef DCPS_TESTS_SUPPORT_CLIENT_HARNESS_H
#define DCPS_TESTS_SUPPORT_CLIENT_HARNESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "worker/client_core.h"

#define CLIENT_MAX_SENT 64u
#define CLIENT_MAX_NOTICES 16u
#define CLIENT_BLOCK 16u
#define CLIENT_BLOCKS 4u
#define CLIENT_PARAMS (CLIENT_BLOCK * CLIENT_BLOCKS)
#define CLIENT_NONCE 4711u
#define CLIENT_SAMPLES 48u /* of an epoch; there are 3 */

typedef struct client_sent {
    dcps_route route;
    dcps_message message;
    const void *payload;
    size_t bytes;
} client_sent;

/* Large: keep it static. 4 blocks of 16 parameters on servers of 2 shards, until the test says otherwise: with two servers block b lives on server b / 2, shard
 * b % 2. Each shard must own as many blocks as every other. */
typedef struct client_room {
    dcps_client_core *core;
    uint32_t server_count;
    uint32_t shards_per_server;
    uint64_t now_ns;
    dcps_layout *layout;
    float weights[CLIENT_PARAMS];
    float gradient[CLIENT_PARAMS];
    uint32_t sent_count;
    client_sent sent[CLIENT_MAX_SENT]; /* not taken yet, earliest first */
    uint32_t notice_count;
    dcps_client_notice notices[CLIENT_MAX_NOTICES];
} client_room;

/* 4 s of lease, repeats from 1 s on, silence after 3 s. */
void client_open(client_room *self, uint32_t server_count, dcps_role role);
void client_close(client_room *self);

/* Where block `block` lives. */
dcps_route client_route(const client_room *self, uint32_t block);
dcps_route client_control_route(uint32_t server);

/* Takes the earliest message to this route, which must be of this type. */
client_sent client_take(client_room *self, dcps_route route, dcps_message_type type);
/* … to the control socket of a server. */
client_sent client_take_control(client_room *self, uint32_t server, dcps_message_type type);
/* … about a block, whose request it returns; QUERY, PULL, INIT and PUSH_PULL. */
dcps_request client_take_request(client_room *self, uint32_t block, dcps_message_type type);
void client_expect_silence(const client_room *self); /* nothing sent */
dcps_client_notice client_take_notice(client_room *self, dcps_client_notice_kind kind, uint32_t server);
void client_expect_no_notice(const client_room *self);
/* Throws away what was sent. */
void client_forget(client_room *self);

void client_deliver(client_room *self, dcps_route route, const dcps_message *message, const void *payload,
                    size_t bytes);
/* Delivers a message and a payload of `bytes` bytes, after which a client that waits with weights of 0 still does. */
void client_expect_ignored(client_room *self, dcps_route route, const dcps_message *message, size_t bytes);
/* The WELCOME that `server` would send: worker 3, incarnation 2, token 100 + server. */
dcps_welcome client_welcome_of(const client_room *self, uint32_t server);
void client_welcome(client_room *self, const dcps_welcome *welcome);
void client_layout_reply(client_room *self, uint32_t server);
void client_error(client_room *self, dcps_route route, dcps_status status, const char *text);
/* ERROR that names a request. */
void client_refuse(client_room *self, uint32_t block, uint64_t seq, dcps_status status);
/* PENDING, RESEND or NEED_INIT. */
void client_notice_for(client_room *self, uint32_t block, uint64_t seq, dcps_message_type type);
/* The WEIGHTS that answers request `seq`, every weight `value`. */
dcps_message client_weights_of(const client_room *self, uint32_t block, uint64_t seq);
void client_answer(client_room *self, uint32_t block, uint64_t seq, float value);

void client_advance(client_room *self, uint64_t ms);
/* Advances in steps of 50 ms. */
void client_wait(client_room *self, uint64_t ms);

/* From start to the first weights (all 0) and ticket 0; requests have used seq 1 of each block. Nothing is left unread. */
void client_connect(client_room *self, uint32_t server_count);
bool client_ready(const client_room *self);
void client_expect_failure(const client_room *self, dcps_status status, const char *text);

/* Takes the HELLO to a server and checks what does not depend on the test. */
dcps_hello client_take_hello(client_room *self, uint32_t server);
/* … and the identity it claims. */
void client_expect_hello(client_room *self, uint32_t server, bool has_identity, uint32_t worker, uint32_t incarnation);
/* Opens the room and lets the core say its first HELLO. */
void client_start(client_room *self, uint32_t server_count, dcps_role role);
/* Declares the room's layout with 48 samples an epoch. */
dcps_status client_declare(client_room *self);
/* A server's ordinary WELCOME. */
void client_greet(client_room *self, uint32_t server);

#endif
