/* Worlds that are recorded, and done once more at quite other speeds. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "server/trace/trace.h"
#include "sim/world.h"
#include "support/check_main.h"
#include "support/temp_folder.h"

#define BLOCK_PARAMS 16u
#define PARAMS 80u
#define WORKERS 4u
#define PROCESSES 8u
#define BATCH_SIZE 8u

static struct {
    uint64_t batch;
    float weights[PARAMS];
} steps[PROCESSES];

static dcps_status begin(void *context, const dcps_world_step *step, const float *weights)
{
    (void)context;
    ck_assert_uint_lt(step->process, PROCESSES);
    steps[step->process].batch = step->batch;
    memcpy(steps[step->process].weights, weights, sizeof(steps[0].weights));
    return DCPS_OK;
}

/* Depends on every weight, so that any difference anywhere shows. */
static dcps_status finish(void *context, uint32_t process, float *gradient, float *loss, uint32_t *samples)
{
    const float *weights = steps[process].weights;
    (void)context;
    for (uint32_t i = 0; i < PARAMS; i++) {
        float noise = (float)((steps[process].batch * 7u + i * 3u) % 11u) / 11.0F - 0.5F;
        gradient[i] = 0.25F * weights[(i * 7u + 3u) % PARAMS] + noise;
    }
    *loss = fabsf(weights[0]);
    *samples = BATCH_SIZE;
    return DCPS_OK;
}

static dcps_layout *layout;
static temp_folder folder;

static void setup(void)
{
    const size_t dims[] = {PARAMS};
    temp_folder_create(&folder);
    ck_assert_int_eq(dcps_layout_create(&layout), DCPS_OK);
    ck_assert_int_eq(dcps_layout_add(layout, "w", DCPS_INIT_HE_NORMAL, 1, dims, NULL), DCPS_OK);
}

static void teardown(void)
{
    dcps_layout_destroy(&layout);
    temp_folder_delete(&folder);
}

static dcps_world_config world_of(const char *algorithm, uint64_t seed)
{
    dcps_world_config config = {
        .seed = 3,
        .schedule = {.base = 0.0625, .workers = WORKERS, .decay_factor = 1.0},
        .network = {.latency_ns = 100 * 1000, .jitter_ns = (1 + seed) * DCPS_NS_PER_MS},
        .servers = 2,
        .shards_per_server = 2,
        .workers = WORKERS,
        .epochs = 4,
        .batch_size = BATCH_SIZE,
        .samples_per_epoch = 10 * BATCH_SIZE,
        .layout = layout,
        .block_params = BLOCK_PARAMS,
        .lease_ms = 2000,
        .start_grace_ns = 10 * DCPS_NS_PER_S,
        .start_spread_ns = DCPS_NS_PER_S / 10,
        .step_times = {.distribution = seed == 1 ? DCPS_STEP_CONSTANT_TIME : DCPS_STEP_EXPONENTIAL,
                       .mean_ns = 50e6 * (double)seed},
        .deadline_ns = 3600 * DCPS_NS_PER_S,
        .settings = algorithm,
        .model = {.begin = begin, .finish = finish},
    };
    ck_assert_int_eq(dcps_algorithm_preset(algorithm, &config.algorithm), DCPS_OK);
    return config;
}

static dcps_status run_world(const dcps_world_config *config, dcps_world_outcome *outcome)
{
    dcps_world *world = NULL;
    dcps_status status = dcps_world_create(config, &world);
    if (status == DCPS_OK) {
        status = dcps_world_run(world, outcome);
    }
    dcps_world_destroy(&world);
    return status;
}

static void expect_good(const dcps_world_config *config, dcps_world_outcome *outcome)
{
    ck_assert_msg(run_world(config, outcome) == DCPS_OK, "%s", dcps_error_message());
    ck_assert(outcome->finished);
    ck_assert(outcome->weights_final);
}

static const char *const algorithms[] = {"asgd", "dc-asgd-a", "dana-dc", "ormo", "ssp", "ringmaster", "ssgd"};

START_TEST(other_speeds_give_the_same_weights)
{
    dcps_world_outcome recorded;
    dcps_world_outcome again;
    dcps_world_config config = world_of(algorithms[_i], 1);
    config.algorithm.backup_workers = config.algorithm.consistency == DCPS_CONSISTENCY_BSP ? 1 : 0;
    const uint32_t backup_workers = config.algorithm.backup_workers;
    config.record_dir = folder.path;
    expect_good(&config, &recorded);
    ck_assert(recorded.recorded);
    for (uint64_t seed = 2; seed < 6; seed++) {
        config = world_of(algorithms[_i], seed);
        config.algorithm.backup_workers = backup_workers;
        expect_good(&config, &again);
        ck_assert_msg(again.weights_digest != recorded.weights_digest,
                      "%s: speed does not matter, so this shows nothing", algorithms[_i]);
        config.replay_dir = folder.path;
        expect_good(&config, &again);
        ck_assert_uint_eq(again.weights_digest, recorded.weights_digest);
        ck_assert_uint_eq(again.pushes_dropped, recorded.pushes_dropped);
    }
}
END_TEST

START_TEST(messages_may_be_lost_in_a_replay)
{
    dcps_world_outcome recorded;
    dcps_world_outcome again;
    dcps_world_config config = world_of("dc-asgd-a", 1);
    config.record_dir = folder.path;
    expect_good(&config, &recorded);
    config = world_of("dc-asgd-a", 9);
    config.network.loss = 0.1;
    config.network.duplication = 0.1;
    config.replay_dir = folder.path;
    expect_good(&config, &again);
    ck_assert_uint_gt(again.duplicates_ignored, 0);
    ck_assert_uint_eq(again.weights_digest, recorded.weights_digest);
}
END_TEST

START_TEST(a_crash_spoils_a_record)
{
    dcps_world_outcome outcome;
    dcps_trace_run run;
    dcps_world_config config = world_of("asgd", 1);
    config.record_dir = folder.path;
    config.client_crashes = 1;
    config.trouble_ns = DCPS_NS_PER_S / 2;
    ck_assert_int_eq(run_world(&config, &outcome), DCPS_OK);
    ck_assert(outcome.finished);
    ck_assert(!outcome.recorded);
    ck_assert_int_eq(dcps_trace_run_read(folder.path, 0, &run), DCPS_OK);
    ck_assert(!run.complete);
    ck_assert_ptr_nonnull(strstr(run.reason, "was lost"));
    config = world_of("asgd", 1);
    config.replay_dir = folder.path;
    ck_assert_int_eq(run_world(&config, &outcome), DCPS_MISMATCH);
    ck_assert_ptr_nonnull(strstr(dcps_error_message(), "not complete"));
}
END_TEST

START_TEST(what_differs_is_refused)
{
    dcps_world_outcome outcome;
    dcps_world_config config = world_of("asgd", 1);
    config.record_dir = folder.path;
    expect_good(&config, &outcome);
    ck_assert_int_eq(run_world(&config, &outcome), DCPS_INVALID); /* no trace is written over */
#define REFUSED(member, value, part)                                                                                   \
    do {                                                                                                               \
        config = world_of("asgd", 1);                                                                                  \
        config.replay_dir = folder.path;                                                                               \
        config.member = (value);                                                                                       \
        ck_assert_int_eq(run_world(&config, &outcome), DCPS_MISMATCH);                                                 \
        ck_assert_msg(strstr(dcps_error_message(), (part)) != NULL, "%s", dcps_error_message());                       \
    } while (0)
    REFUSED(seed, 4, "--seed");
    REFUSED(epochs, 5, "--epochs");
    REFUSED(settings, "ssgd", "other settings");
    REFUSED(samples_per_epoch, 81, "samples an epoch");
    REFUSED(block_params, 32, "--block-params");
}
END_TEST

START_TEST(a_world_that_leaves_the_trace_ends)
{
    dcps_world_outcome outcome;
    dcps_world_config config = world_of("asgd", 1);
    config.record_dir = folder.path;
    expect_good(&config, &outcome);
    config = world_of("asgd", 1);
    config.replay_dir = folder.path;
    config.client_crashes = 1;
    config.trouble_ns = DCPS_NS_PER_S / 2;
    ck_assert_int_eq(run_world(&config, &outcome), DCPS_MISMATCH);
    ck_assert_msg(strstr(dcps_error_message(), "does not follow the trace") != NULL, "%s", dcps_error_message());
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("traces of worlds");
    TCase *group = tcase_create("worlds");
    tcase_add_checked_fixture(group, setup, teardown);
    tcase_add_loop_test(group, other_speeds_give_the_same_weights, 0, sizeof(algorithms) / sizeof(algorithms[0]));
    tcase_add_test(group, messages_may_be_lost_in_a_replay);
    tcase_add_test(group, a_crash_spoils_a_record);
    tcase_add_test(group, what_differs_is_refused);
    tcase_add_test(group, a_world_that_leaves_the_trace_ends);
    tcase_set_timeout(group, 60);
    suite_add_tcase(suite, group);
    return check_run(suite);
}
