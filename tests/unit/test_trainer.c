/* The training loop against real sockets. */
#include <check.h>
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/stop_signal.h"
#include "support/capture.h"
#include "support/check_main.h"
#include "support/loopback_server.h"
#include "support/toy_model.h"
#include "tensor/ref/ref.h"
#include "tensor/clip.h"
#include "worker/shuffle.h"
#include "worker/trainer.h"

#define EPOCHS 3u
#define SEED 21u
#define RATE 0.25

static dcps_client *connect_to(const loopback_server *server)
{
    dcps_client *client = NULL;
    dcps_client_config config = {.servers = loopback_address(server)};
    ck_assert_msg(dcps_client_connect(&config, &client) == DCPS_OK, "%s", dcps_error_message());
    return client;
}

static dcps_status train(const loopback_server *server, const dcps_loaded_model *loaded, dcps_stop *stop,
                         dcps_trainer_report *report)
{
    dcps_client *client = connect_to(server);
    dcps_trainer_config config = {.loaded = loaded, .backend = dcps_ref_backend(), .stop = stop};
    dcps_status status = dcps_trainer_run(&config, &client, report);
    ck_assert_ptr_null(client);
    return status;
}

/* w ← w − η g over every batch of every epoch, on one thread and without servers. Returns the last loss. */
static float train_serially(const dcps_loaded_model *loaded, float *weights)
{
    uint64_t params = dcps_layout_total_params(loaded->layout);
    float *gradient = dcps_alloc_aligned(params, sizeof(float));
    float loss = 0;
    dcps_tape *tape = NULL;
    dcps_shuffle *shuffle = NULL;
    dcps_tape_config config = {
        .layout = loaded->layout, .weights = weights, .gradient = gradient, .backend = dcps_ref_backend()};
    dcps_layout_initialise(loaded->layout, SEED, weights);
    ck_assert_int_eq(dcps_tape_create(&config, &tape), DCPS_OK);
    ck_assert_int_eq(dcps_shuffle_create(TOY_SAMPLES, TOY_BATCH, SEED, &shuffle), DCPS_OK);
    for (uint64_t number = 0; number < EPOCHS * dcps_shuffle_batches_per_epoch(shuffle); number++) {
        dcps_batch batch = dcps_shuffle_batch(shuffle, number);
        ck_assert_int_eq(dcps_trainer_step(loaded->model, loaded->state, tape, &batch, &loss), DCPS_OK);
        if (loaded->info.clip_norm > 0) {
            (void)dcps_clip_gradient(loaded->layout, loaded->info.clip_norm, gradient);
        }
        for (uint64_t i = 0; i < params; i++) {
            float step = (float)RATE * gradient[i];
            weights[i] -= step;
        }
    }
    dcps_shuffle_destroy(&shuffle);
    dcps_tape_destroy(&tape);
    dcps_free(gradient);
    return loss;
}

static void read_weights(const loopback_server *server, const dcps_layout *layout, float *weights)
{
    dcps_client *client = NULL;
    dcps_work work;
    dcps_snapshot_info info;
    dcps_client_config config = {.servers = loopback_address(server), .observer = true};
    ck_assert_int_eq(dcps_client_connect(&config, &client), DCPS_OK);
    ck_assert_int_eq(dcps_client_declare(client, layout, TOY_SAMPLES, weights, NULL, &work), DCPS_OK);
    ck_assert_int_eq(dcps_client_snapshot(client, EPOCHS - 1, false, &info), DCPS_OK);
    ck_assert_uint_eq(info.samples, EPOCHS * TOY_SAMPLES);
    dcps_client_destroy(&client);
}

static loopback_config toy_config(void)
{
    return (loopback_config){.shards = 2,
                             .block_params = 16,
                             .epochs = EPOCHS,
                             .batch_size = TOY_BATCH,
                             .rate = RATE,
                             .seed = SEED,
                             .snapshot_every_samples = TOY_SAMPLES};
}

/* Second round: with a clipped gradient, as the norms here are above the limit at first and below it in the end. */
START_TEST(one_worker_is_serial_sgd_to_the_bit)
{
    static const char *const algorithms[] = {"sgd", "asgd", "ssgd", "dc-asgd-c", "dc-asgd-a"};
    toy_model toy;
    dcps_loaded_model loaded;
    dcps_trainer_report report;
    toy_model_open(&toy, &loaded);
    loaded.info.clip_norm = _i == 0 ? 0 : 0.4;
    uint64_t params = dcps_layout_total_params(loaded.layout);
    float *serial = dcps_alloc_aligned(params, sizeof(float));
    float *parallel = dcps_alloc_aligned(params, sizeof(float));
    float loss = train_serially(&loaded, serial);
    for (size_t i = 0; i < sizeof(algorithms) / sizeof(algorithms[0]); i++) {
        loopback_config config = toy_config();
        config.algorithm = algorithms[i];
        loopback_server *server = loopback_start(&config);
        ck_assert_msg(train(server, &loaded, NULL, &report) == DCPS_OK, "%s", dcps_error_message());
        ck_assert_uint_eq(report.steps, EPOCHS * 7); /* ceil(50 / 8) batches */
        ck_assert_uint_eq(report.samples, EPOCHS * TOY_SAMPLES);
        ck_assert_uint_eq(report.worker, 0);
        ck_assert(!report.stopped);
        ck_assert_uint_eq(toy.latest.turn, toy.latest.number);
        ck_assert_uint_eq(toy.latest.turn, EPOCHS * 7 - 1);
        ck_assert_uint_eq(toy.latest.size, TOY_BATCH);
        ck_assert(report.final_loss == (double)loss);
        ck_assert(report.seconds > 0 && report.compute_seconds > 0 && report.wait_seconds > 0);
        ck_assert(report.compute_seconds + report.wait_seconds <= report.seconds);
        ck_assert_uint_eq(report.wait_ns.count, report.steps);
        ck_assert_double_eq_tol((double)report.wait_ns.sum / 1e9, report.wait_seconds, 1e-6);
        read_weights(server, loaded.layout, parallel);
        ck_assert_msg(memcmp(serial, parallel, params * sizeof(float)) == 0, "%s differs", algorithms[i]);
        ck_assert_uint_eq(loopback_departures(server, DCPS_DEPARTURE_DONE), 1);
        loopback_kill(&server);
    }
    dcps_free(serial);
    dcps_free(parallel);
    toy_model_close(&loaded);
}
END_TEST

/* One of two workers, on a thread of its own. */
typedef struct one_of_two {
    const loopback_server *server;
    toy_model toy;
} one_of_two;

static void *train_beside(void *context)
{
    one_of_two *self = context;
    dcps_loaded_model loaded;
    dcps_trainer_report report;
    toy_model_open(&self->toy, &loaded);
    ck_assert_int_eq(train(self->server, &loaded, NULL, &report), DCPS_OK);
    toy_model_close(&loaded);
    return NULL;
}

/* Tickets go to whoever asks first, but every worker counts its own batches one by one. */
START_TEST(each_worker_takes_turns_of_its_own)
{
    loopback_config config = toy_config();
    config.workers = 2;
    config.algorithm = "ssgd";
    loopback_server *server = loopback_start(&config);
    one_of_two workers[2] = {{.server = server}, {.server = server}};
    pthread_t threads[2];
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(pthread_create(&threads[i], NULL, train_beside, &workers[i]), 0);
    }
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
    }
    ck_assert_uint_eq(workers[0].toy.loads + workers[1].toy.loads, EPOCHS * 7);
    ck_assert_uint_eq(workers[0].toy.first.worker + workers[1].toy.first.worker, 1);
    for (int i = 0; i < 2; i++) {
        const toy_model *toy = &workers[i].toy;
        ck_assert_uint_gt(toy->loads, 1);
        ck_assert_uint_eq(toy->latest.workers, 2);
        ck_assert_uint_eq(toy->first.turn, 0);
        ck_assert_uint_eq(toy->latest.turn, toy->loads - 1);
        ck_assert_uint_eq(toy->gaps, 0);
    }
    loopback_kill(&server);
}
END_TEST

START_TEST(a_step_allocates_nothing_in_the_end)
{
    toy_model toy;
    dcps_loaded_model loaded;
    dcps_tape *tape = NULL;
    dcps_shuffle *shuffle = NULL;
    float loss = 0;
    toy_model_open(&toy, &loaded);
    uint64_t params = dcps_layout_total_params(loaded.layout);
    float *weights = dcps_alloc_aligned(params, sizeof(float));
    float *gradient = dcps_alloc_aligned(params, sizeof(float));
    dcps_tape_config config = {
        .layout = loaded.layout, .weights = weights, .gradient = gradient, .backend = dcps_ref_backend()};
    ck_assert_int_eq(dcps_tape_create(&config, &tape), DCPS_OK);
    ck_assert_int_eq(dcps_shuffle_create(TOY_SAMPLES, TOY_BATCH, SEED, &shuffle), DCPS_OK);
    uint64_t before = 0;
    for (uint64_t number = 0; number < 30; number++) {
        dcps_batch batch = dcps_shuffle_batch(shuffle, number);
        ck_assert_int_eq(dcps_trainer_step(loaded.model, loaded.state, tape, &batch, &loss), DCPS_OK);
        before = number == 7 ? dcps_alloc_count() : before;
    }
    ck_assert_uint_eq(dcps_alloc_count(), before);
    dcps_shuffle_destroy(&shuffle);
    dcps_tape_destroy(&tape);
    dcps_free(weights);
    dcps_free(gradient);
    toy_model_close(&loaded);
}
END_TEST

START_TEST(goes_on_when_diverged)
{
    char log[8192];
    capture stderr_text;
    toy_model toy;
    dcps_loaded_model loaded;
    dcps_trainer_report report;
    loopback_config config = toy_config();
    loopback_server *server = loopback_start(&config);
    toy_model_open(&toy, &loaded);
    toy.poison_at = 5;
    capture_start(&stderr_text, STDERR_FILENO);
    ck_assert_int_eq(train(server, &loaded, NULL, &report), DCPS_OK);
    capture_end(&stderr_text, log, sizeof(log));
    ck_assert_uint_eq(report.steps, EPOCHS * 7);
    ck_assert(isnan(report.final_loss));
    char *warning = strstr(log, "the run has diverged, lower --learning-rate");
    ck_assert_ptr_nonnull(warning);
    ck_assert_ptr_null(strstr(warning + 1, "the run has diverged"));
    toy_model_close(&loaded);
    loopback_kill(&server);
}
END_TEST

START_TEST(says_goodbye_when_the_model_fails)
{
    toy_model toy;
    dcps_loaded_model loaded;
    dcps_trainer_report report;
    loopback_config config = toy_config();
    loopback_server *server = loopback_start(&config);
    toy_model_open(&toy, &loaded);
    toy.fail_at = 3;
    ck_assert_int_eq(train(server, &loaded, NULL, &report), DCPS_IO);
    ck_assert_str_eq(dcps_error_message(), "model toy, load: the toy is broken");
    ck_assert_uint_eq(report.steps, 2);
    ck_assert_uint_eq(loopback_departures(server, DCPS_DEPARTURE_EARLY), 1);
    toy_model_close(&loaded);
    loopback_kill(&server);
}
END_TEST

/* A model that does not say why it failed gets no reason of somebody else's. */
START_TEST(names_a_model_that_fails_without_a_word)
{
    toy_model toy;
    dcps_loaded_model loaded;
    dcps_trainer_report report;
    loopback_config config = toy_config();
    loopback_server *server = loopback_start(&config);
    toy_model_open(&toy, &loaded);
    toy.fail_silently_at = 1;
    ck_assert_int_eq(dcps_fail(DCPS_IO, "an old story"), DCPS_IO);
    ck_assert_int_eq(train(server, &loaded, NULL, &report), DCPS_CORRUPT);
    ck_assert_ptr_nonnull(strstr(dcps_error_message(), "model toy, load: failed without a reason ("));
    ck_assert_ptr_nonnull(strstr(dcps_error_message(), dcps_status_text(DCPS_CORRUPT)));
    toy_model_close(&loaded);
    loopback_kill(&server);
}
END_TEST

/* Sends the process `number` after a while. */
static void *send_signal(void *number)
{
    (void)usleep(300000);
    ck_assert_int_eq(kill(getpid(), *(int *)number), 0);
    return NULL;
}

/* The second worker never comes, so the first is waiting when asked to stop. */
START_TEST(a_signal_stops_it)
{
    toy_model toy;
    dcps_loaded_model loaded;
    dcps_trainer_report report;
    dcps_stop *stop = NULL;
    pthread_t thread;
    int numbers[] = {SIGTERM, SIGINT, SIGHUP};
    int number = numbers[_i];
    loopback_config config = toy_config();
    config.algorithm = "ssgd";
    config.workers = 2;
    (void)signal(SIGHUP, SIG_DFL);                      /* whatever started this test */
    ck_assert_int_eq(dcps_stop_create(&stop), DCPS_OK); /* before there are threads that would take the signal */
    loopback_server *server = loopback_start(&config);
    toy_model_open(&toy, &loaded);
    ck_assert(!dcps_stop_requested(stop));
    ck_assert_int_eq(pthread_create(&thread, NULL, send_signal, &number), 0);
    uint64_t began_ns = dcps_clock_ns();
    ck_assert_int_eq(train(server, &loaded, stop, &report), DCPS_OK);
    ck_assert_double_lt((double)(dcps_clock_ns() - began_ns) / 1e9, 20.0);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    ck_assert(dcps_stop_requested(stop));
    ck_assert(report.stopped);
    ck_assert_uint_eq(report.steps, 0);
    ck_assert_uint_eq(loopback_departures(server, DCPS_DEPARTURE_EARLY), 1);
    dcps_stop_destroy(&stop);
    toy_model_close(&loaded);
    loopback_kill(&server);
}
END_TEST

/* Sends the process SIGTERM a while after the first step of a model has begun. */
static void *send_term_in_the_step(void *context)
{
    const toy_model *toy = context;
    while (!atomic_load(&toy->began)) {
        (void)usleep(10000);
    }
    (void)usleep(300000);
    ck_assert_int_eq(kill(getpid(), SIGTERM), 0);
    return NULL;
}

/* Its first gradient would leave after days. */
START_TEST(a_signal_ends_the_pause_of_a_slow_worker)
{
    toy_model toy;
    dcps_loaded_model loaded;
    dcps_trainer_report report;
    dcps_stop *stop = NULL;
    pthread_t thread;
    loopback_config config = toy_config();
    ck_assert_int_eq(dcps_stop_create(&stop), DCPS_OK);
    loopback_server *server = loopback_start(&config);
    toy_model_open(&toy, &loaded);
    dcps_client *client = connect_to(server);
    dcps_trainer_config slow = {.loaded = &loaded, .backend = dcps_ref_backend(), .stop = stop, .slowdown = 1e12};
    ck_assert_int_eq(pthread_create(&thread, NULL, send_term_in_the_step, &toy), 0);
    uint64_t began_ns = dcps_clock_ns();
    ck_assert_int_eq(dcps_trainer_run(&slow, &client, &report), DCPS_OK);
    ck_assert_double_lt((double)(dcps_clock_ns() - began_ns) / 1e9, 20.0);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    ck_assert(report.stopped);
    ck_assert_uint_le(report.steps, 1); /* that at hand */
    ck_assert_double_gt(report.compute_seconds, 0.2);
    dcps_stop_destroy(&stop);
    toy_model_close(&loaded);
    loopback_kill(&server);
}
END_TEST

START_TEST(a_second_signal_kills)
{
    dcps_stop *stop = NULL;
    ck_assert_int_eq(dcps_stop_create(&stop), DCPS_OK);
    ck_assert_int_eq(kill(getpid(), SIGTERM), 0);
    while (!dcps_stop_requested(stop)) {
        (void)usleep(1000);
    }
    (void)usleep(DCPS_ONE_REQUEST_NS / 1000);
    ck_assert_int_eq(kill(getpid(), SIGTERM), 0);
    (void)usleep(5000000);
}
END_TEST

/* Closing a terminal may bring it twice. */
START_TEST(a_second_hangup_does_not_kill)
{
    dcps_stop *stop = NULL;
    (void)signal(SIGHUP, SIG_DFL);
    ck_assert_int_eq(dcps_stop_create(&stop), DCPS_OK);
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(kill(getpid(), SIGHUP), 0);
        while (!dcps_stop_requested(stop)) {
            (void)usleep(1000);
        }
        (void)usleep(DCPS_ONE_REQUEST_NS / 1000 + 50000);
    }
    dcps_stop_destroy(&stop);
}
END_TEST

START_TEST(nohup_is_respected)
{
    dcps_stop *stop = NULL;
    (void)signal(SIGHUP, SIG_IGN);
    ck_assert_int_eq(dcps_stop_create(&stop), DCPS_OK);
    ck_assert_int_eq(kill(getpid(), SIGHUP), 0);
    (void)usleep(100000);
    ck_assert(!dcps_stop_requested(stop));
    dcps_stop_destroy(&stop);
}
END_TEST

START_TEST(prints_one_json_line)
{
    char text[1024];
    FILE *out = fmemopen(text, sizeof(text), "w");
    ck_assert_ptr_nonnull(out);
    dcps_trainer_report report = {.worker = 3,
                                  .steps = 10,
                                  .samples = 1280,
                                  .seconds = 2.5,
                                  .compute_seconds = 0.1,
                                  .wait_seconds = 1.0 / 3.0,
                                  .final_loss = (double)NAN};
    dcps_histogram_add(&report.wait_ns, 0);
    dcps_histogram_add(&report.wait_ns, 0);
    dcps_histogram_add(&report.wait_ns, 1500000000);
    dcps_trainer_report_print(&report, out);
    (void)fclose(out);
    ck_assert_str_eq(text, "{\"worker\":3,\"steps\":10,\"samples\":1280,\"seconds\":2.5,\"compute_seconds\":0.1,"
                           "\"wait_seconds\":0.3333333333333333,"
                           "\"wait\":{\"count\":3,\"mean\":0.5,\"p50\":0,\"p99\":1.5,\"max\":1.5,"
                           "\"histogram\":[[0,2],[1.476395008,1]]},"
                           "\"final_loss\":null}\n");
}
END_TEST

/* dcps run takes lines below 16,384 bytes in one piece. */
START_TEST(the_longest_line_is_taken_in_one_piece)
{
    static char text[65536];
    FILE *out = fmemopen(text, sizeof(text), "w");
    ck_assert_ptr_nonnull(out);
    dcps_trainer_report report = {.worker = UINT32_MAX,
                                  .steps = UINT64_MAX,
                                  .samples = UINT64_MAX,
                                  .seconds = 1e9 / 3,
                                  .compute_seconds = 1e9 / 3,
                                  .wait_seconds = 1e9 / 3,
                                  .wait_ns = {.count = UINT64_MAX, .sum = UINT64_MAX, .max = UINT64_MAX},
                                  .final_loss = -1e300 / 3};
    for (uint32_t i = 0; i < DCPS_HISTOGRAM_BUCKETS; i++) {
        report.wait_ns.buckets[i] = UINT64_MAX;
    }
    dcps_trainer_report_print(&report, out);
    (void)fclose(out);
    ck_assert_ptr_nonnull(strchr(text, '\n'));
    ck_assert_uint_lt(strlen(text), 16384);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("trainer");
    TCase *group = tcase_create("trainer");
    tcase_set_timeout(group, 60);
    tcase_add_loop_test(group, one_worker_is_serial_sgd_to_the_bit, 0, 2);
    tcase_add_test(group, each_worker_takes_turns_of_its_own);
    tcase_add_test(group, a_step_allocates_nothing_in_the_end);
    tcase_add_test(group, goes_on_when_diverged);
    tcase_add_test(group, says_goodbye_when_the_model_fails);
    tcase_add_test(group, names_a_model_that_fails_without_a_word);
    tcase_add_loop_test(group, a_signal_stops_it, 0, 3);
    tcase_add_test(group, a_signal_ends_the_pause_of_a_slow_worker);
    tcase_add_test_raise_signal(group, a_second_signal_kills, SIGTERM);
    tcase_add_test(group, a_second_hangup_does_not_kill);
    tcase_add_test(group, nohup_is_respected);
    tcase_add_test(group, prints_one_json_line);
    tcase_add_test(group, the_longest_line_is_taken_in_one_piece);
    suite_add_tcase(suite, group);
    return check_run(suite);
}
