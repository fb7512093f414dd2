#include "cli/common/process.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "cli/common/line_reader.h"

#define DCPS_PROCESS_NAME_BYTES 64u
#define DCPS_EXIT_NOT_STARTED 127

struct dcps_process {
    char name[DCPS_PROCESS_NAME_BYTES];
    pid_t pid;
    bool running;
    int wait_status;
    dcps_line_reader out;
    dcps_line_reader err;
    char *tail[DCPS_PROCESS_TAIL_LINES]; /* ring; tail_count lines were ever put in */
    size_t tail_count;
    dcps_process_line_fn line;
    void *context;
};

/* Pipes between parent and child: [0] is read by the parent. `report` carries errno of a failed start. */
typedef struct dcps_pipes {
    int out[2];
    int err[2];
    int report[2];
} dcps_pipes;

static void pipes_close(dcps_pipes *pipes)
{
    int *const ends[] = {&pipes->out[0], &pipes->out[1],    &pipes->err[0],
                         &pipes->err[1], &pipes->report[0], &pipes->report[1]};
    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        if (*ends[i] >= 0) {
            (void)close(*ends[i]);
            *ends[i] = -1;
        }
    }
}

static dcps_status pipes_open(dcps_pipes *pipes)
{
    *pipes = (dcps_pipes){{-1, -1}, {-1, -1}, {-1, -1}};
    if (pipe2(pipes->out, O_CLOEXEC) != 0 || pipe2(pipes->err, O_CLOEXEC) != 0 ||
        pipe2(pipes->report, O_CLOEXEC) != 0) {
        int error = errno;
        pipes_close(pipes);
        return dcps_fail(DCPS_SYSTEM, "cannot open a pipe: %s (is the limit of open files, ulimit -n, too low?)",
                         strerror(error));
    }
    return DCPS_OK;
}

static void child_reset_signals(void)
{
    sigset_t none;
    (void)sigemptyset(&none);
    for (int number = 1; number < NSIG; number++) {
        (void)signal(number, SIG_DFL);
    }
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
}

static bool is_inherited(const char *variable)
{
    static const char models[] = "DCPS_MODELS=";
    return strncmp(variable, "DCPS_", 5) != 0 || strncmp(variable, models, sizeof(models) - 1) == 0;
}

/* Children share the machine, so a thread of theirs that waits for its like looks a fraction of a millisecond long and then sleeps. Left alone libgomp
 * looks for a good part of a time slice, which is then missing where it is waited for. */
static char brief_waits[] = "GOMP_SPINCOUNT=3000";

static bool waits_are_told(void)
{
    return getenv("GOMP_SPINCOUNT") != NULL || getenv("OMP_WAIT_POLICY") != NULL;
}

/* Our environment without the settings of a person, which are for us alone: children get theirs as flags. The texts stay where they are; NULL: no memory. */
static char **child_environment(void)
{
    size_t count = 0;
    size_t kept = 0;
    while (environ[count] != NULL) {
        count++;
    }
    char **made = dcps_alloc(count + 2, sizeof(*made));
    for (size_t i = 0; made != NULL && i < count; i++) {
        if (is_inherited(environ[i])) {
            made[kept++] = environ[i];
        }
    }
    if (made != NULL && !waits_are_told()) {
        made[kept] = brief_waits;
    }
    return made;
}

/* Runs in the child, between fork and exec: only async-signal-safe calls. */
static _Noreturn void child_become(char *const *argv, char *const *environment, const dcps_pipes *pipes, pid_t parent)
{
    child_reset_signals();
    (void)setpgid(0, 0);
    int null = open("/dev/null", O_RDONLY);
    bool ready = null >= 0 && dup2(null, STDIN_FILENO) >= 0 && dup2(pipes->out[1], STDOUT_FILENO) >= 0 &&
                 dup2(pipes->err[1], STDERR_FILENO) >= 0 && prctl(PR_SET_PDEATHSIG, SIGKILL) == 0;
    /* The parent may have died before the line above. */
    if (ready && getppid() == parent) {
        (void)execve(argv[0], argv, environment);
    }
    int error = errno;
    ssize_t written = write(pipes->report[1], &error, sizeof(error));
    (void)written;
    _exit(DCPS_EXIT_NOT_STARTED);
}

/* Returns 0 when the program runs, else the errno of what went wrong in the child, which is reaped. */
static int await_exec(pid_t pid, int report_fd)
{
    int error = 0;
    ssize_t got;
    do {
        got = read(report_fd, &error, sizeof(error));
    } while (got < 0 && errno == EINTR);
    if (got == (ssize_t)sizeof(error)) {
        (void)waitpid(pid, NULL, 0);
        return error == 0 ? ECHILD : error;
    }
    return 0;
}

static dcps_status start_child(dcps_process *process, char *const *argv, dcps_pipes *pipes)
{
    pid_t parent = getpid();
    char **environment = child_environment();
    if (environment == NULL) {
        return dcps_fail(DCPS_NO_MEMORY, "no memory to start %s", process->name);
    }
    pid_t pid = fork();
    if (pid == 0) {
        child_become(argv, environment, pipes, parent);
    }
    int fork_error = errno;
    dcps_free(environment);
    if (pid < 0) {
        return dcps_fail(DCPS_SYSTEM, "%s: cannot start a process: %s (see ulimit -u)", process->name,
                         strerror(fork_error));
    }
    (void)setpgid(pid, pid); /* the child does it too: whoever comes first */
    (void)close(pipes->report[1]);
    pipes->report[1] = -1;
    int error = await_exec(pid, pipes->report[0]);
    if (error != 0) {
        return dcps_fail(error == ENOENT ? DCPS_NOT_FOUND : DCPS_SYSTEM, "%s: cannot start %s: %s", process->name,
                         argv[0], strerror(error));
    }
    process->pid = pid;
    process->running = true;
    return DCPS_OK;
}

dcps_status dcps_process_start(const dcps_process_config *config, dcps_process **process)
{
    dcps_pipes pipes;
    dcps_process *made = dcps_alloc(1, sizeof(*made));
    if (made == NULL) {
        return dcps_fail(DCPS_NO_MEMORY, "no memory to start %s", config->name);
    }
    (void)snprintf(made->name, sizeof(made->name), "%s", config->name);
    made->line = config->line;
    made->context = config->context;
    dcps_status status = pipes_open(&pipes);
    if (status != DCPS_OK) {
        goto fail;
    }
    status = start_child(made, config->argv, &pipes);
    if (status != DCPS_OK) {
        goto fail_pipes;
    }
    dcps_line_reader_init(&made->out, pipes.out[0]);
    dcps_line_reader_init(&made->err, pipes.err[0]);
    pipes.out[0] = -1;
    pipes.err[0] = -1;
    pipes_close(&pipes);
    *process = made;
    return DCPS_OK;
fail_pipes:
    pipes_close(&pipes);
fail:
    dcps_free(made);
    return status;
}

void dcps_process_destroy(dcps_process **process)
{
    dcps_process *gone = *process;
    if (gone == NULL) {
        return;
    }
    if (gone->running) {
        dcps_process_signal(gone, SIGKILL);
        while (waitpid(gone->pid, NULL, 0) < 0 && errno == EINTR) {
        }
    }
    dcps_line_reader_fini(&gone->out);
    dcps_line_reader_fini(&gone->err);
    for (size_t i = 0; i < DCPS_PROCESS_TAIL_LINES; i++) {
        dcps_free(gone->tail[i]);
    }
    dcps_free(gone);
    *process = NULL;
}

static void tail_keep(dcps_process *process, const char *line)
{
    char *copy = dcps_strdup(line);
    if (copy != NULL) {
        char **slot = &process->tail[process->tail_count++ % DCPS_PROCESS_TAIL_LINES];
        dcps_free(*slot);
        *slot = copy;
    }
}

static void take_out(void *context, const char *line)
{
    dcps_process *process = context;
    if (process->line != NULL) {
        process->line(process->context, process, DCPS_STREAM_OUT, line);
    }
}

static void take_err(void *context, const char *line)
{
    dcps_process *process = context;
    tail_keep(process, line);
    if (process->line != NULL) {
        process->line(process->context, process, DCPS_STREAM_ERR, line);
    }
}

bool dcps_process_poll(dcps_process *process)
{
    if (!process->running) {
        return false;
    }
    int status = 0;
    /* Ended is asked first: whatever it wrote is in the pipes by then. */
    bool ended = waitpid(process->pid, &status, WNOHANG) == process->pid;
    dcps_line_reader_drain(&process->out, ended, take_out, process);
    dcps_line_reader_drain(&process->err, ended, take_err, process);
    if (ended) {
        process->running = false;
        process->wait_status = status;
        (void)kill(-process->pid, SIGKILL); /* what it may have started itself */
    }
    return process->running;
}

bool dcps_process_running(const dcps_process *process)
{
    return process->running;
}

void dcps_process_signal(dcps_process *process, int signal_number)
{
    if (process->running) {
        (void)kill(-process->pid, signal_number);
    }
}

const char *dcps_process_name(const dcps_process *process)
{
    return process->name;
}

int dcps_process_exit_status(const dcps_process *process)
{
    assert(!process->running);
    return process->wait_status;
}

const char *dcps_process_ending(const dcps_process *process, char *out, size_t capacity)
{
    int status = dcps_process_exit_status(process);
    if (WIFSIGNALED(status)) {
        (void)snprintf(out, capacity, "was killed by signal %d (%s)", WTERMSIG(status), strsignal(WTERMSIG(status)));
    } else {
        (void)snprintf(out, capacity, "exited with code %d", WEXITSTATUS(status));
    }
    return out;
}

const char *dcps_process_tail(const dcps_process *process, size_t index)
{
    size_t kept = process->tail_count < DCPS_PROCESS_TAIL_LINES ? process->tail_count : DCPS_PROCESS_TAIL_LINES;
    if (index >= kept) {
        return NULL;
    }
    return process->tail[(process->tail_count - kept + index) % DCPS_PROCESS_TAIL_LINES];
}

int dcps_process_fd(const dcps_process *process, dcps_stream stream)
{
    return stream == DCPS_STREAM_OUT ? process->out.fd : process->err.fd;
}
