#include "support/control_harness.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"

static void on_emit(void *context, const dcps_peer *peer, const dcps_message *message, dcps_buffer *payload)
{
    control_room *self = context;
    ck_assert_uint_eq(peer->length, 3);
    ck_assert_ptr_null(payload);
    self->answer_count++;
    self->answered_order = self->order++;
    self->answer = *message;
    if (message->type == DCPS_MESSAGE_ERROR) {
        (void)snprintf(self->error_text, sizeof(self->error_text), "%s", message->body.error.text);
        self->answer.body.error.text = NULL;
    }
}

static void on_event(void *context, const dcps_control_event *event)
{
    control_room *self = context;
    ck_assert_uint_lt(self->event_count, CONTROL_MAX_EVENTS);
    control_told *told = &self->events[self->event_count++];
    *told = (control_told){.event = *event, .order = self->order++};
    (void)snprintf(told->name, sizeof(told->name), "%s", event->name == NULL ? "" : event->name);
    told->event.name = NULL;
}

static uint64_t draw_token(void *context)
{
    control_room *self = context;
    return ++self->tokens;
}

dcps_control_config control_config(uint32_t index, uint32_t count)
{
    static const char *const endpoints[] = {"tcp://a:1", "tcp://a:2"};
    return (dcps_control_config){.server_index = index,
                                 .server_count = count,
                                 .shards_per_server = 2,
                                 .endpoints = endpoints,
                                 .lease_ms = 4000,
                                 .workers = 4,
                                 .seed = 42,
                                 .batch_size = 32,
                                 .epochs = 7,
                                 .snapshot_every_samples = 1234,
                                 .block_params = 16,
                                 .algorithm = "asgd",
                                 .emit = on_emit,
                                 .event = on_event,
                                 .token = draw_token};
}

void control_open(control_room *self, uint32_t index, uint32_t count)
{
    memset(self, 0, sizeof(*self));
    self->now_ns = 77 * DCPS_NS_PER_S;
    self->config = control_config(index, count);
    self->config.context = self;
    ck_assert_int_eq(dcps_control_create(&self->config, &self->control), DCPS_OK);
}

void control_close(control_room *self)
{
    dcps_control_destroy(&self->control);
    ck_assert_ptr_null(self->control);
}

void control_deliver(control_room *self, const dcps_message *message)
{
    const dcps_peer peer = {.length = 3, .bytes = {1, 2, 3}};
    dcps_control_receive(self->control, &peer, message, self->now_ns);
}

void control_expect(control_room *self, dcps_message_type type)
{
    ck_assert_msg(self->answer_count == 1, "%u answers, expected one %s", self->answer_count, dcps_message_name(type));
    ck_assert_msg(self->answer.type == type, "answered %s %s, expected %s", dcps_message_name(self->answer.type),
                  self->error_text, dcps_message_name(type));
    self->answer_count = 0;
}

void control_expect_error(control_room *self, dcps_status status)
{
    control_expect(self, DCPS_MESSAGE_ERROR);
    ck_assert_msg(self->answer.body.error.status == status, "ERROR %s (%s), expected %s",
                  dcps_status_name(self->answer.body.error.status), self->error_text, dcps_status_name(status));
    ck_assert(!self->answer.body.error.has_block);
    ck_assert_uint_gt(strlen(self->error_text), 0);
}

dcps_control_event control_event(control_room *self, dcps_control_event_kind kind)
{
    ck_assert_msg(self->event_count > 0, "no event, expected kind %d", (int)kind);
    control_told told = self->events[0];
    ck_assert_msg(told.event.kind == kind, "event of kind %d, expected %d", (int)told.event.kind, (int)kind);
    self->event_count--;
    memmove(&self->events[0], &self->events[1], self->event_count * sizeof(self->events[0]));
    (void)snprintf(self->event_name, sizeof(self->event_name), "%s", told.name);
    return told.event;
}

void control_expect_quiet(const control_room *self)
{
    ck_assert_msg(self->answer_count == 0, "unexpected %s (%s)", dcps_message_name(self->answer.type),
                  self->error_text);
    ck_assert_msg(self->event_count == 0, "unexpected event of kind %d", (int)self->events[0].event.kind);
}

dcps_control_stats control_stats(const control_room *self)
{
    dcps_control_stats stats;
    dcps_control_stats_get(self->control, &stats);
    return stats;
}

dcps_hello control_hello_of(const control_room *self, uint64_t nonce)
{
    return (dcps_hello){.role = DCPS_ROLE_WORKER,
                        .nonce = nonce,
                        .server_index = self->config.server_index,
                        .server_count = self->config.server_count,
                        .name = "host:1"};
}

dcps_hello control_claim_of(const control_room *self, uint64_t nonce, uint32_t worker, uint32_t incarnation)
{
    dcps_hello hello = control_hello_of(self, nonce);
    hello.has_identity = true;
    hello.worker = worker;
    hello.incarnation = incarnation;
    return hello;
}

void control_send_hello(control_room *self, const dcps_hello *hello)
{
    dcps_message message = {.type = DCPS_MESSAGE_HELLO, .body.hello = *hello};
    control_deliver(self, &message);
}

dcps_welcome control_say_hello(control_room *self, const dcps_hello *hello)
{
    control_send_hello(self, hello);
    control_expect(self, DCPS_MESSAGE_WELCOME);
    return self->answer.body.welcome;
}

dcps_welcome control_hello(control_room *self, uint64_t nonce)
{
    dcps_hello hello = control_hello_of(self, nonce);
    return control_say_hello(self, &hello);
}

dcps_welcome control_join(control_room *self, uint64_t nonce)
{
    dcps_welcome welcome = control_hello(self, nonce);
    dcps_control_event event = control_event(self, DCPS_CONTROL_JOIN);
    ck_assert_uint_eq(event.session.worker, welcome.session.worker);
    ck_assert_uint_eq(event.session.incarnation, welcome.session.incarnation);
    ck_assert_uint_eq(event.session.token, welcome.session.token);
    return welcome;
}

void control_heartbeat(control_room *self, const dcps_session *session)
{
    dcps_message message = {.type = DCPS_MESSAGE_HEARTBEAT, .body.session = {.session = *session}};
    control_deliver(self, &message);
}

void control_finish(control_room *self, const dcps_session *session, bool done)
{
    dcps_message message = {.type = DCPS_MESSAGE_FINISH, .body.session = {.session = *session, .done = done}};
    control_deliver(self, &message);
    control_expect(self, DCPS_MESSAGE_FINISH_REPLY);
    const dcps_session *named = &self->answer.body.session_reply.session;
    ck_assert_uint_eq(named->worker, session->worker);
    ck_assert_uint_eq(named->incarnation, session->incarnation);
    ck_assert_uint_eq(named->token, session->token);
}

void control_expire(control_room *self)
{
    self->now_ns += (self->config.lease_ms + 1u) * DCPS_NS_PER_MS;
    dcps_control_tick(self->control, self->now_ns);
}
