/* Stands in for dcps-server: listens, answers STATUS with progress that follows the clock, and misbehaves as --mode tells. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "proto/transport.h"

#define SAMPLES_PER_EPOCH 600u
#define EPOCHS 2u
#define WAITING_NS (50 * DCPS_NS_PER_MS)
#define TRAINING_NS (400 * DCPS_NS_PER_MS)
#define SHARDS 3u
#define LATE_US 4000000 /* in modes "late" and "die-late", when it goes on from a checkpoint */
#define HALF_NS (WAITING_NS + TRAINING_NS / 2)

static volatile sig_atomic_t stopped;

static void stop(int number)
{
    (void)number;
    stopped = 1;
}

static const char *flag(int argc, char **argv, const char *name)
{
    const char *value = "";
    for (int i = 1; i + 1 < argc; i++) {
        if (strcmp(argv[i], name) == 0) {
            value = argv[i + 1];
        }
    }
    return value;
}

/* Progress after `age_ns`: nothing, then a straight line, then done. */
static void fill_status(dcps_status_reply *reply, uint64_t age_ns, bool stuck)
{
    static const dcps_counts staleness = {.sum = 4, .max = 2, .of = {1, 2, 1}};
    uint64_t trained_ns = age_ns < WAITING_NS ? 0 : age_ns - WAITING_NS;
    trained_ns = trained_ns > TRAINING_NS ? TRAINING_NS : trained_ns;
    trained_ns = stuck ? 0 : trained_ns;
    *reply = (dcps_status_reply){.server_count = 1,
                                 .state = DCPS_RUN_TRAINING,
                                 .samples = SAMPLES_PER_EPOCH * EPOCHS * trained_ns / TRAINING_NS,
                                 .samples_per_epoch = SAMPLES_PER_EPOCH,
                                 .epochs = EPOCHS,
                                 .updates = 12,
                                 .training_ns = trained_ns,
                                 .train_loss = 0.5,
                                 .workers_expected = 2,
                                 .staleness = &staleness,
                                 .algorithm = "asgd"};
    reply->state = age_ns < WAITING_NS ? DCPS_RUN_WAITING : reply->state;
    reply->state = trained_ns == TRAINING_NS ? DCPS_RUN_DONE : reply->state;
}

/* Of three shards, two of them in one answer; their largest value grows like the steps of workers. */
static void add_histograms(dcps_status_reply *reply, uint32_t first, uint64_t answers)
{
    static dcps_shard_histograms histograms[SHARDS];
    for (uint32_t i = 0; i < SHARDS; i++) {
        histograms[i] = (dcps_shard_histograms){.held_ns.count = 0};
        dcps_histogram_add(&histograms[i].held_ns, 10 * answers + i);
    }
    reply->first_shard = first < SHARDS ? first : 0;
    reply->histogram_count = first >= SHARDS ? 0 : SHARDS - first > 2 ? 2 : SHARDS - first;
    reply->histograms = &histograms[reply->first_shard];
}

/* Three workers, two of them in one answer. Steps grow from answer to answer, so that a test can tell an early one from a late one. */
static void add_statistics(dcps_status_reply *reply, const dcps_status_request *request, uint64_t answers,
                           bool knows_histograms)
{
    static dcps_shard_statistics shards[SHARDS];
    static dcps_worker_statistics workers[3];
    for (uint32_t i = 0; i < SHARDS; i++) {
        shards[i] = (dcps_shard_statistics){.shard = i,
                                            .updates = 12,
                                            .pushes = {.applied = 4, .duplicates = 2},
                                            .queue_max = 3,
                                            .queue_mean = 1.5,
                                            .backlog_mean = 2.0};
    }
    reply->shard_count = SHARDS;
    reply->shards = shards;
    if (request->histograms && knows_histograms) {
        add_histograms(reply, request->first_shard, answers);
    }
    if (!request->workers) {
        return;
    }
    for (uint32_t i = 0; i < 3; i++) {
        workers[i] = (dcps_worker_statistics){.worker = i, .steps = 10 * answers + i};
        (void)snprintf(workers[i].name, sizeof(workers[i].name), "worker-%u", i);
        dcps_histogram_add(&workers[i].staleness, i);
    }
    uint32_t first = request->first_worker < 3 ? request->first_worker : 3;
    reply->has_workers = true;
    reply->first_worker = request->first_worker;
    reply->worker_count = 3 - first > 2 ? 2 : 3 - first;
    reply->workers = &workers[first];
    reply->next_worker = first + reply->worker_count < 3 ? first + reply->worker_count : 0;
}

/* In mode "patient" the training stops half-way until the marker is there. */
static uint64_t age_of(uint64_t start_ns, const char *mode, const char *marker)
{
    uint64_t age_ns = dcps_clock_ns() - start_ns;
    bool held = strcmp(mode, "patient") == 0 && access(marker, F_OK) != 0;
    return held && age_ns > HALF_NS ? HALF_NS : age_ns;
}

static int serve(dcps_socket *socket, const char *mode, const char *marker, bool resumed)
{
    uint64_t start_ns = dcps_clock_ns() - (resumed ? HALF_NS : 0);
    uint64_t answers = 0;
    bool silent = strcmp(mode, "silent") == 0;
    while (!stopped || strcmp(mode, "deaf") == 0) {
        dcps_delivery delivery;
        bool wake = false;
        if (dcps_socket_wait(&socket, 1, -1, 20, &wake) != DCPS_OK) {
            return 4;
        }
        uint64_t age_ns = age_of(start_ns, mode, marker);
        if (strncmp(mode, "die", 3) == 0 && !resumed && age_ns > HALF_NS) {
            (void)kill(getpid(), SIGKILL);
        }
        while (dcps_socket_receive(socket, &delivery) == DCPS_OK) {
            dcps_message answer = {.type = DCPS_MESSAGE_STATUS_REPLY};
            fill_status(&answer.body.status_reply, age_ns, strcmp(mode, "stuck") == 0);
            if (strcmp(mode, "old") != 0) {
                add_statistics(&answer.body.status_reply, &delivery.message.body.status, ++answers,
                               strcmp(mode, "no-histograms") != 0);
            }
            if (!silent && dcps_socket_send(socket, &delivery.peer, &answer, NULL) != DCPS_OK) {
                (void)fprintf(stderr, "cannot answer\n");
            }
            dcps_buffer_unref(&delivery.payload);
        }
    }
    return strcmp(mode, "bad-end") == 0 ? 1 : 0;
}

/* In mode "taken" the first life finds its port in use. */
static bool port_is_taken(const char *mode, const char *marker)
{
    if (strcmp(mode, "taken") != 0 || access(marker, F_OK) == 0) {
        return false;
    }
    FILE *file = fopen(marker, "w");
    if (file != NULL) {
        (void)fclose(file);
    }
    (void)fprintf(stderr, "cannot listen: Address already in use\n");
    return true;
}

int main(int argc, char **argv)
{
    const char *mode = flag(argc, argv, "--mode");
    char endpoint[128];
    dcps_transport *transport = NULL;
    dcps_socket *socket = NULL;
    (void)signal(SIGTERM, stop);
    if (strcmp(mode, "usage") == 0 || strcmp(mode, "early") == 0 || port_is_taken(mode, flag(argc, argv, "--marker"))) {
        (void)fprintf(stderr, "this server does not want to\n");
        return strcmp(mode, "usage") == 0 ? 2 : 1;
    }
    bool resumed = strcmp(flag(argc, argv, "--resume"), "auto") == 0;
    if (strcmp(mode, "late") == 0 || (strcmp(mode, "die-late") == 0 && resumed)) {
        (void)usleep(LATE_US);
    }
    (void)snprintf(endpoint, sizeof(endpoint), "tcp://%s", flag(argc, argv, "--bind"));
    if (dcps_transport_create(1, &transport) != DCPS_OK || dcps_socket_bind(transport, endpoint, &socket) != DCPS_OK) {
        (void)fprintf(stderr, "%s\n", dcps_error_message());
        return 1;
    }
    (void)printf("dcps-server listening control=%s index=%s shards=1\n", endpoint + 6, flag(argc, argv, "--index"));
    (void)fflush(stdout);
    int code = serve(socket, mode, flag(argc, argv, "--marker"), resumed);
    dcps_socket_close(&socket);
    dcps_transport_destroy(&transport);
    return code;
}
