/* dcps-worker as its users type it: what it prints, and with which code it leaves. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dcps/worker.h"
#include "support/capture.h"
#include "support/check_main.h"
#include "support/loopback_server.h"

#define MAX_ARGUMENTS 16

typedef struct outcome {
    int code;
    char out[8192];
    char log[8192];
} outcome;

static outcome run(const char *const *arguments)
{
    outcome result;
    capture out;
    capture log;
    char *argv[MAX_ARGUMENTS + 2] = {"dcps-worker"};
    int argc = 1;
    for (; *arguments != NULL; arguments++) {
        ck_assert_int_lt(argc, MAX_ARGUMENTS);
        argv[argc++] = (char *)*arguments;
    }
    capture_start(&out, STDOUT_FILENO);
    capture_start(&log, STDERR_FILENO);
    result.code = dcps_worker_main(argc, argv);
    capture_end(&log, result.log, sizeof(result.log));
    capture_end(&out, result.out, sizeof(result.out));
    return result;
}

#define RUN(...) run((const char *const[]){__VA_ARGS__, NULL})

static void assert_has(const char *text, const char *words)
{
    ck_assert_msg(strstr(text, words) != NULL, "no \"%s\" in: %s", words, text);
}

static void assert_usage(const outcome *result, const char *words)
{
    ck_assert_int_eq(result->code, 2);
    ck_assert_str_eq(result->out, "");
    assert_has(result->log, words);
}

START_TEST(wrong_usage_is_2)
{
    outcome result = RUN("--servers", "127.0.0.1:7070");
    assert_usage(&result, "--model is missing");
    result = RUN("--model", "mlp");
    assert_usage(&result, "--servers is missing");
    static const char *const devices[] = {"gpu",      "cuda:",      "cuda:x", "cuda:-1",
                                          "cuda:0x1", "cuda:12345", "CPU",    "cudart"};
    for (size_t i = 0; i < sizeof(devices) / sizeof(devices[0]); i++) {
        result = RUN("--model", "mlp", "--servers", "127.0.0.1:7070", "--device", devices[i]);
        assert_usage(&result, "expected cpu, cuda or cuda:N, where N counts the GPUs from 0");
        assert_has(result.log, devices[i]);
    }
    result = RUN("--model", "mlp", "--servers", "127.0.0.1:7070", "--split", "half");
    assert_usage(&result, "split");
    result = RUN("--model", "mlp", "--servers", "127.0.0.1:7070", "--threads", "0");
    assert_usage(&result, "threads");
    result = RUN("--no-such-flag");
    assert_usage(&result, "no-such-flag");
    result = RUN("--help-model");
    assert_usage(&result, "--model is missing");
}
END_TEST

/* No machine has so many. Without any, or in a build without CUDA, the reason is another. */
START_TEST(a_gpu_that_is_not_there_is_1)
{
    outcome result = RUN("--model", "mlp", "--servers", "127.0.0.1:1", "--device", "cuda:999");
    ck_assert_int_eq(result.code, 1);
    ck_assert_str_eq(result.out, "");
    assert_has(result.log, "device cuda:999: ");
    ck_assert_msg(strstr(result.log, "expected a GPU of 0 … ") != NULL || strstr(result.log, "no GPU: ") != NULL ||
                      strstr(result.log, "this build of dcps has no CUDA") != NULL,
                  "%s", result.log);
}
END_TEST

START_TEST(help_and_settings_are_0)
{
    outcome result = RUN("--help");
    ck_assert_int_eq(result.code, 0);
    assert_has(result.out, "--evaluate");
    ck_assert_int_eq(setenv("DCPS_DATA", "/some/where", 1), 0);
    result = RUN("--print-config", "--model", "mlp");
    ck_assert_int_eq(result.code, 0);
    assert_has(result.out, "/some/where");
}
END_TEST

START_TEST(a_missing_model_is_1)
{
    outcome result = RUN("--servers", "127.0.0.1:7070", "--model", "no-such-model");
    ck_assert_int_eq(result.code, 1);
    assert_has(result.log, "no-such-model");
    ck_assert_str_eq(result.out, "");
}
END_TEST

START_TEST(lists_models)
{
    ck_assert_int_eq(setenv("DCPS_MODELS", TEST_MODELS_DIR, 1), 0);
    outcome result = RUN("--list-models");
    ck_assert_int_eq(result.code, 0);
    assert_has(result.out, "variant_good ");
    assert_has(result.out, TEST_MODELS_DIR "/variant_good.so)");
    assert_has(result.out, "variant_old_abi  cannot be used: ");
    ck_assert_ptr_null(strstr(strstr(result.out, "variant_good ") + 1, "variant_good ")); /* once */
    result = RUN("--help-model", "--model", "variant_good");
    ck_assert_int_eq(result.code, 0);
    assert_has(result.out, "variant: ");
}
END_TEST

START_TEST(a_silent_server_is_75)
{
    char address[32];
    (void)snprintf(address, sizeof(address), "127.0.0.1:%u", loopback_free_port());
    ck_assert_int_eq(setenv("DCPS_MODELS", TEST_MODELS_DIR, 1), 0);
    outcome result = RUN("--servers", address, "--model", "toy", "--timeout", "0.5", "--log-format", "json");
    ck_assert_int_eq(result.code, 75);
    ck_assert_str_eq(result.out, "");
    assert_has(result.log, "does not answer at tcp://127.0.0.1:");
    assert_has(result.log, "{\"");
}
END_TEST

START_TEST(trains_and_evaluates)
{
    loopback_server *server = loopback_start(
        &(loopback_config){.shards = 2, .epochs = 3, .batch_size = 8, .snapshot_every_samples = UINT64_MAX});
    ck_assert_int_eq(setenv("DCPS_MODELS", TEST_MODELS_DIR, 1), 0);
    ck_assert_int_eq(setenv("DCPS_SERVERS", loopback_address(server), 1), 0);
    outcome result = RUN("--model", "toy", "--model-opt", "scale=2", "--log-level", "warn");
    ck_assert_msg(result.code == 0, "%s", result.log);
    ck_assert_str_eq(result.log, "");
    assert_has(result.out, "{\"worker\":0,\"steps\":21,\"samples\":150,\"seconds\":");
    ck_assert_ptr_eq(strchr(result.out, '\n'), result.out + strlen(result.out) - 1);
    result = RUN("--model", "toy", "--model-opt", "scale=2", "--evaluate");
    ck_assert_msg(result.code == 0, "%s", result.log);
    assert_has(result.out, "{\"snapshot\":0,\"epoch\":1,\"samples\":50,");
    assert_has(result.out, "{\"snapshot\":2,\"epoch\":3,\"samples\":150,");
    result = RUN("--model", "toy", "--model-opt", "scale=two");
    assert_usage(&result, "scale");
    loopback_kill(&server);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        wrong_usage_is_2, a_gpu_that_is_not_there_is_1, help_and_settings_are_0, a_missing_model_is_1,
        lists_models,     a_silent_server_is_75,        trains_and_evaluates};
    return CHECK_MAIN("worker program", tests);
}
