/* Segments of a step that a device has run before. A segment is written down as its signature: every byte that its kernels depend on and that is not in
 * the device's memory. Two segments with equal signatures do the same to the same addresses, so the second may be launched as a graph captured from the first. */
#ifndef DCPS_TENSOR_REPLAY_H
#define DCPS_TENSOR_REPLAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tensor/device.h"

/* Room for the segments of a few shapes of step; beyond that the one unused for longest makes place. */
#define DCPS_REPLAY_SEGMENTS 64u

typedef struct dcps_replay_segment {
    uint8_t *signature;
    size_t bytes;
    size_t capacity_bytes;
    dcps_device_graph *graph; /* NULL: run once, not captured */
    uint64_t used;            /* the clock at its latest use */
} dcps_replay_segment;

typedef struct dcps_replay {
    const dcps_device_ops *ops;
    dcps_device *device;
    dcps_replay_segment segments[DCPS_REPLAY_SEGMENTS];
    uint32_t count;
    uint32_t expected; /* segments recur in order: where the next is looked for first */
    uint64_t clock;
    uint8_t *signature; /* of the segment being written down */
    size_t bytes;
    size_t capacity_bytes;
    bool incomplete; /* memory was out: the segment is not replayed */
    bool off;        /* nothing is */
} dcps_replay;

/* Adds to the signature. */
void dcps_replay_note(dcps_replay *replay, const void *bytes, size_t count);
void dcps_replay_note_call(dcps_replay *replay, const dcps_call *call);
/* The segment written down, whose signature then begins anew. *known: it has run before. NULL: it is not to be replayed. */
dcps_replay_segment *dcps_replay_segment_of(dcps_replay *replay, bool *known);
/* Drops what was written down since the latest segment. */
void dcps_replay_forget(dcps_replay *replay);
/* Drops all segments: the addresses they know are gone. */
void dcps_replay_clear(dcps_replay *replay);
void dcps_replay_fini(dcps_replay *replay);

#endif
