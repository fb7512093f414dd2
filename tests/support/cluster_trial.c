#include "support/cluster_trial.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "support/patience.h"

static const dcps_groups no_groups;

static void remove_markers(const trial *self)
{
    char died[sizeof(self->marker) + 8];
    (void)snprintf(died, sizeof(died), "%s.died", self->marker);
    (void)unlink(self->marker);
    (void)unlink(died);
}

void trial_init(trial *self, const char *server_mode, const char *worker_mode)
{
    *self = (trial){.status = DCPS_OK};
    (void)snprintf(self->marker, sizeof(self->marker), "/tmp/dcps-cluster-%d", (int)getpid());
    remove_markers(self);
    self->screen_file = open_memstream(&self->shown, &self->shown_bytes);
    dcps_screen_init(&self->screen, self->screen_file, false);
    ck_assert_int_eq(dcps_supervisor_create(&self->supervisor), DCPS_OK);
    dcps_args_add_flag(&self->server, "mode", server_mode);
    dcps_args_add_flag(&self->server, "marker", self->marker);
    dcps_args_add_flag(&self->worker, "mode", worker_mode);
    dcps_args_add_flag(&self->worker, "marker", self->marker);
    dcps_args_add(&self->evaluate, "--evaluate");
    dcps_args_append(&self->evaluate, &self->worker);
    self->config = (dcps_cluster_config){.title = "asgd@2",
                                         .groups = &no_groups,
                                         .program_dir = getenv("DCPS_FAKE_DIR"),
                                         .servers = 1,
                                         .workers = 2,
                                         .server_args = &self->server,
                                         .worker_args = &self->worker,
                                         .evaluate_args = &self->evaluate,
                                         .max_restarts = 2,
                                         .limits = dcps_cluster_default_limits,
                                         .supervisor = self->supervisor,
                                         .screen = &self->screen};
    bool deaf = strcmp(worker_mode, "deaf") == 0 || strcmp(server_mode, "deaf") == 0;
    self->config.limits.stop_ms = deaf ? patient_ms(2000) : 10000;
    self->config.limits.backoff_ms = 50;
}

void trial_run(trial *self)
{
    uint64_t start_ns = dcps_clock_ns();
    self->status = dcps_cluster_run(&self->config, &self->run, self->dataset);
    self->took_s = (double)(dcps_clock_ns() - start_ns) / (double)DCPS_NS_PER_S;
    (void)fflush(self->screen_file);
    ck_assert_double_lt(self->took_s, (double)MOST_S);
    /* Nothing is left behind. */
    ck_assert_uint_eq(dcps_supervisor_running(self->supervisor), 0);
    ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1);
    ck_assert_int_eq(errno, ECHILD);
}

void trial_fini(trial *self)
{
    dcps_supervisor_destroy(&self->supervisor);
    (void)fclose(self->screen_file);
    free(self->shown);
    dcps_args_fini(&self->server);
    dcps_args_fini(&self->worker);
    dcps_args_fini(&self->evaluate);
    dcps_results results = {.run_count = 0};
    dcps_result_run *run = NULL;
    ck_assert_int_eq(dcps_results_add(&results, &run), DCPS_OK);
    *run = self->run;
    dcps_results_fini(&results);
    remove_markers(self);
}

void trial_check_shown(const trial *self, const char *text)
{
    ck_assert_msg(strstr(self->shown, text) != NULL, "'%s' is not in:\n%s", text, self->shown);
}

void trial_check_good(const trial *self)
{
    ck_assert_msg(self->status == DCPS_OK, "%s\n%s", dcps_error_message(), self->shown);
    ck_assert_uint_eq(self->run.samples, 1200);
    ck_assert_uint_eq(self->run.epochs, 2);
    ck_assert_uint_eq(self->run.updates, 12);
    ck_assert_double_eq_tol(self->run.seconds, 0.4, 1e-9);
    ck_assert_double_eq_tol(self->run.samples_per_second, 3000.0, 1e-6);
    ck_assert_uint_eq(self->run.staleness.p50, 1);
    ck_assert_uint_eq(self->run.staleness.max, 2);
}

void trial_check_bad(const trial *self, dcps_status status, const char *message)
{
    ck_assert_msg(self->status == status, "%s: %s\n%s", dcps_status_name(self->status), dcps_error_message(),
                  self->shown);
    ck_assert_msg(strstr(dcps_error_message(), message) != NULL, "'%s' is not in: %s", message, dcps_error_message());
}
