/* The tape as its host sees it: made over flat vectors, run backward, watched. Models see dcps/tape.h only.
 *
 * One thread uses a tape. The first step measures how much memory a step takes; later steps of that size allocate nothing. */
#ifndef DCPS_TENSOR_TAPE_H
#define DCPS_TENSOR_TAPE_H

#include <stdint.h>

#include "dcps/layout.h"
#include "dcps/tape.h"
#include "tensor/backend.h"
#include "tensor/flops.h"

/* The gradient of parameters [first_param, first_param + count) will not change any more in this step. */
typedef void (*dcps_gradient_final_fn)(void *context, uint64_t first_param, uint64_t count);

/* Everything pointed to belongs to the caller and must outlive the tape. */
typedef struct dcps_tape_config {
    const dcps_layout *layout;
    const float *weights; /* [total params]; do not change between the first call of a step and the end of backward */
    float *gradient;      /* [total params], 64-byte aligned; NULL: an evaluation tape, which differentiates nothing */
    const dcps_backend *backend;
    dcps_device *device; /* of the backend, open; NULL: the backend computes in host memory */
    /* Called by dcps_tape_backward, once for each tensor of the layout, as soon as its gradient is complete; the range includes the zeros
     * that pad the tensor, so the calls of a step cover the whole vector. May be NULL. With clip_norm, complete is none before all are. */
    dcps_gradient_final_fn gradient_final;
    void *context;
    double clip_norm; /* the gradient's largest norm, see tensor/clip.h; 0: it is left as it is */
    bool no_replay;   /* a device runs every step call by call, without graphs */
} dcps_tape_config;

/* Zeroes the padding of `gradient`; nothing else of it is touched before dcps_tape_backward. Errors: DCPS_NO_MEMORY. */
DCPS_MUST_CHECK dcps_status dcps_tape_create(const dcps_tape_config *config, dcps_tape **tape);
void dcps_tape_destroy(dcps_tape **tape);

/* Told of every kernel that has run, and how long it took: for profiles. */
typedef void (*dcps_tape_watch_fn)(void *context, const dcps_call *call, dcps_pass pass, uint64_t duration_ns);
/* From now on, `watch` is told; NULL: nobody, and no clock is read. */
void dcps_tape_watch(dcps_tape *tape, dcps_tape_watch_fn watch, void *context);
/* Memory that a step takes beside weights and gradient, as far as steps have shown it. */
size_t dcps_tape_step_bytes(const dcps_tape *tape);

/* Sets the flat gradient vector to ∂loss/∂weights, clipped to clip_norm, or for averaged tensors to the values of this step; `loss` is what the forward pass returned (NULL: the tape's failure is returned). Once a
 * step. Errors: the tape's own failure; DCPS_INVALID (loss is no scalar, an evaluation tape, a second call); DCPS_NO_MEMORY; what the kernels
 * return. After a failure the gradient is undefined and some tensors may not have been reported. */
DCPS_MUST_CHECK dcps_status dcps_tape_backward(dcps_tape *tape, dcps_tensor *loss);
/* The value of the loss that backward was given, from its first report on until the next reset. Reading it does not wait, whereas dcps_tensor_values does on a device. */
float dcps_tape_loss(const dcps_tape *tape);

/* To be called when the weights have changed while the tape evaluates: a device has a copy of them. A tape that trains looks at them anew in each step. */
void dcps_tape_weights_changed(dcps_tape *tape);

#endif
