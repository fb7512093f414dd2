/* A thousand worlds in which messages are lost, delayed, reordered and doubled, and processes crash, stall and restart.
 *
 * Each client process p adds exactly 1 to parameter p of every block with each push (plain SGD, rate 1), so the final weights count whose pushes were applied. A failure
 * names its seed: DCPS_SIM_SEED=n runs that one alone. */
#include <check.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/rng.h"
#include "sim/world.h"
#include "support/check_main.h"

#define SEEDS 1000u
#define BLOCK_PARAMS 16u
#define PARAMS 112u
#define BATCH_LANES 64u /* parameters of block 0 where batches are counted */
#define TICKETS_PER_EPOCH 6u
#define BATCH_SIZE 8u

/* Where each process is. */
static struct {
    uint64_t batch;
    float weights[PARAMS];
} steps[BLOCK_PARAMS];

static dcps_status begin(void *context, const dcps_world_step *step, const float *weights)
{
    (void)context;
    ck_assert_uint_lt(step->process, BLOCK_PARAMS);
    steps[step->process].batch = step->batch;
    memcpy(steps[step->process].weights, weights, sizeof(steps[0].weights));
    return DCPS_OK;
}

static dcps_status lane_gradient(void *context, uint32_t process, float *gradient, float *loss, uint32_t *samples)
{
    (void)context;
    memset(gradient, 0, PARAMS * sizeof(float));
    for (uint32_t i = process; i < PARAMS; i += BLOCK_PARAMS) {
        gradient[i] = -1.0F;
    }
    *loss = 1.0F + (float)steps[process].batch;
    *samples = BATCH_SIZE;
    return DCPS_OK;
}

/* Depends on every weight, so that any difference anywhere shows. */
static dcps_status mixing_gradient(void *context, uint32_t process, float *gradient, float *loss, uint32_t *samples)
{
    const float *weights = steps[process].weights;
    uint64_t batch = steps[process].batch;
    (void)context;
    for (uint32_t i = 0; i < PARAMS; i++) {
        gradient[i] = 0.3F * weights[i] - sinf((float)(batch * PARAMS + i)) + 0.1F * weights[(i * 7u + 3u) % PARAMS];
    }
    *loss = fabsf(weights[0]);
    *samples = BATCH_SIZE;
    return DCPS_OK;
}

static dcps_layout *layout;

static void make_layout(void)
{
    const size_t dims[] = {PARAMS};
    ck_assert_int_eq(dcps_layout_create(&layout), DCPS_OK);
    ck_assert_int_eq(dcps_layout_add(layout, "w", DCPS_INIT_ZERO, 1, dims, NULL), DCPS_OK);
}

static void drop_layout(void)
{
    dcps_layout_destroy(&layout);
}

static dcps_world_config world_of_seed(uint64_t seed)
{
    static const char *const algorithms[] = {"asgd", "ssgd", "ssp"};
    dcps_rng rng;
    dcps_rng_seed_stream(&rng, seed, "world", 0);
    dcps_world_config config = {
        .seed = seed,
        .schedule = {.base = 1.0, .decay_factor = 1.0},
        .servers = 1 + (uint32_t)dcps_rng_below(&rng, 2),
        .shards_per_server = 1 + (uint32_t)dcps_rng_below(&rng, 2),
        .workers = 1 + (uint32_t)dcps_rng_below(&rng, 5),
        .epochs = 1 + (uint32_t)dcps_rng_below(&rng, 4),
        .batch_size = BATCH_SIZE,
        .samples_per_epoch = TICKETS_PER_EPOCH * BATCH_SIZE,
        .layout = layout,
        .block_params = BLOCK_PARAMS,
        .lease_ms = 2000,
        .start_grace_ns = 10 * DCPS_NS_PER_S,
        .start_spread_ns = DCPS_NS_PER_S,
        .step_times = {.distribution = DCPS_STEP_UNIFORM, .low_ns = 20e6, .mean_ns = 1500e6},
        .client_crashes = (uint32_t)dcps_rng_below(&rng, 3),
        .client_stalls = (uint32_t)dcps_rng_below(&rng, 3),
        .server_crashes = (uint32_t)dcps_rng_below(&rng, 4) / 2u,
        .checkpoint_every_ns = dcps_rng_below(&rng, 2) * 3u * DCPS_NS_PER_S,
        .cores = (uint32_t)dcps_rng_below(&rng, 3),
        .params_per_second = (double)dcps_rng_below(&rng, 2) * 2000.0, /* a block in 8 ms */
        .trouble_ns = 12 * DCPS_NS_PER_S,
        .deadline_ns = 3600 * DCPS_NS_PER_S,
        .model = {.begin = begin, .finish = lane_gradient},
    };
    config.network = (dcps_network_config){
        .loss = 0.1 * dcps_rng_uniform(&rng),
        .duplication = 0.1 * dcps_rng_uniform(&rng),
        .latency_ns = 100 * 1000,
        .jitter_ns = (1 + dcps_rng_below(&rng, 400)) * DCPS_NS_PER_MS,
    };
    config.schedule.workers = config.workers;
    ck_assert_int_eq(dcps_algorithm_preset(algorithms[dcps_rng_below(&rng, 3)], &config.algorithm), DCPS_OK);
    config.round_timeout_ns = dcps_rng_below(&rng, 2) * 2u * DCPS_NS_PER_S; /* steps take up to 3 s */
    return config;
}

static uint64_t hash_weights(const dcps_world_outcome *outcome)
{
    return dcps_hash_bytes(DCPS_HASH_START, outcome->weights, PARAMS * sizeof(float)) ^ outcome->ended_ns ^
           outcome->messages;
}

/* Sums over the worlds, to know that the trouble was real. */
static struct {
    uint64_t duplicates, stale, lost, rejoins, expired, crashes, rejected, worlds[4];
} seen;

/* asp and ssp: parameter p of a block counts the pushes of process p that were applied to it. */
static void check_lanes(const dcps_world_config *config, const dcps_world_outcome *outcome, uint64_t seed)
{
    for (uint32_t block = 0; block < outcome->block_count; block++) {
        for (uint32_t process = 0; process < outcome->processes; process++) {
            const dcps_push_count *pushes = &outcome->pushes[process * outcome->block_count + block];
            float applied = outcome->weights[block * BLOCK_PARAMS + process];
            ck_assert_msg(applied <= (float)pushes->sent,
                          "seed %" PRIu64 ": block %u applied %g pushes of process %u, it sent %" PRIu64, seed, block,
                          (double)applied, process, pushes->sent);
            if (config->server_crashes == 0) {
                ck_assert_msg(applied >= (float)pushes->acknowledged,
                              "seed %" PRIu64 ": block %u applied %g pushes of process %u, %" PRIu64
                              " were acknowledged",
                              seed, block, (double)applied, process, pushes->acknowledged);
            }
        }
    }
}

/* bsp: a round adds the mean over its contributors, which is 1 in all over the lanes, whoever took part. */
static void check_rounds(const dcps_world_outcome *outcome, uint64_t seed)
{
    for (uint32_t block = 0; block < outcome->block_count; block++) {
        double sum = 0.0;
        for (uint32_t i = 0; i < BLOCK_PARAMS; i++) {
            sum += (double)outcome->weights[block * BLOCK_PARAMS + i];
        }
        ck_assert_msg(fabs(sum - (double)outcome->versions[block]) < 1e-4,
                      "seed %" PRIu64 ": block %u: lanes sum to %g after %" PRIu64 " rounds", seed, block, sum,
                      outcome->versions[block]);
    }
}

static void check_totals(const dcps_world_config *config, const dcps_world_outcome *outcome, uint64_t seed)
{
    uint64_t tickets = (uint64_t)TICKETS_PER_EPOCH * config->epochs;
    ck_assert_msg(outcome->samples[0] == tickets * BATCH_SIZE,
                  "seed %" PRIu64 ": block 0 saw %" PRIu64 " samples, the run has %" PRIu64, seed, outcome->samples[0],
                  tickets * BATCH_SIZE);
    for (uint32_t block = 0; block < outcome->block_count; block++) {
        uint64_t sent = 0;
        uint64_t acknowledged = 0;
        for (uint32_t process = 0; process < outcome->processes; process++) {
            sent += outcome->pushes[process * outcome->block_count + block].sent;
            acknowledged += outcome->pushes[process * outcome->block_count + block].acknowledged;
        }
        uint64_t applied = outcome->samples[block] / BATCH_SIZE;
        ck_assert_msg(acknowledged <= applied && applied <= sent,
                      "seed %" PRIu64 ": block %u applied %" PRIu64 " pushes, %" PRIu64
                      " were acknowledged and %" PRIu64 " sent",
                      seed, block, applied, acknowledged, sent);
    }
}

/* What is counted of workers, of shards and in all is the same, whoever crashed meanwhile; shards tell of the last life of their server alone. */
static void check_statistics(const dcps_world_outcome *outcome, uint64_t seed)
{
    const dcps_run_statistics *statistics = outcome->statistics;
    dcps_push_counts workers = {.applied = 0};
    uint64_t staleness[DCPS_COUNTS_BUCKETS] = {0};
    uint64_t pushes = 0;
    uint64_t answers = 0;
    for (uint32_t i = 0; i < statistics->workers.count; i++) {
        const dcps_worker_statistics *worker = &statistics->workers.items[i];
        dcps_push_counts_merge(&workers, &worker->pushes);
        pushes += worker->staleness.count;
        answers += worker->held_ns.count;
        for (uint32_t value = 0; value < 16; value++) { /* those have buckets of their own */
            staleness[value] += worker->staleness.buckets[value];
        }
    }
    bool same = workers.applied == outcome->pushes_applied && pushes == outcome->pushes_applied &&
                workers.dropped_stale + workers.dropped_round == outcome->pushes_dropped &&
                workers.duplicates == outcome->duplicates_ignored &&
                memcmp(staleness, outcome->staleness.of, 16 * sizeof(*staleness)) == 0;
    ck_assert_msg(same, "seed %" PRIu64 ": workers and shards count differently", seed);
    ck_assert_msg(answers >= pushes / 2, "seed %" PRIu64 ": %" PRIu64 " pushes, but %" PRIu64 " answers", seed, pushes,
                  answers);
    bool told = statistics->pushes.applied == outcome->pushes_applied;
    ck_assert_msg(told || outcome->server_crashes > 0, "seed %" PRIu64 ": shards forgot pushes", seed);
    for (uint32_t process = 0; process < outcome->processes; process++) {
        ck_assert_uint_le(outcome->waits[process].wait_ns.sum, outcome->waits[process].trained_ns);
        ck_assert_uint_le(outcome->waits[process].trained_ns, outcome->ended_ns);
    }
}

static void count_seen(const dcps_world_outcome *outcome, const dcps_world_config *config)
{
    seen.duplicates += outcome->duplicates_ignored;
    seen.stale += outcome->stale_ignored;
    seen.lost += outcome->gradients_lost;
    seen.rejoins += outcome->rejoins;
    seen.expired += outcome->leases_expired;
    seen.crashes += outcome->server_crashes;
    seen.rejected += outcome->rejected;
    seen.worlds[config->algorithm.consistency]++;
}

static uint64_t run_world(const dcps_world_config *config, uint64_t seed)
{
    dcps_world *world;
    dcps_world_outcome outcome;
    ck_assert_msg(dcps_world_create(config, &world) == DCPS_OK, "seed %" PRIu64 ": %s", seed, dcps_error_message());
    ck_assert_msg(dcps_world_run(world, &outcome) == DCPS_OK, "seed %" PRIu64 ": %s", seed, dcps_error_message());
    ck_assert_msg(outcome.finished, "seed %" PRIu64 " (%s): clients still run after %" PRIu64 " s", seed,
                  config->algorithm.name, outcome.ended_ns / DCPS_NS_PER_S);
    if (config->model.finish == lane_gradient) {
        ck_assert_uint_le(outcome.processes, BLOCK_PARAMS);
        if (config->algorithm.consistency == DCPS_CONSISTENCY_BSP) {
            if (outcome.server_crashes == 0) {
                check_rounds(&outcome, seed);
            }
        } else {
            check_lanes(config, &outcome, seed);
        }
        if (outcome.server_crashes == 0) {
            check_totals(config, &outcome, seed);
        }
    }
    check_statistics(&outcome, seed);
    count_seen(&outcome, config);
    uint64_t hash = hash_weights(&outcome);
    dcps_world_destroy(&world);
    return hash;
}

START_TEST(test_thousand_worlds)
{
    const char *only = getenv("DCPS_SIM_SEED");
    uint64_t first = only == NULL ? 1 : strtoull(only, NULL, 10);
    uint64_t last = only == NULL ? SEEDS : first;
    for (uint64_t seed = first; seed <= last; seed++) {
        dcps_world_config config = world_of_seed(seed);
        run_world(&config, seed);
    }
    printf("worlds: asp %" PRIu64 ", ssp %" PRIu64 ", bsp %" PRIu64 "; repeats %" PRIu64 ", stale %" PRIu64
           ", gradients lost %" PRIu64 ", rejoins %" PRIu64 ", leases expired %" PRIu64 ", server crashes %" PRIu64
           ", refused %" PRIu64 "\n",
           seen.worlds[DCPS_CONSISTENCY_ASP], seen.worlds[DCPS_CONSISTENCY_SSP], seen.worlds[DCPS_CONSISTENCY_BSP],
           seen.duplicates, seen.stale, seen.lost, seen.rejoins, seen.expired, seen.crashes, seen.rejected);
    if (only == NULL) {
        ck_assert_uint_gt(seen.duplicates, 1000);
        ck_assert_uint_gt(seen.stale, 50);
        ck_assert_uint_gt(seen.lost, 100);
        ck_assert_uint_gt(seen.rejoins, 100);
        ck_assert_uint_gt(seen.expired, 100);
        ck_assert_uint_gt(seen.crashes, 100);
    }
}
END_TEST

/* The same seed gives the same weights to the bit, another seed gives others. */
START_TEST(test_same_seed_same_bits)
{
    static const char *const algorithms[] = {"asgd",    "ssgd",     "ssp",        "dc-asgd-c", "dc-asgd-a",
                                             "sa-asgd", "adadelay", "dc-asgd-b",  "gap-aware", "dana-zero",
                                             "dana-dc", "ormo",     "ringmaster", "dc-asgd-i"};
    uint64_t previous = 0;
    for (uint64_t seed = 1; seed <= 50; seed++) {
        dcps_world_config config = world_of_seed(seed);
        ck_assert_int_eq(
            dcps_algorithm_preset(algorithms[seed % (sizeof(algorithms) / sizeof(algorithms[0]))], &config.algorithm),
            DCPS_OK);
        config.model.finish = mixing_gradient;
        config.schedule.base = 0.05;
        uint64_t hash = run_world(&config, seed);
        ck_assert_msg(hash == run_world(&config, seed), "seed %" PRIu64 " gave two different results", seed);
        ck_assert_uint_ne(hash, previous);
        previous = hash;
    }
}
END_TEST

static dcps_status note_mark(void *context, const dcps_snapshot_reply *info, const float *weights)
{
    (void)weights;
    *(uint32_t *)context = info->index + 1u;
    return DCPS_OK;
}

/* Late gradients are dropped, and still each batch is learnt from once: every run ends, with as many samples as it has, whatever befalls it, and its end is evaluated, though some blocks
 * drop more than block 0. */
START_TEST(test_worlds_that_drop)
{
    uint64_t dropped = 0;
    for (uint64_t seed = 1; seed <= 200; seed++) {
        dcps_world *world;
        dcps_world_outcome outcome;
        uint32_t evaluated = 0;
        dcps_world_config config = world_of_seed(seed);
        config.workers = 2 + config.workers % 4;
        config.schedule.workers = config.workers;
        config.model.finish = mixing_gradient;
        config.schedule.base = 0.05;
        ck_assert_int_eq(dcps_algorithm_preset(seed % 2 == 0 ? "ssgd" : "ringmaster", &config.algorithm), DCPS_OK);
        config.algorithm.backup_workers = seed % 2 == 0 ? 1 + (uint32_t)(seed / 2 % (config.workers - 1)) : 0;
        config.algorithm.max_staleness = seed % 2 == 0 ? 0 : 2;
        config.epochs *= 4;
        config.snapshot_every_samples = DCPS_SNAPSHOT_EVERY_EPOCH;
        config.model.evaluate = note_mark;
        config.model.context = &evaluated;
        ck_assert_msg(dcps_world_create(&config, &world) == DCPS_OK, "%s", dcps_error_message());
        ck_assert_msg(dcps_world_run(world, &outcome) == DCPS_OK, "%s", dcps_error_message());
        ck_assert_msg(outcome.finished, "seed %" PRIu64 " (%s): clients still run after %" PRIu64 " s", seed,
                      config.algorithm.name, outcome.ended_ns / DCPS_NS_PER_S);
        if (outcome.server_crashes == 0) {
            ck_assert_uint_eq(outcome.samples[0], (uint64_t)TICKETS_PER_EPOCH * config.epochs * BATCH_SIZE);
            ck_assert_msg(evaluated == config.epochs, "seed %" PRIu64 " (%s): %u of %u epochs evaluated", seed,
                          config.algorithm.name, evaluated, config.epochs);
        }
        dropped += outcome.pushes_dropped;
        check_statistics(&outcome, seed);
        dcps_world_destroy(&world);
    }
    printf("pushes dropped: %" PRIu64 "\n", dropped);
    ck_assert_uint_gt(dropped, 500);
}
END_TEST

/* Nothing is lost and nobody dies, but some steps take far longer than others wait: their workers are left out, come back with what nobody wants any more, and go on. Each batch is learnt
 * from once by every block. */
START_TEST(test_worlds_that_leave_out)
{
    static const char *const algorithms[] = {"asgd", "ssgd", "ssp"};
    uint64_t left_out = 0;
    uint64_t lost = 0;
    for (uint64_t seed = 1; seed <= 150; seed++) {
        dcps_world *world;
        dcps_world_outcome outcome;
        dcps_world_config config = world_of_seed(seed);
        config.workers = 2 + config.workers % 4;
        config.schedule.workers = config.workers;
        config.client_crashes = config.client_stalls = config.server_crashes = 0;
        config.network = (dcps_network_config){.latency_ns = 100 * 1000};
        config.cores = 0;
        config.step_times = (dcps_step_times){.distribution = DCPS_STEP_EXPONENTIAL, .mean_ns = 1000e6};
        config.round_timeout_ns = 2 * DCPS_NS_PER_S;
        ck_assert_int_eq(dcps_algorithm_preset(algorithms[seed % 3], &config.algorithm), DCPS_OK);
        ck_assert_msg(dcps_world_create(&config, &world) == DCPS_OK, "%s", dcps_error_message());
        ck_assert_msg(dcps_world_run(world, &outcome) == DCPS_OK, "%s", dcps_error_message());
        ck_assert_msg(outcome.finished, "seed %" PRIu64 " (%s): clients still run after %" PRIu64 " s", seed,
                      config.algorithm.name, outcome.ended_ns / DCPS_NS_PER_S);
        for (uint32_t block = 0; block < outcome.block_count; block++) {
            ck_assert_msg(outcome.samples[block] == (uint64_t)TICKETS_PER_EPOCH * config.epochs * BATCH_SIZE,
                          "seed %" PRIu64 " (%s, %u servers): block %u learnt from %" PRIu64 " samples", seed,
                          config.algorithm.name, config.servers, block, outcome.samples[block]);
        }
        left_out += outcome.leases_expired;
        lost += outcome.gradients_lost;
        dcps_world_destroy(&world);
    }
    printf("left out: %" PRIu64 ", gradients lost %" PRIu64 "\n", left_out, lost);
    ck_assert_uint_gt(left_out, 100);
    ck_assert_uint_gt(lost, 100);
}
END_TEST

/* Lane n of block 0 counts how often it learnt from batch n. */
static dcps_status batch_gradient(void *context, uint32_t process, float *gradient, float *loss, uint32_t *samples)
{
    (void)context;
    memset(gradient, 0, PARAMS * sizeof(float));
    ck_assert_uint_lt(steps[process].batch, BATCH_LANES);
    gradient[steps[process].batch] = -1.0F;
    *loss = 1.0F;
    *samples = BATCH_SIZE;
    return DCPS_OK;
}

/* Workers stand still for longer than their leases, and weights wait in slow links, which the control plane overtakes. */
static dcps_world_config rejoining_world(uint64_t seed)
{
    dcps_world_config config = world_of_seed(seed);
    config.workers = 2 + config.workers % 4;
    config.schedule.workers = config.workers;
    config.epochs = BATCH_LANES / TICKETS_PER_EPOCH;
    config.block_params = BATCH_LANES;
    config.client_crashes = config.server_crashes = 0;
    config.client_stalls = 6;
    config.lease_ms = 500;
    config.network.bytes_per_second = 1000.0;
    config.network.jitter_ns = 20 * DCPS_NS_PER_MS;
    config.step_times = (dcps_step_times){.distribution = DCPS_STEP_UNIFORM, .low_ns = 20e6, .mean_ns = 200e6};
    config.model.finish = batch_gradient;
    ck_assert_int_eq(dcps_algorithm_preset(seed % 2 == 0 ? "asgd" : "ssp", &config.algorithm), DCPS_OK);
    return config;
}

/* Some weights reach a worker that has joined again meanwhile. Block 0 learns from each batch once all the same. */
START_TEST(test_worlds_that_rejoin)
{
    uint64_t rejoins = 0;
    for (uint64_t seed = 1; seed <= 150; seed++) {
        dcps_world *world;
        dcps_world_outcome outcome;
        dcps_world_config config = rejoining_world(seed);
        ck_assert_msg(dcps_world_create(&config, &world) == DCPS_OK, "%s", dcps_error_message());
        ck_assert_msg(dcps_world_run(world, &outcome) == DCPS_OK, "%s", dcps_error_message());
        ck_assert_msg(outcome.finished, "seed %" PRIu64 " (%s): clients still run after %" PRIu64 " s", seed,
                      config.algorithm.name, outcome.ended_ns / DCPS_NS_PER_S);
        for (uint32_t batch = 0; batch < TICKETS_PER_EPOCH * config.epochs; batch++) {
            ck_assert_msg(outcome.weights[batch] == 1.0F,
                          "seed %" PRIu64 " (%s): block 0 learnt %g times from batch %u", seed, config.algorithm.name,
                          (double)outcome.weights[batch], batch);
        }
        rejoins += outcome.rejoins;
        dcps_world_destroy(&world);
    }
    printf("rejoins: %" PRIu64 "\n", rejoins);
    ck_assert_uint_gt(rejoins, 100);
}
END_TEST

/* However slow something is: nothing comes before its time, and so never, if that is behind the end. */
START_TEST(test_no_time_wraps)
{
    dcps_world_config quick = world_of_seed(1);
    quick.network = (dcps_network_config){.latency_ns = 1000};
    quick.trouble_ns = 0;
    quick.client_crashes = quick.client_stalls = quick.server_crashes = 0;
    run_world(&quick, 1);
    dcps_world_config slow[] = {quick, quick};
    slow[0].network.bytes_per_second = 1e-300;
    slow[1].params_per_second = 1e-300;
    for (size_t i = 0; i < 2; i++) {
        dcps_world *world;
        dcps_world_outcome outcome;
        ck_assert_msg(dcps_world_create(&slow[i], &world) == DCPS_OK, "%s", dcps_error_message());
        ck_assert_msg(dcps_world_run(world, &outcome) == DCPS_OK, "%s", dcps_error_message());
        ck_assert(!outcome.finished);
        ck_assert_uint_eq(outcome.samples[0], 0);
        dcps_world_destroy(&world);
    }
}
END_TEST

/* Finite in the first epoch; a loss that never tells. */
static dcps_status spoilt_gradient(void *context, uint32_t process, float *gradient, float *loss, uint32_t *samples)
{
    dcps_status status = lane_gradient(context, process, gradient, loss, samples);
    gradient[3] = steps[process].batch < TICKETS_PER_EPOCH ? 0.0F : (float)NAN;
    return status;
}

static dcps_status count_marks(void *context, const dcps_snapshot_reply *info, const float *weights)
{
    (void)info;
    ck_assert(isfinite(weights[3]));
    *(uint32_t *)context += 1;
    return DCPS_OK;
}

/* Weights that are no numbers end a run at the next mark, and are not evaluated, whatever the loss says. */
START_TEST(test_divergence_with_a_finite_loss)
{
    uint32_t marks = 0;
    dcps_world *world;
    dcps_world_outcome outcome;
    dcps_world_config config = world_of_seed(1);
    config.network = (dcps_network_config){.latency_ns = 1000};
    config.client_crashes = config.client_stalls = config.server_crashes = 0;
    config.workers = 1;
    config.epochs = 4;
    config.snapshot_every_samples = config.samples_per_epoch;
    config.model =
        (dcps_world_model){.begin = begin, .finish = spoilt_gradient, .evaluate = count_marks, .context = &marks};
    config.stop_diverged = true;
    ck_assert_msg(dcps_world_create(&config, &world) == DCPS_OK, "%s", dcps_error_message());
    ck_assert_msg(dcps_world_run(world, &outcome) == DCPS_OK, "%s", dcps_error_message());
    ck_assert(outcome.diverged);
    ck_assert(isfinite(outcome.train_loss));
    ck_assert_uint_eq(marks, 1);
    ck_assert_uint_ge(outcome.samples[0], 2 * config.samples_per_epoch);
    ck_assert_uint_lt(outcome.samples[0], 3 * config.samples_per_epoch);
    dcps_world_destroy(&world);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("world");
    TCase *worlds = tcase_create("worlds");
    tcase_set_timeout(worlds, 280);
    tcase_add_checked_fixture(worlds, make_layout, drop_layout);
    tcase_add_test(worlds, test_thousand_worlds);
    tcase_add_test(worlds, test_same_seed_same_bits);
    tcase_add_test(worlds, test_worlds_that_drop);
    tcase_add_test(worlds, test_worlds_that_leave_out);
    tcase_add_test(worlds, test_worlds_that_rejoin);
    tcase_add_test(worlds, test_no_time_wraps);
    tcase_add_test(worlds, test_divergence_with_a_finite_loss);
    suite_add_tcase(suite, worlds);
    return check_run(suite);
}
