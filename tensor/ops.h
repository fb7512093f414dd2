/* Attributes of ops, for their fronts and kernels. What changes from step to step while shapes stay (labels, indices, masks, how many rows count, the
 * key of a dropout) is pointed to, in the backend's memory; see dcps_tape_upload.
 *
 * There is no padding (tensor/replay.c would not compile): attributes are compared byte by byte. `zero` is in its place, and 0. */
#ifndef DCPS_TENSOR_OPS_H
#define DCPS_TENSOR_OPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tensor/backend.h"

/* DCPS_OP_CROSS_ENTROPY: x[0] logits [rows, classes]; what is saved is the kernel's. */
typedef struct dcps_cross_entropy_attributes {
    const int32_t *labels;   /* [rows], each in 0 … classes − 1 or ignored */
    const uint64_t *counted; /* [1], rows that are not ignored */
    uint32_t ignore;         /* 1: rows labelled `ignored_label` count for nothing */
    int32_t ignored_label;
    float smoothing; /* share of the target that is spread evenly over all classes */
    uint32_t zero;
} dcps_cross_entropy_attributes;

/* DCPS_OP_MATMUL: y [batch, m, n] = op(x[0]) [batch, m, k] · op(x[1]) [batch, k, n], where op exchanges the last two dims if told to. */
typedef struct dcps_matmul_attributes {
    size_t batch, m, n, k;
    uint32_t transpose_a, transpose_b; /* 0 or 1 */
} dcps_matmul_attributes;

/* DCPS_OP_REORDER */
typedef struct dcps_reorder_attributes {
    dcps_order to;
    uint32_t zero;
    size_t channel_block; /* of the backend */
} dcps_reorder_attributes;

/* DCPS_OP_SCALE */
typedef struct dcps_scale_attributes {
    float factor;
} dcps_scale_attributes;

/* DCPS_OP_TRANSPOSE: x[0] read as [outer, a, middle, b, inner] → [outer, b, middle, a, inner]. */
typedef struct dcps_transpose_attributes {
    size_t outer, a, middle, b, inner;
} dcps_transpose_attributes;

/* DCPS_OP_CONCAT: x[i] read as [outer, dims[dim], inner], back to back in the middle. */
typedef struct dcps_concat_attributes {
    size_t dim, outer, inner;
} dcps_concat_attributes;

/* DCPS_OP_SLICE: x[0] read as [outer, whole, inner]; y is first … first + count − 1 of the middle. */
typedef struct dcps_slice_attributes {
    size_t outer, whole, first, count, inner;
} dcps_slice_attributes;

/* DCPS_OP_SUM, DCPS_OP_MEAN: x[0] read as [outer, count, inner], summed over the middle and multiplied by `factor`. */
typedef struct dcps_reduce_attributes {
    size_t outer, count, inner;
    float factor;
    uint32_t zero;
} dcps_reduce_attributes;

/* DCPS_OP_CONV2D: x[0] [batch, channels, height, width], x[1] [filters, channels, kernel_height, kernel_width]. */
typedef struct dcps_conv2d_attributes {
    size_t stride, padding;
} dcps_conv2d_attributes;

/* DCPS_OP_BATCH_NORM, and DCPS_OP_BATCH_NORM_RELU with what is added before ReLU as one more input, or none: x[0] [batch, channels, height, width] or [batch, channels], then scale, shift and the running mean and variance, all [channels]. In
 * training, backward writes to the slots of the last two what is pushed in the place of their gradients: mean and variance of this batch. */
typedef struct dcps_batch_norm_attributes {
    size_t batch, channels, pixels; /* pixels: height · width, 1 for two dims */
    float epsilon;
    uint32_t training; /* 1: normalise by the batch; else by the running statistics */
} dcps_batch_norm_attributes;
enum {
    DCPS_BATCH_NORM_X,
    DCPS_BATCH_NORM_SCALE,
    DCPS_BATCH_NORM_SHIFT,
    DCPS_BATCH_NORM_MEAN,
    DCPS_BATCH_NORM_VARIANCE,
    DCPS_BATCH_NORM_INPUTS,
    DCPS_BATCH_NORM_RESIDUAL = DCPS_BATCH_NORM_INPUTS /* shaped like x[0] */
};

/* DCPS_OP_MAX_POOL, DCPS_OP_AVG_POOL */
typedef struct dcps_pool_attributes {
    size_t kernel, stride, padding;
} dcps_pool_attributes;

/* Whether a row of the logits counts. */
static inline bool dcps_cross_entropy_counts(const dcps_cross_entropy_attributes *is, size_t row)
{
    return is->ignore == 0 || is->labels[row] != is->ignored_label;
}

/* DCPS_OP_SOFTMAX, DCPS_OP_LOG_SOFTMAX: x[0] read as [rows, columns]. */
typedef struct dcps_softmax_attributes {
    size_t rows, columns;
    const uint8_t *mask; /* [rows / rows_a_mask, columns], 0: the column gets nothing; NULL: all count. For SOFTMAX */
    size_t rows_a_mask;  /* rows that share one row of the mask */
} dcps_softmax_attributes;

/* DCPS_OP_EMBEDDING: x[0] table [rows, width]. */
typedef struct dcps_embedding_attributes {
    const int32_t *indices; /* [count], each in 0 … rows − 1 */
    size_t count;
} dcps_embedding_attributes;

/* What a batch draws from. */
typedef struct dcps_dropout_key {
    uint64_t seed, number;
} dcps_dropout_key;

/* DCPS_OP_DROPOUT */
typedef struct dcps_dropout_attributes {
    const dcps_dropout_key *key; /* [1] */
    uint32_t index;              /* of the dropout within the step */
    float rate;
} dcps_dropout_attributes;

/* DCPS_OP_LAYER_NORM: x[0] read as [rows, columns], x[1] scale [columns], x[2] shift [columns]. */
typedef struct dcps_layer_norm_attributes {
    size_t rows, columns;
    float epsilon;
    uint32_t zero;
} dcps_layer_norm_attributes;

/* DCPS_OP_LSTM, one layer: x[0] [steps, batch, input], x[1] [input, 4 hidden], x[2] [hidden, 4 hidden], x[3] bias [4 hidden], x[4] h and x[5] c
 * [batch, hidden] before the first step → y [steps + 1, batch, hidden], h of every step and then c of the last. Gates in the order i, f, g, o. */
typedef struct dcps_lstm_attributes {
    size_t steps, batch, input, hidden;
} dcps_lstm_attributes;
enum { DCPS_LSTM_X, DCPS_LSTM_W_INPUT, DCPS_LSTM_W_HIDDEN, DCPS_LSTM_BIAS, DCPS_LSTM_H, DCPS_LSTM_C, DCPS_LSTM_INPUTS };

#endif
