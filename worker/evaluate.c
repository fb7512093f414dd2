#include "worker/evaluate.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/alloc.h"
#include "base/log.h"
#include "proto/snapshot_count.h"
#include "tensor/tape.h"
#include "worker/json.h"
#include "worker/model_call.h"

dcps_split dcps_split_named(const char *name)
{
    static const struct {
        const char *name;
        dcps_split split;
    } splits[] = {{"train", DCPS_SPLIT_TRAIN}, {"validation", DCPS_SPLIT_VALIDATION}, {"test", DCPS_SPLIT_TEST}};
    size_t at = 0;
    while (strcmp(splits[at].name, name) != 0) {
        at++;
        assert(at < sizeof(splits) / sizeof(splits[0]));
    }
    return splits[at].split;
}

void dcps_evaluate_print(FILE *out, uint64_t index, const dcps_snapshot_info *snapshot, const dcps_model_info *model,
                         const dcps_metrics *metrics)
{
    (void)fprintf(out, "{\"snapshot\":%" PRIu64 ",\"epoch\":", index);
    dcps_json_real(out, (double)snapshot->samples / (double)model->train_samples);
    (void)fprintf(out, ",\"samples\":%" PRIu64 ",\"seconds\":", snapshot->samples);
    dcps_json_real(out, snapshot->seconds);
    (void)fputs(",\"train_loss\":", out);
    dcps_json_real(out, snapshot->train_loss);
    (void)fputs(",\"dataset\":", out);
    dcps_json_text(out, model->dataset == NULL ? "" : model->dataset);
    (void)fputs(",\"metrics\":{", out);
    for (uint32_t i = 0; i < metrics->count; i++) {
        (void)fputs(i == 0 ? "" : ",", out);
        dcps_json_text(out, metrics->items[i].name);
        (void)fputc(':', out);
        dcps_json_real(out, metrics->items[i].value);
    }
    (void)fputs("}}\n", out);
}

dcps_status dcps_evaluate_model(const dcps_loaded_model *loaded, dcps_tape *tape, dcps_split split,
                                dcps_metrics *metrics)
{
    dcps_tape_reset(tape);
    dcps_tape_weights_changed(tape);
    dcps_model_call_begin();
    dcps_status status = loaded->model->evaluate(loaded->state, tape, split, metrics);
    return dcps_model_call_end(loaded->model, "evaluate", status == DCPS_OK ? dcps_tape_status(tape) : status);
}

static dcps_status evaluate_snapshot(const dcps_evaluate_config *config, dcps_client *client, dcps_tape *tape,
                                     uint32_t index)
{
    const dcps_loaded_model *loaded = config->loaded;
    dcps_snapshot_info snapshot;
    dcps_metrics metrics = {.count = 0};
    dcps_status status = dcps_client_snapshot(client, index, true, &snapshot);
    if (status != DCPS_OK) {
        return status;
    }
    status = dcps_evaluate_model(loaded, tape, config->split, &metrics);
    if (status != DCPS_OK) {
        return status == DCPS_NOT_FOUND ? DCPS_INVALID : status; /* not to be taken for the end of the run */
    }
    dcps_evaluate_print(config->out, index, &snapshot, &loaded->info, &metrics);
    if (fflush(config->out) != 0) {
        return dcps_fail(DCPS_IO, "cannot print an evaluation: %s", strerror(errno));
    }
    return DCPS_OK;
}

static bool stop_requested(const dcps_evaluate_config *config)
{
    return config->stop != NULL && dcps_stop_requested(config->stop);
}

static dcps_status evaluate_all(const dcps_evaluate_config *config, dcps_client *client, dcps_tape *tape)
{
    const dcps_run_info *run = dcps_client_run_info(client);
    uint64_t count = dcps_snapshot_count(run->snapshot_every_samples, config->loaded->info.train_samples, run->epochs);
    if (count == 0) {
        return dcps_fail(DCPS_NOT_FOUND,
                         "the servers keep no snapshots of this run: start dcps-server with --snapshot-every-samples");
    }
    uint64_t missing = 0;
    for (uint64_t index = 0; index < count && index < UINT32_MAX; index++) {
        dcps_status status = stop_requested(config) ? dcps_fail(DCPS_CANCELLED, "evaluation was stopped")
                                                    : evaluate_snapshot(config, client, tape, (uint32_t)index);
        if (status == DCPS_NOT_FOUND) {
            missing++; /* a server that was restarted has lost those before; later ones may be there */
        } else if (status != DCPS_OK) {
            return status;
        }
    }
    if (missing > 0) {
        dcps_info("%" PRIu64 " of %" PRIu64 " snapshots are not there: the run ended before, or a server was restarted",
                  missing, count);
    }
    return DCPS_OK;
}

dcps_status dcps_evaluate_run(const dcps_evaluate_config *config, dcps_client **client)
{
    const dcps_loaded_model *loaded = config->loaded;
    dcps_tape *tape = NULL;
    dcps_work work;
    float *weights = dcps_alloc_aligned(dcps_layout_total_params(loaded->layout), sizeof(float));
    dcps_status status = weights == NULL ? dcps_fail(DCPS_NO_MEMORY, "no memory for the weights") : DCPS_OK;
    if (status == DCPS_OK) {
        dcps_tape_config tape_config = {
            .layout = loaded->layout, .weights = weights, .backend = config->backend, .device = config->device};
        status = dcps_tape_create(&tape_config, &tape);
    }
    if (status == DCPS_OK) {
        status = dcps_client_declare(*client, loaded->layout, loaded->info.train_samples, weights, NULL, &work);
    }
    if (status == DCPS_OK) {
        status = evaluate_all(config, *client, tape);
    }
    if (config->stop != NULL) {
        dcps_stop_watch(config->stop, NULL, 0);
    }
    dcps_client_destroy(client); /* before the vector that it refers to */
    dcps_tape_destroy(&tape);
    dcps_free(weights);
    return status;
}
