/* A control engine on its own, with everything it emits and tells its shell kept, and a clock that the test turns. */
#ifndef DCPS_TESTS_SUPPORT_CONTROL_HARNESS_H
#define DCPS_TESTS_SUPPORT_CONTROL_HARNESS_H

#include <stdbool.h>
#include <stdint.h>

#include "server/engine/control.h"

#define CONTROL_MAX_EVENTS 16u
#define CONTROL_TEXT_BYTES 512u

typedef struct control_told {
    dcps_control_event event;
    char name[64];
    uint32_t order; /* among all events and messages */
} control_told;

/* Holds the latest message only: the control engine answers each message at most once. Large: keep it static. */
typedef struct control_room {
    dcps_control *control;
    dcps_control_config config;
    uint64_t now_ns;
    uint64_t tokens; /* drawn so far */
    uint32_t order;
    uint32_t event_count;
    control_told events[CONTROL_MAX_EVENTS];
    char event_name[64]; /* of the event taken last */
    uint32_t answer_count;
    uint32_t answered_order;
    dcps_message answer;
    char error_text[CONTROL_TEXT_BYTES]; /* of the latest ERROR */
} control_room;

/* Server `index` of `count` with 2 shards, 4 workers expected, a lease of 4 s, blocks of 16 parameters. */
dcps_control_config control_config(uint32_t index, uint32_t count);
void control_open(control_room *self, uint32_t index, uint32_t count);
void control_close(control_room *self);

void control_deliver(control_room *self, const dcps_message *message);
/* Takes the one answer, which must be of this type. */
void control_expect(control_room *self, dcps_message_type type);
void control_expect_error(control_room *self, dcps_status status);
/* Takes the earliest event, which must be of this kind. */
dcps_control_event control_event(control_room *self, dcps_control_event_kind kind);
void control_expect_quiet(const control_room *self);
dcps_control_stats control_stats(const control_room *self);

/* A new worker's HELLO with this nonce, addressed to this server. */
dcps_hello control_hello_of(const control_room *self, uint64_t nonce);
/* … of one that shows this identity. */
dcps_hello control_claim_of(const control_room *self, uint64_t nonce, uint32_t worker, uint32_t incarnation);
void control_send_hello(control_room *self, const dcps_hello *hello);
/* Sends it and takes the WELCOME. */
dcps_welcome control_say_hello(control_room *self, const dcps_hello *hello);
dcps_welcome control_hello(control_room *self, uint64_t nonce);
/* … and the JOIN. */
dcps_welcome control_join(control_room *self, uint64_t nonce);
void control_heartbeat(control_room *self, const dcps_session *session);
/* Sends FINISH and takes the FINISH_REPLY, which must name this session. */
void control_finish(control_room *self, const dcps_session *session, bool done);
/* Lets more than a lease pass. */
void control_expire(control_room *self);

#endif
