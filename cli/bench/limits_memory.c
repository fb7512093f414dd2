/* Memory bandwidth: the streaming triad. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>
#ifdef __SSE2__
#include <immintrin.h>
#endif

#include "base/alloc.h"
#include "base/clock.h"
#include "cli/bench/limits.h"

enum {
    MIN_PARAMS = 16 << 20, /* of one array, shared out among the threads: 64 MiB at least, */
    MAX_PARAMS = 32 << 20, /* 128 MiB at most, whatever is said of the cache */
    MIN_SHARE_PARAMS = 1 << 20,
    CHUNK_PARAMS = 4096,
    MIN_PASSES = 3,
    MAX_PASSES = 30,
    BUDGET_MS = 300, /* no further pass after that */
};

typedef struct triad_thread {
    pthread_t thread;
    size_t params; /* a multiple of CHUNK_PARAMS */
    float *a, *b, *c;
    double rate; /* bytes per second; 0: no memory */
} triad_thread;

#ifdef __SSE2__
static void triad_chunk(float *restrict a, const float *restrict b, const float *restrict c)
{
    const __m128 factor = _mm_set1_ps(3.0f);
    for (size_t i = 0; i < CHUNK_PARAMS; i += 4) {
        _mm_stream_ps(a + i, _mm_add_ps(_mm_load_ps(b + i), _mm_mul_ps(factor, _mm_load_ps(c + i))));
    }
}
#else
static void triad_chunk(float *restrict a, const float *restrict b, const float *restrict c)
{
    for (size_t i = 0; i < CHUNK_PARAMS; i++) { /* a fixed count: every compiler vectorises it */
        a[i] = b[i] + 3.0f * c[i];
    }
}
#endif

static double triad_seconds(const triad_thread *self)
{
    const uint64_t start_ns = dcps_clock_ns();
    for (size_t first = 0; first < self->params; first += CHUNK_PARAMS) {
        triad_chunk(self->a + first, self->b + first, self->c + first);
    }
    /* Nothing may stay in a store buffer, and the compiler may not drop a pass whose result the next one overwrites. */
    atomic_thread_fence(memory_order_seq_cst);
    return (double)(dcps_clock_ns() - start_ns) / (double)DCPS_NS_PER_S;
}

static bool triad_alloc(triad_thread *self)
{
    self->a = dcps_alloc_aligned(self->params, sizeof(float));
    self->b = dcps_alloc_aligned(self->params, sizeof(float));
    self->c = dcps_alloc_aligned(self->params, sizeof(float));
    return self->a != NULL && self->b != NULL && self->c != NULL;
}

static void triad_free(triad_thread *self)
{
    dcps_free(self->a);
    dcps_free(self->b);
    dcps_free(self->c);
}

/* A thread touches its arrays first, so that they lie in the memory nearest to it. */
static void *triad_run(void *context)
{
    triad_thread *self = context;
    if (!triad_alloc(self)) {
        goto done;
    }
    for (size_t i = 0; i < self->params; i++) {
        self->b[i] = 0.5f;
        self->c[i] = 0.25f;
    }
    const uint64_t end_ns = dcps_clock_ns() + BUDGET_MS * DCPS_NS_PER_MS;
    double best = triad_seconds(self);
    for (int pass = 1; pass < MIN_PASSES || (pass < MAX_PASSES && dcps_clock_ns() < end_ns); pass++) {
        const double seconds = triad_seconds(self);
        best = seconds < best ? seconds : best;
    }
    self->rate = (double)self->params * 3.0 * sizeof(float) / best;
done:
    triad_free(self);
    return NULL;
}

/* Runs all threads side by side; their passes are long beside the time it takes to start them. */
static dcps_status triad_run_all(triad_thread *all, uint32_t threads, double *bytes_per_second)
{
    dcps_status status = DCPS_OK;
    double sum = 0.0;
    uint32_t started = 0;
    for (; started < threads; started++) {
        const int error = pthread_create(&all[started].thread, NULL, triad_run, &all[started]);
        if (error != 0) {
            status = dcps_fail(DCPS_SYSTEM, "cannot start thread %u of %u: %s", started + 1, threads, strerror(error));
            break;
        }
    }
    for (uint32_t i = 0; i < started; i++) {
        (void)pthread_join(all[i].thread, NULL);
        if (all[i].rate <= 0.0 && status == DCPS_OK) {
            status = dcps_fail(DCPS_NO_MEMORY,
                               "no memory for three arrays of %zu parameters to measure memory bandwidth with",
                               all[i].params);
        }
        sum += all[i].rate;
    }
    if (status == DCPS_OK) {
        *bytes_per_second = sum;
    }
    return status;
}

/* Parameters of one array, all threads together: three of them are twice the last cache. */
static size_t total_params(void)
{
    const long cache_bytes = sysconf(_SC_LEVEL3_CACHE_SIZE);
    const size_t wanted = cache_bytes > 0 ? 2 * (size_t)cache_bytes / (3 * sizeof(float)) : 0;
    if (wanted < MIN_PARAMS) {
        return MIN_PARAMS;
    }
    return wanted < MAX_PARAMS ? wanted : MAX_PARAMS;
}

dcps_status dcps_limit_memory(uint32_t threads, double *bytes_per_second)
{
    triad_thread *all = dcps_alloc(threads, sizeof(*all));
    if (all == NULL) {
        return dcps_fail(DCPS_NO_MEMORY, "no memory for %u threads", threads);
    }
    const size_t even = total_params() / threads;
    const size_t share = even > MIN_SHARE_PARAMS ? even : MIN_SHARE_PARAMS;
    for (uint32_t i = 0; i < threads; i++) {
        all[i].params = share - share % CHUNK_PARAMS;
    }
    const dcps_status status = triad_run_all(all, threads, bytes_per_second);
    dcps_free(all);
    return status;
}
