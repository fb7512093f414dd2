/* How long a cluster waits for servers that load, do not answer or stand still, and that it does not count its own pauses. */
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/check_main.h"
#include "support/cluster_trial.h"

/* Loading a checkpoint may take longer than a server that lives may be silent. */
START_TEST(test_server_that_resumes_slowly)
{
    for (uint32_t i = 0; i < 2; i++) {
        trial self;
        trial_init(&self, "die-late", "deaf");
        self.config.can_resume = true;
        self.config.limits.silence_ms = 300;
        self.config.limits.lost_ms = 2500; /* more than sockets wait between two attempts to connect */
        self.config.limits.load_ms = i == 0 ? 20000 : 200;
        trial_run(&self);
        if (i == 0) {
            trial_check_good(&self);
        } else {
            trial_check_bad(&self, DCPS_TIMEOUT, "has not answered for");
        }
        trial_fini(&self);
    }
}
END_TEST

START_TEST(test_silent_server_is_named_and_given_up)
{
    trial self;
    trial_init(&self, "silent", "deaf");
    self.config.limits.silence_ms = 300;
    self.config.limits.lost_ms = 1500;
    trial_run(&self);
    trial_check_bad(&self, DCPS_TIMEOUT, "server 0 at 127.0.0.1:");
    trial_check_shown(&self, "does not answer (");
    trial_fini(&self);
}
END_TEST

/* A process that is nobody's child here stops this one for 4.5 s, and a second later lets the fake server go on. */
static void stop_us_for_a_while(const char *marker)
{
    char command[256];
    pid_t shell = 0;
    int us = (int)getpid();
    (void)snprintf(command, sizeof(command), "(sleep 0.6; kill -STOP %d; sleep 4.5; kill -CONT %d; sleep 1; : > %s) &",
                   us, us, marker);
    char *argv[] = {"sh", "-c", command, NULL};
    ck_assert_int_eq(posix_spawn(&shell, "/bin/sh", NULL, NULL, argv, environ), 0);
    ck_assert_int_eq(waitpid(shell, NULL, 0), shell);
}

/* Ctrl-Z and fg. Servers and workers went on meanwhile, in groups of their own. */
START_TEST(test_run_that_was_stopped_itself)
{
    trial self;
    trial_init(&self, "patient", "good");
    self.config.limits.silence_ms = 300;
    self.config.limits.lost_ms = 4000;
    self.config.limits.stall_ms = 4000;
    self.config.limits.stop_ms = 4000; /* the workers have ended before the pause */
    stop_us_for_a_while(self.marker);
    trial_run(&self);
    trial_check_good(&self);
    ck_assert_double_gt(self.took_s, 4.5);
    trial_fini(&self);
}
END_TEST

START_TEST(test_standstill_is_given_up)
{
    trial self;
    trial_init(&self, "stuck", "deaf");
    self.config.limits.stall_ms = 1000;
    trial_run(&self);
    trial_check_bad(&self, DCPS_TIMEOUT, "nothing has moved for 1 s");
    trial_fini(&self);
}
END_TEST

int main(void)
{
    if (getenv("DCPS_FAKE_DIR") == NULL) {
        (void)fprintf(stderr, "DCPS_FAKE_DIR must name the folder of the stand-in programs\n");
        return EXIT_FAILURE;
    }
    const TTest *const tests[] = {test_server_that_resumes_slowly, test_silent_server_is_named_and_given_up,
                                  test_run_that_was_stopped_itself, test_standstill_is_given_up};
    return CHECK_MAIN("patience of a cluster", tests);
}
