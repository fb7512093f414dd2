/* Cross-entropy in two passes over the logits forward and one backward: exponentials are computed twice rather than kept, since memory is what takes time. */
#include <math.h>
#include <string.h>

#include "tensor/cpu/kernels.h"
#include "tensor/cpu/loops.h"
#include "tensor/cpu/softmax.h"
#include "tensor/cpu/vector_math.h"
#include "tensor/ops.h"

/* saved [rows, 2]: the largest logit of each row, and Σ exp(x − largest) */
static size_t saved_count(const dcps_call *call)
{
    return 2 * call->x[0]->dims[0];
}

typedef struct entropy {
    const dcps_call *call;
    size_t classes;
    double *losses;  /* [rows] */
    float *row_sums; /* saved */
    float scale;     /* of the gradient */
    const dcps_gradient_slot *dx;
} entropy;

static void rows_forward(void *context, size_t begin, size_t end)
{
    const entropy *self = context;
    const dcps_cross_entropy_attributes *is = self->call->attributes;
    double smoothing = (double)is->smoothing;
    for (size_t i = begin; i < end; i++) {
        self->losses[i] = 0.0;
        if (!dcps_cross_entropy_counts(is, i)) {
            continue;
        }
        const float *x = self->call->x[0]->values + i * self->classes;
        float maximum, *row_sums = self->row_sums + 2 * i;
        double sum = dcps_cpu_exponential_sum(self->classes, x, &maximum);
        row_sums[0] = maximum;
        row_sums[1] = (float)sum;
        self->losses[i] = (1.0 - smoothing) * (log(sum) - (double)(x[is->labels[i]] - maximum));
        if (smoothing > 0.0) {
            self->losses[i] +=
                smoothing * (log(sum) + (double)maximum - dcps_cpu_sum(self->classes, x) / (double)self->classes);
        }
    }
}

/* The formula is ref's. */
static dcps_status forward(const dcps_call *call, float *y)
{
    const dcps_cross_entropy_attributes *is = call->attributes;
    size_t rows = call->x[0]->dims[0];
    entropy self = {.call = call, .classes = call->x[0]->dims[1]};
    self.losses = dcps_call_scratch(call, rows, sizeof(*self.losses));
    self.row_sums =
        call->saved != NULL ? call->saved : dcps_call_scratch(call, saved_count(call), sizeof(*self.row_sums));
    if (self.losses == NULL || self.row_sums == NULL) {
        return DCPS_NO_MEMORY;
    }
    dcps_cpu_parallel(rows, call->x[0]->count, rows_forward, &self);
    double total = 0.0;
    for (size_t i = 0; i < rows; i++) {
        total += self.losses[i];
    }
    y[0] = *is->counted == 0 ? 0.0f : (float)(total / (double)*is->counted);
    return DCPS_OK;
}

/* to (+)= factor · exp(x − maximum) − even */
DCPS_CPU_LOOP static void chain(size_t count, bool add, float factor, float maximum, float even,
                                const float *restrict x, float *restrict to)
{
    if (add) {
        for (size_t j = 0; j < count; j++) {
            to[j] += factor * dcps_lane_exp(x[j] - maximum) - even;
        }
    } else {
        for (size_t j = 0; j < count; j++) {
            to[j] = factor * dcps_lane_exp(x[j] - maximum) - even;
        }
    }
}

static void rows_backward(void *context, size_t begin, size_t end)
{
    const entropy *self = context;
    const dcps_cross_entropy_attributes *is = self->call->attributes;
    size_t classes = self->classes;
    float even = self->scale * is->smoothing / (float)classes;
    for (size_t i = begin; i < end; i++) {
        float *to = self->dx->values + i * classes;
        if (dcps_cross_entropy_counts(is, i)) {
            const float *row_sums = self->row_sums + 2 * i;
            chain(classes, self->dx->add, self->scale / row_sums[1], row_sums[0], even,
                  self->call->x[0]->values + i * classes, to);
            to[is->labels[i]] -= self->scale * (1.0f - is->smoothing);
        } else if (!self->dx->add) {
            memset(to, 0, classes * sizeof(*to));
        }
    }
}

/* dx [rows, classes] = dy · (softmax(x) − target) / rows that count */
static dcps_status backward(const dcps_call *call, const float *dy, const dcps_gradient_slot *dx)
{
    const dcps_cross_entropy_attributes *is = call->attributes;
    entropy self = {.call = call,
                    .classes = call->x[0]->dims[1],
                    .row_sums = call->saved,
                    .scale = *is->counted == 0 ? 0.0f : dy[0] / (float)*is->counted,
                    .dx = &dx[0]};
    dcps_cpu_parallel(call->x[0]->dims[0], call->x[0]->count, rows_backward, &self);
    return DCPS_OK;
}

const dcps_kernel dcps_cpu_cross_entropy = {.saved_count = saved_count, .forward = forward, .backward = backward};
