/* Life and death of a cluster, with programs that stand in for servers and workers and misbehave on request. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "support/check_main.h"
#include "support/cluster_trial.h"

START_TEST(test_good_run)
{
    trial self;
    trial_init(&self, "good", "good");
    trial_run(&self);
    trial_check_good(&self);
    ck_assert_uint_eq(self.run.restarts, 0);
    ck_assert_uint_eq(self.run.point_count, 2);
    ck_assert_double_eq(self.run.points[1].epoch, 2.0);
    ck_assert_double_eq(dcps_result_metric(&self.run, "test_error"), 0.25);
    ck_assert_str_eq(self.dataset, "toy");
    trial_check_shown(&self, "asgd@2  ");
    trial_fini(&self);
}
END_TEST

/* The fake server tells of three workers in two answers; the third is none of ours. */
START_TEST(test_details_and_groups)
{
    trial self;
    dcps_groups groups;
    trial_init(&self, "good", "good");
    ck_assert_int_eq(dcps_groups_parse("slow:1:4.5", &groups), DCPS_OK);
    self.config.groups = &groups;
    trial_run(&self);
    trial_check_good(&self);
    const dcps_result_details *details = &self.run.details;
    ck_assert(self.run.details_known);
    ck_assert_uint_eq(details->worker_count, 3);
    ck_assert_uint_eq(details->shard_count, 3);
    for (uint32_t i = 0; i < 3; i++) {
        ck_assert_uint_eq(details->histograms[i].held_ns.count, 1);
        ck_assert_uint_eq(details->histograms[i].held_ns.max % 10, i);
        ck_assert_uint_ge(details->histograms[i].held_ns.max, 30);
    }
    ck_assert_uint_eq(details->pushes.applied, 12);
    ck_assert_uint_eq(details->staleness_count, 3);
    for (uint32_t i = 0; i < 3; i++) {
        const dcps_result_worker *worker = &details->workers[i];
        ck_assert_uint_eq(worker->worker, i);
        ck_assert_uint_eq(worker->staleness.max, i);
        ck_assert_uint_ge(worker->steps, 30); /* of the end, not of the beginning */
        ck_assert_str_eq(worker->group, i == 1 ? "slow" : "rest");
        ck_assert_uint_eq(worker->wait_ns.count, i < 2 ? 4 : 0);
        ck_assert_uint_eq(worker->wait_histogram.count, i < 2 ? 4 : 0);
    }
    ck_assert_double_eq(details->workers[0].wait_share, 0.25);
    trial_check_shown(&self, "worker 1 | slowed down by 4.5");
    ck_assert_ptr_null(strstr(self.shown, "worker 0 | slowed"));
    trial_fini(&self);
}
END_TEST

/* One that knows nothing of histograms costs only these. */
START_TEST(test_server_without_histograms)
{
    trial self;
    trial_init(&self, "no-histograms", "good");
    trial_run(&self);
    trial_check_good(&self);
    const dcps_result_details *details = &self.run.details;
    ck_assert_uint_eq(details->shard_count, 3);
    for (uint32_t i = 0; i < 3; i++) {
        ck_assert_uint_eq(details->histograms[i].held_ns.count, 0);
        ck_assert_uint_ge(details->workers[i].steps, 30);
    }
    ck_assert_double_lt(self.took_s, 20.0);
    trial_fini(&self);
}
END_TEST

/* A server that knows nothing of workers and shards costs neither time nor the other figures. */
START_TEST(test_server_of_before)
{
    trial self;
    trial_init(&self, "old", "good");
    trial_run(&self);
    trial_check_good(&self);
    ck_assert(!self.run.details_known);
    ck_assert_uint_eq(self.run.details.worker_count, 0);
    ck_assert_double_lt(self.took_s, 20.0);
    trial_fini(&self);
}
END_TEST

START_TEST(test_several_servers_and_evaluation_beside)
{
    trial self;
    trial_init(&self, "good", "good");
    self.config.servers = 3;
    self.config.evaluate_beside = true;
    trial_run(&self);
    trial_check_good(&self);
    ck_assert_uint_eq(self.run.point_count, 2);
    ck_assert_uint_eq(self.run.staleness.count, 12); /* summed over the servers */
    trial_fini(&self);
}
END_TEST

START_TEST(test_without_evaluation)
{
    trial self;
    trial_init(&self, "good", "good");
    self.config.evaluate_args = NULL;
    trial_run(&self);
    trial_check_good(&self);
    ck_assert_uint_eq(self.run.point_count, 0);
    trial_fini(&self);
}
END_TEST

START_TEST(test_dead_worker_is_started_again)
{
    trial self;
    trial_init(&self, "patient", "die-once");
    self.config.workers = 1;
    trial_run(&self);
    trial_check_good(&self);
    ck_assert_uint_eq(self.run.restarts, 1);
    trial_check_shown(&self, "worker 0 was killed by signal 9 (Killed): starting it again in 50 ms (restart 1 of 2)");
    trial_fini(&self);
}
END_TEST

START_TEST(test_workers_that_keep_dying)
{
    trial self;
    trial_init(&self, "stuck", "die");
    trial_run(&self);
    trial_check_bad(&self, DCPS_SYSTEM, "all 2 workers died 3 times, the last one was killed by signal 9 (Killed)");
    trial_check_shown(&self, "going on without it");
    trial_check_shown(&self, "about to die");
    trial_fini(&self);
}
END_TEST

/* A run goes on without it and says so, or ends where every worker is needed. */
START_TEST(test_worker_that_is_lost)
{
    for (int needed = 0; needed < 2; needed++) {
        trial self;
        trial_init(&self, needed ? "stuck" : "patient", "lose-one");
        self.config.needs_all = needed == 1;
        trial_run(&self);
        if (needed) {
            trial_check_bad(&self, DCPS_SYSTEM,
                            "worker 0 was killed by signal 9 (Killed): it died 3 times, and with fewer");
        } else {
            trial_check_good(&self);
            trial_check_shown(&self, "worker 0 was killed by signal 9 (Killed): it died 3 times, going on without it");
        }
        ck_assert_uint_eq(self.run.restarts, 2);
        ck_assert_uint_eq(self.run.workers_lost, 1);
        trial_fini(&self);
    }
}
END_TEST

START_TEST(test_worker_that_cannot_start)
{
    trial self;
    trial_init(&self, "stuck", "fail-at-start");
    trial_run(&self);
    trial_check_bad(&self, DCPS_SYSTEM, "exited with code 1 before any training");
    trial_check_shown(&self, "no such model");
    trial_fini(&self);
    trial_init(&self, "good", "usage");
    trial_run(&self);
    trial_check_bad(&self, DCPS_INVALID, "exited with code 2");
    trial_fini(&self);
}
END_TEST

START_TEST(test_workers_that_leave_early)
{
    trial self;
    trial_init(&self, "stuck", "leave");
    trial_run(&self);
    trial_check_bad(&self, DCPS_SYSTEM, "all workers have ended, but the training has not");
    trial_fini(&self);
}
END_TEST

START_TEST(test_worker_that_does_not_end)
{
    trial self;
    trial_init(&self, "good", "deaf");
    trial_run(&self);
    trial_check_good(&self); /* every batch was applied */
    trial_check_shown(&self, "worker 1 has not ended although the training is over");
    trial_fini(&self);
}
END_TEST

START_TEST(test_server_that_cannot_start)
{
    trial self;
    trial_init(&self, "early", "good");
    trial_run(&self);
    trial_check_bad(&self, DCPS_SYSTEM, "server 0 exited with code 1 before it listened at 127.0.0.1:");
    trial_check_shown(&self, "this server does not want to");
    trial_fini(&self);
    trial_init(&self, "usage", "good");
    trial_run(&self);
    trial_check_bad(&self, DCPS_INVALID, "server 0 exited with code 2");
    trial_fini(&self);
    trial_init(&self, "late", "good");
    self.config.limits.start_ms = 500;
    trial_run(&self);
    trial_check_bad(&self, DCPS_TIMEOUT, "0 of 1 servers listen after 0.5 s: see --start-timeout");
    trial_fini(&self);
}
END_TEST

START_TEST(test_taken_port_is_chosen_anew)
{
    trial self;
    trial_init(&self, "taken", "good");
    trial_run(&self);
    trial_check_good(&self);
    trial_check_shown(&self, "Address already in use");
    trial_fini(&self);
}
END_TEST

START_TEST(test_dead_server_ends_the_run)
{
    trial self;
    trial_init(&self, "die", "deaf");
    trial_run(&self);
    trial_check_bad(&self, DCPS_SYSTEM, "was killed by signal 9 (Killed) and its parameters are lost");
    trial_check_shown(&self, "asgd@2 failed: server 0 at 127.0.0.1:");
    /* The reason comes first, then the wait for workers that do not want to end. */
    ck_assert_ptr_nonnull(strstr(strstr(self.shown, "asgd@2 failed: "), "did not end in time"));
    ck_assert_double_lt(self.took_s,
                        15.0); /* a lost server is given up after a minute, this one need not be waited for */
    trial_fini(&self);
}
END_TEST

START_TEST(test_dead_server_resumes_from_its_checkpoint)
{
    trial self;
    trial_init(&self, "die", "deaf");
    self.config.can_resume = true;
    trial_run(&self);
    trial_check_good(&self);
    ck_assert_uint_eq(self.run.restarts, 1);
    trial_check_shown(&self, "server 0 was killed by signal 9 (Killed): starting it again");
    trial_fini(&self);
}
END_TEST

START_TEST(test_server_that_ends_badly)
{
    trial self;
    trial_init(&self, "bad-end", "good");
    trial_run(&self);
    trial_check_bad(&self, DCPS_SYSTEM, "server 0 exited with code 1 while it was stopping");
    trial_fini(&self);
    trial_init(&self, "deaf", "good");
    trial_run(&self);
    trial_check_bad(&self, DCPS_SYSTEM, "it did not end in time after SIGTERM, see --stop-timeout");
    trial_fini(&self);
}
END_TEST

START_TEST(test_bad_evaluations)
{
    static const struct {
        const char *mode;
        dcps_status status;
        const char *message;
    } cases[] = {{"eval-garbage", DCPS_CORRUPT, "the evaluating worker printed"},
                 {"eval-fails", DCPS_SYSTEM, "dcps-worker --evaluate exited with code 1"},
                 {"eval-nothing", DCPS_SYSTEM, "without a single figure"}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        trial self;
        trial_init(&self, "good", cases[i].mode);
        trial_run(&self);
        trial_check_bad(&self, cases[i].status, cases[i].message);
        trial_fini(&self);
    }
}
END_TEST

/* What was trained and evaluated before is kept. */
START_TEST(test_failed_runs_keep_what_they_have)
{
    static const struct {
        const char *server;
        const char *worker;
        const char *message;
        uint32_t points;
    } cases[] = {{"bad-end", "good", "exited with code 1 while it was stopping", 2},
                 {"good", "eval-dies", "dcps-worker --evaluate was killed by signal 9", 1}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        trial self;
        trial_init(&self, cases[i].server, cases[i].worker);
        trial_run(&self);
        trial_check_bad(&self, DCPS_SYSTEM, cases[i].message);
        ck_assert(self.run.measured);
        ck_assert_uint_eq(self.run.samples, 1200);
        ck_assert_uint_eq(self.run.staleness.count, 4);
        ck_assert_uint_eq(self.run.point_count, cases[i].points);
        ck_assert_double_eq(self.run.points[0].metrics[0].value, 0.5);
        trial_fini(&self);
    }
}
END_TEST

/* Every line of a child is shown once. */
START_TEST(test_last_words_are_not_repeated)
{
    trial self;
    trial_init(&self, "good", "eval-fails");
    trial_run(&self);
    const char *first = strstr(self.shown, "cannot evaluate");
    ck_assert_ptr_nonnull(first);
    ck_assert_ptr_null(strstr(first + 1, "cannot evaluate"));
    trial_fini(&self);
}
END_TEST

/* A run is complete when its final weights have figures. */
START_TEST(test_evaluation_with_gaps)
{
    trial self;
    trial_init(&self, "good", "eval-short");
    trial_run(&self);
    trial_check_bad(&self, DCPS_SYSTEM, "evaluated up to epoch 1 of 2");
    ck_assert_uint_eq(self.run.point_count, 1);
    ck_assert_uint_eq(self.run.samples, 1200);
    trial_fini(&self);
    trial_init(&self, "good", "eval-last");
    trial_run(&self);
    trial_check_good(&self);
    ck_assert_uint_eq(self.run.point_count, 1);
    trial_check_shown(&self, "asgd@2: 1 of 2 epochs have no figure");
    trial_fini(&self);
}
END_TEST

/* A restarted server has lost its snapshots: what it trained stays, but there is no figure. */
START_TEST(test_nothing_to_evaluate_after_a_restart)
{
    trial self;
    trial_init(&self, "die", "deaf");
    dcps_args_add_flag(&self.evaluate, "mode", "eval-nothing");
    self.config.can_resume = true;
    trial_run(&self);
    trial_check_bad(&self, DCPS_SYSTEM, "no snapshot is left from before the restart");
    ck_assert_uint_eq(self.run.point_count, 0);
    ck_assert_uint_eq(self.run.samples, 1200);
    trial_fini(&self);
}
END_TEST

START_TEST(test_missing_programs)
{
    trial self;
    trial_init(&self, "good", "good");
    self.config.program_dir = "/nonexistent";
    trial_run(&self);
    trial_check_bad(&self, DCPS_NOT_FOUND, "/nonexistent/dcps-server");
    trial_fini(&self);
}
END_TEST

/* Until both deaf workers no longer hear SIGTERM. */
static void await_deaf_workers(const char *marker)
{
    struct stat seen = {.st_size = 0};
    for (uint32_t i = 0; i < MOST_S * 100 && seen.st_size < (off_t)(2 * strlen("deaf\n")); i++) {
        (void)usleep(10000);
        (void)stat(marker, &seen);
    }
}

/* Ctrl-C in the middle of the training. */
START_TEST(test_interrupt)
{
    trial self;
    trial_init(&self, "stuck", "deaf");
    pid_t pid = getpid();
    pid_t finger = fork();
    if (finger == 0) {
        await_deaf_workers(self.marker);
        (void)kill(pid, SIGINT);
        _exit(0);
    }
    uint64_t start_ns = dcps_clock_ns();
    self.status = dcps_cluster_run(&self.config, &self.run, self.dataset);
    (void)fflush(self.screen_file);
    ck_assert_uint_lt(dcps_clock_ns() - start_ns, MOST_S * DCPS_NS_PER_S);
    ck_assert_int_eq(waitpid(finger, NULL, 0), finger);
    ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1);
    trial_check_bad(&self, DCPS_CANCELLED, "stopped on request");
    trial_check_shown(&self, "2 processes did not end in time and were killed: see --stop-timeout");
    trial_fini(&self);
}
END_TEST

int main(void)
{
    if (getenv("DCPS_FAKE_DIR") == NULL) {
        (void)fprintf(stderr, "DCPS_FAKE_DIR must name the folder of the stand-in programs\n");
        return EXIT_FAILURE;
    }
    const TTest *const tests[] = {test_good_run,
                                  test_details_and_groups,
                                  test_server_without_histograms,
                                  test_server_of_before,
                                  test_several_servers_and_evaluation_beside,
                                  test_without_evaluation,
                                  test_dead_worker_is_started_again,
                                  test_workers_that_keep_dying,
                                  test_worker_that_is_lost,
                                  test_worker_that_cannot_start,
                                  test_workers_that_leave_early,
                                  test_worker_that_does_not_end,
                                  test_server_that_cannot_start,
                                  test_taken_port_is_chosen_anew,
                                  test_dead_server_ends_the_run,
                                  test_dead_server_resumes_from_its_checkpoint,
                                  test_server_that_ends_badly,
                                  test_bad_evaluations,
                                  test_failed_runs_keep_what_they_have,
                                  test_last_words_are_not_repeated,
                                  test_evaluation_with_gaps,
                                  test_nothing_to_evaluate_after_a_restart,
                                  test_missing_programs,
                                  test_interrupt};
    return CHECK_MAIN("cluster", tests);
}
