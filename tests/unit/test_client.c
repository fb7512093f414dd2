/* The client as programs use it, against real sockets: what is pushed arrives, what is pulled is right, misuse is refused. */
#include <check.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/rng.h"
#include "support/check_main.h"
#include "support/client_fixture.h"
#include "support/loopback_server.h"

#define RATE 0.5

static void assert_weights(const client_fixture *fixture, float first)
{
    for (uint32_t i = 0; i < FIXTURE_PARAMS; i++) {
        ck_assert_msg(fixture->weights[i] == first + (float)i, "weight %u is %g, expected %g", i,
                      (double)fixture->weights[i], (double)(first + (float)i));
    }
}

START_TEST(states_the_run)
{
    loopback_server *server = loopback_start(&(loopback_config){
        .seed = 77, .batch_size = 9, .epochs = 4, .workers = 3, .algorithm = "dc-asgd-a", .snapshot_every_samples = 5});
    client_fixture one;
    client_fixture two;
    client_fixture_connect(&one, loopback_address(server), false, 0);
    client_fixture_connect(&two, loopback_address(server), false, 0);
    const dcps_run_info *run = dcps_client_run_info(two.client);
    ck_assert_uint_eq(dcps_client_run_info(one.client)->worker, 0);
    ck_assert_uint_eq(run->worker, 1);
    ck_assert_uint_eq(run->workers, 3);
    ck_assert_uint_eq(run->seed, 77);
    ck_assert_uint_eq(run->batch_size, 9);
    ck_assert_uint_eq(run->epochs, 4);
    ck_assert_uint_eq(run->snapshot_every_samples, 5);
    ck_assert_str_eq(run->algorithm, "dc-asgd-a");
    client_fixture_close(&one);
    client_fixture_close(&two);
    loopback_kill(&server);
}
END_TEST

START_TEST(first_client_initialises)
{
    loopback_server *server = loopback_start(&(loopback_config){.shards = 2, .block_params = 64, .epochs = 9});
    client_fixture first;
    client_fixture second;
    client_fixture_connect(&first, loopback_address(server), false, 0);
    client_fixture_connect(&second, loopback_address(server), false, 0);
    memset(second.weights, 0, FIXTURE_PARAMS * sizeof(float));
    client_fixture_declare(&first, 10);
    client_fixture_declare(&second, 10);
    assert_weights(&first, 1);
    assert_weights(&second, 1);
    ck_assert_int_eq(first.work.kind, DCPS_WORK_BATCH);
    ck_assert_int_eq(second.work.kind, DCPS_WORK_BATCH);
    ck_assert_uint_eq(first.work.batch + second.work.batch, 1); /* 0 and 1 */
    client_fixture_close(&first);
    client_fixture_close(&second);
    loopback_kill(&server);
}
END_TEST

/* w ← w − 0.5 g, exactly representable throughout. */
START_TEST(steps_over_blocks_shards_and_servers)
{
    loopback_server *servers[2];
    loopback_config config = {.servers = 2, .shards = 2, .block_params = 64, .epochs = 2, .rate = RATE};
    char addresses[160];
    for (config.index = 0; config.index < 2; config.index++) {
        servers[config.index] = loopback_start(&config);
    }
    (void)snprintf(addresses, sizeof(addresses), "%s,%s", loopback_address(servers[0]), loopback_address(servers[1]));
    client_fixture fixture;
    client_fixture_connect(&fixture, addresses, false, 0);
    client_fixture_declare(&fixture, 4);
    for (uint64_t step = 0; step < 8; step++) {
        ck_assert_int_eq(fixture.work.kind, DCPS_WORK_BATCH);
        ck_assert_uint_eq(fixture.work.batch, step);
        client_fixture_step(&fixture, 2.0f);
        assert_weights(&fixture, -(float)step);
    }
    ck_assert_int_eq(fixture.work.kind, DCPS_WORK_DONE);
    ck_assert_int_eq(dcps_client_pull(fixture.client, &fixture.work), DCPS_OK);
    assert_weights(&fixture, -7);
    ck_assert_int_eq(dcps_client_finish(fixture.client, 2000), DCPS_OK);
    ck_assert_uint_ge(loopback_received(servers[0], DCPS_MESSAGE_FINISH), 1);
    ck_assert_uint_ge(loopback_received(servers[1], DCPS_MESSAGE_FINISH), 1);
    client_fixture_close(&fixture);
    loopback_kill(&servers[0]);
    loopback_kill(&servers[1]);
}
END_TEST

/* Ranges in any order and of any length, as back-propagation finds them: a block leaves once it is complete, not before. */
START_TEST(blocks_leave_when_complete)
{
    loopback_server *server = loopback_start(&(loopback_config){.shards = 2, .block_params = 64, .epochs = 1000});
    client_fixture fixture;
    dcps_rng rng;
    uint64_t seed = dcps_random_token();
    uint64_t pushes = 0;
    printf("seed %llu\n", (unsigned long long)seed);
    dcps_rng_seed(&rng, seed);
    client_fixture_connect(&fixture, loopback_address(server), false, 0);
    client_fixture_declare(&fixture, 100);
    for (uint32_t step = 0; step < 50; step++) {
        uint32_t order[FIXTURE_PARAMS / 16];
        dcps_rng_permutation(&rng, order, FIXTURE_PARAMS / 16);
        for (uint32_t i = 0; i < FIXTURE_PARAMS; i++) {
            fixture.gradient[i] = NAN;
        }
        for (uint32_t i = 0; i < FIXTURE_PARAMS / 16; i++) {
            for (uint32_t k = 0; k < 16; k++) {
                fixture.gradient[order[i] * 16 + k] = 2.0f;
            }
            uint32_t count = 1 + (uint32_t)dcps_rng_below(&rng, 16); /* the rest of the sixteen counts as pushed */
            ck_assert_int_eq(dcps_client_push(fixture.client, order[i] * 16, count, 1, 1.0f), DCPS_OK);
        }
        ck_assert_int_eq(dcps_client_wait(fixture.client, &fixture.work), DCPS_OK);
        assert_weights(&fixture, -(float)step);
        pushes += 6; /* ceil(336 / 64) blocks */
    }
    ck_assert_uint_eq(loopback_received(server, DCPS_MESSAGE_PUSH_PULL), pushes);
    client_fixture_close(&fixture);
    loopback_kill(&server);
}
END_TEST

START_TEST(incomplete_blocks_stay)
{
    loopback_server *server = loopback_start(&(loopback_config){.block_params = 64});
    client_fixture fixture;
    client_fixture_connect(&fixture, loopback_address(server), false, 0);
    client_fixture_declare(&fixture, 100);
    ck_assert_int_eq(dcps_client_push(fixture.client, 32, 32 + 64 + 16, 1, 1.0f), DCPS_OK); /* half, whole, quarter */
    while (loopback_received(server, DCPS_MESSAGE_PUSH_PULL) == 0) {
        (void)usleep(1000);
    }
    (void)usleep(50000);
    ck_assert_uint_eq(loopback_received(server, DCPS_MESSAGE_PUSH_PULL), 1);
    client_fixture_close(&fixture);
    loopback_kill(&server);
}
END_TEST

START_TEST(refuses_wrong_pushes)
{
    loopback_server *server = loopback_start(&(loopback_config){.block_params = 64});
    client_fixture fixture;
    client_fixture_connect(&fixture, loopback_address(server), false, 0);
    ck_assert_int_eq(dcps_client_push(fixture.client, 0, 16, 1, 1.0f), DCPS_INVALID);
    ck_assert_int_eq(dcps_client_wait(fixture.client, &fixture.work), DCPS_INVALID);
    ck_assert_int_eq(dcps_client_pull(fixture.client, &fixture.work), DCPS_INVALID);
    client_fixture_says("declare");
    client_fixture_declare(&fixture, 100);
    ck_assert_int_eq(
        dcps_client_declare(fixture.client, fixture.layout, 100, fixture.weights, fixture.gradient, &fixture.work),
        DCPS_INVALID);
    ck_assert_int_eq(dcps_client_wait(fixture.client, &fixture.work), DCPS_INVALID);
    ck_assert_int_eq(dcps_client_push(fixture.client, 8, 16, 1, 1.0f), DCPS_INVALID);
    ck_assert_int_eq(dcps_client_push(fixture.client, 0, 0, 1, 1.0f), DCPS_INVALID);
    ck_assert_int_eq(dcps_client_push(fixture.client, FIXTURE_PARAMS, 16, 1, 1.0f), DCPS_INVALID);
    ck_assert_int_eq(dcps_client_push(fixture.client, 16, UINT64_MAX - 8, 1, 1.0f), DCPS_INVALID);
    ck_assert_int_eq(dcps_client_push(fixture.client, 0, 16, 0, 1.0f), DCPS_INVALID);
    client_fixture_says("abstain");
    ck_assert_int_eq(dcps_client_push(fixture.client, 0, 32, 1, 1.0f), DCPS_OK);
    ck_assert_int_eq(dcps_client_push(fixture.client, 16, 32, 1, 1.0f), DCPS_INVALID);
    client_fixture_says("already");
    ck_assert_int_eq(dcps_client_push(fixture.client, 32, 32, 2, 1.0f), DCPS_INVALID);
    ck_assert_int_eq(dcps_client_push(fixture.client, 32, 32, 1, 2.0f), DCPS_INVALID);
    ck_assert_int_eq(dcps_client_wait(fixture.client, &fixture.work), DCPS_INVALID);
    client_fixture_says("32 of 336");
    ck_assert_int_eq(dcps_client_abstain(fixture.client, &fixture.work), DCPS_INVALID);
    ck_assert_int_eq(dcps_client_push(fixture.client, 32, FIXTURE_PARAMS - 32, 1, 1.0f), DCPS_OK);
    ck_assert_int_eq(dcps_client_wait(fixture.client, &fixture.work), DCPS_OK);
    assert_weights(&fixture, 1);
    client_fixture_close(&fixture);
    loopback_kill(&server);
}
END_TEST

START_TEST(refuses_wrong_declarations)
{
    loopback_server *server = loopback_start(&(loopback_config){.block_params = 64});
    client_fixture first;
    client_fixture other;
    dcps_layout *empty = NULL;
    client_fixture_connect(&first, loopback_address(server), false, 0);
    ck_assert_int_eq(dcps_layout_create(&empty), DCPS_OK);
    ck_assert_int_eq(dcps_client_declare(first.client, empty, 100, first.weights, first.gradient, &first.work),
                     DCPS_INVALID);
    ck_assert_int_eq(dcps_client_declare(first.client, first.layout, 0, first.weights, first.gradient, &first.work),
                     DCPS_INVALID);
    ck_assert_int_eq(dcps_client_declare(first.client, first.layout, 100, first.weights, NULL, &first.work),
                     DCPS_INVALID);
    ck_assert_int_eq(dcps_client_declare(first.client, first.layout, 100, NULL, first.gradient, &first.work),
                     DCPS_INVALID);
    client_fixture_declare(&first, 100);
    client_fixture_connect(&other, loopback_address(server), false, 0);
    ck_assert_int_eq(dcps_layout_add(other.layout, "c", DCPS_INIT_ZERO, 0, NULL, NULL), DCPS_OK);
    ck_assert_int_eq(dcps_client_declare(other.client, other.layout, 100, other.weights, other.gradient, &other.work),
                     DCPS_MISMATCH);
    client_fixture_says("c");
    ck_assert_int_eq(dcps_client_finish(other.client, 2000), DCPS_OK);
    dcps_layout_destroy(&empty);
    client_fixture_close(&first);
    client_fixture_close(&other);
    loopback_kill(&server);
}
END_TEST

/* Names of so many tensors do not fit into one message. */
START_TEST(refuses_a_layout_that_cannot_be_declared)
{
    enum { TENSORS = 1000 };
    static float weights[TENSORS * DCPS_LAYOUT_ALIGN_PARAMS];
    static float gradient[TENSORS * DCPS_LAYOUT_ALIGN_PARAMS];
    loopback_server *server = loopback_start(&(loopback_config){.lease_ms = 60000});
    client_fixture fixture;
    dcps_layout *large = NULL;
    client_fixture_connect(&fixture, loopback_address(server), false, 0);
    ck_assert_int_eq(dcps_layout_create(&large), DCPS_OK);
    for (uint32_t i = 0; i < TENSORS; i++) {
        char name[97];
        (void)snprintf(name, sizeof(name), "%096u", i);
        ck_assert_int_eq(dcps_layout_add(large, name, DCPS_INIT_ZERO, 0, NULL, NULL), DCPS_OK);
    }
    ck_assert_int_eq(dcps_client_declare(fixture.client, large, 100, weights, gradient, &fixture.work), DCPS_LIMIT);
    client_fixture_says("names and shapes of 1000 tensors take");
    client_fixture_says("at most 65536 are possible");
    dcps_layout_destroy(&large);
    client_fixture_close(&fixture);
    loopback_kill(&server);
}
END_TEST

static void *train_to_the_end(void *context)
{
    client_fixture *fixture = context;
    client_fixture_declare(fixture, 3);
    while (fixture->work.kind != DCPS_WORK_DONE) {
        if (fixture->work.kind == DCPS_WORK_BATCH) {
            client_fixture_step(fixture, 2.0f);
        } else {
            ck_assert_int_eq(dcps_client_abstain(fixture->client, &fixture->work), DCPS_OK);
        }
    }
    return NULL;
}

/* Three batches for two workers in rounds: in the second round one of them has nothing to do. */
START_TEST(abstains_at_the_end)
{
    loopback_server *server =
        loopback_start(&(loopback_config){.algorithm = "ssgd", .workers = 2, .block_params = 64, .rate = RATE});
    client_fixture fixture[2];
    pthread_t thread;
    for (uint32_t i = 0; i < 2; i++) {
        client_fixture_connect(&fixture[i], loopback_address(server), false, 0);
    }
    ck_assert_int_eq(pthread_create(&thread, NULL, train_to_the_end, &fixture[1]), 0);
    (void)train_to_the_end(&fixture[0]);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    assert_weights(&fixture[0], -1); /* two rounds, each the mean of its gradients */
    assert_weights(&fixture[1], -1);
    client_fixture_close(&fixture[0]);
    client_fixture_close(&fixture[1]);
    loopback_kill(&server);
}
END_TEST

START_TEST(steady_state_allocates_nothing)
{
    loopback_server *server = loopback_start(&(loopback_config){.shards = 2, .block_params = 64, .epochs = 1000});
    client_fixture fixture;
    uint64_t grown = UINT64_MAX;
    client_fixture_connect(&fixture, loopback_address(server), false, 0);
    client_fixture_declare(&fixture, 1000);
    /* Pools grow while a busier moment than ever before comes up, so one calm stretch is what tells. */
    for (uint32_t attempt = 0; attempt < 20 && grown != 0; attempt++) {
        uint64_t before = dcps_alloc_count();
        for (uint32_t step = 0; step < 100; step++) {
            client_fixture_step(&fixture, 1.0f);
        }
        grown = dcps_alloc_count() - before;
    }
    ck_assert_uint_eq(grown, 0);
    client_fixture_close(&fixture);
    loopback_kill(&server);
}
END_TEST

START_TEST(observer_reads_snapshots)
{
    loopback_server *server = loopback_start(
        &(loopback_config){.shards = 2, .block_params = 64, .epochs = 2, .snapshot_every_samples = 3, .rate = RATE});
    client_fixture worker;
    client_fixture observer;
    dcps_snapshot_info info;
    client_fixture_connect(&worker, loopback_address(server), false, 0);
    client_fixture_connect(&observer, loopback_address(server), true, 0);
    client_fixture_declare(&worker, 4); /* 8 batches of one sample: snapshots at 3, 6 and, at the end, 8 */
    client_fixture_declare(&observer, 4);
    for (uint32_t step = 0; step < 8; step++) {
        client_fixture_step(&worker, 2.0f);
    }
    ck_assert_int_eq(dcps_client_finish(worker.client, 2000), DCPS_OK);
    const uint64_t samples[] = {3, 6, 8};
    for (uint32_t i = 0; i < 3; i++) {
        ck_assert_msg(dcps_client_snapshot(observer.client, i, true, &info) == DCPS_OK, "%s", dcps_error_message());
        ck_assert_uint_eq(info.samples, samples[i]);
        ck_assert(info.train_loss == 0.25);
        ck_assert(info.seconds >= 0);
        assert_weights(&observer, 1 - (float)samples[i]);
    }
    ck_assert_int_eq(dcps_client_snapshot(observer.client, 0, true, &info), DCPS_NOT_FOUND); /* released */
    ck_assert_int_eq(dcps_client_snapshot(observer.client, 3, true, &info), DCPS_NOT_FOUND);
    ck_assert_int_eq(dcps_client_push(observer.client, 0, 16, 1, 1.0f), DCPS_INVALID);
    ck_assert_int_eq(dcps_client_pull(observer.client, &observer.work), DCPS_INVALID);
    ck_assert_int_eq(dcps_client_abstain(observer.client, &observer.work), DCPS_INVALID);
    ck_assert_int_eq(dcps_client_snapshot(worker.client, 0, true, &info), DCPS_INVALID);
    client_fixture_close(&worker);
    client_fixture_close(&observer);
    loopback_kill(&server);
}
END_TEST

START_TEST(refuses_wrong_addresses)
{
    static const char *const wrong[] = {"", "nowhere", "127.0.0.1:0", "127.0.0.1:99999", "127.0.0.1:7070,", ":7070"};
    dcps_client *client = NULL;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        dcps_client_config config = {.servers = wrong[i]};
        ck_assert_msg(dcps_client_connect(&config, &client) == DCPS_INVALID, "\"%s\" was taken", wrong[i]);
        ck_assert_ptr_null(client);
    }
    ck_assert_int_eq(dcps_client_connect(&(dcps_client_config){.servers = NULL}, &client), DCPS_INVALID);
    dcps_client_destroy(&client);
}
END_TEST

START_TEST(survives_lack_of_memory)
{
    loopback_server *server = loopback_start(&(loopback_config){.block_params = 64});
    dcps_client_config config = {.servers = loopback_address(server)};
    dcps_client *client = NULL;
    dcps_status status = DCPS_NO_MEMORY;
    for (uint64_t n = 0; status != DCPS_OK; n++) {
        ck_assert_uint_lt(n, 200);
        dcps_alloc_fail_after(n);
        status = dcps_client_connect(&config, &client);
        dcps_alloc_fail_after(UINT64_MAX);
        ck_assert_msg(status == DCPS_OK || status == DCPS_NO_MEMORY, "%u: %s", (unsigned)n, dcps_error_message());
        ck_assert((client != NULL) == (status == DCPS_OK));
    }
    dcps_client_destroy(&client);
    loopback_kill(&server);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {states_the_run,
                                  first_client_initialises,
                                  steps_over_blocks_shards_and_servers,
                                  blocks_leave_when_complete,
                                  incomplete_blocks_stay,
                                  refuses_wrong_pushes,
                                  refuses_wrong_declarations,
                                  refuses_a_layout_that_cannot_be_declared,
                                  abstains_at_the_end,
                                  steady_state_allocates_nothing,
                                  observer_reads_snapshots,
                                  refuses_wrong_addresses,
                                  survives_lack_of_memory};
    return CHECK_MAIN("client", tests);
}
