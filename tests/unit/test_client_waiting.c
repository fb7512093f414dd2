/* What a client does while servers are late, silent, dead or restarted: it says so, goes on, gives up in time, and can always be stopped. */
#include <check.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "support/capture.h"
#include "support/check_main.h"
#include "support/client_fixture.h"
#include "support/loopback_server.h"
#include "support/patience.h"
#include "worker/client.h"

static double seconds_since(uint64_t then_ns)
{
    return (double)(dcps_clock_ns() - then_ns) / 1e9;
}

static void assert_logged(const char *log, const char *words)
{
    ck_assert_msg(strstr(log, words) != NULL, "no \"%s\" in:\n%s", words, log);
}

static uint32_t times_logged(const char *log, const char *words)
{
    uint32_t times = 0;
    for (const char *found = strstr(log, words); found != NULL; found = strstr(found + 1, words)) {
        times++;
    }
    return times;
}

#define MOST_WAIT_MS 60000u /* for words that ought to come */

/* Calls `action` on another thread after `delay_ms`, or when `words` were captured. */
typedef struct later {
    pthread_t thread;
    uint32_t delay_ms;
    const capture *log; /* NULL: whatever is said */
    const char *words;
    void (*action)(void *context);
    void *context;
} later;

static void *run_later(void *context)
{
    later *self = context;
    for (uint32_t i = 0; self->log != NULL && i < MOST_WAIT_MS / 10 && !capture_has(self->log, self->words); i++) {
        (void)usleep(10000);
    }
    (void)usleep(self->delay_ms * 1000);
    self->action(self->context);
    return NULL;
}

static void later_start(later *self, uint32_t delay_ms, void (*action)(void *context), void *context)
{
    *self = (later){.delay_ms = delay_ms, .action = action, .context = context};
    ck_assert_int_eq(pthread_create(&self->thread, NULL, run_later, self), 0);
}

static void later_start_at(later *self, const capture *log, const char *words, void (*action)(void *context),
                           void *context)
{
    *self = (later){.log = log, .words = words, .action = action, .context = context};
    ck_assert_int_eq(pthread_create(&self->thread, NULL, run_later, self), 0);
}

static void later_end(later *self)
{
    ck_assert_int_eq(pthread_join(self->thread, NULL), 0);
}

static void cancel(void *client)
{
    dcps_client_cancel(client);
}

static void unmute(void *server)
{
    loopback_mute(server, false);
}

START_TEST(names_the_server_it_gives_up_on)
{
    char log[4096];
    char address[32];
    capture stderr_text;
    dcps_client *client = NULL;
    (void)snprintf(address, sizeof(address), "127.0.0.1:%u", loopback_free_port());
    capture_start(&stderr_text, STDERR_FILENO);
    uint64_t began_ns = dcps_clock_ns();
    dcps_client_config config = {.servers = address, .timeout_ms = 3500};
    dcps_status status = dcps_client_connect(&config, &client);
    double seconds = seconds_since(began_ns);
    capture_end(&stderr_text, log, sizeof(log));
    ck_assert_int_eq(status, DCPS_TIMEOUT);
    ck_assert_ptr_null(client);
    ck_assert_double_ge(seconds, 3.4);
    ck_assert_double_lt(seconds, patient_ms(20000) / 1e3);
    client_fixture_says("server 0 of 1 does not answer at tcp://127.0.0.1:");
    client_fixture_says(address);
    assert_logged(log, "waiting for server 0 of 1 at tcp://127.0.0.1:");
    /* It says that it waits after 3 s, and again after 5 s more at the earliest. */
    ck_assert_uint_le(times_logged(log, "waiting for server"), 1u + (uint32_t)((seconds - 2.9) / 5.0));
}
END_TEST

START_TEST(waits_for_the_second_server)
{
    char log[4096];
    char addresses[160];
    capture stderr_text;
    dcps_client *client = NULL;
    uint16_t port = loopback_free_port();
    loopback_server *first = loopback_start(&(loopback_config){.servers = 2});
    (void)snprintf(addresses, sizeof(addresses), "%s,127.0.0.1:%u", loopback_address(first), port);
    dcps_client_config config = {.servers = addresses};
    ck_assert_int_eq(dcps_client_create(&config, &client), DCPS_OK);
    later stop;
    capture_start(&stderr_text, STDERR_FILENO);
    later_start_at(&stop, &stderr_text, "waiting for server", cancel, client);
    ck_assert_int_eq(dcps_client_join(client), DCPS_CANCELLED);
    capture_end(&stderr_text, log, sizeof(log));
    later_end(&stop);
    assert_logged(log, "waiting for server 1 of 2 at tcp://127.0.0.1:");
    ck_assert_ptr_null(strstr(log, "server 0"));
    loopback_server *second = loopback_start(&(loopback_config){.servers = 2, .index = 1, .port = port});
    ck_assert_msg(dcps_client_join(client) == DCPS_OK, "%s", dcps_error_message());
    dcps_client_destroy(&client);
    loopback_kill(&first);
    loopback_kill(&second);
}
END_TEST

START_TEST(tells_of_a_wrong_place_in_the_list)
{
    char addresses[160];
    dcps_client *client = NULL;
    loopback_server *server = loopback_start(&(loopback_config){.servers = 1});
    (void)snprintf(addresses, sizeof(addresses), "%s,%s", loopback_address(server), loopback_address(server));
    ck_assert_int_eq(dcps_client_connect(&(dcps_client_config){.servers = addresses}, &client), DCPS_MISMATCH);
    ck_assert_ptr_null(client);
    loopback_kill(&server);
}
END_TEST

START_TEST(goes_on_after_a_silence)
{
    char log[4096];
    capture stderr_text;
    later wake;
    loopback_server *server = loopback_start(&(loopback_config){.block_params = 64, .epochs = 10, .lease_ms = 60000});
    client_fixture fixture;
    client_fixture_connect(&fixture, loopback_address(server), false, 0);
    client_fixture_declare(&fixture, 10);
    client_fixture_step(&fixture, 2.0f);
    capture_start(&stderr_text, STDERR_FILENO);
    loopback_mute(server, true);
    later_start_at(&wake, &stderr_text, "does not answer", unmute, server);
    client_fixture_step(&fixture, 2.0f);
    client_fixture_step(&fixture, 2.0f);
    capture_end(&stderr_text, log, sizeof(log));
    later_end(&wake);
    assert_logged(log, "server 0 does not answer at tcp://127.0.0.1:");
    assert_logged(log, "is dcps-server running there? still trying");
    assert_logged(log, "server 0 answers at tcp://127.0.0.1:");
    /* Every gradient once, whatever was repeated: 1 − 3. */
    ck_assert(fixture.weights[0] == -2.0f);
    client_fixture_close(&fixture);
    loopback_kill(&server);
}
END_TEST

START_TEST(gives_up_on_a_silent_server)
{
    loopback_server *server = loopback_start(&(loopback_config){.block_params = 64, .lease_ms = 60000});
    client_fixture fixture;
    client_fixture_connect(&fixture, loopback_address(server), false, patient_ms(2000));
    client_fixture_declare(&fixture, 10);
    loopback_mute(server, true);
    uint64_t began_ns = dcps_clock_ns();
    ck_assert_int_eq(dcps_client_push(fixture.client, 0, FIXTURE_PARAMS, 1, 1.0f), DCPS_OK);
    ck_assert_int_eq(dcps_client_wait(fixture.client, &fixture.work), DCPS_TIMEOUT);
    ck_assert_double_lt(seconds_since(began_ns), 30.0);
    client_fixture_says("server 0 of 1 does not answer at tcp://");
    loopback_mute(server, false);
    while (dcps_client_wait(fixture.client, &fixture.work) == DCPS_TIMEOUT) {
        (void)usleep(10000);
    }
    ck_assert(fixture.weights[0] == 1.0f);
    for (uint32_t i = 0; i < MOST_WAIT_MS / 10 && loopback_applied(server) < 6; i++) {
        (void)usleep(10000); /* answers go out before their pushes are counted */
    }
    ck_assert_uint_eq(loopback_applied(server), 6);
    client_fixture_close(&fixture);
    loopback_kill(&server);
}
END_TEST

static void unmute_shards(void *server)
{
    loopback_mute_shards(server, false);
}

/* Heartbeats are answered all the while: they say nothing of the shards. */
START_TEST(gives_up_on_a_silent_shard)
{
    loopback_server *server = loopback_start(&(loopback_config){.block_params = 64, .lease_ms = 4000});
    client_fixture fixture;
    client_fixture_connect(&fixture, loopback_address(server), false, patient_ms(2000));
    client_fixture_declare(&fixture, 10);
    loopback_mute_shards(server, true);
    uint64_t began_ns = dcps_clock_ns();
    ck_assert_int_eq(dcps_client_push(fixture.client, 0, FIXTURE_PARAMS, 1, 1.0f), DCPS_OK);
    ck_assert_int_eq(dcps_client_wait(fixture.client, &fixture.work), DCPS_TIMEOUT);
    ck_assert_double_lt(seconds_since(began_ns), 30.0);
    client_fixture_says("shard 0 of server 0 does not answer at tcp://127.0.0.1:");
    client_fixture_says("its server does at tcp://");
    client_fixture_says(loopback_address(server));
    client_fixture_close(&fixture);
    loopback_kill(&server);
}
END_TEST

START_TEST(goes_on_after_the_silence_of_a_shard)
{
    char log[4096];
    capture stderr_text;
    later wake;
    loopback_server *server = loopback_start(&(loopback_config){.block_params = 64, .epochs = 10, .lease_ms = 4000});
    client_fixture fixture;
    client_fixture_connect(&fixture, loopback_address(server), false, 0);
    client_fixture_declare(&fixture, 10);
    capture_start(&stderr_text, STDERR_FILENO);
    loopback_mute_shards(server, true);
    later_start_at(&wake, &stderr_text, "does not answer", unmute_shards, server);
    client_fixture_step(&fixture, 2.0f);
    capture_end(&stderr_text, log, sizeof(log));
    later_end(&wake);
    assert_logged(log, "shard 0 of server 0 does not answer at tcp://127.0.0.1:");
    assert_logged(log, "shard 0 of server 0 answers at tcp://127.0.0.1:");
    ck_assert_ptr_null(strstr(log, "waiting for weights"));
    ck_assert(fixture.weights[0] == 0.0f); /* every gradient once: 1 − 1 */
    client_fixture_close(&fixture);
    loopback_kill(&server);
}
END_TEST

/* Its model and weights are gone with the first server; the worker brings its own, and goes on at new shard endpoints. */
START_TEST(survives_a_restart)
{
    char log[8192];
    capture stderr_text;
    loopback_config config = {.shards = 2, .block_params = 64, .epochs = 100, .lease_ms = 4000};
    loopback_server *server = loopback_start(&config);
    client_fixture fixture;
    client_fixture_connect(&fixture, loopback_address(server), false, 0);
    client_fixture_declare(&fixture, 10);
    client_fixture_step(&fixture, 2.0f);
    ck_assert(fixture.weights[0] == 0.0f);
    capture_start(&stderr_text, STDERR_FILENO);
    loopback_restart(&server);
    client_fixture_step(&fixture, 2.0f); /* lost */
    ck_assert(fixture.weights[0] == 0.0f);
    client_fixture_step(&fixture, 2.0f);
    ck_assert(fixture.weights[0] == -1.0f);
    ck_assert(fixture.weights[FIXTURE_B_AT] == (float)FIXTURE_B_AT - 1.0f);
    capture_end(&stderr_text, log, sizeof(log));
    assert_logged(log, "had forgotten us");
    assert_logged(log, "no longer knows which weights our gradient was computed on");
    client_fixture_close(&fixture);
    loopback_kill(&server);
}
END_TEST

START_TEST(parameters_that_are_gone_end_the_run)
{
    loopback_config config = {.shards = 2, .block_params = 64, .epochs = 100, .lease_ms = 4000};
    loopback_server *server = loopback_start(&config);
    config.port = loopback_port(server);
    client_fixture fixture;
    dcps_work work;
    client_fixture_connect(&fixture, loopback_address(server), false, 0);
    client_fixture_declare(&fixture, 10);
    client_fixture_step(&fixture, 2.0f);
    loopback_kill(&server);
    server = loopback_start(&config); /* knows nothing */
    dcps_status status = dcps_client_pull(fixture.client, &work);
    ck_assert_int_eq(status, DCPS_MISMATCH);
    ck_assert_ptr_nonnull(strstr(dcps_error_message(), "without the parameters it held"));
    client_fixture_close(&fixture);
    loopback_kill(&server);
}
END_TEST

static void *take_snapshot(void *context)
{
    client_fixture *observer = context;
    dcps_snapshot_info info;
    ck_assert_msg(dcps_client_snapshot(observer->client, 0, true, &info) == DCPS_OK, "%s", dcps_error_message());
    ck_assert_uint_eq(info.samples, 2);
    return NULL;
}

/* An observer has no session that could end, and yet finds the shards of a restarted server. */
START_TEST(observer_survives_a_restart)
{
    loopback_config config = {.shards = 2, .block_params = 64, .epochs = 1, .snapshot_every_samples = 2};
    loopback_server *server = loopback_start(&config);
    config.port = loopback_port(server);
    client_fixture worker;
    client_fixture observer;
    pthread_t thread;
    client_fixture_connect(&worker, loopback_address(server), false, 0);
    client_fixture_declare(&worker, 2);
    client_fixture_connect(&observer, loopback_address(server), true, 0);
    client_fixture_declare(&observer, 2);
    client_fixture_close(&worker);
    ck_assert_int_eq(pthread_create(&thread, NULL, take_snapshot, &observer), 0);
    while (loopback_received(server, DCPS_MESSAGE_SNAPSHOT) < 6) { /* one a block */
        (void)usleep(1000);
    }
    loopback_kill(&server);
    server = loopback_start(&config);
    client_fixture_connect(&worker, loopback_address(server), false, 0);
    client_fixture_declare(&worker, 2);
    client_fixture_step(&worker, 2.0f);
    client_fixture_step(&worker, 2.0f);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    ck_assert(observer.weights[0] == -1.0f);
    ck_assert(observer.weights[FIXTURE_B_AT] == (float)FIXTURE_B_AT - 1.0f);
    client_fixture_close(&worker);
    client_fixture_close(&observer);
    loopback_kill(&server);
}
END_TEST

START_TEST(observer_hears_a_server_that_has_nothing_to_say)
{
    char log[4096];
    capture stderr_text;
    later stop;
    loopback_server *server = loopback_start(&(loopback_config){.snapshot_every_samples = 1});
    client_fixture worker;
    client_fixture observer;
    dcps_snapshot_info info;
    client_fixture_connect(&worker, loopback_address(server), false, 0);
    client_fixture_declare(&worker, 10);
    client_fixture_connect(&observer, loopback_address(server), true, patient_ms(2500));
    client_fixture_declare(&observer, 10);
    capture_start(&stderr_text, STDERR_FILENO);
    later_start(&stop, patient_ms(5000), cancel, observer.client);
    ck_assert_int_eq(dcps_client_snapshot(observer.client, 0, true, &info), DCPS_CANCELLED);
    capture_end(&stderr_text, log, sizeof(log));
    later_end(&stop);
    ck_assert_int_eq(dcps_client_snapshot(observer.client, 0, true, &info), DCPS_INVALID); /* only a goodbye is due */
    ck_assert_int_eq(dcps_client_finish(observer.client, 2000), DCPS_OK);
    ck_assert_str_eq(log, "");
    client_fixture_close(&worker);
    client_fixture_close(&observer);
    loopback_kill(&server);
}
END_TEST

/* With a long lease heartbeats are rare. */
START_TEST(worker_hears_a_server_while_it_computes)
{
    char log[4096];
    capture stderr_text;
    loopback_server *server = loopback_start(&(loopback_config){.lease_ms = 100000});
    client_fixture worker;
    client_fixture_connect(&worker, loopback_address(server), false, patient_ms(2500));
    client_fixture_declare(&worker, 10);
    capture_start(&stderr_text, STDERR_FILENO);
    (void)usleep(1000 * patient_ms(4000));
    client_fixture_step(&worker, 1.0f);
    capture_end(&stderr_text, log, sizeof(log));
    ck_assert_str_eq(log, "");
    client_fixture_close(&worker);
    loopback_kill(&server);
}
END_TEST

/* In a process of its own: waits for a second worker that never comes. */
static void wait_for_ever(uint16_t port, uint32_t timeout_ms)
{
    char address[32];
    client_fixture fixture;
    (void)snprintf(address, sizeof(address), "127.0.0.1:%u", port);
    client_fixture_connect(&fixture, address, false, timeout_ms);
    dcps_status status =
        dcps_client_declare(fixture.client, fixture.layout, 10, fixture.weights, fixture.gradient, &fixture.work);
    _exit(status == DCPS_TIMEOUT ? 75 : 1);
}

/* Ctrl-Z, a frozen container, a suspended machine: what wakes up must not blame a server that it could not hear. */
START_TEST(blames_nobody_for_its_own_pause)
{
    const uint32_t timeout_ms = patient_ms(2000);
    uint16_t port = loopback_free_port();
    pid_t child = fork(); /* before there are threads */
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        wait_for_ever(port, timeout_ms);
    }
    loopback_server *server = loopback_start(
        &(loopback_config){.algorithm = "ssgd", .workers = 2, .block_params = 64, .port = port, .lease_ms = 60000});
    while (loopback_received(server, DCPS_MESSAGE_INIT) < 6) { /* one a block */
        (void)usleep(10000);
    }
    (void)usleep(300000);
    ck_assert_int_eq(kill(child, SIGSTOP), 0);
    (void)usleep(1000 * (timeout_ms + 1500));
    ck_assert_int_eq(kill(child, SIGCONT), 0);
    (void)usleep(1000000);
    int status = 0;
    pid_t ended = waitpid(child, &status, WNOHANG);
    ck_assert_msg(ended == 0, "it gave up with %d", WIFEXITED(status) ? WEXITSTATUS(status) : -1);
    ck_assert_int_eq(kill(child, SIGKILL), 0);
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    loopback_kill(&server);
}
END_TEST

/* A synchronous run whose second worker never comes. */
static loopback_server *start_half_a_round(client_fixture *fixture)
{
    loopback_server *server = loopback_start(&(loopback_config){.algorithm = "ssgd", .workers = 2, .block_params = 64});
    client_fixture_connect(fixture, loopback_address(server), false, 0);
    return server;
}

START_TEST(can_be_cancelled)
{
    later stop;
    client_fixture fixture;
    loopback_server *server = start_half_a_round(&fixture);
    uint64_t began_ns = dcps_clock_ns();
    later_start(&stop, 300, cancel, fixture.client);
    ck_assert_int_eq(
        dcps_client_declare(fixture.client, fixture.layout, 10, fixture.weights, fixture.gradient, &fixture.work),
        DCPS_CANCELLED);
    ck_assert_double_lt(seconds_since(began_ns), 10.0);
    later_end(&stop);
    ck_assert_int_eq(dcps_client_push(fixture.client, 0, 16, 1, 1.0f), DCPS_INVALID);
    ck_assert_int_eq(dcps_client_wait(fixture.client, &fixture.work), DCPS_INVALID);
    ck_assert_int_eq(dcps_client_finish(fixture.client, 2000), DCPS_OK);
    ck_assert_uint_ge(loopback_received(server, DCPS_MESSAGE_FINISH), 1);
    ck_assert_int_eq(dcps_client_finish(fixture.client, 2000), DCPS_OK);
    client_fixture_close(&fixture);
    loopback_kill(&server);
}
END_TEST

START_TEST(remembers_a_cancellation)
{
    client_fixture fixture;
    loopback_server *server = start_half_a_round(&fixture);
    dcps_client_cancel(fixture.client);
    dcps_client_cancel(fixture.client);
    ck_assert_int_eq(
        dcps_client_declare(fixture.client, fixture.layout, 10, fixture.weights, fixture.gradient, &fixture.work),
        DCPS_CANCELLED);
    client_fixture_close(&fixture);
    loopback_kill(&server);
}
END_TEST

START_TEST(says_what_it_waits_for)
{
    char log[4096];
    capture stderr_text;
    later stop;
    client_fixture fixture;
    loopback_server *server = start_half_a_round(&fixture);
    capture_start(&stderr_text, STDERR_FILENO);
    later_start_at(&stop, &stderr_text, "waiting for weights", cancel, fixture.client);
    ck_assert_int_eq(
        dcps_client_declare(fixture.client, fixture.layout, 10, fixture.weights, fixture.gradient, &fixture.work),
        DCPS_CANCELLED);
    capture_end(&stderr_text, log, sizeof(log));
    later_end(&stop);
    assert_logged(log, "waiting for weights");
    assert_logged(log, "2 are expected");
    client_fixture_close(&fixture);
    loopback_kill(&server);
}
END_TEST

START_TEST(destroy_never_hangs)
{
    client_fixture fixture;
    loopback_server *server = loopback_start(&(loopback_config){.block_params = 64});
    client_fixture_connect(&fixture, loopback_address(server), false, 0);
    client_fixture_declare(&fixture, 10);
    loopback_mute(server, true);
    ck_assert_int_eq(dcps_client_push(fixture.client, 0, FIXTURE_PARAMS, 1, 1.0f), DCPS_OK);
    dcps_client_cancel(fixture.client);
    ck_assert_int_eq(dcps_client_wait(fixture.client, &fixture.work), DCPS_CANCELLED);
    uint64_t began_ns = dcps_clock_ns();
    ck_assert_int_eq(dcps_client_finish(fixture.client, 300), DCPS_TIMEOUT);
    client_fixture_close(&fixture);
    ck_assert_double_lt(seconds_since(began_ns), 10.0);
    loopback_kill(&server);
}
END_TEST

START_TEST(destroy_before_anything)
{
    dcps_client *client = NULL;
    char address[32];
    (void)snprintf(address, sizeof(address), "127.0.0.1:%u", loopback_free_port());
    dcps_client_destroy(&client);
    uint64_t began_ns = dcps_clock_ns();
    for (uint32_t i = 0; i < 20; i++) {
        ck_assert_int_eq(dcps_client_create(&(dcps_client_config){.servers = address}, &client), DCPS_OK);
        dcps_client_destroy(&client);
        ck_assert_ptr_null(client);
    }
    ck_assert_double_lt(seconds_since(began_ns), 20.0);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {names_the_server_it_gives_up_on,
                                  waits_for_the_second_server,
                                  tells_of_a_wrong_place_in_the_list,
                                  goes_on_after_a_silence,
                                  gives_up_on_a_silent_server,
                                  gives_up_on_a_silent_shard,
                                  goes_on_after_the_silence_of_a_shard,
                                  survives_a_restart,
                                  parameters_that_are_gone_end_the_run,
                                  observer_survives_a_restart,
                                  observer_hears_a_server_that_has_nothing_to_say,
                                  worker_hears_a_server_while_it_computes,
                                  blames_nobody_for_its_own_pause,
                                  can_be_cancelled,
                                  remembers_a_cancellation,
                                  says_what_it_waits_for,
                                  destroy_never_hangs,
                                  destroy_before_anything};
    return CHECK_MAIN("client waiting", tests);
}
