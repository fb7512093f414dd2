#include "worker/stop.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/stop_signal.h"

#define TICK_MS 20 /* while a stop is under way */

struct dcps_stop {
    sigset_t signals;
    sigset_t mask_before;
    int signal_fd;
    int end_fd;
    int requested_fd; /* readable from the request on: ends sleeps */
    pthread_t thread;
    bool thread_started;
    atomic_bool requested; /* a flag on its own: nothing else is read by what it says */
    uint64_t requested_ns; /* the thread's, as is the next */
    uint64_t signalled_ns;
    pthread_mutex_t lock; /* of the two below; nothing else is locked while it is held */
    dcps_client *client;
    uint32_t grace_ms;
};

/* The default action, as if we had never looked at it. */
static void die_by(int number, const sigset_t *signals)
{
    (void)signal(number, SIG_DFL);
    (void)pthread_sigmask(SIG_UNBLOCK, signals, NULL);
    (void)raise(number);
}

/* Makes an event descriptor readable. */
static void signal_event(int fd)
{
    uint64_t one = 1;
    ssize_t written = write(fd, &one, sizeof(one)); /* a fresh counter takes it */
    (void)written;
}

static void take_signal(dcps_stop *stop)
{
    struct signalfd_siginfo info;
    if (read(stop->signal_fd, &info, sizeof(info)) != (ssize_t)sizeof(info)) {
        return;
    }
    if (!dcps_stop_signal_counts(&stop->signalled_ns, dcps_clock_ns())) {
        return;
    }
    if (atomic_load_explicit(&stop->requested, memory_order_relaxed)) {
        if (info.ssi_signo != SIGHUP) { /* a hangup is no impatience, and may bring several */
            die_by((int)info.ssi_signo, &stop->signals);
        }
        return;
    }
    const char *name = dcps_stop_signal_name((int)info.ssi_signo);
    dcps_info("%s: leaving after the work at hand; a further SIGINT or SIGTERM kills", name);
    stop->requested_ns = dcps_clock_ns();
    atomic_store_explicit(&stop->requested, true, memory_order_relaxed);
    signal_event(stop->requested_fd);
}

static void cancel_when_due(dcps_stop *stop)
{
    pthread_mutex_lock(&stop->lock);
    if (stop->client != NULL && dcps_clock_ns() - stop->requested_ns >= stop->grace_ms * DCPS_NS_PER_MS) {
        dcps_client_cancel(stop->client);
        stop->client = NULL;
    }
    pthread_mutex_unlock(&stop->lock);
}

static void *watch(void *context)
{
    dcps_stop *stop = context;
    struct pollfd events[] = {{.fd = stop->signal_fd, .events = POLLIN}, {.fd = stop->end_fd, .events = POLLIN}};
    for (;;) {
        bool requested = atomic_load_explicit(&stop->requested, memory_order_relaxed);
        if (requested) {
            cancel_when_due(stop);
        }
        if (poll(events, 2, requested ? TICK_MS : -1) <= 0) {
            continue;
        }
        if (events[1].revents != 0) {
            return NULL;
        }
        take_signal(stop);
    }
}

static dcps_status start(dcps_stop *stop)
{
    stop->signal_fd = signalfd(-1, &stop->signals, SFD_CLOEXEC | SFD_NONBLOCK);
    stop->end_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    stop->requested_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (stop->signal_fd < 0 || stop->end_fd < 0 || stop->requested_fd < 0) {
        return dcps_fail(DCPS_SYSTEM, "cannot wait for signals: %s", strerror(errno));
    }
    int error = pthread_create(&stop->thread, NULL, watch, stop);
    if (error != 0) {
        return dcps_fail(DCPS_SYSTEM, "cannot start a thread that waits for signals: %s", strerror(error));
    }
    stop->thread_started = true;
    return DCPS_OK;
}

/* Those that ask for the end. */
static void choose_signals(sigset_t *signals)
{
    (void)sigemptyset(signals);
    (void)sigaddset(signals, SIGINT);
    (void)sigaddset(signals, SIGTERM);
    if (!dcps_hangup_is_ignored()) {
        (void)sigaddset(signals, SIGHUP);
    }
}

dcps_status dcps_stop_create(dcps_stop **stop)
{
    dcps_stop *made = dcps_alloc(1, sizeof(*made));
    if (made == NULL) {
        return dcps_fail(DCPS_NO_MEMORY, "no memory to wait for signals");
    }
    made->signal_fd = made->end_fd = made->requested_fd = -1;
    atomic_init(&made->requested, false);
    pthread_mutex_init(&made->lock, NULL); /* does not fail with default attributes */
    choose_signals(&made->signals);
    (void)pthread_sigmask(SIG_BLOCK, &made->signals, &made->mask_before);
    dcps_status status = start(made);
    if (status != DCPS_OK) {
        dcps_stop_destroy(&made);
        return status;
    }
    *stop = made;
    return DCPS_OK;
}

void dcps_stop_destroy(dcps_stop **stop)
{
    dcps_stop *old = *stop;
    *stop = NULL;
    if (old == NULL) {
        return;
    }
    if (old->thread_started) {
        signal_event(old->end_fd);
        (void)pthread_join(old->thread, NULL);
    }
    if (old->signal_fd >= 0) {
        (void)close(old->signal_fd);
    }
    if (old->end_fd >= 0) {
        (void)close(old->end_fd);
    }
    if (old->requested_fd >= 0) {
        (void)close(old->requested_fd);
    }
    (void)pthread_sigmask(SIG_SETMASK, &old->mask_before, NULL);
    pthread_mutex_destroy(&old->lock);
    dcps_free(old);
}

void dcps_stop_watch(dcps_stop *stop, dcps_client *client, uint32_t grace_ms)
{
    pthread_mutex_lock(&stop->lock);
    stop->client = client;
    stop->grace_ms = grace_ms;
    pthread_mutex_unlock(&stop->lock);
}

bool dcps_stop_requested(const dcps_stop *stop)
{
    return atomic_load_explicit(&stop->requested, memory_order_relaxed);
}

void dcps_stop_sleep(const dcps_stop *stop, uint64_t duration_ns)
{
    struct pollfd request = {.fd = stop == NULL ? -1 : stop->requested_fd, .events = POLLIN};
    uint64_t begun_ns = dcps_clock_ns();
    uint64_t slept_ns = 0;
    int ready = 0;
    while (ready <= 0 && slept_ns < duration_ns) {
        uint64_t left_ns = duration_ns - slept_ns;
        const struct timespec left = {.tv_sec = (time_t)(left_ns / DCPS_NS_PER_S),
                                      .tv_nsec = (long)(left_ns % DCPS_NS_PER_S)};
        ready = ppoll(&request, 1, &left, NULL); /* interrupted: goes on with what is left */
        slept_ns = dcps_clock_ns() - begun_ns;
    }
}
