/* What computes: a backend is one kernel, forward and backward, for every op it supports. Kernels are plain functions over pointers and shapes;
 * they keep nothing between calls that changes a result, take memory from the step alone and never see the tape. `ref` (naive, sums in double) is the specification of all others. */
#ifndef DCPS_TENSOR_BACKEND_H
#define DCPS_TENSOR_BACKEND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dcps/layout.h"
#include "dcps/status.h"
#include "dcps/tape.h"

/* Every op: identifier, and its name in errors. Each has a front in tensor/ops/ that checks shapes, and kernels in each backend. */
#define DCPS_OP_MAP(X)                                                                                                 \
    X(MATMUL, "matmul")                                                                                                \
    X(BIAS, "bias")                                                                                                    \
    X(RELU, "relu")                                                                                                    \
    X(ADD, "add")                                                                                                      \
    X(SUB, "sub")                                                                                                      \
    X(MUL, "mul")                                                                                                      \
    X(SCALE, "scale")                                                                                                  \
    X(TANH, "tanh")                                                                                                    \
    X(SIGMOID, "sigmoid")                                                                                              \
    X(GELU, "gelu")                                                                                                    \
    X(EXP, "exp")                                                                                                      \
    X(LOG, "log")                                                                                                      \
    X(RESHAPE, "reshape")                                                                                              \
    X(TRANSPOSE, "transpose")                                                                                          \
    X(CONCAT, "concat")                                                                                                \
    X(SLICE, "slice")                                                                                                  \
    X(SUM, "sum")                                                                                                      \
    X(MEAN, "mean")                                                                                                    \
    X(SOFTMAX, "softmax")                                                                                              \
    X(LOG_SOFTMAX, "log_softmax")                                                                                      \
    X(EMBEDDING, "embedding")                                                                                          \
    X(DROPOUT, "dropout")                                                                                              \
    X(LAYER_NORM, "layer_norm")                                                                                        \
    X(LSTM, "lstm")                                                                                                    \
    X(REORDER, "reorder")                                                                                              \
    X(CONV2D, "conv2d")                                                                                                \
    X(BATCH_NORM, "batch_norm")                                                                                        \
    X(BATCH_NORM_RELU, "batch_norm_relu")                                                                              \
    X(MAX_POOL, "max_pool")                                                                                            \
    X(AVG_POOL, "avg_pool")                                                                                            \
    X(GLOBAL_AVG_POOL, "global_avg_pool")                                                                              \
    X(CROSS_ENTROPY, "cross_entropy")

typedef enum dcps_op {
#define DCPS_OP_ENUM(name, text) DCPS_OP_##name,
    DCPS_OP_MAP(DCPS_OP_ENUM)
#undef DCPS_OP_ENUM
        DCPS_OP_COUNT
} dcps_op;

#define DCPS_OP_MAX_INPUTS 64u

/* How the values of a tensor lie in memory. A backend may keep images [batch, channels, height, width] channels last: as the row-major values of
 * [batch, height, width, channels]; or in blocks of some channels: as those of [batch, channels / block, height, width, block]. Everything else is
 * row-major. Gradients lie as values do. */
typedef enum dcps_order { DCPS_ROW_MAJOR = 0, DCPS_CHANNELS_LAST, DCPS_CHANNELS_BLOCKED } dcps_order;

/* Which orders a kernel understands. The tape hands it nothing else: where need be it puts a REORDER before the call. */
typedef enum dcps_takes {
    DCPS_TAKES_ROW_MAJOR = 0,
    DCPS_TAKES_CHANNELS_LAST, /* of input 0 when it has four dims, and gives the same; all others row-major */
    DCPS_TAKES_EITHER,        /* all inputs and the result alike: as the first input that is not row-major */
    DCPS_TAKES_CHOSEN         /* what the kernel's `choose` says */
} dcps_takes;

/* A tensor of the current step. Values are contiguous. */
struct dcps_tensor {
    size_t dims[DCPS_LAYOUT_MAX_DIMS];
    uint32_t dim_count;
    size_t count; /* product of dims */
    const float *values;
    dcps_order order;

    /* Below: the tape's, kernels leave it alone. */
    bool differentiable;
    bool gradient_begun;                        /* some use has written to `gradient` */
    bool final;                                 /* a parameter's gradient has been reported */
    uint32_t open_uses;                         /* calls that use the tensor and have not been walked backward */
    float *gradient;                            /* [count]; NULL until needed, and again when used up */
    struct dcps_gradient_buffer *buffer;        /* where it lies; NULL: in the layout's gradient */
    const struct dcps_layout_tensor *parameter; /* NULL: not a leaf of the layout */
    struct dcps_tensor *twin; /* the same values in another order, in a ring of all of them; NULL: nobody needed them */
};

/* An open device with memory of its own; only its backend knows what is inside. */
typedef struct dcps_device dcps_device;

/* One op applied to its inputs. Shapes are checked before a kernel sees it. Where the backend has a device, values, gradients, scratch and what attributes
 * point to lie in its memory, and kernels put work on the device's stream: they neither wait for it nor read its results. */
typedef struct dcps_call {
    dcps_op op;
    uint32_t input_count;
    dcps_tensor **x; /* [input_count] */
    dcps_tensor *y;
    const void *attributes; /* the op's own, see tensor/ops.h; NULL: none. The struct itself lies in host memory */
    size_t attribute_bytes;
    float *saved;        /* what forward leaves for backward [saved_count]; NULL when nothing will be differentiated */
    dcps_device *device; /* NULL: the host */
    struct dcps_step_memory *memory; /* for dcps_call_scratch */
    struct dcps_call *previous;
} dcps_call;

/* Where the gradient of one input goes. */
typedef struct dcps_gradient_slot {
    float *values; /* [count of the input]; NULL: not wanted */
    bool add;      /* true: += ; false: = (whatever was there, even NaN, is not read) */
} dcps_gradient_slot;

typedef struct dcps_kernel {
    dcps_takes takes;
    /* For DCPS_TAKES_CHOSEN: the order of input `input`, or of the result y [y_dims] when `input` is input_count; matters for four dims only. Inputs are as
     * they came. */
    dcps_order (*choose)(const dcps_call *call, const size_t *y_dims, uint32_t input);
    /* Bit i: what backward gives input i is dy itself. Where nothing else will be added to it, the tape lets the input have y's gradient, and the kernel is not asked. */
    uint32_t passes;
    /* How many floats of `saved` the call needs, its shapes and attributes being set. NULL: none. */
    size_t (*saved_count)(const dcps_call *call);
    /* Writes all of y [y->count] and `saved`. NULL: the result is a view of the input. Errors: DCPS_SYSTEM (library), DCPS_NO_MEMORY. */
    dcps_status (*forward)(const dcps_call *call, float *y);
    /* Given dy = ∂loss/∂y [y->count], writes dx[i] for every input i, in the order of inputs, since two inputs may be one tensor. Errors as above. */
    dcps_status (*backward)(const dcps_call *call, const float *dy, const dcps_gradient_slot *dx);
} dcps_kernel;

typedef struct dcps_backend {
    const char *name;
    size_t (*channel_block)(void);             /* of DCPS_CHANNELS_BLOCKED; NULL: the backend has no such order */
    const struct dcps_device_ops *device_ops;  /* NULL: computes in host memory; see tensor/device.h */
    const dcps_kernel *kernels[DCPS_OP_COUNT]; /* NULL: op not supported */
} dcps_backend;

/* For saved_count: as many as the result has. */
static inline size_t dcps_count_of_result(const dcps_call *call)
{
    return call->y->count;
}

/* Memory that is the kernel's until it returns, 64-byte aligned, not zeroed. NULL, with the failure recorded (DCPS_NO_MEMORY), when there is none. */
void *dcps_call_scratch(const dcps_call *call, size_t count, size_t bytes);

/* "matmul"; never NULL. */
const char *dcps_op_name(dcps_op op);

#endif
