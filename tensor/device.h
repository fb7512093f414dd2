/* What a tape asks of a device with memory of its own, beside its kernels. All work is put on two streams: the compute stream, where kernels and uploads run
 * one after the other, and the copy stream, where downloads run beside them.
 *
 * One thread uses a device at a time. Only `wait` and `finish` block, and they let the thread sleep. Failures are recorded (dcps_fail) and name the device: DCPS_SYSTEM (a
 * call of the device's library), DCPS_NO_MEMORY (with the bytes asked for and free). */
#ifndef DCPS_TENSOR_DEVICE_H
#define DCPS_TENSOR_DEVICE_H

#include <stddef.h>
#include <stdint.h>

#include "dcps/status.h"
#include "tensor/backend.h"

/* Work that was captured, ready to be launched again. */
typedef struct dcps_device_graph dcps_device_graph;
/* A point of the copy stream. */
typedef struct dcps_device_event dcps_device_event;

/* Parameters of a flat vector that lie side by side. */
typedef struct dcps_device_range {
    uint64_t first, count;
} dcps_device_range;
#define DCPS_CLIP_SUMS 512u

typedef struct dcps_device_ops {
    /* Memory of the device, 256-byte aligned, not zeroed. NULL: failed. release waits for what uses the memory, and accepts NULL. */
    void *(*take)(dcps_device *device, size_t bytes);
    void (*release)(dcps_device *device, void *memory);
    /* The same of host memory that copies reach directly. */
    void *(*take_pinned)(dcps_device *device, size_t bytes);
    void (*release_pinned)(dcps_device *device, void *memory);
    /* Lets copies reach host memory that is there already, until unpin; pinning it twice is fine. Where the system refuses, copies are slower, and that is
     * logged. */
    void (*pin)(dcps_device *device, void *memory, size_t bytes);
    void (*unpin)(dcps_device *device, void *memory);

    /* On the compute stream. `from` is pinned or was to be, and must not change before the copy is done. */
    dcps_status (*upload)(dcps_device *device, void *to, const void *from, size_t bytes);
    dcps_status (*fill)(dcps_device *device, float *to, size_t count, float value);
    dcps_status (*copy)(dcps_device *device, float *to, const float *from, size_t count); /* both on the device */
    /* Scales gradient by limit / norm where the norm of what `trained` [count] names of it is above `limit`, as dcps_clip_gradient does, whose sum is in another order. `sums` is
     * room for DCPS_CLIP_SUMS doubles a range and one more, on the device. */
    dcps_status (*clip)(dcps_device *device, float *gradient, const dcps_device_range *trained, uint32_t count,
                        double limit, double *sums);
    /* On the copy stream. What follows on it waits for all that the compute stream has been given so far. */
    dcps_status (*follow)(dcps_device *device);
    /* `to` likewise. */
    dcps_status (*download)(dcps_device *device, void *to, const void *from, size_t bytes);

    dcps_status (*event_create)(dcps_device *device, dcps_device_event **event);
    void (*event_destroy)(dcps_device *device, dcps_device_event **event); /* accepts NULL inside */
    /* `event` is the copy stream's end as it is now; wait returns when that is reached. */
    dcps_status (*mark)(dcps_device *device, dcps_device_event *event);
    dcps_status (*wait)(dcps_device *device, dcps_device_event *event);
    /* Returns when both streams are empty. */
    dcps_status (*finish)(dcps_device *device);

    /* Between begin and end nothing runs: kernels, fills and copies are noted down. end gives the graph, or fails and keeps nothing. `graph` NULL: what was noted is dropped. */
    dcps_status (*capture_begin)(dcps_device *device);
    /* Whether all that was given since begin could be noted down. */
    dcps_status (*capture_check)(dcps_device *device);
    dcps_status (*capture_end)(dcps_device *device, dcps_device_graph **graph);
    /* Puts all that was captured on the compute stream. */
    dcps_status (*launch)(dcps_device *device, dcps_device_graph *graph);
    void (*graph_destroy)(dcps_device *device, dcps_device_graph **graph); /* accepts NULL inside */
} dcps_device_ops;

#endif
