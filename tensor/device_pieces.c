/* How gradients of a device come to the host: piece by piece, while the walk backward goes on, or, if they are clipped, when it is over. */
#include <assert.h>
#include <string.h>

#include "tensor/device_tape.h"
#include "tensor/tape_state.h"

/* Everything else that the host is to learn of the step. */
static dcps_status download_small(dcps_device_tape *self, const dcps_tensor *loss)
{
    dcps_status status = self->ops->download(self->device, self->loss, loss->values, sizeof(*self->loss));
    for (const struct dcps_fetch *fetch = self->fetches; fetch != NULL && status == DCPS_OK; fetch = fetch->next) {
        status = self->ops->download(self->device, fetch->pinned, fetch->values, fetch->bytes);
    }
    return status;
}

/* Downloads the gradients of a piece, neighbours of the layout together. */
static dcps_status download_gradients(dcps_device_tape *self, uint32_t piece)
{
    const dcps_layout *layout = self->tape->config.layout;
    uint64_t first = 0, end = 0; /* parameters of the run of neighbours so far */
    dcps_status status = DCPS_OK;
    for (uint32_t i = 0; i <= dcps_layout_tensor_count(layout) && status == DCPS_OK; i++) {
        bool last = i == dcps_layout_tensor_count(layout);
        if (!last && self->piece_of[i] == piece) {
            const dcps_layout_tensor *tensor = dcps_layout_tensor_at(layout, i);
            if (first == end) {
                first = tensor->offset_params;
            }
            end = tensor->offset_params + dcps_padded_params(tensor->count_params);
        } else if (first < end) {
            status = self->ops->download(self->device, self->tape->config.gradient + first, self->gradient + first,
                                         (end - first) * sizeof(float));
            first = end;
        }
    }
    return status;
}

/* Sends a piece on its way to the host, once what was put off is run; the first takes along what is small. */
static dcps_status piece_send(dcps_device_tape *self, uint32_t piece, const dcps_tensor *loss)
{
    dcps_status status = dcps_device_tape_run(self);
    if (status == DCPS_OK) {
        status = self->ops->follow(self->device);
    }
    if (status == DCPS_OK && piece == 0) {
        status = download_small(self, loss);
    }
    if (status == DCPS_OK) {
        status = download_gradients(self, piece);
    }
    return status == DCPS_OK ? self->ops->mark(self->device, self->pieces[piece]) : status;
}

/* The piece being filled is whole. One that is to be clipped waits for all others. */
static dcps_status piece_close(dcps_device_tape *self, const dcps_tensor *loss)
{
    assert(self->piece <= DCPS_MAX_PIECES);
    self->filled_bytes = 0;
    self->piece++;
    return self->trained != NULL ? DCPS_OK : piece_send(self, self->piece - 1, loss);
}

dcps_status dcps_device_tape_final(dcps_device_tape *self, uint32_t index, const dcps_tensor *loss)
{
    const dcps_layout_tensor *tensor = dcps_layout_tensor_at(self->tape->config.layout, index);
    self->piece_of[index] = self->piece;
    self->filled_bytes += dcps_padded_params(tensor->count_params) * sizeof(float);
    return self->filled_bytes >= self->piece_bytes ? piece_close(self, loss) : DCPS_OK;
}

static dcps_status clip_and_send(dcps_device_tape *self, const dcps_tensor *loss)
{
    dcps_status status = dcps_device_tape_clip(self);
    for (uint32_t piece = 0; piece < self->piece && status == DCPS_OK; piece++) {
        status = piece_send(self, piece, loss);
    }
    return status;
}

static void report(const dcps_device_tape *self, uint32_t piece)
{
    const dcps_tape_config *config = &self->tape->config;
    for (uint32_t i = 0; i < dcps_layout_tensor_count(config->layout) && config->gradient_final != NULL; i++) {
        const dcps_layout_tensor *tensor = dcps_layout_tensor_at(config->layout, i);
        if (self->piece_of[i] == piece) {
            config->gradient_final(config->context, tensor->offset_params, dcps_padded_params(tensor->count_params));
        }
    }
}

dcps_status dcps_device_tape_collect(dcps_device_tape *self, const dcps_tensor *loss, float *loss_value)
{
    dcps_status status = self->filled_bytes > 0 ? piece_close(self, loss) : DCPS_OK;
    if (status == DCPS_OK && self->trained != NULL) {
        status = clip_and_send(self, loss);
    }
    uint32_t count = self->piece;
    for (uint32_t piece = 0; piece < count && status == DCPS_OK; piece++) {
        status = self->ops->wait(self->device, self->pieces[piece]);
        if (status != DCPS_OK) {
            return status;
        }
        if (piece == 0) {
            *loss_value = *self->loss;
        }
        self->busy = piece + 1 < count;
        report(self, piece);
    }
    for (const struct dcps_fetch *fetch = self->fetches; fetch != NULL && status == DCPS_OK; fetch = fetch->next) {
        memcpy(fetch->to, fetch->pinned, fetch->bytes);
    }
    return status;
}
