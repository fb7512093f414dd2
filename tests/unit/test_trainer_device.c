/* The training loop with a device: what it pushes while the device computes trains the weights that a host would, to the bit. */
#include <check.h>
#include <string.h>

#include "base/alloc.h"
#include "cuda/cuda.h"
#include "support/check_main.h"
#include "support/cuda/ref_on_device.h"
#include "support/loopback_server.h"
#include "support/toy_model.h"
#include "tensor/ref/ref.h"
#include "worker/evaluate.h"
#include "worker/trainer.h"

#define EPOCHS 3u

static loopback_server *start(void)
{
    const loopback_config config = {.shards = 2,
                                    .block_params = 16,
                                    .epochs = EPOCHS,
                                    .batch_size = TOY_BATCH,
                                    .rate = 0.25,
                                    .seed = 21,
                                    .algorithm = "dc-asgd-a",
                                    .snapshot_every_samples = TOY_SAMPLES};
    return loopback_start(&config);
}

static dcps_client *connect_to(const loopback_server *server, bool observer)
{
    dcps_client *client = NULL;
    const dcps_client_config config = {.servers = loopback_address(server), .observer = observer};
    ck_assert_msg(dcps_client_connect(&config, &client) == DCPS_OK, "%s", dcps_error_message());
    return client;
}

/* Trains, and evaluates every snapshot into `lines`. Returns the last loss. */
static double train(const dcps_loaded_model *loaded, const dcps_backend *backend, dcps_device *device, char *lines,
                    size_t capacity)
{
    loopback_server *server = start();
    dcps_trainer_report report;
    dcps_client *client = connect_to(server, false);
    const dcps_trainer_config config = {.loaded = loaded, .backend = backend, .device = device};
    ck_assert_msg(dcps_trainer_run(&config, &client, &report) == DCPS_OK, "%s", dcps_error_message());
    ck_assert_uint_eq(report.samples, EPOCHS * TOY_SAMPLES);
    FILE *out = fmemopen(lines, capacity, "w");
    client = connect_to(server, true);
    const dcps_evaluate_config evaluation = {
        .loaded = loaded, .backend = backend, .device = device, .split = DCPS_SPLIT_TEST, .out = out};
    ck_assert_msg(dcps_evaluate_run(&evaluation, &client) == DCPS_OK, "%s", dcps_error_message());
    ck_assert_int_eq(fclose(out), 0);
    loopback_kill(&server);
    return report.final_loss;
}

/* Seconds differ from run to run. */
static void hide_seconds(char *lines)
{
    for (char *at = strstr(lines, "\"seconds\":"); at != NULL; at = strstr(at, "\"seconds\":")) {
        for (at += strlen("\"seconds\":"); *at != ',' && *at != '\0'; at++) {
            *at = '_';
        }
    }
    for (char *from = lines, *to = lines; from == lines || from[-1] != '\0'; from++) {
        if (*from != '_') {
            *to++ = *from;
        }
    }
}

START_TEST(a_device_trains_and_evaluates_as_the_host_does)
{
    toy_model toy;
    dcps_loaded_model loaded;
    dcps_device *device = NULL;
    char expected[4096] = "", seen[4096] = "";
    ck_assert_msg(dcps_cuda_open(0, &device) == DCPS_OK, "%s", dcps_error_message());
    toy_model_open(&toy, &loaded);
    double host = train(&loaded, dcps_ref_backend(), NULL, expected, sizeof(expected));
    unsigned long calls = ref_on_device_calls();
    double there = train(&loaded, ref_on_device_backend(), device, seen, sizeof(seen));
    ck_assert_uint_gt(ref_on_device_calls(), calls);
    ck_assert(host == there);
    hide_seconds(expected);
    hide_seconds(seen);
    ck_assert_ptr_nonnull(strstr(seen, "metrics"));
    ck_assert_str_eq(seen, expected);
    toy_model_close(&loaded);
    dcps_cuda_close(&device);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("trainer_device");
    TCase *group = tcase_create("trainer_device");
    tcase_set_timeout(group, 60);
    tcase_add_test(group, a_device_trains_and_evaluates_as_the_host_does);
    suite_add_tcase(suite, group);
    return check_run(suite);
}
