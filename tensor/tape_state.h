/* The inside of a tape, for the files of tensor/ that make it up, and the two calls from which every op's front is built. */
#ifndef DCPS_TENSOR_TAPE_STATE_H
#define DCPS_TENSOR_TAPE_STATE_H

#include "tensor/device_tape.h"
#include "tensor/step_memory.h"
#include "tensor/tape.h"

/* Memory of gradients that lie in no layout. Used up, it serves for others of as many elements, so that back-propagation needs no more than what is alive at a time. */
struct dcps_gradient_buffer {
    float *values;
    size_t count;
    uint32_t users; /* tensors whose gradient this is */
    struct dcps_gradient_buffer *next;
};

struct dcps_tape {
    dcps_tape_config config;
    dcps_step_memory memory;     /* of tensors, calls and attributes; on a host of values, too */
    dcps_step_memory *values;    /* where values, gradients and scratch lie */
    dcps_device_tape *on_device; /* NULL: computes in host memory */
    dcps_tensor *parameters;     /* [parameter_count], one for each tensor of the layout, kept from step to step */
    uint32_t parameter_count;
    dcps_call *last;                    /* newest call of the step */
    uint32_t dropouts;                  /* dropout calls of the step */
    bool walked;                        /* backward has run in this step */
    float loss;                         /* of the step, from the first report of a gradient on */
    struct dcps_gradient_buffer *spare; /* buffers without users */
    dcps_tape_watch_fn watch;
    void *watch_context;
    dcps_status status;
};

/* Records the step's first failure (later ones change nothing); returns NULL, for the op to return. */
dcps_tensor *dcps_tape_fail(dcps_tape *tape, dcps_status status);

/* Begins a call of `op`. NULL, with the tape failed, when an input is NULL, the backend lacks the op or memory is out; NULL at once if the
 * tape has failed before. */
dcps_call *dcps_tape_begin(dcps_tape *tape, dcps_op op, uint32_t input_count, dcps_tensor *const *x);
/* Fails the tape: `expected` says in words and shapes what `call` needs. Returns NULL. */
dcps_tensor *dcps_tape_refuse(dcps_tape *tape, const dcps_call *call, const char *expected);
/* Memory of the step, for attributes. NULL, with the tape failed, when out of memory. */
void *dcps_tape_take(dcps_tape *tape, size_t count, size_t bytes);
/* The same for values: where the backend computes. */
float *dcps_tape_take_values(dcps_tape *tape, size_t count);
/* Where kernels find `host` [bytes], which must stay unchanged until the step ends: there, or in a copy on the device. NULL, with the tape failed, when out of memory. */
const void *dcps_tape_upload(dcps_tape *tape, const void *host, size_t bytes);
/* The same of a value that the caller does not keep. */
const void *dcps_tape_keep(dcps_tape *tape, const void *value, size_t bytes);
/* Copies `attributes` [bytes] into memory of the step, for the kernels. False, with the tape failed, when out of memory. */
bool dcps_tape_attach(dcps_tape *tape, dcps_call *call, const void *attributes, size_t bytes);
/* Runs the kernel and returns the result, of shape dims [dim_count]. NULL, with the tape failed, otherwise. */
dcps_tensor *dcps_tape_run(dcps_tape *tape, dcps_call *call, uint32_t dim_count, const size_t *dims);

/* The same for a result that shares the values of input 0, from element `first` on: nothing is computed. */
dcps_tensor *dcps_tape_view(dcps_tape *tape, dcps_call *call, size_t first, uint32_t dim_count, const size_t *dims);

/* Runs one pass of the kernel of `call` (dy and dx for backward, y for forward) with scratch memory that ends with it, under the eyes of the tape's watch. */
DCPS_MUST_CHECK dcps_status dcps_kernel_forward(dcps_tape *tape, const dcps_call *call, float *y);
DCPS_MUST_CHECK dcps_status dcps_kernel_backward(dcps_tape *tape, const dcps_call *call, const float *dy,
                                                 const dcps_gradient_slot *dx);

/* With the zeros that pad a tensor of `count` parameters. */
static inline uint64_t dcps_padded_params(uint64_t count)
{
    return (count + DCPS_LAYOUT_ALIGN_PARAMS - 1) / DCPS_LAYOUT_ALIGN_PARAMS * DCPS_LAYOUT_ALIGN_PARAMS;
}

/* x in `order`: x itself, or its twin, made where there is none. NULL, with the tape failed, otherwise. */
dcps_tensor *dcps_tape_order(dcps_tape *tape, dcps_tensor *x, dcps_order order);
/* Puts the inputs of `call` into orders that its kernel takes, and says in which the result, of shape dims, will be. False, with the tape failed, otherwise. */
bool dcps_call_order(dcps_tape *tape, dcps_call *call, uint32_t dim_count, const size_t *dims, dcps_order *order);

#endif
