/* Evaluation of snapshots: which there are, what is printed, and the loop beside a training run. */
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "proto/snapshot_count.h"
#include "support/check_main.h"
#include "support/loopback_server.h"
#include "support/toy_model.h"
#include "tensor/ref/ref.h"
#include "worker/evaluate.h"
#include "worker/trainer.h"

START_TEST(counts_snapshots)
{
    ck_assert_uint_eq(dcps_snapshot_count(0, 100, 3), 0);
    ck_assert_uint_eq(dcps_snapshot_count(100, 100, 3), 3);
    ck_assert_uint_eq(dcps_snapshot_count(99, 100, 3), 4);
    ck_assert_uint_eq(dcps_snapshot_count(301, 100, 3), 1);
    ck_assert_uint_eq(dcps_snapshot_count(1, 100, 3), 300);
    ck_assert_uint_eq(dcps_snapshot_count(UINT64_MAX, 100, 3), 3);
    ck_assert_uint_eq(dcps_snapshot_count(10, 100, 0), 0);
    ck_assert_uint_eq(dcps_snapshot_count(UINT64_MAX - 1, UINT64_MAX, UINT32_MAX), 2);
    ck_assert_uint_eq(dcps_snapshot_count(1, UINT64_C(1) << 63, 2), UINT64_MAX);
}
END_TEST

START_TEST(splits_have_names)
{
    ck_assert_int_eq(dcps_split_named("train"), DCPS_SPLIT_TRAIN);
    ck_assert_int_eq(dcps_split_named("validation"), DCPS_SPLIT_VALIDATION);
    ck_assert_int_eq(dcps_split_named("test"), DCPS_SPLIT_TEST);
}
END_TEST

START_TEST(prints_json)
{
    char text[1024];
    FILE *out = fmemopen(text, sizeof(text), "w");
    ck_assert_ptr_nonnull(out);
    dcps_metrics metrics = {.count = 0};
    dcps_metrics_set(&metrics, "test_error", 0.0865);
    dcps_metrics_set(&metrics, "odd\"\\\n", (double)INFINITY);
    dcps_model_info info = {.train_samples = 60000, .dataset = "fashion\tmnist"};
    dcps_snapshot_info snapshot = {.samples = 90000, .seconds = 12.25, .train_loss = (double)NAN};
    dcps_evaluate_print(out, 2, &snapshot, &info, &metrics);
    (void)fclose(out);
    ck_assert_str_eq(
        text, "{\"snapshot\":2,\"epoch\":1.5,\"samples\":90000,\"seconds\":12.25,\"train_loss\":null,"
              "\"dataset\":\"fashion\\u0009mnist\",\"metrics\":{\"test_error\":0.0865,\"odd\\\"\\\\?\":null}}\n");
}
END_TEST

/* A plugin may name its metrics as it likes: the line stays JSON, and names that are cut to the same are one. */
START_TEST(prints_any_name_as_utf8)
{
    char text[1024];
    const char long_name[] =
        "0123456789012345678901234567890123456789012345\u00e9 and more"; /* byte 47 is half of it */
    FILE *out = fmemopen(text, sizeof(text), "w");
    ck_assert_ptr_nonnull(out);
    dcps_metrics metrics = {.count = 0};
    dcps_metrics_set(&metrics, long_name, 1.0);
    dcps_metrics_set(&metrics, long_name, 2.0);
    dcps_metrics_set(&metrics, "caf\xe9", 3.0);
    dcps_metrics_set(&metrics, "caf\xe8", 4.0);
    dcps_model_info info = {.train_samples = 1, .dataset = "\u00e9\xff"};
    dcps_evaluate_print(out, 0, &(dcps_snapshot_info){.samples = 1}, &info, &metrics);
    (void)fclose(out);
    const char *named = strstr(text, "\"dataset\"");
    ck_assert_ptr_nonnull(named);
    ck_assert_str_eq(named, "\"dataset\":\"\u00e9?\",\"metrics\":{"
                            "\"0123456789012345678901234567890123456789012345\":2,\"caf?\":4}}\n");
}
END_TEST

static dcps_client *connect_to(const loopback_server *server, bool observer)
{
    dcps_client *client = NULL;
    dcps_client_config config = {.servers = loopback_address(server), .observer = observer};
    ck_assert_msg(dcps_client_connect(&config, &client) == DCPS_OK, "%s", dcps_error_message());
    return client;
}

static void train(const loopback_server *server, const dcps_loaded_model *loaded)
{
    dcps_client *client = connect_to(server, false);
    dcps_trainer_report report;
    dcps_trainer_config config = {.loaded = loaded, .backend = dcps_ref_backend()};
    ck_assert_int_eq(dcps_trainer_run(&config, &client, &report), DCPS_OK);
}

static dcps_status evaluate(const loopback_server *server, const dcps_loaded_model *loaded, dcps_split split,
                            char *text, size_t bytes)
{
    FILE *out = fmemopen(text, bytes, "w");
    ck_assert_ptr_nonnull(out);
    dcps_client *client = connect_to(server, true);
    dcps_evaluate_config config = {.loaded = loaded, .backend = dcps_ref_backend(), .split = split, .out = out};
    dcps_status status = dcps_evaluate_run(&config, &client);
    ck_assert_ptr_null(client);
    (void)fclose(out);
    return status;
}

START_TEST(evaluates_every_snapshot)
{
    char text[4096] = "";
    toy_model toy;
    dcps_loaded_model loaded;
    loopback_server *server = loopback_start(&(loopback_config){
        .shards = 2, .block_params = 16, .epochs = 2, .batch_size = TOY_BATCH, .snapshot_every_samples = 48});
    toy_model_open(&toy, &loaded);
    train(server, &loaded);
    ck_assert_msg(evaluate(server, &loaded, DCPS_SPLIT_TEST, text, sizeof(text)) == DCPS_OK, "%s",
                  dcps_error_message());
    /* 100 samples in batches of 8, the last of each epoch 2: marks at 48, 96 (first reached by 98) and the end. */
    const char *const begins[] = {"{\"snapshot\":0,\"epoch\":0.96,\"samples\":48,",
                                  "{\"snapshot\":1,\"epoch\":1.96,\"samples\":98,",
                                  "{\"snapshot\":2,\"epoch\":2,\"samples\":100,"};
    char *line = text;
    double sum = 0.0; /* in the line read last */
    for (uint32_t i = 0; i < 3; i++) {
        ck_assert_msg(strncmp(line, begins[i], strlen(begins[i])) == 0, "line %u: %s", i, line);
        const char *metrics = strstr(line, "\"dataset\":\"to\\\"ys\",\"metrics\":{\"sum\":");
        ck_assert_ptr_nonnull(metrics);
        ck_assert_int_eq(sscanf(metrics, "\"dataset\":\"to\\\"ys\",\"metrics\":{\"sum\":%lf,", &sum), 1);
        line = strchr(line, '\n');
        ck_assert_ptr_nonnull(line);
        line++;
    }
    ck_assert_str_eq(line, "");
    ck_assert_double_eq(sum, toy.evaluated); /* real numbers are printed so that they come back the same */
    toy_model_close(&loaded);
    loopback_kill(&server);
}
END_TEST

START_TEST(says_why_there_is_nothing)
{
    char text[1024] = "";
    toy_model toy;
    dcps_loaded_model loaded;
    loopback_server *server = loopback_start(&(loopback_config){.batch_size = TOY_BATCH});
    toy_model_open(&toy, &loaded);
    train(server, &loaded);
    ck_assert_int_eq(evaluate(server, &loaded, DCPS_SPLIT_TEST, text, sizeof(text)), DCPS_NOT_FOUND);
    ck_assert_ptr_nonnull(strstr(dcps_error_message(), "keep no snapshots"));
    loopback_kill(&server);
    server = loopback_start(&(loopback_config){.batch_size = TOY_BATCH, .snapshot_every_samples = TOY_SAMPLES});
    train(server, &loaded);
    ck_assert_int_eq(evaluate(server, &loaded, DCPS_SPLIT_VALIDATION, text, sizeof(text)), DCPS_UNSUPPORTED);
    ck_assert_str_eq(dcps_error_message(), "model toy, evaluate: the toy has no such split");
    ck_assert_str_eq(text, "");
    toy_model_close(&loaded);
    loopback_kill(&server);
}
END_TEST

START_TEST(ends_where_the_run_ended)
{
    static char text[256 * 1024]; /* the server may take note of the end only after many epochs, each with a line */
    toy_model toy;
    dcps_loaded_model loaded;
    loopback_server *server = loopback_start(
        &(loopback_config){.epochs = 1000, .batch_size = TOY_BATCH, .snapshot_every_samples = TOY_SAMPLES});
    toy_model_open(&toy, &loaded);
    dcps_client *client = connect_to(server, false);
    loopback_drain(server);
    dcps_trainer_report report;
    dcps_trainer_config config = {.loaded = &loaded, .backend = dcps_ref_backend()};
    ck_assert_int_eq(dcps_trainer_run(&config, &client, &report), DCPS_OK);
    ck_assert_uint_lt(report.steps, 1000);
    ck_assert_msg(evaluate(server, &loaded, DCPS_SPLIT_TEST, text, sizeof(text)) == DCPS_OK, "%s",
                  dcps_error_message());
    toy_model_close(&loaded);
    loopback_kill(&server);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {counts_snapshots,        splits_have_names,        prints_json,
                                  prints_any_name_as_utf8, evaluates_every_snapshot, says_why_there_is_nothing,
                                  ends_where_the_run_ended};
    return CHECK_MAIN("evaluate", tests);
}
