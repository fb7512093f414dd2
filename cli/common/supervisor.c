#include "cli/common/supervisor.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/stop_signal.h"

#define DCPS_KILL_WAIT_MS 5000u
#define DCPS_STOP_TURN_MS 100

struct dcps_supervisor {
    dcps_process **children;
    uint32_t count;
    uint32_t capacity;
    int epoll_fd;
    int signal_fd;
    sigset_t old_mask;
    uint32_t interrupts;
    uint64_t interrupted_ns;
};

static void watch(const dcps_supervisor *supervisor, int fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    /* Failing here costs only promptness: every wait ends by itself soon. */
    (void)epoll_ctl(supervisor->epoll_fd, EPOLL_CTL_ADD, fd, &event);
}

static dcps_status open_descriptors(dcps_supervisor *supervisor)
{
    sigset_t taken;
    (void)sigemptyset(&taken);
    const int numbers[] = {SIGINT, SIGTERM, SIGCHLD};
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        (void)sigaddset(&taken, numbers[i]);
    }
    if (!dcps_hangup_is_ignored()) {
        (void)sigaddset(&taken, SIGHUP);
    }
    supervisor->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    supervisor->signal_fd = signalfd(-1, &taken, SFD_NONBLOCK | SFD_CLOEXEC);
    if (supervisor->epoll_fd < 0 || supervisor->signal_fd < 0) {
        return dcps_fail(DCPS_SYSTEM, "cannot watch for signals: %s", strerror(errno));
    }
    (void)sigprocmask(SIG_BLOCK, &taken, &supervisor->old_mask);
    watch(supervisor, supervisor->signal_fd);
    return DCPS_OK;
}

static void close_descriptors(dcps_supervisor *supervisor)
{
    if (supervisor->signal_fd >= 0) {
        (void)close(supervisor->signal_fd);
    }
    if (supervisor->epoll_fd >= 0) {
        (void)close(supervisor->epoll_fd);
    }
}

dcps_status dcps_supervisor_create(dcps_supervisor **supervisor)
{
    dcps_supervisor *made = dcps_alloc(1, sizeof(*made));
    if (made == NULL) {
        return dcps_fail(DCPS_NO_MEMORY, "no memory to supervise processes");
    }
    dcps_status status = open_descriptors(made);
    if (status != DCPS_OK) {
        close_descriptors(made);
        dcps_free(made);
        return status;
    }
    *supervisor = made;
    return DCPS_OK;
}

static void take_signals(dcps_supervisor *supervisor)
{
    struct signalfd_siginfo info;
    while (read(supervisor->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
        if (info.ssi_signo != SIGCHLD && dcps_stop_signal_counts(&supervisor->interrupted_ns, dcps_clock_ns())) {
            supervisor->interrupts++;
        }
    }
}

void dcps_supervisor_destroy(dcps_supervisor **supervisor)
{
    dcps_supervisor *gone = *supervisor;
    if (gone == NULL) {
        return;
    }
    for (uint32_t i = 0; i < gone->count; i++) {
        dcps_process_destroy(&gone->children[i]);
    }
    dcps_free(gone->children);
    take_signals(gone);
    close_descriptors(gone);
    (void)sigprocmask(SIG_SETMASK, &gone->old_mask, NULL);
    dcps_free(gone);
    *supervisor = NULL;
}

int dcps_supervisor_fd(const dcps_supervisor *supervisor)
{
    return supervisor->epoll_fd;
}

static dcps_status make_room(dcps_supervisor *supervisor)
{
    if (supervisor->count < supervisor->capacity) {
        return DCPS_OK;
    }
    uint32_t capacity = supervisor->capacity == 0 ? 8 : supervisor->capacity * 2;
    dcps_process **children = dcps_realloc(supervisor->children, capacity, sizeof(dcps_process *));
    if (children == NULL) {
        return dcps_fail(DCPS_NO_MEMORY, "no memory to supervise %u processes", capacity);
    }
    supervisor->children = children;
    supervisor->capacity = capacity;
    return DCPS_OK;
}

dcps_status dcps_supervisor_start(dcps_supervisor *supervisor, const dcps_process_config *config,
                                  dcps_process **process)
{
    dcps_process *made = NULL;
    dcps_status status = make_room(supervisor);
    if (status == DCPS_OK) {
        status = dcps_process_start(config, &made);
    }
    if (status == DCPS_OK) {
        supervisor->children[supervisor->count++] = made;
        watch(supervisor, dcps_process_fd(made, DCPS_STREAM_OUT));
        watch(supervisor, dcps_process_fd(made, DCPS_STREAM_ERR));
        *process = made;
    }
    return status;
}

void dcps_supervisor_forget(dcps_supervisor *supervisor, dcps_process **process)
{
    for (uint32_t i = 0; i < supervisor->count; i++) {
        if (supervisor->children[i] == *process) {
            supervisor->children[i] = supervisor->children[--supervisor->count];
            dcps_process_destroy(process);
            return;
        }
    }
}

void dcps_supervisor_step(dcps_supervisor *supervisor)
{
    take_signals(supervisor);
    for (uint32_t i = 0; i < supervisor->count; i++) {
        (void)dcps_process_poll(supervisor->children[i]);
    }
}

void dcps_supervisor_wait(dcps_supervisor *supervisor, int timeout_ms)
{
    struct pollfd watched = {.fd = supervisor->epoll_fd, .events = POLLIN};
    (void)poll(&watched, 1, timeout_ms);
    dcps_supervisor_step(supervisor);
}

uint32_t dcps_supervisor_interrupts(const dcps_supervisor *supervisor)
{
    return supervisor->interrupts;
}

uint32_t dcps_supervisor_running(const dcps_supervisor *supervisor)
{
    uint32_t running = 0;
    for (uint32_t i = 0; i < supervisor->count; i++) {
        running += dcps_process_running(supervisor->children[i]);
    }
    return running;
}

static void signal_all(dcps_supervisor *supervisor, int number)
{
    for (uint32_t i = 0; i < supervisor->count; i++) {
        dcps_process_signal(supervisor->children[i], number);
    }
}

static void wait_all(dcps_supervisor *supervisor, uint32_t timeout_ms, uint32_t interrupts)
{
    uint64_t deadline_ns = dcps_clock_ns() + timeout_ms * DCPS_NS_PER_MS;
    dcps_supervisor_step(supervisor);
    while (dcps_supervisor_running(supervisor) > 0 && dcps_clock_ns() < deadline_ns &&
           supervisor->interrupts <= interrupts) {
        dcps_supervisor_wait(supervisor, DCPS_STOP_TURN_MS);
    }
}

uint32_t dcps_supervisor_stop_all(dcps_supervisor *supervisor, uint32_t grace_ms)
{
    signal_all(supervisor, SIGTERM);
    wait_all(supervisor, grace_ms, supervisor->interrupts);
    uint32_t killed = dcps_supervisor_running(supervisor);
    signal_all(supervisor, SIGKILL);
    wait_all(supervisor, DCPS_KILL_WAIT_MS, UINT32_MAX);
    return killed;
}
