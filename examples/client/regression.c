/* Least squares without a model plugin: the client API with a gradient of one's own. Finds how strong each of twenty sine waves is in samples of their sum. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include <dcps/client.h>

enum { SAMPLES = 3200, WAVES = 20, GOODBYE_MS = 5000 };

static double wave(uint64_t sample, int i)
{
    return sin((double)sample * (i + 1));
}
/* What is to be found. */
static double strength(int i)
{
    return (i + 1.0) / WAVES;
}

/* Mean of ½ (Σ weights · waves − Σ strengths · waves)² over a slice of the samples, and its gradient. */
static float differentiate(const float *weights, uint64_t first, uint32_t count, float *gradient)
{
    double loss = 0.0, slope[WAVES] = {0};
    for (uint64_t s = first; s < first + count; s++) {
        double error = 0.0;
        for (int i = 0; i < WAVES; i++) {
            error += ((double)weights[i] - strength(i)) * wave(s, i);
        }
        for (int i = 0; i < WAVES; i++) {
            slope[i] += error * wave(s, i) / count;
        }
        loss += 0.5 * error * error / count;
    }
    for (int i = 0; i < WAVES; i++) {
        gradient[i] = (float)slope[i];
    }
    return (float)loss;
}

/* The mini-batch that the servers have handed out, by its number: all processes cut the samples alike. */
static dcps_status step(dcps_client *client, uint64_t params, const float *weights, float *gradient, dcps_work *work)
{
    const uint64_t size = dcps_client_run_info(client)->batch_size;
    const uint64_t first = work->batch % ((SAMPLES + size - 1) / size) * size;
    const uint32_t count = (uint32_t)(size < SAMPLES - first ? size : SAMPLES - first);
    const float loss = differentiate(weights, first, count, gradient);
    dcps_status status = dcps_client_push(client, 0, params, count, loss);
    return status == DCPS_OK ? dcps_client_wait(client, work) : status;
}

/* Does what the servers say until all epochs are over; a batch may follow an abstention, when its worker was lost. */
static dcps_status train(dcps_client *client, const dcps_layout *layout, float *weights, float *gradient)
{
    unsigned steps = 0;
    double distance = 0.0;
    dcps_work work;
    dcps_layout_initialise(layout, dcps_client_run_info(client)->seed, weights);
    dcps_status status = dcps_client_declare(client, layout, SAMPLES, weights, gradient, &work);
    while (status == DCPS_OK && work.kind != DCPS_WORK_DONE) {
        if (work.kind == DCPS_WORK_ABSTAIN) {
            status = dcps_client_abstain(client, &work);
        } else {
            status = step(client, dcps_layout_total_params(layout), weights, gradient, &work);
            steps++;
        }
    }
    for (int i = 0; i < WAVES; i++) {
        distance = hypot(distance, (double)weights[i] - strength(i));
    }
    if (status == DCPS_OK) {
        printf("%u mini-batches computed here; distance of the weights from the truth: %.2g\n", steps, distance);
    }
    return status;
}

/* Vectors are as long as the layout, which rounds up. They outlive the client. */
static dcps_status take_part(dcps_client *client, const dcps_layout *layout)
{
    float *weights = calloc(dcps_layout_total_params(layout), sizeof(*weights));
    float *gradient = calloc(dcps_layout_total_params(layout), sizeof(*gradient));
    dcps_status status = weights != NULL && gradient != NULL ? train(client, layout, weights, gradient)
                                                             : dcps_fail(DCPS_NO_MEMORY, "no memory for the weights");
    if (status != DCPS_OK) {
        fprintf(stderr, "regression: %s\n", dcps_error_message());
    }
    if (dcps_client_finish(client, GOODBYE_MS) != DCPS_OK) {
        fprintf(stderr, "regression: %s\n", dcps_error_message());
    }
    dcps_client_destroy(&client);
    free(weights);
    free(gradient);
    return status;
}

int main(int argc, char **argv)
{
    dcps_client *client = NULL;
    dcps_layout *layout = NULL;
    if (argc != 2) {
        fprintf(stderr, "usage: regression HOST:PORT[,HOST:PORT...]\n");
        return 2;
    }
    dcps_status status = dcps_layout_create(&layout);
    if (status == DCPS_OK) {
        status = dcps_layout_add(layout, "strengths", DCPS_INIT_ZERO, 1, (size_t[]){WAVES}, NULL);
    }
    if (status == DCPS_OK) {
        status = dcps_client_connect(&(dcps_client_config){.servers = argv[1]}, &client);
    }
    if (status != DCPS_OK) {
        fprintf(stderr, "regression: %s\n", dcps_error_message());
    } else {
        status = take_part(client, layout);
    }
    dcps_layout_destroy(&layout);
    return status == DCPS_OK ? 0 : 1;
}
