#include "server/shard_thread.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "proto/run_statistics.h"

#define COMMAND_CAPACITY 4096u
#define TICK_MS 100
#define SETTLE_MS 5 /* quiet for so long: publish what changed */
#define LATE_NS (10 * TICK_MS * DCPS_NS_PER_MS)
#define PUBLISH_NS (50 * DCPS_NS_PER_MS)

typedef enum command_kind {
    COMMAND_PARTITION = 1,
    COMMAND_JOIN,
    COMMAND_LEAVE,
    COMMAND_EXPORT,
    COMMAND_DRAIN,
    COMMAND_STOP
} command_kind;

typedef struct command {
    command_kind kind;
    union {
        struct {
            dcps_partition partition;
            const dcps_layout *layout; /* outlives the thread */
            uint64_t samples_per_epoch;
        } model;
        dcps_session session;
        struct {
            uint32_t worker;
            dcps_departure departure;
        } leave;
    } body;
} command;

struct dcps_shard_thread {
    uint32_t shard;
    dcps_socket *socket;
    dcps_shard *engine;
    dcps_trace_writer *writer; /* the maker's; NULL: nothing is recorded */
    dcps_replay_gate *gate;    /* NULL: nothing is replayed */
    dcps_queue *commands;
    dcps_queue *reports; /* the maker's */
    pthread_t thread;
    bool started;
    bool stopping; /* the thread's own */
    bool changed;  /* since the counters were last published */
    uint64_t published_ns;
    uint64_t ticked_ns;
    uint64_t seen_ns;          /* when it last looked at the clock */
    uint64_t woke_ns;          /* … for the first time after a pause */
    dcps_awaited_list awaited; /* as of the latest tick */
    uint64_t wakes;
    uint64_t messages;
    uint64_t backlog_max;
    pthread_mutex_t lock; /* of the three below; nothing else is locked while it is held */
    dcps_shard_published published;
    uint32_t worker_count;
    dcps_worker_statistics *workers; /* [worker_count], as last published */
};

/* A message that cannot leave is dropped: its receiver asks again. */
static void emit(void *context, const dcps_peer *peer, const dcps_message *message, dcps_buffer *payload)
{
    dcps_shard_thread *thread = context;
    dcps_status sent = dcps_socket_send(thread->socket, peer, message, payload);
    (void)sent;
}

/* A dcps_taken_fn. */
static void on_taken(void *context, const dcps_taken *taken, uint64_t now_ns)
{
    dcps_shard_thread *thread = context;
    if (thread->gate != NULL) {
        dcps_replay_gate_taken(thread->gate, taken);
    }
    if (thread->writer != NULL) {
        dcps_trace_writer_add(thread->writer, taken, now_ns);
    }
}

static dcps_status make_engine(dcps_shard_thread *thread, const dcps_shard_thread_config *config)
{
    dcps_shard_config engine = config->engine;
    engine.emit = emit;
    engine.emit_context = thread;
    engine.taken = config->writer != NULL || config->order != NULL ? on_taken : NULL;
    engine.taken_context = thread;
    if (config->order != NULL) {
        dcps_status status = dcps_replay_gate_create(config->order, emit, thread, &thread->gate);
        if (status != DCPS_OK) {
            return status;
        }
    }
    return dcps_shard_create(&engine, &thread->engine);
}

dcps_status dcps_shard_thread_create(dcps_transport *transport, const dcps_shard_thread_config *config,
                                     dcps_shard_thread **thread)
{
    dcps_shard_thread *made = dcps_alloc(1, sizeof(*made));
    if (made == NULL) {
        return dcps_fail(DCPS_NO_MEMORY, "no memory for shard %u", config->shard);
    }
    made->shard = config->shard;
    made->reports = config->reports;
    made->writer = config->writer;
    pthread_mutex_init(&made->lock, NULL); /* cannot fail with default attributes */
    dcps_status status = dcps_queue_create(sizeof(command), COMMAND_CAPACITY, &made->commands);
    if (status == DCPS_OK) {
        status = make_engine(made, config);
    }
    if (status == DCPS_OK) {
        status = dcps_socket_bind(transport, config->endpoint, &made->socket);
    }
    if (status != DCPS_OK) {
        dcps_shard_thread_destroy(&made);
        return status;
    }
    *thread = made;
    return DCPS_OK;
}

const char *dcps_shard_thread_endpoint(const dcps_shard_thread *thread)
{
    return dcps_socket_endpoint(thread->socket);
}

static bool has_news(const dcps_worker_statistics *told, const dcps_worker_statistics *now)
{
    return told->held_ns.count != now->held_ns.count || memcmp(&told->pushes, &now->pushes, sizeof(now->pushes)) != 0;
}

/* Copies of those workers alone that pushed since the last time. Called with the lock held. */
static void publish_workers(dcps_shard_thread *thread)
{
    uint32_t count = dcps_shard_worker_capacity(thread->engine);
    if (count > thread->worker_count) {
        dcps_worker_statistics *workers = dcps_realloc(thread->workers, count, sizeof(*workers));
        if (workers == NULL) {
            return; /* they are told of later */
        }
        memset(&workers[thread->worker_count], 0, (count - thread->worker_count) * sizeof(*workers));
        thread->workers = workers;
        thread->worker_count = count;
    }
    for (uint32_t i = 0; i < count; i++) {
        const dcps_worker_statistics *now = dcps_shard_worker(thread->engine, i);
        if (has_news(&thread->workers[i], now)) {
            thread->workers[i] = *now;
        }
    }
}

static void publish(dcps_shard_thread *thread, uint64_t now_ns)
{
    uint64_t moved_before = thread->published.stats.blocks_moved; /* written by this thread alone */
    pthread_mutex_lock(&thread->lock);
    dcps_shard_stats_get(thread->engine, &thread->published.stats);
    thread->published.malformed = dcps_socket_rejected(thread->socket);
    thread->published.replay_left = thread->gate == NULL ? 0 : dcps_replay_gate_left(thread->gate);
    thread->published.awaited = thread->awaited;
    thread->published.wakes = thread->wakes;
    thread->published.messages = thread->messages;
    thread->published.backlog_max = thread->backlog_max;
    publish_workers(thread);
    pthread_mutex_unlock(&thread->lock);
    if (thread->published.stats.blocks_moved > moved_before) {
        dcps_warn("shard %u: %llu blocks came from a checkpoint of another age than server 0 and go on at %llu samples",
                  thread->shard, (unsigned long long)(thread->published.stats.blocks_moved - moved_before),
                  (unsigned long long)thread->published.stats.samples);
    }
    thread->published_ns = now_ns;
    thread->changed = false;
}

dcps_status dcps_shard_thread_restore(dcps_shard_thread *thread, const dcps_partition *partition,
                                      const dcps_layout *layout, uint64_t samples_per_epoch,
                                      const dcps_shard_image *image)
{
    dcps_status status = dcps_shard_set_partition(thread->engine, partition, layout, samples_per_epoch);
    if (status == DCPS_OK) {
        status = dcps_shard_import(thread->engine, image);
    }
    publish(thread, 0);
    return status;
}

static void report(dcps_shard_thread *thread, dcps_shard_report *news)
{
    news->shard = thread->shard;
    if (news->status != DCPS_OK) {
        snprintf(news->text, sizeof(news->text), "%s", dcps_error_message());
    }
    if (dcps_queue_push(thread->reports, news) != DCPS_OK) {
        dcps_shard_image_fini(&news->image);
    }
}

static void fail(dcps_shard_thread *thread, dcps_status status)
{
    dcps_shard_report news = {.kind = DCPS_SHARD_FAILED, .status = status};
    thread->stopping = true;
    report(thread, &news);
}

static void export_image(dcps_shard_thread *thread)
{
    dcps_shard_report news = {.kind = DCPS_SHARD_EXPORTED};
    news.status = dcps_shard_export(thread->engine, &news.image);
    report(thread, &news);
}

/* A run that does not follow the order ends here. */
static void check_replay(dcps_shard_thread *thread)
{
    const char *text;
    if (thread->gate == NULL || thread->stopping) {
        return;
    }
    dcps_status status = dcps_replay_gate_failure(thread->gate, &text);
    if (status != DCPS_OK) {
        fail(thread, dcps_fail(status, "the run does not follow the trace: %s", text));
    }
}

static void leave(dcps_shard_thread *thread, uint32_t worker, dcps_departure departure, uint64_t now_ns)
{
    if (thread->writer != NULL) {
        dcps_trace_record_leave(thread->writer, thread->engine, worker, departure);
    }
    dcps_shard_worker_leave(thread->engine, worker, departure, now_ns);
    if (thread->gate != NULL) {
        dcps_replay_gate_leave(thread->gate, worker);
        check_replay(thread);
    }
}

static void run_command(dcps_shard_thread *thread, const command *order, uint64_t now_ns)
{
    dcps_status status = DCPS_OK;
    switch (order->kind) {
    case COMMAND_PARTITION:
        status = dcps_shard_set_partition(thread->engine, &order->body.model.partition, order->body.model.layout,
                                          order->body.model.samples_per_epoch);
        break;
    case COMMAND_JOIN:
        status = dcps_shard_worker_join(thread->engine, &order->body.session, now_ns);
        break;
    case COMMAND_LEAVE:
        leave(thread, order->body.leave.worker, order->body.leave.departure, now_ns);
        break;
    case COMMAND_EXPORT:
        export_image(thread);
        break;
    case COMMAND_DRAIN:
        dcps_shard_drain(thread->engine, now_ns);
        break;
    case COMMAND_STOP:
        thread->stopping = true;
        break;
    }
    thread->changed = true;
    if (status != DCPS_OK) {
        fail(thread, status);
    }
}

static void run_commands(dcps_shard_thread *thread)
{
    command order;
    while (!thread->stopping && dcps_queue_pop(thread->commands, &order)) {
        run_command(thread, &order, dcps_clock_ns());
    }
}

static void receive(dcps_shard_thread *thread, const dcps_delivery *delivery)
{
    uint64_t now_ns = dcps_clock_ns();
    if (thread->gate == NULL) {
        dcps_shard_receive(thread->engine, &delivery->peer, &delivery->message, delivery->payload, now_ns);
        return;
    }
    dcps_replay_gate_receive(thread->gate, thread->engine, &delivery->peer, &delivery->message, delivery->payload,
                             now_ns);
    check_replay(thread);
}

/* Commands go first, even those that came while the message did: a worker whose WELCOME is out must be known here. Returns whether anything came. */
static bool serve_messages(dcps_shard_thread *thread)
{
    dcps_delivery delivery;
    uint32_t served = 0;
    while (served < DCPS_SHARD_BATCH_MESSAGES && !thread->stopping) {
        dcps_status status = dcps_socket_receive(thread->socket, &delivery);
        if (status == DCPS_AGAIN || status == DCPS_PROTOCOL) {
            break; /* waiting for the socket returns at once if more is there */
        }
        if (status == DCPS_NO_MEMORY) {
            dcps_warn("shard %u: a message was dropped: %s", thread->shard, dcps_error_message());
            break;
        }
        if (status != DCPS_OK) {
            fail(thread, status);
            break;
        }
        run_commands(thread);
        if (!thread->stopping) {
            receive(thread, &delivery);
        }
        dcps_buffer_unref(&delivery.payload);
        served++;
    }
    thread->changed = thread->changed || served > 0;
    thread->wakes += served > 0 ? 1u : 0u;
    thread->messages += served;
    thread->backlog_max = served > thread->backlog_max ? served : thread->backlog_max;
    return served > 0;
}

/* While this process stood still what others sent lay unread: nobody is to blame for that time. */
static void note_pause(dcps_shard_thread *thread, uint64_t now_ns)
{
    uint64_t passed_ns = now_ns - thread->seen_ns;
    thread->seen_ns = now_ns;
    if (passed_ns >= LATE_NS) {
        thread->woke_ns = now_ns;
        dcps_shard_forgive(thread->engine, passed_ns, now_ns);
    }
}

static void tick(dcps_shard_thread *thread, uint64_t now_ns)
{
    bool any = thread->awaited.count > 0;
    dcps_shard_tick(thread->engine, now_ns);
    thread->awaited.count = 0;
    dcps_shard_awaited(thread->engine, thread->woke_ns, now_ns, &thread->awaited);
    thread->ticked_ns = now_ns;
    thread->changed = thread->changed || any || thread->awaited.count > 0 ||
                      dcps_socket_rejected(thread->socket) != thread->published.malformed;
}

static void turn(dcps_shard_thread *thread)
{
    bool wake;
    dcps_status status = dcps_socket_wait(&thread->socket, 1, dcps_queue_fd(thread->commands),
                                          thread->changed ? SETTLE_MS : TICK_MS, &wake);
    if (status != DCPS_OK) {
        fail(thread, status);
        return;
    }
    note_pause(thread, dcps_clock_ns());
    run_commands(thread);
    bool busy = serve_messages(thread);
    uint64_t now_ns = dcps_clock_ns();
    note_pause(thread, now_ns);
    if (now_ns - thread->ticked_ns >= TICK_MS * DCPS_NS_PER_MS) {
        tick(thread, now_ns);
    }
    if (thread->changed && (!busy || now_ns - thread->published_ns >= PUBLISH_NS)) {
        publish(thread, now_ns);
    }
}

static void *thread_main(void *argument)
{
    dcps_shard_thread *thread = argument;
    while (!thread->stopping) {
        turn(thread);
    }
    dcps_queue_close(thread->commands); /* nobody waits for a thread that has gone */
    publish(thread, dcps_clock_ns());
    return NULL;
}

dcps_status dcps_shard_thread_start(dcps_shard_thread *thread)
{
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(&thread->thread, NULL, thread_main, thread);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (error != 0) {
        return dcps_fail(DCPS_SYSTEM, "cannot start the thread of shard %u: %s", thread->shard, strerror(error));
    }
    thread->started = true;
    return DCPS_OK;
}

/* A thread that has ended takes no commands; its report tells why. */
static void send_command(dcps_shard_thread *thread, const command *order)
{
    dcps_status status = dcps_queue_push(thread->commands, order);
    if (status != DCPS_OK) {
        dcps_debug("shard %u takes no commands any more", thread->shard);
    }
}

void dcps_shard_thread_set_partition(dcps_shard_thread *thread, const dcps_partition *partition,
                                     const dcps_layout *layout, uint64_t samples_per_epoch)
{
    command order = {.kind = COMMAND_PARTITION};
    order.body.model.partition = *partition;
    order.body.model.layout = layout;
    order.body.model.samples_per_epoch = samples_per_epoch;
    send_command(thread, &order);
}

void dcps_shard_thread_join_worker(dcps_shard_thread *thread, const dcps_session *session)
{
    command order = {.kind = COMMAND_JOIN, .body.session = *session};
    send_command(thread, &order);
}

void dcps_shard_thread_leave_worker(dcps_shard_thread *thread, uint32_t worker, dcps_departure departure)
{
    command order = {.kind = COMMAND_LEAVE};
    order.body.leave.worker = worker;
    order.body.leave.departure = departure;
    send_command(thread, &order);
}

void dcps_shard_thread_export(dcps_shard_thread *thread)
{
    send_command(thread, &(command){.kind = COMMAND_EXPORT});
}

void dcps_shard_thread_drain(dcps_shard_thread *thread)
{
    send_command(thread, &(command){.kind = COMMAND_DRAIN});
}

void dcps_shard_thread_published(dcps_shard_thread *thread, dcps_shard_published *published)
{
    pthread_mutex_lock(&thread->lock);
    *published = thread->published;
    pthread_mutex_unlock(&thread->lock);
}

void dcps_shard_thread_add_worker(dcps_shard_thread *thread, dcps_worker_statistics *worker)
{
    pthread_mutex_lock(&thread->lock);
    if (worker->worker < thread->worker_count && thread->workers[worker->worker].worker == worker->worker) {
        dcps_worker_statistics_merge(worker, &thread->workers[worker->worker]);
    }
    pthread_mutex_unlock(&thread->lock);
}

void dcps_shard_thread_stop(dcps_shard_thread *thread)
{
    if (thread->started) {
        send_command(thread, &(command){.kind = COMMAND_STOP});
    }
}

void dcps_shard_thread_join(dcps_shard_thread *thread)
{
    dcps_shard_thread_stop(thread);
    if (thread->started) {
        pthread_join(thread->thread, NULL);
        thread->started = false;
    }
}

void dcps_shard_thread_destroy(dcps_shard_thread **thread)
{
    dcps_shard_thread *old = *thread;
    if (old == NULL) {
        return;
    }
    dcps_shard_thread_join(old);
    dcps_socket_close(&old->socket);
    dcps_replay_gate_destroy(&old->gate);
    dcps_shard_destroy(&old->engine);
    dcps_queue_destroy(&old->commands);
    dcps_free(old->workers);
    pthread_mutex_destroy(&old->lock);
    dcps_free(old);
    *thread = NULL;
}
