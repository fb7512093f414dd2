/* Supervision: ends in time, Ctrl-C, hung children. The children are small shell scripts. */
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/stop_signal.h"
#include "cli/common/supervisor.h"
#include "support/check_main.h"

#define WAIT_MS 20000u

static void count_line(void *context, dcps_process *process, dcps_stream stream, const char *line)
{
    (void)process;
    (void)stream;
    (void)line;
    ++*(int *)context;
}

static dcps_process *start(dcps_supervisor *supervisor, const char *script, int *lines)
{
    char *argv[] = {"/bin/sh", "-c", (char *)script, NULL};
    const dcps_process_config config = {.name = "child", .argv = argv, .line = count_line, .context = lines};
    dcps_process *process = NULL;
    ck_assert_int_eq(dcps_supervisor_start(supervisor, &config, &process), DCPS_OK);
    return process;
}

static void await_lines(dcps_supervisor *supervisor, const int *lines, int wanted)
{
    uint64_t deadline_ns = dcps_clock_ns() + WAIT_MS * DCPS_NS_PER_MS;
    while (*lines < wanted && dcps_clock_ns() < deadline_ns) {
        dcps_supervisor_wait(supervisor, 50);
    }
    ck_assert_int_eq(*lines, wanted);
}

START_TEST(test_many_children_end_by_themselves)
{
    dcps_supervisor *supervisor = NULL;
    int lines = 0;
    dcps_process *children[20];
    ck_assert_int_eq(dcps_supervisor_create(&supervisor), DCPS_OK);
    for (int i = 0; i < 20; i++) {
        children[i] = start(supervisor, "echo a; echo b >&2; exit 4", &lines);
    }
    uint64_t deadline_ns = dcps_clock_ns() + WAIT_MS * DCPS_NS_PER_MS;
    while (dcps_supervisor_running(supervisor) > 0 && dcps_clock_ns() < deadline_ns) {
        dcps_supervisor_wait(supervisor, 100);
    }
    ck_assert_uint_eq(dcps_supervisor_running(supervisor), 0);
    ck_assert_int_eq(lines, 40);
    for (int i = 0; i < 20; i++) {
        ck_assert_int_eq(WEXITSTATUS(dcps_process_exit_status(children[i])), 4);
        dcps_supervisor_forget(supervisor, &children[i]);
        ck_assert_ptr_null(children[i]);
    }
    dcps_supervisor_destroy(&supervisor);
    ck_assert_ptr_null(supervisor);
}
END_TEST

/* Stops a child and waits until it stands still, so that a later SIGTERM cannot overtake. */
static void stop(dcps_process *process)
{
    siginfo_t info;
    dcps_process_signal(process, SIGSTOP);
    ck_assert_int_eq(waitid(P_ALL, 0, &info, WSTOPPED), 0); /* no other child is stopped */
    ck_assert_int_eq(info.si_code, CLD_STOPPED);
}

START_TEST(test_hung_child_is_killed_at_the_deadline)
{
    dcps_supervisor *supervisor = NULL;
    int lines = 0;
    ck_assert_int_eq(dcps_supervisor_create(&supervisor), DCPS_OK);
    dcps_process *deaf = start(supervisor, "trap '' TERM; echo ready; while :; do sleep 0.05; done", &lines);
    dcps_process *polite = start(supervisor, "trap 'exit 0' TERM; echo ready; while :; do sleep 0.05; done", &lines);
    dcps_process *stopped = start(supervisor, "echo ready; exec sleep 1000", &lines);
    await_lines(supervisor, &lines, 3);
    stop(stopped);
    uint64_t start_ns = dcps_clock_ns();
    ck_assert_uint_eq(dcps_supervisor_stop_all(supervisor, 5000), 2);
    uint64_t took_ns = dcps_clock_ns() - start_ns;
    ck_assert_uint_ge(took_ns, 5 * DCPS_NS_PER_S);
    ck_assert_uint_lt(took_ns, 20 * DCPS_NS_PER_S);
    ck_assert_int_eq(WTERMSIG(dcps_process_exit_status(deaf)), SIGKILL);
    ck_assert_int_eq(WTERMSIG(dcps_process_exit_status(stopped)), SIGKILL);
    ck_assert_int_eq(dcps_process_exit_status(polite), 0);
    dcps_supervisor_destroy(&supervisor);
    ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1); /* all are reaped */
}
END_TEST

START_TEST(test_polite_children_cost_no_deadline)
{
    dcps_supervisor *supervisor = NULL;
    int lines = 0;
    ck_assert_int_eq(dcps_supervisor_create(&supervisor), DCPS_OK);
    (void)start(supervisor, "trap 'exit 0' TERM; echo ready; while :; do sleep 0.05; done", &lines);
    await_lines(supervisor, &lines, 1);
    uint64_t start_ns = dcps_clock_ns();
    ck_assert_uint_eq(dcps_supervisor_stop_all(supervisor, 15000), 0);
    ck_assert_uint_lt(dcps_clock_ns() - start_ns, 10 * DCPS_NS_PER_S);
    dcps_supervisor_destroy(&supervisor);
}
END_TEST

START_TEST(test_interrupts_are_counted_and_wake)
{
    dcps_supervisor *supervisor = NULL;
    ck_assert_int_eq(dcps_supervisor_create(&supervisor), DCPS_OK);
    ck_assert_uint_eq(dcps_supervisor_interrupts(supervisor), 0);
    (void)kill(getpid(), SIGINT);
    (void)kill(getpid(), SIGTERM); /* at once: the same request */
    uint64_t start_ns = dcps_clock_ns();
    dcps_supervisor_wait(supervisor, 30000);
    ck_assert_uint_lt(dcps_clock_ns() - start_ns, 10 * DCPS_NS_PER_S);
    ck_assert_uint_eq(dcps_supervisor_interrupts(supervisor), 1);
    (void)usleep(DCPS_ONE_REQUEST_NS / 1000);
    (void)kill(getpid(), SIGTERM);
    dcps_supervisor_wait(supervisor, 30000);
    ck_assert_uint_eq(dcps_supervisor_interrupts(supervisor), 2);
    dcps_supervisor_destroy(&supervisor);
}
END_TEST

START_TEST(test_nohup_is_respected)
{
    dcps_supervisor *supervisor = NULL;
    (void)signal(SIGHUP, SIG_IGN);
    ck_assert_int_eq(dcps_supervisor_create(&supervisor), DCPS_OK);
    (void)kill(getpid(), SIGHUP);
    dcps_supervisor_wait(supervisor, 200);
    ck_assert_uint_eq(dcps_supervisor_interrupts(supervisor), 0);
    (void)kill(getpid(), SIGINT);
    dcps_supervisor_wait(supervisor, 30000);
    ck_assert_uint_eq(dcps_supervisor_interrupts(supervisor), 1);
    dcps_supervisor_destroy(&supervisor);
}
END_TEST

/* A second Ctrl-C does not wait for the deadline. */
START_TEST(test_second_interrupt_kills_at_once)
{
    dcps_supervisor *supervisor = NULL;
    int lines = 0;
    ck_assert_int_eq(dcps_supervisor_create(&supervisor), DCPS_OK);
    (void)start(supervisor, "trap '' TERM; echo ready; while :; do sleep 0.05; done", &lines);
    char script[96];
    (void)snprintf(script, sizeof(script), "trap 'kill -INT %d; exit 0' TERM; echo ready; while :; do sleep 0.05; done",
                   (int)getpid());
    (void)start(supervisor, script, &lines);
    await_lines(supervisor, &lines, 2);
    uint64_t start_ns = dcps_clock_ns();
    ck_assert_uint_ge(dcps_supervisor_stop_all(supervisor, 30000), 1);
    ck_assert_uint_lt(dcps_clock_ns() - start_ns, 15 * DCPS_NS_PER_S);
    ck_assert_uint_eq(dcps_supervisor_running(supervisor), 0);
    dcps_supervisor_destroy(&supervisor);
}
END_TEST

START_TEST(test_destroy_leaves_no_child)
{
    dcps_supervisor *supervisor = NULL;
    int lines = 0;
    ck_assert_int_eq(dcps_supervisor_create(&supervisor), DCPS_OK);
    for (int i = 0; i < 3; i++) {
        (void)start(supervisor, "trap '' TERM; while :; do sleep 0.05; done", &lines);
    }
    dcps_supervisor_destroy(&supervisor);
    ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1);
    sigset_t mask;
    (void)sigprocmask(SIG_SETMASK, NULL, &mask);
    ck_assert_int_eq(sigismember(&mask, SIGINT), 0);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {test_many_children_end_by_themselves,
                                  test_hung_child_is_killed_at_the_deadline,
                                  test_polite_children_cost_no_deadline,
                                  test_interrupts_are_counted_and_wake,
                                  test_nohup_is_respected,
                                  test_second_interrupt_kills_at_once,
                                  test_destroy_leaves_no_child};
    return CHECK_MAIN("cli supervisor", tests);
}
