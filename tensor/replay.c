#include "tensor/replay.h"

#include <string.h>

#include "base/alloc.h"
/* Padding would be compared, too, and may hold anything. */
#pragma GCC diagnostic push
#pragma GCC diagnostic error "-Wpadded"
#include "tensor/ops.h"
#pragma GCC diagnostic pop

static bool grow(uint8_t **memory, size_t *capacity_bytes, size_t bytes)
{
    if (bytes <= *capacity_bytes) {
        return true;
    }
    size_t wanted = bytes + bytes / 2 + 4096;
    uint8_t *larger = dcps_realloc(*memory, wanted, 1);
    if (larger == NULL) {
        return false;
    }
    *memory = larger;
    *capacity_bytes = wanted;
    return true;
}

void dcps_replay_note(dcps_replay *replay, const void *bytes, size_t count)
{
    if (count == 0 || replay->off || replay->incomplete) {
        return;
    }
    if (!grow(&replay->signature, &replay->capacity_bytes, replay->bytes + count)) {
        replay->incomplete = true;
        return;
    }
    memcpy(replay->signature + replay->bytes, bytes, count);
    replay->bytes += count;
}

static void note_tensor(dcps_replay *replay, const dcps_tensor *tensor)
{
    const uint64_t shape[] = {(uint64_t)(uintptr_t)tensor->values, tensor->dim_count, tensor->order};
    dcps_replay_note(replay, shape, sizeof(shape));
    dcps_replay_note(replay, tensor->dims, tensor->dim_count * sizeof(tensor->dims[0]));
}

void dcps_replay_note_call(dcps_replay *replay, const dcps_call *call)
{
    const uint64_t head[] = {call->op, call->input_count, call->attribute_bytes, (uint64_t)(uintptr_t)call->saved};
    dcps_replay_note(replay, head, sizeof(head));
    dcps_replay_note(replay, call->attributes, call->attribute_bytes);
    for (uint32_t i = 0; i < call->input_count; i++) {
        note_tensor(replay, call->x[i]);
    }
    note_tensor(replay, call->y);
}

static bool is_written_down(const dcps_replay *replay, const dcps_replay_segment *segment)
{
    return segment->bytes == replay->bytes && memcmp(segment->signature, replay->signature, replay->bytes) == 0;
}

static dcps_replay_segment *find(dcps_replay *replay)
{
    for (uint32_t i = 0; i < replay->count; i++) {
        uint32_t index = (replay->expected + i) % replay->count;
        if (is_written_down(replay, &replay->segments[index])) {
            replay->expected = index + 1;
            return &replay->segments[index];
        }
    }
    return NULL;
}

/* A new segment, or the one unused for longest, emptied. */
static dcps_replay_segment *make_place(dcps_replay *replay)
{
    if (replay->count < DCPS_REPLAY_SEGMENTS) {
        return &replay->segments[replay->count++];
    }
    dcps_replay_segment *oldest = &replay->segments[0];
    for (uint32_t i = 1; i < replay->count; i++) {
        if (replay->segments[i].used < oldest->used) {
            oldest = &replay->segments[i];
        }
    }
    replay->ops->graph_destroy(replay->device, &oldest->graph);
    oldest->bytes = 0;
    return oldest;
}

dcps_replay_segment *dcps_replay_segment_of(dcps_replay *replay, bool *known)
{
    dcps_replay_segment *segment = NULL;
    *known = false;
    if (!replay->off && !replay->incomplete) {
        segment = find(replay);
        *known = segment != NULL;
        if (segment == NULL) {
            segment = make_place(replay);
        }
        if (!*known && grow(&segment->signature, &segment->capacity_bytes, replay->bytes)) {
            memcpy(segment->signature, replay->signature, replay->bytes);
            segment->bytes = replay->bytes;
        }
        segment->used = ++replay->clock;
    }
    dcps_replay_forget(replay);
    return segment;
}

void dcps_replay_forget(dcps_replay *replay)
{
    replay->bytes = 0;
    replay->incomplete = false;
}

void dcps_replay_clear(dcps_replay *replay)
{
    for (uint32_t i = 0; i < replay->count; i++) {
        replay->ops->graph_destroy(replay->device, &replay->segments[i].graph);
        dcps_free(replay->segments[i].signature);
        replay->segments[i] = (dcps_replay_segment){.signature = NULL};
    }
    replay->count = replay->expected = 0;
}

void dcps_replay_fini(dcps_replay *replay)
{
    dcps_replay_clear(replay);
    dcps_free(replay->signature);
    replay->signature = NULL;
    replay->bytes = replay->capacity_bytes = 0;
}
