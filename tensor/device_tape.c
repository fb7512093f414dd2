#include "tensor/device_tape.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/log.h"
#include "tensor/tape_state.h"

/* Work of a segment: a call forward (no slots) or backward; without a call the clipping of the gradient, a copy or, without `from`, a fill. */
struct dcps_put_off {
    struct dcps_put_off *next;
    const dcps_call *call;
    bool clips;
    const dcps_gradient_slot *slots;
    float *to;
    const float *
        from; /* of a copy; of a call backward the gradient of its result, which the tape forgets before the work is run */
    size_t count;
    float value;
};

static void *device_take(void *context, size_t bytes)
{
    dcps_device_tape *self = context;
    return self->ops->take(self->device, bytes);
}

static void device_release(void *context, void *memory)
{
    dcps_device_tape *self = context;
    self->ops->release(self->device, memory);
}

static void *pinned_take(void *context, size_t bytes)
{
    dcps_device_tape *self = context;
    return self->ops->take_pinned(self->device, bytes);
}

static void pinned_release(void *context, void *memory)
{
    dcps_device_tape *self = context;
    self->ops->release_pinned(self->device, memory);
}

static size_t vector_bytes(const dcps_device_tape *self)
{
    return self->params * sizeof(float);
}

static void pieces_begin(dcps_device_tape *self)
{
    self->piece = 0;
    self->filled_bytes = 0;
    for (uint32_t i = 0; self->piece_of != NULL && i < dcps_layout_tensor_count(self->tape->config.layout); i++) {
        self->piece_of[i] = UINT32_MAX;
    }
}

static dcps_status events_create(dcps_device_tape *self)
{
    dcps_status status = self->ops->event_create(self->device, &self->read);
    for (uint32_t i = 0; i <= DCPS_MAX_PIECES && status == DCPS_OK; i++) {
        status = self->ops->event_create(self->device, &self->pieces[i]);
    }
    return status;
}

/* Which parameters are clipped: those that are trained, neighbours of the layout together, with the zeros between them. */
static dcps_status clip_create(dcps_device_tape *self)
{
    const dcps_layout *layout = self->tape->config.layout;
    const uint32_t tensors = dcps_layout_tensor_count(layout);
    self->trained = dcps_alloc(tensors, sizeof(*self->trained));
    if (self->trained == NULL) {
        return dcps_fail(DCPS_NO_MEMORY, "no memory for the %u parameters of a tape", tensors);
    }
    for (uint32_t i = 0; i < tensors; i++) {
        const dcps_layout_tensor *tensor = dcps_layout_tensor_at(layout, i);
        dcps_device_range *last = self->trained_count == 0 ? NULL : &self->trained[self->trained_count - 1];
        if (tensor->average_rate > 0.0f) {
            continue;
        }
        if (last != NULL && last->first + last->count == tensor->offset_params) {
            last->count += dcps_padded_params(tensor->count_params);
        } else {
            self->trained[self->trained_count++] =
                (dcps_device_range){.first = tensor->offset_params, .count = dcps_padded_params(tensor->count_params)};
        }
    }
    self->clip_sums =
        self->ops->take(self->device, ((size_t)self->trained_count * DCPS_CLIP_SUMS + 1) * sizeof(*self->clip_sums));
    return self->clip_sums == NULL ? DCPS_NO_MEMORY : DCPS_OK;
}

/* What a tape that trains needs beside weights. */
static dcps_status gradient_create(dcps_device_tape *self)
{
    uint32_t tensors = dcps_layout_tensor_count(self->tape->config.layout);
    self->piece_of = dcps_alloc(tensors, sizeof(*self->piece_of));
    if (self->piece_of == NULL) {
        return dcps_fail(DCPS_NO_MEMORY, "no memory for the %u parameters of a tape", tensors);
    }
    pieces_begin(self);
    self->piece_bytes = (vector_bytes(self) + DCPS_MAX_PIECES - 1) / DCPS_MAX_PIECES;
    if (self->piece_bytes < DCPS_PIECE_BYTES) {
        self->piece_bytes = DCPS_PIECE_BYTES;
    }
    self->gradient = self->ops->take(self->device, vector_bytes(self));
    self->loss = self->ops->take_pinned(self->device, sizeof(*self->loss));
    if (self->gradient == NULL || self->loss == NULL) {
        return DCPS_NO_MEMORY;
    }
    dcps_status status = self->tape->config.clip_norm > 0.0 ? clip_create(self) : DCPS_OK;
    if (status != DCPS_OK) {
        return status;
    }
    self->ops->pin(self->device, self->tape->config.gradient, vector_bytes(self));
    self->busy = true;
    /* Padding is never written again. */
    return self->ops->fill(self->device, self->gradient, self->params, 0.0f);
}

dcps_status dcps_device_tape_create(dcps_tape *tape, dcps_device_tape **made)
{
    const dcps_tape_config *config = &tape->config;
    dcps_device_tape *self = dcps_alloc(1, sizeof(*self));
    if (self == NULL) {
        return dcps_fail(DCPS_NO_MEMORY, "no memory for a tape");
    }
    self->tape = tape;
    self->ops = config->backend->device_ops;
    self->device = config->device;
    self->device_source = (dcps_memory_source){.take = device_take, .release = device_release, .context = self};
    self->pinned_source = (dcps_memory_source){.take = pinned_take, .release = pinned_release, .context = self};
    self->values.source = self->arrived.source = &self->device_source;
    self->staged.source = self->fetched.source = &self->pinned_source;
    self->params = dcps_layout_total_params(config->layout);
    self->weights_stale = true;
    self->end = &self->first;
    self->replay = (dcps_replay){.ops = self->ops, .device = self->device, .off = config->no_replay};
    dcps_status status = events_create(self);
    if (status == DCPS_OK) {
        self->ops->pin(self->device, (float *)config->weights, vector_bytes(self));
        self->weights = self->ops->take(self->device, vector_bytes(self));
        status = self->weights == NULL ? DCPS_NO_MEMORY : DCPS_OK;
    }
    if (status == DCPS_OK && config->gradient != NULL) {
        status = gradient_create(self);
    }
    if (status != DCPS_OK) {
        dcps_device_tape_destroy(&self);
    } else {
        *made = self;
    }
    return status;
}

void dcps_device_tape_destroy(dcps_device_tape **tape)
{
    dcps_device_tape *self = *tape;
    if (self == NULL) {
        return;
    }
    dcps_device_tape_abandon(self);
    dcps_replay_fini(&self->replay);
    dcps_step_memory_fini(&self->values);
    dcps_step_memory_fini(&self->staged);
    dcps_step_memory_fini(&self->arrived);
    dcps_step_memory_fini(&self->fetched);
    if (self->tape->config.gradient != NULL) {
        self->ops->unpin(self->device, self->tape->config.gradient);
    }
    self->ops->unpin(self->device, (float *)self->tape->config.weights);
    self->ops->release_pinned(self->device, self->loss);
    self->ops->release(self->device, self->gradient);
    self->ops->release(self->device, self->clip_sums);
    self->ops->release(self->device, self->weights);
    for (uint32_t i = 0; i <= DCPS_MAX_PIECES; i++) {
        self->ops->event_destroy(self->device, &self->pieces[i]);
    }
    self->ops->event_destroy(self->device, &self->read);
    dcps_free(self->piece_of);
    dcps_free(self->trained);
    dcps_free(self);
    *tape = NULL;
}

void dcps_device_tape_abandon(dcps_device_tape *self)
{
    if (self->busy) {
        (void)self->ops->finish(self->device); /* the failure that matters is the one before */
    }
    self->busy = false;
}

size_t dcps_device_tape_bytes(const dcps_device_tape *self)
{
    return dcps_step_memory_bytes(&self->values) + dcps_step_memory_bytes(&self->staged) +
           dcps_step_memory_bytes(&self->arrived) + dcps_step_memory_bytes(&self->fetched);
}

static void put_off_forget(dcps_device_tape *self)
{
    self->first = NULL;
    self->end = &self->first;
    dcps_replay_forget(&self->replay);
}

dcps_status dcps_device_tape_reset(dcps_device_tape *self)
{
    put_off_forget(self);
    self->fetches = NULL;
    pieces_begin(self);
    self->staging.bytes = 0;
    self->weights_stale |= self->tape->config.gradient != NULL;
    dcps_status status = self->busy ? self->ops->finish(self->device) : DCPS_OK;
    self->busy = false;
    if (dcps_step_memory_outgrown(&self->values) || dcps_step_memory_outgrown(&self->arrived)) {
        dcps_replay_clear(&self->replay);
    }
    dcps_step_memory_reset(&self->values);
    dcps_step_memory_reset(&self->staged);
    dcps_step_memory_reset(&self->arrived);
    dcps_step_memory_reset(&self->fetched);
    return status;
}

static dcps_status staging_send(dcps_device_tape *self)
{
    if (self->staging.bytes == 0) {
        return DCPS_OK;
    }
    self->busy = true;
    dcps_status status = self->ops->upload(self->device, self->staging.to, self->staging.from, self->staging.bytes);
    self->staging.bytes = 0;
    return status;
}

/* Whether what was staged goes on at `from` and `to`. No copy may reach from one allocation into the next, even where they happen to touch. */
static bool staging_goes_on(const dcps_device_tape *self, const uint8_t *from, const uint8_t *to)
{
    return self->staging.bytes > 0 && from == self->staging.from + self->staging.bytes &&
           to == self->staging.to + self->staging.bytes &&
           dcps_step_memory_in_arena(&self->staged, self->staging.from) &&
           dcps_step_memory_in_arena(&self->staged, from) &&
           dcps_step_memory_in_arena(&self->arrived, self->staging.to) && dcps_step_memory_in_arena(&self->arrived, to);
}

dcps_status dcps_device_tape_upload(dcps_device_tape *self, const void *host, size_t bytes, const void **there)
{
    /* Both sides are taken alike, so that they stay back to back; the last bytes of a cache line are copied along. */
    size_t whole = (bytes + DCPS_CACHE_LINE_BYTES - 1) / DCPS_CACHE_LINE_BYTES * DCPS_CACHE_LINE_BYTES;
    uint8_t *from = dcps_step_memory_take(&self->staged, whole, 1);
    uint8_t *to = dcps_step_memory_take(&self->arrived, whole, 1);
    if (from == NULL || to == NULL) {
        return DCPS_NO_MEMORY;
    }
    memcpy(from, host, bytes);
    memset(from + bytes, 0, whole - bytes);
    if (staging_goes_on(self, from, to)) {
        self->staging.bytes += whole;
        *there = to;
        return DCPS_OK;
    }
    dcps_status status = staging_send(self);
    if (status != DCPS_OK) {
        return status;
    }
    self->staging.to = to;
    self->staging.from = from;
    self->staging.bytes = whole;
    *there = to;
    return DCPS_OK;
}

/* A new piece of work at the end; NULL, with the failure recorded, when out of memory. */
static struct dcps_put_off *put_off(dcps_device_tape *self, size_t slots)
{
    struct dcps_put_off *work =
        dcps_step_memory_take(&self->tape->memory, 1, sizeof(*work) + slots * sizeof(dcps_gradient_slot));
    if (work == NULL) {
        (void)dcps_fail(DCPS_NO_MEMORY, "no memory to put off work for the device");
        return NULL;
    }
    *work = (struct dcps_put_off){.next = NULL};
    *self->end = work;
    self->end = &work->next;
    return work;
}

dcps_status dcps_device_tape_forward(dcps_device_tape *self, const dcps_call *call)
{
    struct dcps_put_off *work = put_off(self, 0);
    if (work == NULL) {
        return DCPS_NO_MEMORY;
    }
    work->call = call;
    const uint8_t kind = 'F';
    dcps_replay_note(&self->replay, &kind, sizeof(kind));
    dcps_replay_note_call(&self->replay, call);
    return DCPS_OK;
}

dcps_status dcps_device_tape_backward(dcps_device_tape *self, const dcps_call *call, const dcps_gradient_slot *slots)
{
    struct dcps_put_off *work = put_off(self, call->input_count);
    if (work == NULL) {
        return DCPS_NO_MEMORY;
    }
    work->call = call;
    work->from = call->y->gradient;
    work->slots = memcpy(work + 1, slots, call->input_count * sizeof(*slots));
    const uint8_t kind = 'B';
    dcps_replay_note(&self->replay, &kind, sizeof(kind));
    dcps_replay_note_call(&self->replay, call);
    dcps_replay_note(&self->replay, &work->from, sizeof(work->from));
    for (uint32_t i = 0; i < call->input_count; i++) {
        const uint64_t slot[] = {(uint64_t)(uintptr_t)slots[i].values, slots[i].add};
        dcps_replay_note(&self->replay, slot, sizeof(slot));
    }
    return DCPS_OK;
}

static dcps_status write_values(dcps_device_tape *self, float *to, const float *from, size_t count, float value)
{
    struct dcps_put_off *work = put_off(self, 0);
    if (work == NULL) {
        return DCPS_NO_MEMORY;
    }
    work->to = to;
    work->from = from;
    work->count = count;
    work->value = value;
    const uint8_t kind = '=';
    const uint64_t what[] = {(uint64_t)(uintptr_t)to, (uint64_t)(uintptr_t)from, count};
    dcps_replay_note(&self->replay, &kind, sizeof(kind));
    dcps_replay_note(&self->replay, what, sizeof(what));
    dcps_replay_note(&self->replay, &value, sizeof(value));
    return DCPS_OK;
}

dcps_status dcps_device_tape_fill(dcps_device_tape *self, float *to, size_t count, float value)
{
    return write_values(self, to, NULL, count, value);
}

dcps_status dcps_device_tape_copy(dcps_device_tape *self, float *to, const float *from, size_t count)
{
    return write_values(self, to, from, count, 0.0f);
}

dcps_status dcps_device_tape_clip(dcps_device_tape *self)
{
    struct dcps_put_off *work = put_off(self, 0);
    if (work == NULL) {
        return DCPS_NO_MEMORY;
    }
    work->clips = true;
    const uint8_t kind = 'C';
    dcps_replay_note(&self->replay, &kind, sizeof(kind));
    return DCPS_OK;
}

static dcps_status work_run(dcps_device_tape *self, const struct dcps_put_off *work)
{
    if (work->clips) {
        return self->ops->clip(self->device, self->gradient, self->trained, self->trained_count,
                               self->tape->config.clip_norm, self->clip_sums);
    }
    if (work->call == NULL) {
        return work->from == NULL ? self->ops->fill(self->device, work->to, work->count, work->value)
                                  : self->ops->copy(self->device, work->to, work->from, work->count);
    }
    return work->slots == NULL ? dcps_kernel_forward(self->tape, work->call, (float *)work->call->y->values)
                               : dcps_kernel_backward(self->tape, work->call, work->from, work->slots);
}

static dcps_status run_all(dcps_device_tape *self)
{
    dcps_status status = DCPS_OK;
    for (const struct dcps_put_off *work = self->first; work != NULL && status == DCPS_OK; work = work->next) {
        status = work_run(self, work);
    }
    return status;
}

/* Notes down what is put off. The failure names the work at which it came up. */
static dcps_status capture_all(dcps_device_tape *self)
{
    for (const struct dcps_put_off *work = self->first; work != NULL; work = work->next) {
        dcps_status status = work_run(self, work);
        if (status == DCPS_OK) {
            status = self->ops->capture_check(self->device);
        }
        if (status != DCPS_OK) {
            char why[512];
            snprintf(why, sizeof(why), "%s", dcps_error_message());
            return dcps_fail(status, "%s%s: %s",
                             work->call == NULL ? "copy, fill or clip" : dcps_op_name(work->call->op),
                             work->slots == NULL ? "" : ", backward", why);
        }
    }
    return DCPS_OK;
}

/* Captures what is put off. A device that cannot is used without graphs from then on. */
static void capture(dcps_device_tape *self, dcps_replay_segment *segment)
{
    char why[640] = "";
    dcps_status status = self->ops->capture_begin(self->device);
    if (status == DCPS_OK) {
        status = capture_all(self);
        if (status != DCPS_OK) {
            snprintf(why, sizeof(why), "%s", dcps_error_message());
        }
        dcps_status ended = self->ops->capture_end(self->device, status == DCPS_OK ? &segment->graph : NULL);
        status = status == DCPS_OK ? ended : status;
    }
    if (status != DCPS_OK) {
        self->replay.off = true;
        dcps_warn("steps are launched call by call, which is slower: they cannot be captured as a graph (%s)",
                  why[0] != '\0' ? why : dcps_error_message());
    }
}

dcps_status dcps_device_tape_run(dcps_device_tape *self)
{
    dcps_status status = staging_send(self);
    if (status == DCPS_OK && self->weights_stale) {
        self->busy = true;
        self->weights_stale = false;
        status = self->ops->upload(self->device, self->weights, self->tape->config.weights, vector_bytes(self));
    }
    if (status != DCPS_OK || self->first == NULL) {
        return status;
    }
    bool known;
    self->busy = true;
    /* Scratch begins here, and a graph knows where it was. */
    const uint64_t scratch_at = self->values.arena.used_bytes;
    dcps_replay_note(&self->replay, &scratch_at, sizeof(scratch_at));
    dcps_replay_segment *segment = dcps_replay_segment_of(&self->replay, &known);
    known = known && self->tape->watch == NULL; /* who watches calls wants to see them run */
    if (known && segment->graph == NULL) {
        capture(self, segment);
    }
    status = known && segment->graph != NULL ? self->ops->launch(self->device, segment->graph) : run_all(self);
    put_off_forget(self);
    return status;
}

dcps_status dcps_device_tape_read(dcps_device_tape *self, const float *values, size_t count, const float **readable)
{
    float *pinned = dcps_step_memory_take(&self->fetched, count, sizeof(*pinned));
    if (pinned == NULL) {
        return DCPS_NO_MEMORY;
    }
    dcps_status status = dcps_device_tape_run(self);
    self->busy = true;
    if (status == DCPS_OK) {
        status = self->ops->follow(self->device);
    }
    if (status == DCPS_OK) {
        status = self->ops->download(self->device, pinned, values, count * sizeof(*pinned));
    }
    if (status == DCPS_OK) {
        status = self->ops->mark(self->device, self->read);
    }
    if (status == DCPS_OK) {
        status = self->ops->wait(self->device, self->read);
    }
    if (status != DCPS_OK) {
        return status;
    }
    self->busy = false;
    *readable = pinned;
    return DCPS_OK;
}

dcps_status dcps_device_tape_fetch(dcps_device_tape *self, const float *values, size_t count, float *to)
{
    struct dcps_fetch *fetch = dcps_step_memory_take(&self->tape->memory, 1, sizeof(*fetch));
    float *pinned = dcps_step_memory_take(&self->fetched, count, sizeof(*pinned));
    if (fetch == NULL || pinned == NULL) {
        return dcps_fail(DCPS_NO_MEMORY, "no memory to fetch %zu values from the device", count);
    }
    *fetch = (struct dcps_fetch){
        .next = self->fetches, .values = values, .pinned = pinned, .to = to, .bytes = count * sizeof(*pinned)};
    self->fetches = fetch;
    return DCPS_OK;
}
