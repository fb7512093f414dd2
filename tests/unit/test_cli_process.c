/* Child processes: their lines, their ends, their deaths with their parent. The children are small shell scripts. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/common/process.h"
#include "support/check_main.h"

#define WAIT_MS 20000u

/* Everything a child said, "o:line\n" and "e:line\n". */
typedef struct heard {
    char text[65536];
    size_t used;
    size_t lines;
} heard;

static void take_line(void *context, dcps_process *process, dcps_stream stream, const char *line)
{
    heard *self = context;
    (void)process;
    self->lines++;
    int added = snprintf(self->text + self->used, sizeof(self->text) - self->used, "%c:%s\n",
                         stream == DCPS_STREAM_OUT ? 'o' : 'e', line);
    if (added > 0 && self->used + (size_t)added < sizeof(self->text)) {
        self->used += (size_t)added;
    }
}

static dcps_process *start(const char *script, heard *self)
{
    char *argv[] = {"/bin/sh", "-c", (char *)script, NULL};
    const dcps_process_config config = {.name = "child", .argv = argv, .line = take_line, .context = self};
    dcps_process *process = NULL;
    ck_assert_msg(dcps_process_start(&config, &process) == DCPS_OK, "%s", dcps_error_message());
    return process;
}

static bool await_end(dcps_process *process)
{
    uint64_t deadline_ns = dcps_clock_ns() + WAIT_MS * DCPS_NS_PER_MS;
    while (dcps_process_poll(process)) {
        if (dcps_clock_ns() > deadline_ns) {
            return false;
        }
        (void)poll(NULL, 0, 5);
    }
    return true;
}

/* The process whose number a child says first. */
static pid_t await_pid(dcps_process *process, const heard *self)
{
    uint64_t deadline_ns = dcps_clock_ns() + WAIT_MS * DCPS_NS_PER_MS;
    while (self->lines == 0 && dcps_clock_ns() < deadline_ns) {
        ck_assert(dcps_process_poll(process));
        (void)poll(NULL, 0, 5);
    }
    pid_t pid = (pid_t)strtol(self->text + 2, NULL, 10);
    ck_assert_int_gt(pid, 1);
    return pid;
}

START_TEST(test_lines_and_exit_code)
{
    heard self = {.used = 0};
    dcps_process *process = start("echo one; echo two; printf 'a\\033[1mb\\r\\n'; printf unended; exit 3", &self);
    ck_assert(await_end(process));
    ck_assert_str_eq(self.text, "o:one\no:two\no:a?[1mb\no:unended\n");
    char ending[64];
    ck_assert_str_eq(dcps_process_ending(process, ending, sizeof(ending)), "exited with code 3");
    ck_assert_int_eq(WEXITSTATUS(dcps_process_exit_status(process)), 3);
    ck_assert_ptr_null(dcps_process_tail(process, 0));
    dcps_process_destroy(&process);
    ck_assert_ptr_null(process);
}
END_TEST

START_TEST(test_tail_keeps_the_last_lines_of_stderr)
{
    heard self = {.used = 0};
    dcps_process *process = start("i=0; while [ $i -lt 20 ]; do echo e$i >&2; i=$((i+1)); done; kill -9 $$", &self);
    ck_assert(await_end(process));
    for (size_t i = 0; i < DCPS_PROCESS_TAIL_LINES; i++) {
        char line[16];
        (void)snprintf(line, sizeof(line), "e%zu", 20 - DCPS_PROCESS_TAIL_LINES + i);
        ck_assert_str_eq(dcps_process_tail(process, i), line);
    }
    ck_assert_ptr_null(dcps_process_tail(process, DCPS_PROCESS_TAIL_LINES));
    char ending[64];
    ck_assert_str_eq(dcps_process_ending(process, ending, sizeof(ending)), "was killed by signal 9 (Killed)");
    dcps_process_destroy(&process);
}
END_TEST

START_TEST(test_long_lines_come_in_pieces)
{
    heard self = {.used = 0};
    dcps_process *process = start("head -c 40000 /dev/zero | tr '\\0' x; echo; echo end", &self);
    ck_assert(await_end(process));
    ck_assert_uint_eq(self.lines, 4);
    ck_assert_uint_eq(self.used, 40000 + 3 + 3 * 3 + 3); /* o: and line feed of each */
    ck_assert_str_eq(self.text + self.used - 6, "o:end\n");
    dcps_process_destroy(&process);
}
END_TEST

static void note_length(void *context, dcps_process *process, dcps_stream stream, const char *line)
{
    heard *self = context;
    (void)process;
    (void)stream;
    self->used += (size_t)snprintf(self->text + self->used, sizeof(self->text) - self->used, "%zu ", strlen(line));
}

/* The last piece is shorter than the others, if need be empty: so whoever hears them can put a line together. */
START_TEST(test_last_piece_is_short)
{
    heard self = {.used = 0};
    char *argv[] = {"/bin/sh", "-c",
                    "for n in 16383 16384 16385 32768; do head -c $n /dev/zero | tr '\\0' x; echo; done", NULL};
    const dcps_process_config config = {.name = "child", .argv = argv, .line = note_length, .context = &self};
    dcps_process *process = NULL;
    ck_assert_int_eq(dcps_process_start(&config, &process), DCPS_OK);
    ck_assert(await_end(process));
    ck_assert_str_eq(self.text, "16383 16384 0 16384 1 16384 16384 0 ");
    dcps_process_destroy(&process);
}
END_TEST

START_TEST(test_flood_does_not_hold_us)
{
    heard self = {.used = 0};
    dcps_process *process = start("exec yes", &self);
    for (int i = 0; i < 20; i++) {
        ck_assert(dcps_process_poll(process));
    }
    dcps_process_signal(process, SIGTERM);
    ck_assert(await_end(process));
    ck_assert_int_eq(WTERMSIG(dcps_process_exit_status(process)), SIGTERM);
    dcps_process_destroy(&process);
}
END_TEST

START_TEST(test_unknown_program)
{
    char *argv[] = {"/nonexistent/dcps-server", NULL};
    const dcps_process_config config = {.name = "server 0", .argv = argv};
    dcps_process *process = NULL;
    ck_assert_int_eq(dcps_process_start(&config, &process), DCPS_NOT_FOUND);
    ck_assert_str_eq(dcps_error_message(),
                     "server 0: cannot start /nonexistent/dcps-server: No such file or directory");
    ck_assert_ptr_null(process);
    ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1); /* nothing is left to be reaped */
}
END_TEST

/* Signals blocked or ignored here must not be so in the child, or it could not be stopped. */
START_TEST(test_signals_are_default_in_the_child)
{
    sigset_t all;
    (void)sigfillset(&all);
    (void)sigprocmask(SIG_BLOCK, &all, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
    heard self = {.used = 0};
    dcps_process *process = start("grep -E 'Sig(Blk|Ign)' /proc/self/status; readlink /proc/self/fd/0", &self);
    ck_assert(await_end(process));
    ck_assert_str_eq(self.text, "o:SigBlk:\t0000000000000000\no:SigIgn:\t0000000000000000\no:/dev/null\n");
    dcps_process_destroy(&process);
}
END_TEST

/* A variable is an option of ours; a server or a worker would take it for one of its own. */
START_TEST(test_settings_are_not_inherited)
{
    (void)setenv("DCPS_EVALUATE", "true", 1);
    (void)setenv("DCPS_MODELS", "/models", 1);
    (void)setenv("DCPS_MODELS_TOO", "x", 1);
    (void)setenv("DCPSEUDO", "y", 1);
    heard self = {.used = 0};
    dcps_process *process = start("env | grep ^DCPS | sort", &self);
    ck_assert(await_end(process));
    ck_assert_str_eq(self.text, "o:DCPSEUDO=y\no:DCPS_MODELS=/models\n");
    dcps_process_destroy(&process);
}
END_TEST

/* Else a thread that waits for one without a processor takes a processor too. */
START_TEST(test_threads_of_children_wait_briefly)
{
    (void)unsetenv("GOMP_SPINCOUNT");
    (void)unsetenv("OMP_WAIT_POLICY");
    heard self = {.used = 0};
    dcps_process *process = start("env | grep -E '^(GOMP_SPINCOUNT|OMP_WAIT_POLICY)='", &self);
    ck_assert(await_end(process));
    ck_assert_str_eq(self.text, "o:GOMP_SPINCOUNT=3000\n");
    dcps_process_destroy(&process);
    (void)setenv("OMP_WAIT_POLICY", "active", 1);
    self = (heard){.used = 0};
    process = start("env | grep -E '^(GOMP_SPINCOUNT|OMP_WAIT_POLICY)='", &self);
    ck_assert(await_end(process));
    ck_assert_str_eq(self.text, "o:OMP_WAIT_POLICY=active\n");
    dcps_process_destroy(&process);
}
END_TEST

/* Whether a process is gone, or only waits to be reaped by init. */
static bool is_gone(pid_t pid)
{
    char path[64];
    char text[256] = "";
    (void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        return true;
    }
    bool read = fgets(text, sizeof(text), file) != NULL;
    (void)fclose(file);
    const char *end = strrchr(text, ')');
    return !read || end == NULL || end[2] == 'Z' || end[2] == 'X';
}

static bool await_gone(pid_t pid)
{
    uint64_t deadline_ns = dcps_clock_ns() + WAIT_MS * DCPS_NS_PER_MS;
    while (!is_gone(pid) && dcps_clock_ns() < deadline_ns) {
        (void)poll(NULL, 0, 5);
    }
    return is_gone(pid);
}

/* The child ignores SIGTERM and starts a process of its own: both go when it is destroyed. */
START_TEST(test_destroy_kills_the_whole_group)
{
    heard self = {.used = 0};
    dcps_process *process = start("trap '' TERM; sleep 1000 & echo $!; wait", &self);
    pid_t grandchild = await_pid(process, &self);
    dcps_process_signal(process, SIGTERM);
    (void)poll(NULL, 0, 50);
    dcps_process_destroy(&process);
    ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1); /* the child has been reaped */
    ck_assert_int_eq(errno, ECHILD);
    ck_assert(await_gone(grandchild));
}
END_TEST

/* A parent that is killed takes its children along. */
START_TEST(test_nothing_survives_the_parent)
{
    int ends[2];
    ck_assert_int_eq(pipe(ends), 0);
    pid_t parent = fork();
    if (parent == 0) {
        heard self = {.used = 0};
        dcps_process *process = start("trap '' TERM HUP INT; echo $$; while :; do sleep 1; done", &self);
        pid_t pid = await_pid(process, &self);
        (void)!write(ends[1], &pid, sizeof(pid));
        for (;;) {
            (void)pause();
        }
    }
    pid_t child = 0;
    ck_assert_int_eq(read(ends[0], &child, sizeof(child)), sizeof(child));
    ck_assert(!is_gone(child));
    (void)kill(parent, SIGKILL);
    (void)waitpid(parent, NULL, 0);
    ck_assert(await_gone(child));
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {test_lines_and_exit_code,
                                  test_tail_keeps_the_last_lines_of_stderr,
                                  test_long_lines_come_in_pieces,
                                  test_last_piece_is_short,
                                  test_flood_does_not_hold_us,
                                  test_unknown_program,
                                  test_signals_are_default_in_the_child,
                                  test_settings_are_not_inherited,
                                  test_threads_of_children_wait_briefly,
                                  test_destroy_kills_the_whole_group,
                                  test_nothing_survives_the_parent};
    return CHECK_MAIN("cli process", tests);
}
