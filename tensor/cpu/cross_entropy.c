#include <math.h>
#include <string.h>

#include "tensor/cpu/kernels.h"
#include "tensor/cpu/loops.h"
#include "tensor/cpu/softmax.h"
#include "tensor/ops.h"

/* Loss of one row; leaves softmax(x) in `probabilities` [classes] when they will be needed. */
static double row_forward(const dcps_cross_entropy_attributes *is, size_t row, size_t classes, const float *x,
                          float *probabilities, bool keep)
{
    float maximum;
    double sum = dcps_cpu_exponentials(classes, x, probabilities, &maximum), smoothing = (double)is->smoothing;
    if (keep)
        dcps_cpu_scale_in_place(classes, (float)(1.0 / sum), probabilities);
    double whole = log(sum) + (double)maximum;
    double loss = (1.0 - smoothing) * (log(sum) - (double)(x[is->labels[row]] - maximum));
    if (smoothing > 0.0)
        loss += smoothing * (whole - dcps_cpu_sum(classes, x) / (double)classes);
    return loss;
}

/* The formula is ref's; saved [rows, classes] = softmax(x) */
static dcps_status forward(const dcps_call *call, float *y)
{
    const dcps_cross_entropy_attributes *is = call->attributes;
    size_t rows = call->x[0]->dims[0], classes = call->x[0]->dims[1];
    float *row = call->saved != NULL ? NULL : dcps_call_scratch(call, classes, sizeof *row);
    if (call->saved == NULL && row == NULL)
        return DCPS_NO_MEMORY;
    double total = 0.0;
    for (size_t i = 0; i < rows; i++)
        if (dcps_cross_entropy_counts(is, i))
            total += row_forward(is, i, classes, call->x[0]->values + i * classes,
                                 row != NULL ? row : call->saved + i * classes, row == NULL);
    y[0] = is->counted == 0 ? 0.0f : (float)(total / (double)is->counted);
    return DCPS_OK;
}

/* to (+)= scale · (probabilities − even) */
DCPS_CPU_LOOP static void chain(size_t count, bool add, float scale, float even, const float *restrict probabilities,
                                float *restrict to)
{
    if (add)
        for (size_t j = 0; j < count; j++)
            to[j] += scale * (probabilities[j] - even);
    else
        for (size_t j = 0; j < count; j++)
            to[j] = scale * (probabilities[j] - even);
}

/* dx [rows, classes] = dy · (softmax(x) − target) / rows that count */
static dcps_status backward(const dcps_call *call, const float *dy, const dcps_gradient_slot *dx)
{
    const dcps_cross_entropy_attributes *is = call->attributes;
    size_t rows = call->x[0]->dims[0], classes = call->x[0]->dims[1];
    float scale = is->counted == 0 ? 0.0f : dy[0] / (float)is->counted;
    for (size_t i = 0; i < rows; i++) {
        float *to = dx[0].values + i * classes;
        if (dcps_cross_entropy_counts(is, i)) {
            chain(classes, dx[0].add, scale, is->smoothing / (float)classes, call->saved + i * classes, to);
            to[is->labels[i]] -= scale * (1.0f - is->smoothing);
        } else if (!dx[0].add) {
            memset(to, 0, classes * sizeof *to);
        }
    }
    return DCPS_OK;
}

const dcps_kernel dcps_cpu_cross_entropy = {
    .saved_count = dcps_count_of_input, .forward = forward, .backward = backward};
