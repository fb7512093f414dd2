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

/* Leaf: parameter `index` of the layout, in the order of dcps_layout_add. Differentiable; lives in the flat weight vector. */
DCPS_API dcps_tensor *dcps_tape_parameter(dcps_tape *tape, uint32_t index);
/* Leaf: data, not differentiated. `values` [product of dims] are used in place and must stay unchanged until the step ends. */
DCPS_API dcps_tensor *dcps_tape_input(dcps_tape *tape, const float *values, uint32_t dim_count, const size_t *dims);

/* a [m, k] · b [k, n] → [m, n]. */
DCPS_API dcps_tensor *dcps_tape_matmul(dcps_tape *tape, dcps_tensor *a, dcps_tensor *b);
/* x [rows, columns] + bias [columns] in every row → [rows, columns]. */
DCPS_API dcps_tensor *dcps_tape_bias(dcps_tape *tape, dcps_tensor *x, dcps_tensor *bias);
/* max(x, 0), any shape; the derivative at 0 is 0. */
DCPS_API dcps_tensor *dcps_tape_relu(dcps_tape *tape, dcps_tensor *x);
/* Mean over rows of −log softmax(logits)[row, label]: logits [rows, classes], labels [rows] in 0 … classes−1 → scalar []. Labels are used in place. */
DCPS_API dcps_tensor *dcps_tape_cross_entropy(dcps_tape *tape, dcps_tensor *logits, const int32_t *labels);

/* Whether gradients are wanted: evaluation passes need none, and ops then keep nothing for them. */
DCPS_API bool dcps_tape_is_training(const dcps_tape *tape);

/* First failure since the step began; DCPS_OK if none. Text through dcps_error_message of the thread that ran the op. */
DCPS_API dcps_status dcps_tape_status(const dcps_tape *tape);

/* Forgets all tensors and any failure: the start of the next step or evaluation batch. Values handed out before are gone. */
DCPS_API void dcps_tape_reset(dcps_tape *tape);

#endif
