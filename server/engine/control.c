#include "server/engine/control.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "proto/layout_util.h"
#include "server/engine/control_state.h"

static dcps_status copy_texts(dcps_control *control, const dcps_control_config *config)
{
    control->algorithm = dcps_strdup(config->algorithm);
    control->settings = dcps_strdup(config->settings == NULL ? "" : config->settings);
    control->endpoints = dcps_alloc(config->shards_per_server, sizeof(*control->endpoints));
    bool complete = control->algorithm != NULL && control->settings != NULL && control->endpoints != NULL;
    for (uint32_t i = 0; complete && i < config->shards_per_server; i++) {
        control->endpoints[i] = dcps_strdup(config->endpoints[i]);
        complete = control->endpoints[i] != NULL;
    }
    return complete ? DCPS_OK : dcps_fail(DCPS_NO_MEMORY, "no memory for the control engine");
}

dcps_status dcps_control_create(const dcps_control_config *config, dcps_control **control)
{
    dcps_control *made = dcps_alloc(1, sizeof(*made));
    if (made == NULL) {
        return dcps_fail(DCPS_NO_MEMORY, "no memory for the control engine");
    }
    made->config = *config;
    dcps_status status = copy_texts(made, config);
    if (status != DCPS_OK) {
        dcps_control_destroy(&made);
        return status;
    }
    *control = made;
    return DCPS_OK;
}

void dcps_control_destroy(dcps_control **control)
{
    dcps_control *old = *control;
    if (old == NULL) {
        return;
    }
    for (uint32_t i = 0; old->endpoints != NULL && i < old->config.shards_per_server; i++) {
        dcps_free(old->endpoints[i]);
    }
    dcps_free(old->endpoints);
    dcps_free(old->algorithm);
    dcps_free(old->settings);
    dcps_layout_destroy(&old->layout);
    dcps_free(old);
    *control = NULL;
}

static void answer(dcps_control *control, const dcps_peer *peer, const dcps_message *message)
{
    control->config.emit(control->config.context, peer, message, NULL);
}

static void refuse(dcps_control *control, const dcps_peer *peer, dcps_status status, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

static void refuse(dcps_control *control, const dcps_peer *peer, dcps_status status, const char *format, ...)
{
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    dcps_message message = {.type = DCPS_MESSAGE_ERROR, .body.error = {.status = status, .text = text}};
    control->stats.rejected++;
    answer(control, peer, &message);
}

/* Tells a worker that this session is none, or none any more. */
static void deny_session(dcps_control *control, const dcps_peer *peer, const dcps_session *session, const char *text)
{
    dcps_message message = {
        .type = DCPS_MESSAGE_ERROR,
        .body.error = {.status = DCPS_SESSION, .text = text, .token = session->token},
    };
    answer(control, peer, &message);
}

static dcps_session session_of(const dcps_control *control, uint32_t worker)
{
    const dcps_registration *entry = &control->workers[worker];
    return (dcps_session){.worker = worker, .incarnation = entry->incarnation, .token = entry->token};
}

static bool session_is_live(const dcps_control *control, const dcps_session *session)
{
    if (session->worker >= DCPS_MAX_WORKERS) {
        return false;
    }
    const dcps_registration *entry = &control->workers[session->worker];
    return entry->live && entry->incarnation == session->incarnation && entry->token == session->token;
}

/* Whether a request shows a live session; refused otherwise. */
static bool admit(dcps_control *control, const dcps_peer *peer, const dcps_session *session)
{
    if (session_is_live(control, session)) {
        return true;
    }
    char text[64];
    snprintf(text, sizeof(text), "worker %u has no session here: say HELLO again", session->worker);
    control->stats.rejected++;
    deny_session(control, peer, session, text);
    return false;
}

/* Ends a session. `event` says why. */
static void leave(dcps_control *control, uint32_t worker, dcps_control_event event)
{
    dcps_registration *entry = &control->workers[worker];
    entry->live = false;
    control->stats.workers_live--;
    control->stats.workers_finished += event.departure == DCPS_DEPARTURE_DONE ? 1 : 0;
    control->stats.workers_lost += event.departure == DCPS_DEPARTURE_LOST ? 1 : 0;
    event.kind = DCPS_CONTROL_LEAVE;
    event.session = session_of(control, worker);
    event.name = entry->name;
    control->config.event(control->config.context, &event);
}

/* Opens a session under this identity and tells the shards. */
static void join(dcps_control *control, const dcps_peer *peer, uint32_t worker, uint32_t incarnation,
                 const dcps_hello *hello, uint64_t now_ns)
{
    dcps_registration *entry = &control->workers[worker];
    control->stats.workers_live -= entry->live ? 1 : 0; /* taken over: a new session replaces the old one everywhere */
    *entry = (dcps_registration){.live = true,
                                 .incarnation = incarnation,
                                 .token = control->config.token(control->config.context),
                                 .nonce = hello->nonce,
                                 .peer = *peer,
                                 .heard_ns = now_ns};
    snprintf(entry->name, sizeof(entry->name), "%s", hello->name == NULL ? "" : hello->name);
    control->stats.workers_live++;
    dcps_control_event event = {.kind = DCPS_CONTROL_JOIN, .session = session_of(control, worker), .name = entry->name};
    control->config.event(control->config.context, &event);
}

static void welcome(dcps_control *control, const dcps_peer *peer, const dcps_hello *hello, dcps_session session)
{
    const dcps_control_config *config = &control->config;
    dcps_message message = {
        .type = DCPS_MESSAGE_WELCOME,
        .body.welcome = {.session = session,
                         .nonce = hello->nonce,
                         .server_index = config->server_index,
                         .server_count = config->server_count,
                         .shards_per_server = config->shards_per_server,
                         .lease_ms = config->lease_ms,
                         .seed = config->seed,
                         .batch_size = config->batch_size,
                         .epochs = config->epochs,
                         .workers = config->workers,
                         .snapshot_every_samples = config->snapshot_every_samples,
                         .algorithm = control->algorithm,
                         .settings = control->settings,
                         .endpoint_count = config->shards_per_server,
                         .endpoints = (const char *const *)control->endpoints},
    };
    answer(control, peer, &message);
}

static uint32_t find_nonce(const dcps_control *control, uint64_t nonce)
{
    for (uint32_t worker = 0; worker < DCPS_MAX_WORKERS; worker++) {
        if (control->workers[worker].incarnation > 0 && control->workers[worker].nonce == nonce) {
            return worker;
        }
    }
    return DCPS_MAX_WORKERS;
}

/* An id whose incarnations are used up would start again at 0, which stands for "never used". */
static uint32_t find_free(const dcps_control *control)
{
    uint32_t worker = 0;
    while (worker < DCPS_MAX_WORKERS &&
           (control->workers[worker].live || control->workers[worker].incarnation == UINT32_MAX)) {
        worker++;
    }
    return worker;
}

/* An identity that server 0 gave earlier, perhaps in another life of this server. */
static bool claim_is_valid(const dcps_control *control, const dcps_hello *hello)
{
    if (!hello->has_identity || hello->worker >= DCPS_MAX_WORKERS || hello->incarnation == 0) {
        return false;
    }
    const dcps_registration *entry = &control->workers[hello->worker];
    /* Server 0 alone gives ids away, so it never ends another's live session for a claim; the others follow its decisions. */
    bool taken = entry->live && entry->nonce != hello->nonce && control->config.server_index == 0;
    return entry->incarnation < hello->incarnation && !taken;
}

static void hear(dcps_registration *entry, const dcps_peer *peer, uint64_t now_ns)
{
    entry->peer = *peer;
    entry->heard_ns = now_ns;
}

/* Ends what a worker had here under an identity that it has no more: others would wait for it until its lease runs out. */
static void retire(dcps_control *control, uint32_t worker)
{
    dcps_registration *entry = &control->workers[worker];
    if (entry->live) {
        leave(control, worker, (dcps_control_event){.departure = DCPS_DEPARTURE_LOST, .renamed = true});
    }
    entry->nonce = 0;
}

static void on_worker_hello(dcps_control *control, const dcps_peer *peer, const dcps_hello *hello, uint64_t now_ns)
{
    uint32_t worker = find_nonce(control, hello->nonce);
    bool known = worker < DCPS_MAX_WORKERS;
    bool same = known && (!hello->has_identity ||
                          (hello->worker == worker && hello->incarnation == control->workers[worker].incarnation));
    if (same && control->workers[worker].live) {
        hear(&control->workers[worker], peer, now_ns);
    } else if (same) {
        join(control, peer, worker, control->workers[worker].incarnation, hello, now_ns);
    } else if (claim_is_valid(control, hello)) {
        if (known && worker != hello->worker) {
            retire(control, worker);
        }
        worker = hello->worker;
        join(control, peer, worker, hello->incarnation, hello, now_ns);
    } else if (control->config.server_index != 0) {
        refuse(control, peer, DCPS_NOT_FOUND, "server %u does not accept this identity: ask server 0 for another",
               control->config.server_index);
        return;
    } else if (known && control->workers[worker].live) {
        hear(&control->workers[worker], peer, now_ns);
    } else {
        worker = find_free(control);
        if (worker == DCPS_MAX_WORKERS) {
            refuse(control, peer, DCPS_LIMIT, "%u workers are connected, which is the limit", DCPS_MAX_WORKERS);
            return;
        }
        join(control, peer, worker, control->workers[worker].incarnation + 1u, hello, now_ns);
    }
    welcome(control, peer, hello, session_of(control, worker));
}

static void on_hello(dcps_control *control, const dcps_peer *peer, const dcps_hello *hello, uint64_t now_ns)
{
    const dcps_control_config *config = &control->config;
    if (hello->server_index != config->server_index || hello->server_count != config->server_count) {
        refuse(control, peer, DCPS_MISMATCH,
               "this is server %u of %u, the worker's list has it as server %u of %u: compare --servers on both sides",
               config->server_index, config->server_count, hello->server_index, hello->server_count);
    } else if (hello->nonce == 0) {
        refuse(control, peer, DCPS_PROTOCOL, "HELLO without a nonce");
    } else if (hello->role == DCPS_ROLE_OBSERVER) {
        welcome(control, peer, hello, (dcps_session){0});
    } else {
        on_worker_hello(control, peer, hello, now_ns);
    }
}

dcps_status dcps_control_set_layout(dcps_control *control, dcps_layout *layout, uint64_t samples_per_epoch,
                                    uint32_t block_params, uint64_t run)
{
    assert(control->layout == NULL);
    if (samples_per_epoch == 0) {
        return dcps_fail(DCPS_INVALID, "the model declares 0 samples an epoch, at least 1 is needed");
    }
    uint64_t every;
    uint32_t marks;
    dcps_status status = dcps_plan_marks(control->config.snapshot_every_samples, samples_per_epoch,
                                         control->config.epochs, &every, &marks);
    if (status != DCPS_OK) {
        return status;
    }
    uint64_t params = dcps_layout_total_params(layout);
    if (control->config.max_params > 0 && params > control->config.max_params) {
        return dcps_fail(DCPS_LIMIT, "the model has %llu parameters, this server has memory for %llu",
                         (unsigned long long)params, (unsigned long long)control->config.max_params);
    }
    status = dcps_partition_init(&control->partition, params, block_params, control->config.server_count,
                                 control->config.shards_per_server);
    if (status != DCPS_OK) {
        return status;
    }
    control->layout = layout;
    control->samples_per_epoch = samples_per_epoch;
    control->run = run;
    dcps_control_event event = {.kind = DCPS_CONTROL_LAYOUT,
                                .partition = control->partition,
                                .layout = layout,
                                .samples_per_epoch = samples_per_epoch};
    control->config.event(control->config.context, &event);
    return DCPS_OK;
}

/* `samples_per_epoch` 0: an observer, who trains on nothing. */
static dcps_status check_layout(const dcps_control *control, const dcps_layout *declared, uint64_t samples_per_epoch)
{
    dcps_status status = dcps_layout_compare(declared, control->layout);
    if (status == DCPS_OK && samples_per_epoch != 0 && samples_per_epoch != control->samples_per_epoch) {
        status = dcps_fail(DCPS_MISMATCH, "samples an epoch: here %llu, there %llu: do all workers read the same data?",
                           (unsigned long long)samples_per_epoch, (unsigned long long)control->samples_per_epoch);
    }
    return status;
}

/* The first declaration fixes the model, later ones must agree with it. */
static dcps_status take_layout(dcps_control *control, const dcps_layout_message *message)
{
    dcps_layout *declared;
    dcps_status status = dcps_layout_from_tensors(message->tensors, message->tensor_count, &declared);
    if (status != DCPS_OK) {
        return status;
    }
    if (control->layout == NULL) {
        status = dcps_control_set_layout(control, declared, message->samples_per_epoch, control->config.block_params,
                                         control->config.token(control->config.context));
        if (status == DCPS_OK) {
            return DCPS_OK;
        }
    } else {
        status = check_layout(control, declared, message->samples_per_epoch);
    }
    dcps_layout_destroy(&declared);
    return status;
}

static void on_layout(dcps_control *control, const dcps_peer *peer, const dcps_layout_message *message)
{
    bool observer = message->session.token == 0;
    if (!observer && !admit(control, peer, &message->session)) {
        return;
    }
    if (observer && control->layout == NULL) {
        refuse(control, peer, DCPS_AGAIN, "no worker has declared a model yet");
        return;
    }
    dcps_status status = take_layout(control, message);
    if (status != DCPS_OK) {
        refuse(control, peer, status, "%s", dcps_error_message());
        return;
    }
    dcps_message reply = {
        .type = DCPS_MESSAGE_LAYOUT_REPLY,
        .body.layout_reply = {.nonce = message->nonce, .run = control->run, .partition = control->partition}};
    answer(control, peer, &reply);
}

static void on_heartbeat(dcps_control *control, const dcps_peer *peer, const dcps_session *session, uint64_t now_ns)
{
    if (!admit(control, peer, session)) {
        return;
    }
    hear(&control->workers[session->worker], peer, now_ns);
    dcps_message reply = {.type = DCPS_MESSAGE_HEARTBEAT_REPLY, .body.session_reply = {.session = *session}};
    answer(control, peer, &reply);
}

static void on_finish(dcps_control *control, const dcps_peer *peer, const dcps_session_message *goodbye)
{
    const dcps_session *session = &goodbye->session;
    if (session_is_live(control, session)) {
        leave(control, session->worker,
              (dcps_control_event){.departure = goodbye->done ? DCPS_DEPARTURE_DONE : DCPS_DEPARTURE_EARLY});
    }
    dcps_message reply = {.type = DCPS_MESSAGE_FINISH_REPLY, .body.session_reply = {.session = *session}};
    answer(control, peer, &reply);
}

void dcps_control_receive(dcps_control *control, const dcps_peer *peer, const dcps_message *message, uint64_t now_ns)
{
    switch (message->type) {
    case DCPS_MESSAGE_HELLO:
        on_hello(control, peer, &message->body.hello, now_ns);
        break;
    case DCPS_MESSAGE_LAYOUT:
        on_layout(control, peer, &message->body.layout);
        break;
    case DCPS_MESSAGE_HEARTBEAT:
        on_heartbeat(control, peer, &message->body.session.session, now_ns);
        break;
    case DCPS_MESSAGE_FINISH:
        on_finish(control, peer, &message->body.session);
        break;
    case DCPS_MESSAGE_ERROR:
        control->stats.rejected++; /* never answered, or two servers could chatter for ever */
        break;
    default:
        refuse(control, peer, DCPS_PROTOCOL, "%s does not belong on the control socket",
               dcps_message_name(message->type));
        break;
    }
}

void dcps_control_tick(dcps_control *control, uint64_t now_ns)
{
    for (uint32_t worker = 0; worker < DCPS_MAX_WORKERS; worker++) {
        const dcps_registration *entry = &control->workers[worker];
        uint64_t silent_ms = entry->live && now_ns > entry->heard_ns ? (now_ns - entry->heard_ns) / DCPS_NS_PER_MS : 0;
        if (silent_ms > control->config.lease_ms) {
            leave(control, worker, (dcps_control_event){.departure = DCPS_DEPARTURE_LOST, .silent_ms = silent_ms});
        }
    }
}

void dcps_control_expel(dcps_control *control, const dcps_session *session, uint64_t awaited_ms)
{
    if (!session_is_live(control, session)) {
        return;
    }
    dcps_registration *entry = &control->workers[session->worker];
    leave(control, session->worker, (dcps_control_event){.departure = DCPS_DEPARTURE_LOST, .awaited_ms = awaited_ms});
    if (control->config.server_index == 0) {
        entry->nonce =
            0; /* unknown from now on, so its next HELLO gets another identity, which it shows to all servers */
    }
    deny_session(control, &entry->peer, session, "others have waited too long for this worker: say HELLO again");
}

const dcps_layout *dcps_control_layout(const dcps_control *control)
{
    return control->layout;
}

const dcps_partition *dcps_control_partition(const dcps_control *control)
{
    return control->layout == NULL ? NULL : &control->partition;
}

uint64_t dcps_control_samples_per_epoch(const dcps_control *control)
{
    return control->samples_per_epoch;
}

const char *dcps_control_worker_name(const dcps_control *control, uint32_t worker)
{
    return worker < DCPS_MAX_WORKERS && control->workers[worker].incarnation > 0 ? control->workers[worker].name : NULL;
}

void dcps_control_stats_get(const dcps_control *control, dcps_control_stats *stats)
{
    *stats = control->stats;
}
