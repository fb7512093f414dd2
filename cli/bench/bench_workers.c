#include "cli/bench/bench_workers.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "cli/bench/bench_gate.h"
#include "cli/bench/bench_stats.h"
#include "dcps/client.h"

enum { TIMEOUT_MS = 30000, FINISH_MS = 5000, MESSAGE_BYTES = 1024, NAME_BYTES = 32 };

/* More mini-batches of one sample than any benchmark pushes. */
static const uint64_t samples_per_epoch = UINT64_C(1) << 30;

typedef struct bench_workers bench_workers;

typedef struct bench_worker {
    bench_workers *all;
    uint32_t index;
    pthread_t thread;
    _Atomic(dcps_client *) client; /* set by the thread, destroyed after it has ended */
    dcps_layout *layout;
    uint64_t total_params;
    float *weights;
    float *gradient;
    double *seconds;      /* [repeats · steps] */
    uint64_t *started_ns; /* [repeats] */
    uint64_t *ended_ns;   /* [repeats] */
    atomic_bool done;
    dcps_status status;
    char message[MESSAGE_BYTES];
} bench_worker;

struct bench_workers {
    const dcps_bench_workers_config *config;
    dcps_gate gate;
    bench_worker *workers;
    double *seconds;      /* [workers · repeats · steps] */
    uint64_t *ended_ns;   /* [workers · repeats] */
    uint64_t *started_ns; /* [workers · repeats] */
    uint64_t allocations_before;
    uint64_t allocations_after;
};

static dcps_status worker_prepare(bench_worker *worker)
{
    const size_t dims[] = {(size_t)worker->all->config->params};
    dcps_status status = dcps_layout_create(&worker->layout);
    if (status == DCPS_OK) {
        status = dcps_layout_add(worker->layout, "weights", DCPS_INIT_ZERO, 1, dims, NULL);
    }
    if (status != DCPS_OK) {
        return status;
    }
    worker->total_params = dcps_layout_total_params(worker->layout);
    worker->weights = dcps_alloc_aligned(worker->total_params, sizeof(float));
    worker->gradient = dcps_alloc_aligned(worker->total_params, sizeof(float));
    if (worker->weights == NULL || worker->gradient == NULL) {
        return dcps_fail(DCPS_NO_MEMORY, "no memory for weights and gradient of %" PRIu64 " parameters",
                         worker->total_params);
    }
    for (uint64_t i = 0; i < worker->total_params; i++) {
        worker->weights[i] = 0.1f;
        worker->gradient[i] = 0.01f * (float)(1 + i % 7);
    }
    return DCPS_OK;
}

static dcps_status worker_join(bench_worker *worker)
{
    char name[NAME_BYTES];
    (void)snprintf(name, sizeof(name), "bench %" PRIu32, worker->index);
    const dcps_client_config config = {.servers = worker->all->config->servers, .name = name, .timeout_ms = TIMEOUT_MS};
    dcps_client *client = NULL;
    dcps_work work;
    dcps_status status = dcps_client_connect(&config, &client);
    if (status != DCPS_OK) {
        return status;
    }
    atomic_store(&worker->client, client);
    return dcps_client_declare(client, worker->layout, samples_per_epoch, worker->weights, worker->gradient, &work);
}

static dcps_status worker_step(bench_worker *worker)
{
    dcps_client *client = atomic_load(&worker->client);
    dcps_work work;
    const dcps_status status = dcps_client_push(client, 0, worker->total_params, 1, 1.0f);
    return status == DCPS_OK ? dcps_client_wait(client, &work) : status;
}

static dcps_status worker_gate(bench_worker *worker)
{
    return dcps_gate_pass(&worker->all->gate) ? DCPS_OK : dcps_fail(DCPS_CANCELLED, "another worker failed");
}

static dcps_status worker_repeat(bench_worker *worker, uint32_t repeat)
{
    const uint32_t steps = worker->all->config->steps;
    dcps_status status = worker_gate(worker);
    uint64_t before_ns = dcps_clock_ns();
    worker->started_ns[repeat] = before_ns;
    for (uint32_t step = 0; status == DCPS_OK && step < steps; step++) {
        status = worker_step(worker);
        const uint64_t now_ns = dcps_clock_ns();
        worker->seconds[(size_t)repeat * steps + step] = (double)(now_ns - before_ns) / (double)DCPS_NS_PER_S;
        before_ns = now_ns;
    }
    worker->ended_ns[repeat] = before_ns;
    return status;
}

/* Worker 0 reads the number of allocations while all others stand at a gate. */
static dcps_status worker_measure(bench_worker *worker)
{
    bench_workers *all = worker->all;
    dcps_status status = worker_gate(worker);
    if (worker->index == 0) {
        all->allocations_before = dcps_alloc_count();
    }
    for (uint32_t repeat = 0; status == DCPS_OK && repeat < all->config->repeats; repeat++) {
        status = worker_repeat(worker, repeat);
    }
    if (status == DCPS_OK) {
        status = worker_gate(worker);
    }
    if (worker->index == 0) {
        all->allocations_after = dcps_alloc_count();
    }
    return status == DCPS_OK ? worker_gate(worker) : status;
}

static void *worker_run(void *context)
{
    bench_worker *worker = context;
    dcps_status status = worker_prepare(worker);
    if (status == DCPS_OK) {
        status = worker_join(worker);
    }
    for (uint32_t step = 0; status == DCPS_OK && step < worker->all->config->warmup; step++) {
        status = worker_step(worker);
    }
    if (status == DCPS_OK) {
        status = worker_measure(worker);
    }
    if (status == DCPS_OK) {
        status = dcps_client_finish(atomic_load(&worker->client), FINISH_MS);
    }
    if (status != DCPS_OK) {
        (void)snprintf(worker->message, sizeof(worker->message), "%s", dcps_error_message());
        dcps_gate_break(&worker->all->gate);
    }
    worker->status = status;
    atomic_store(&worker->done, true);
    return NULL;
}

static dcps_status workers_alloc(bench_workers *all)
{
    const dcps_bench_workers_config *config = all->config;
    const size_t samples = (size_t)config->repeats * config->steps;
    all->workers = dcps_alloc(config->workers, sizeof(*all->workers));
    all->seconds = dcps_alloc(config->workers * samples, sizeof(double));
    all->ended_ns = dcps_alloc((size_t)config->workers * config->repeats, sizeof(uint64_t));
    all->started_ns = dcps_alloc((size_t)config->workers * config->repeats, sizeof(uint64_t));
    if (all->workers == NULL || all->seconds == NULL || all->ended_ns == NULL || all->started_ns == NULL) {
        return dcps_fail(DCPS_NO_MEMORY, "no memory for the times of %zu steps of %" PRIu32 " workers", samples,
                         config->workers);
    }
    for (uint32_t i = 0; i < config->workers; i++) {
        all->workers[i].all = all;
        all->workers[i].index = i;
        all->workers[i].seconds = all->seconds + i * samples;
        all->workers[i].started_ns = all->started_ns + (size_t)i * config->repeats;
        all->workers[i].ended_ns = all->ended_ns + (size_t)i * config->repeats;
    }
    return DCPS_OK;
}

/* Starts what it can; returns how many. */
static uint32_t workers_start(bench_workers *all, dcps_status *status)
{
    for (uint32_t i = 0; i < all->config->workers; i++) {
        const int error = pthread_create(&all->workers[i].thread, NULL, worker_run, &all->workers[i]);
        if (error != 0) {
            *status = dcps_fail(DCPS_SYSTEM, "cannot start worker %" PRIu32 ": %s", i, strerror(error));
            dcps_gate_break(&all->gate);
            return i;
        }
    }
    return all->config->workers;
}

static void workers_cancel(bench_workers *all, uint32_t started)
{
    dcps_gate_break(&all->gate);
    for (uint32_t i = 0; i < started; i++) {
        dcps_client *client = atomic_load(&all->workers[i].client);
        if (client != NULL) {
            dcps_client_cancel(client);
        }
    }
}

/* Until all have ended. One that fails takes the others with it, since they might wait for it. */
static void workers_watch(bench_workers *all, uint32_t started)
{
    uint32_t done = 0;
    while (done < started) {
        bool stop = !all->config->idle(all->config->context);
        done = 0;
        for (uint32_t i = 0; i < started; i++) {
            if (atomic_load(&all->workers[i].done)) {
                done++;
                stop = stop || all->workers[i].status != DCPS_OK;
            }
        }
        if (stop || started < all->config->workers) {
            workers_cancel(all, started);
        }
    }
}

/* The first failure that is not the echo of another's. */
static dcps_status workers_status(const bench_workers *all, uint32_t started)
{
    const bench_worker *failed = NULL;
    for (uint32_t i = 0; i < started; i++) {
        const bench_worker *worker = &all->workers[i];
        if (worker->status != DCPS_OK && (failed == NULL || failed->status == DCPS_CANCELLED)) {
            failed = worker;
        }
    }
    return failed == NULL ? DCPS_OK
                          : dcps_fail(failed->status, "worker %" PRIu32 ": %s", failed->index, failed->message);
}

static void workers_free(bench_workers *all)
{
    for (uint32_t i = 0; all->workers != NULL && i < all->config->workers; i++) {
        dcps_client *client = atomic_load(&all->workers[i].client);
        dcps_client_destroy(&client);
        dcps_layout_destroy(&all->workers[i].layout);
        dcps_free(all->workers[i].weights);
        dcps_free(all->workers[i].gradient);
    }
    dcps_free(all->workers);
    dcps_free(all->seconds);
    dcps_free(all->ended_ns);
    dcps_free(all->started_ns);
}

static double median_repeat_seconds(const bench_workers *all)
{
    const uint32_t repeats = all->config->repeats;
    double lengths[DCPS_BENCH_MAX_REPEATS];
    for (uint32_t repeat = 0; repeat < repeats; repeat++) {
        uint64_t first_ns = UINT64_MAX;
        uint64_t last_ns = 0;
        for (uint32_t i = 0; i < all->config->workers; i++) {
            const bench_worker *worker = &all->workers[i];
            first_ns = worker->started_ns[repeat] < first_ns ? worker->started_ns[repeat] : first_ns;
            last_ns = worker->ended_ns[repeat] > last_ns ? worker->ended_ns[repeat] : last_ns;
        }
        lengths[repeat] = (double)(last_ns - first_ns) / (double)DCPS_NS_PER_S;
    }
    dcps_samples_sort(lengths, repeats);
    return dcps_samples_median(lengths, repeats);
}

static void workers_result(bench_workers *all, dcps_bench_workers_result *result)
{
    const dcps_bench_workers_config *config = all->config;
    result->repeat_seconds = median_repeat_seconds(all);
    result->allocations = all->allocations_after - all->allocations_before;
    result->sample_count = config->workers * config->repeats * config->steps;
    dcps_samples_sort(all->seconds, result->sample_count);
    result->seconds = all->seconds;
    all->seconds = NULL;
}

dcps_status dcps_bench_workers_run(const dcps_bench_workers_config *config, dcps_bench_workers_result *result)
{
    bench_workers all = {.config = config};
    dcps_gate_init(&all.gate, config->workers);
    dcps_status status = workers_alloc(&all);
    if (status == DCPS_OK) {
        const uint32_t started = workers_start(&all, &status);
        workers_watch(&all, started);
        for (uint32_t i = 0; i < started; i++) {
            (void)pthread_join(all.workers[i].thread, NULL);
        }
        if (status == DCPS_OK) {
            status = workers_status(&all, started);
        }
        if (status == DCPS_OK) {
            workers_result(&all, result);
        }
    }
    workers_free(&all);
    dcps_gate_fini(&all.gate);
    return status;
}
