/* The half of a tape that keeps a device busy. Calls are not run when they are made but put off, and run together as a segment: when somebody asks for
 * values, or in the walk backward whenever the gradients of another piece of the layout are final. So segments that recur are launched as graphs.
 *
 * A piece is downloaded to the gradient vector beside the computation of the next; the loss travels with the first. Where gradients are clipped, all of this waits for the end of the
 * walk. Between steps that look alike nothing is
 * allocated, and the host waits for nothing but these copies. */
#ifndef DCPS_TENSOR_DEVICE_TAPE_H
#define DCPS_TENSOR_DEVICE_TAPE_H

#include "tensor/replay.h"
#include "tensor/step_memory.h"
#include "tensor/tape.h"

/* A piece has at least this many bytes, and a step at most so many pieces. */
#define DCPS_PIECE_BYTES (UINT64_C(1) << 20)
#define DCPS_MAX_PIECES 16u

/* Values that the host wants when the step is over. */
struct dcps_fetch {
    struct dcps_fetch *next;
    const float *values; /* on the device */
    float *pinned;
    float *to;
    size_t bytes;
};

typedef struct dcps_device_tape {
    dcps_tape *tape; /* whose half this is; its own memory has tensors, calls and what is put off */
    const dcps_device_ops *ops;
    dcps_device *device;
    dcps_memory_source device_source, pinned_source;
    dcps_step_memory values;  /* on the device: values, gradients, scratch */
    dcps_step_memory staged;  /* pinned: what is to be uploaded */
    dcps_step_memory arrived; /* on the device: what was */
    dcps_step_memory fetched; /* pinned: what was downloaded */
    struct {
        uint8_t *to;
        const uint8_t *from;
        size_t bytes;
    } staging; /* uploads that lie back to back on both sides travel as one */

    float *weights, *gradient; /* on the device [params]; no gradient: evaluates */
    size_t params;
    bool weights_stale;

    struct dcps_put_off *first, **end; /* the work put off, in order */
    dcps_replay replay;
    bool busy; /* the device may still use memory of this step */

    uint32_t
        *piece_of; /* [tensors of the layout]: the piece in which a gradient is downloaded; UINT32_MAX: not known yet */
    uint32_t piece; /* being filled */
    uint64_t piece_bytes, filled_bytes;
    dcps_device_range *trained; /* of the gradient, what is clipped; NULL: nothing is */
    uint32_t trained_count;
    double *clip_sums; /* on the device */
    dcps_device_event *pieces[DCPS_MAX_PIECES + 1];
    dcps_device_event *read;
    struct dcps_fetch *fetches; /* newest first */
    float *loss;                /* pinned [1] */
} dcps_device_tape;

/* For a tape whose config is set. Its vectors are pinned until destroy. Errors: DCPS_NO_MEMORY, DCPS_SYSTEM. */
DCPS_MUST_CHECK dcps_status dcps_device_tape_create(dcps_tape *tape, dcps_device_tape **made);
void dcps_device_tape_destroy(dcps_device_tape **tape);
/* The start of a step, before the tape's own memory is reset. Errors, also below: those of the device's functions, and of kernels where work is run. */
DCPS_MUST_CHECK dcps_status dcps_device_tape_reset(dcps_device_tape *self);

/* Puts `host` [bytes] on its way to the device, to *there; it may change at once. */
DCPS_MUST_CHECK dcps_status dcps_device_tape_upload(dcps_device_tape *self, const void *host, size_t bytes,
                                                    const void **there);

/* Puts off work. Slots are copied. */
DCPS_MUST_CHECK dcps_status dcps_device_tape_forward(dcps_device_tape *self, const dcps_call *call);
DCPS_MUST_CHECK dcps_status dcps_device_tape_backward(dcps_device_tape *self, const dcps_call *call,
                                                      const dcps_gradient_slot *slots);
DCPS_MUST_CHECK dcps_status dcps_device_tape_copy(dcps_device_tape *self, float *to, const float *from, size_t count);
DCPS_MUST_CHECK dcps_status dcps_device_tape_fill(dcps_device_tape *self, float *to, size_t count, float value);
/* The gradient's, which is on the device. */
DCPS_MUST_CHECK dcps_status dcps_device_tape_clip(dcps_device_tape *self);
/* Puts all that was put off on the device. */
DCPS_MUST_CHECK dcps_status dcps_device_tape_run(dcps_device_tape *self);

/* Values [count] of the device, *readable until the step ends; waits for them. */
DCPS_MUST_CHECK dcps_status dcps_device_tape_read(dcps_device_tape *self, const float *values, size_t count,
                                                  const float **readable);
/* Copies values [count] of the device to `to` when the walk backward is over. */
DCPS_MUST_CHECK dcps_status dcps_device_tape_fetch(dcps_device_tape *self, const float *values, size_t count,
                                                   float *to);

/* The gradient of layout tensor `index` is final once what was put off has run; `loss` is the step's. */
DCPS_MUST_CHECK dcps_status dcps_device_tape_final(dcps_device_tape *self, uint32_t index, const dcps_tensor *loss);
/* All gradients are final: sends what is left, brings in piece after piece, and calls `report` for each tensor. The loss is set before that. */
DCPS_MUST_CHECK dcps_status dcps_device_tape_collect(dcps_device_tape *self, const dcps_tensor *loss,
                                                     float *loss_value);
/* Memory of a step here: on the device, and pinned on the host. */
size_t dcps_device_tape_bytes(const dcps_device_tape *self);
/* After a failure: returns when the device uses nothing of the step any more. */
void dcps_device_tape_abandon(dcps_device_tape *self);

#endif
