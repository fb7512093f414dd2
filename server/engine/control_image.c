/* Who held which worker id and which model is trained, as data for checkpoints. */
#include "base/alloc.h"
#include "proto/layout_util.h"
#include "server/engine/control_state.h"

dcps_status dcps_control_export(const dcps_control *control, dcps_control_image *image)
{
    if (control->layout == NULL) {
        return dcps_fail(DCPS_AGAIN, "nothing to save: no worker has declared a model yet");
    }
    dcps_control_image made = {.samples_per_epoch = control->samples_per_epoch,
                               .block_params = control->partition.block_params,
                               .run = control->run};
    made.workers = dcps_alloc(DCPS_MAX_WORKERS, sizeof(*made.workers));
    if (made.workers == NULL) {
        return dcps_fail(DCPS_NO_MEMORY, "no memory for the table of workers");
    }
    dcps_status status = dcps_layout_copy(control->layout, &made.layout);
    if (status != DCPS_OK) {
        dcps_free(made.workers);
        return status;
    }
    for (uint32_t worker = 0; worker < DCPS_MAX_WORKERS; worker++) {
        const dcps_registration *entry = &control->workers[worker];
        if (entry->incarnation > 0) {
            made.workers[made.worker_count++] =
                (dcps_image_worker){.worker = worker, .incarnation = entry->incarnation, .nonce = entry->nonce};
        }
    }
    *image = made;
    return DCPS_OK;
}

void dcps_control_image_fini(dcps_control_image *image)
{
    dcps_layout_destroy(&image->layout);
    dcps_free(image->workers);
    *image = (dcps_control_image){0};
}

dcps_status dcps_control_import(dcps_control *control, const dcps_control_image *image)
{
    for (uint32_t i = 0; i < image->worker_count; i++) {
        const dcps_image_worker *entry = &image->workers[i];
        if (entry->worker >= DCPS_MAX_WORKERS || entry->incarnation == 0) {
            return dcps_fail(DCPS_CORRUPT, "checkpoint: worker %u, incarnation %u is not a worker", entry->worker,
                             entry->incarnation);
        }
        control->workers[entry->worker] = (dcps_registration){.incarnation = entry->incarnation, .nonce = entry->nonce};
    }
    dcps_layout *layout;
    dcps_status status = dcps_layout_copy(image->layout, &layout);
    if (status != DCPS_OK) {
        return status;
    }
    status = dcps_control_set_layout(control, layout, image->samples_per_epoch, image->block_params, image->run);
    if (status != DCPS_OK) {
        dcps_layout_destroy(&layout);
    }
    return status;
}
