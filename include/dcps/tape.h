/* Reverse-mode automatic differentiation over contiguous float32 tensors. Part of the public interface.
 *
 * A model writes its forward pass as calls below; the worker then runs backward, which adds each parameter's gradient straight into the flat
 * gradient vector. Tensors live in the tape's arena until the step ends; nothing is freed by hand.
 *
 * Errors stick to the tape: a failing call records status and message (op, shapes, backend), returns NULL, and every call that is
 * given a NULL tensor returns NULL. So a forward pass needs no checks; whoever runs it looks at dcps_tape_status once. */
#ifndef DCPS_TAPE_H
#define DCPS_TAPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dcps/layout.h"
#include "dcps/status.h"

typedef struct dcps_tape dcps_tape;
typedef struct dcps_tensor dcps_tensor;

/* Shape of a tensor: dims [dim_count], row-major. */
DCPS_API uint32_t dcps_tensor_dim_count(const dcps_tensor *tensor);
DCPS_API size_t dcps_tensor_dim(const dcps_tensor *tensor, uint32_t index);
DCPS_API size_t dcps_tensor_count(const dcps_tensor *tensor);
/* The values, readable on the CPU, [count]. NULL for NULL. */
DCPS_API const float *dcps_tensor_values(dcps_tape *tape, const dcps_tensor *tensor);
/* Copies the values to `to` [count], which the model keeps: they are there when the step is over, that is at the next load, and on a tape that evaluates at once. For what one
 * batch hands to the next. Does not wait for a device, as dcps_tensor_values does. Nothing happens where the tape has failed or the tensor is NULL. */
DCPS_API void dcps_tape_fetch(dcps_tape *tape, const dcps_tensor *tensor, float *to);

/* Every call below that makes a tensor, leaf or op, returns NULL, and the tape has failed, with DCPS_INVALID when an index, shapes or attributes are not as described,
 * DCPS_UNSUPPORTED when the backend lacks the op, DCPS_NO_MEMORY, or DCPS_SYSTEM when a library call fails; the message names op, shapes and backend. */

/* Leaf: tensor `index` of the layout, from 0 in the order of dcps_layout_add. Differentiable; lives in the flat weight vector. An averaged tensor is for
 * dcps_tape_batch_norm only; where a step has no value for it, what was pulled is pushed. */
DCPS_API dcps_tensor *dcps_tape_parameter(dcps_tape *tape, uint32_t index);
/* Leaf: data, not differentiated. `values` [product of dims] are used in place and must stay unchanged until the step ends. */
DCPS_API dcps_tensor *dcps_tape_input(dcps_tape *tape, const float *values, uint32_t dim_count, const size_t *dims);

/* a [m, k] · b [k, n] → [m, n]; or for each of a batch, a [batch, m, k] · b [batch, k, n] → [batch, m, n]. */
DCPS_API dcps_tensor *dcps_tape_matmul(dcps_tape *tape, dcps_tensor *a, dcps_tensor *b);
/* The same with the last two dims of a (then given as [k, m] or [batch, k, m]), of b ([n, k] or [batch, n, k]) or of both exchanged. Nothing is copied. */
DCPS_API dcps_tensor *dcps_tape_matmul_transposed(dcps_tape *tape, dcps_tensor *a, bool transpose_a, dcps_tensor *b,
                                                  bool transpose_b);
/* x […, columns] + bias [columns] in every row → the shape of x, of at least one dim. */
DCPS_API dcps_tensor *dcps_tape_bias(dcps_tape *tape, dcps_tensor *x, dcps_tensor *bias);

/* Element by element, a and b of the same shape → that shape: a + b, a − b, a · b. */
DCPS_API dcps_tensor *dcps_tape_add(dcps_tape *tape, dcps_tensor *a, dcps_tensor *b);
DCPS_API dcps_tensor *dcps_tape_sub(dcps_tape *tape, dcps_tensor *a, dcps_tensor *b);
DCPS_API dcps_tensor *dcps_tape_mul(dcps_tape *tape, dcps_tensor *a, dcps_tensor *b);

/* Element by element, any shape → the same. */
/* max(x, 0); the derivative at 0 is 0. */
DCPS_API dcps_tensor *dcps_tape_relu(dcps_tape *tape, dcps_tensor *x);
/* factor · x */
DCPS_API dcps_tensor *dcps_tape_scale(dcps_tape *tape, dcps_tensor *x, float factor);
DCPS_API dcps_tensor *dcps_tape_tanh(dcps_tape *tape, dcps_tensor *x);
/* 1 / (1 + exp(−x)) */
DCPS_API dcps_tensor *dcps_tape_sigmoid(dcps_tape *tape, dcps_tensor *x);
/* x/2 · (1 + tanh(√(2/π) · (x + 0.044715 x³))): the tanh form of Hendrycks and Gimpel (2016), section 2, not the one with erf. */
DCPS_API dcps_tensor *dcps_tape_gelu(dcps_tape *tape, dcps_tensor *x);
DCPS_API dcps_tensor *dcps_tape_exp(dcps_tape *tape, dcps_tensor *x);
/* Natural; −∞ at 0 and NaN below. */
DCPS_API dcps_tensor *dcps_tape_log(dcps_tape *tape, dcps_tensor *x);

/* The same elements in the same order as another shape of as many. The values are shared, not copied. */
DCPS_API dcps_tensor *dcps_tape_reshape(dcps_tape *tape, dcps_tensor *x, uint32_t dim_count, const size_t *dims);
/* Exchanges two dims: y[…, j, …, i, …] = x[…, i, …, j, …]. */
DCPS_API dcps_tensor *dcps_tape_transpose(dcps_tape *tape, dcps_tensor *x, uint32_t dim_a, uint32_t dim_b);
/* x[0], x[1], … x[count − 1] one after the other along `dim`; all other dims are equal. 1 to 64 of them. */
DCPS_API dcps_tensor *dcps_tape_concat(dcps_tape *tape, uint32_t count, dcps_tensor *const *x, uint32_t dim);
/* Indices first … first + count − 1 of `dim`; at least one. Of the first dim, values are shared, not copied. */
DCPS_API dcps_tensor *dcps_tape_slice(dcps_tape *tape, dcps_tensor *x, uint32_t dim, size_t first, size_t count);

/* Sum and mean of all elements → []. */
DCPS_API dcps_tensor *dcps_tape_sum(dcps_tape *tape, dcps_tensor *x);
DCPS_API dcps_tensor *dcps_tape_mean(dcps_tape *tape, dcps_tensor *x);
/* Sum and mean over one dim, which the result lacks: over dim 1 of [a, b, c] → [a, c]. */
DCPS_API dcps_tensor *dcps_tape_sum_over(dcps_tape *tape, dcps_tensor *x, uint32_t dim);
DCPS_API dcps_tensor *dcps_tape_mean_over(dcps_tape *tape, dcps_tensor *x, uint32_t dim);

/* Images are [batch, channels, height, width]. */
/* Cross-correlation with w [filters, channels, kernel_height, kernel_width] at every stride-th place of x, which is surrounded by `padding` zeros →
 * [batch, filters, (height + 2 padding − kernel_height) / stride + 1, same of width]. stride ≥ 1; the padded image holds the kernel at least once. */
DCPS_API dcps_tensor *dcps_tape_conv2d(dcps_tape *tape, dcps_tensor *x, dcps_tensor *w, size_t stride, size_t padding);

/* scale [channels] · (x − mean) / √(variance + epsilon) + shift [channels] (Ioffe and Szegedy 2015), x [batch, channels, height, width] or
 * [batch, channels] → the same; epsilon > 0, 1e-5 is usual. A tape that trains takes mean and variance of each channel over this batch (at least two elements) and
 * differentiates through them. A tape that evaluates takes `mean` and `variance` [channels]: averaged tensors of the layout (dcps_layout_add_average; a rate of 0.1 and
 * a variance that starts at one are usual) for which a step pushes the mean of its batch and the variance with the divisor n − 1. Each of the two is one call's in a step. */
DCPS_API dcps_tensor *dcps_tape_batch_norm(dcps_tape *tape, dcps_tensor *x, dcps_tensor *scale, dcps_tensor *shift,
                                           dcps_tensor *mean, dcps_tensor *variance, float epsilon);
/* max(batch_norm(x, …) + residual, 0), with a residual shaped like x, or NULL for none: the same as the three ops, in fewer passes over memory. */
DCPS_API dcps_tensor *dcps_tape_batch_norm_relu(dcps_tape *tape, dcps_tensor *x, dcps_tensor *scale, dcps_tensor *shift,
                                                dcps_tensor *mean, dcps_tensor *variance, float epsilon,
                                                dcps_tensor *residual);

/* Maximum, or mean, over kernel × kernel windows at every stride-th place → sizes as of conv2d. 1 ≤ stride, padding < kernel. What lies outside the
 * image counts for nothing: the mean is of the elements inside. The gradient of a maximum goes to the first that is largest. */
DCPS_API dcps_tensor *dcps_tape_max_pool(dcps_tape *tape, dcps_tensor *x, size_t kernel, size_t stride, size_t padding);
DCPS_API dcps_tensor *dcps_tape_avg_pool(dcps_tape *tape, dcps_tensor *x, size_t kernel, size_t stride, size_t padding);
/* Mean of each channel, [batch, channels, height, width] → [batch, channels]. */
DCPS_API dcps_tensor *dcps_tape_global_avg_pool(dcps_tape *tape, dcps_tensor *x);

/* Mean over rows of −log softmax(logits)[row, label]: logits [rows, classes], labels [rows] in 0 … classes−1 → scalar []. Labels are used in place. */
DCPS_API dcps_tensor *dcps_tape_cross_entropy(dcps_tape *tape, dcps_tensor *logits, const int32_t *labels);

typedef struct dcps_cross_entropy_options {
    bool ignore;           /* leave out rows whose label is `ignored_label`, padding for one */
    int32_t ignored_label; /* any number */
    float
        label_smoothing; /* ε, 0 ≤ ε < 1: the target is (1 − ε) · onehot + ε / classes (Szegedy et al. 2016, section 7) */
} dcps_cross_entropy_options;
/* The same with options: the mean is over the rows that are not left out, and 0 when all are. */
DCPS_API dcps_tensor *dcps_tape_cross_entropy_with(dcps_tape *tape, dcps_tensor *logits, const int32_t *labels,
                                                   const dcps_cross_entropy_options *options);

/* exp(x) / Σ exp(x) along the last dim, of at least one → the same shape. */
DCPS_API dcps_tensor *dcps_tape_softmax(dcps_tape *tape, dcps_tensor *x);
/* The same where mask is not 0, and 0 elsewhere: x [batch, …, columns], mask [batch, columns], used in place, no row of it all 0. */
DCPS_API dcps_tensor *dcps_tape_masked_softmax(dcps_tape *tape, dcps_tensor *x, const uint8_t *mask);
/* x − log Σ exp(x) along the last dim, of at least one → the same shape. */
DCPS_API dcps_tensor *dcps_tape_log_softmax(dcps_tape *tape, dcps_tensor *x);

/* Row indices[i] of table [rows, width] for each i: indices [dims], each in 0 … rows − 1, used in place → [dims, width]. At most 7 dims. */
DCPS_API dcps_tensor *dcps_tape_embedding(dcps_tape *tape, dcps_tensor *table, const int32_t *indices,
                                          uint32_t dim_count, const size_t *dims);
/* Each element 0 with probability `rate`, 0 ≤ rate < 1, else x / (1 − rate) (Srivastava et al. 2014). On a tape that evaluates: x itself. Which are
 * dropped is a function of (seed, number, how many dropouts came before in this step, element) on every backend; `seed` and `number` are those of
 * the batch (dcps_batch), so that a run can be repeated. At most 2³³ elements. */
DCPS_API dcps_tensor *dcps_tape_dropout(dcps_tape *tape, dcps_tensor *x, float rate, uint64_t seed, uint64_t number);
/* scale · (x − mean) / √(variance + epsilon) + shift along the last dim (Ba, Kiros and Hinton 2016), variance with the divisor n: x […, columns],
 * scale [columns], shift [columns], epsilon > 0 → the shape of x. */
DCPS_API dcps_tensor *dcps_tape_layer_norm(dcps_tape *tape, dcps_tensor *x, dcps_tensor *scale, dcps_tensor *shift,
                                           float epsilon);

/* One layer of a long short-term memory (Hochreiter and Schmidhuber 1997, with the forget gate of Gers et al. 2000): at each step
 *
 *     [i f g o] = x · w_input + h · w_hidden + bias,  c ← σ(f) · c + σ(i) · tanh(g),  h ← σ(o) · tanh(c)
 *
 * where the columns of weights and bias hold the four gates in this order. */
typedef struct dcps_lstm_layer {
    dcps_tensor *w_input;  /* [input, 4 hidden]; input of a layer above the first is the hidden size of the one below */
    dcps_tensor *w_hidden; /* [hidden, 4 hidden] */
    dcps_tensor *bias;     /* [4 hidden] */
    dcps_tensor *h, *c;    /* [batch, hidden], before the first step */
} dcps_lstm_layer;

/* Where a layer stands after the last step. */
typedef struct dcps_lstm_state {
    dcps_tensor *h, *c; /* [batch, hidden] */
} dcps_lstm_state;

/* Layers upon each other: x [steps, batch, input] → h of the uppermost at every step, [steps, batch, hidden]. `layers` [layer_count], at least one, and
 * `after` [layer_count] are the caller's; `after` may be NULL, and is set only on success. Differentiable in everything, states included: give states of
 * an earlier batch as dcps_tape_input to end back-propagation there. For dropout between layers, call it layer by layer. */
DCPS_API dcps_tensor *dcps_tape_lstm(dcps_tape *tape, dcps_tensor *x, uint32_t layer_count,
                                     const dcps_lstm_layer *layers, dcps_lstm_state *after);

/* Whether gradients are wanted: evaluation passes need none, and ops then keep nothing for them. */
DCPS_API bool dcps_tape_is_training(const dcps_tape *tape);

/* First failure since the step began; DCPS_OK if none. Text through dcps_error_message of the thread that ran the op. */
DCPS_API dcps_status dcps_tape_status(const dcps_tape *tape);

/* Forgets all tensors and any failure: the start of the next step or evaluation batch. Values handed out before are gone. */
DCPS_API void dcps_tape_reset(dcps_tape *tape);

#endif
