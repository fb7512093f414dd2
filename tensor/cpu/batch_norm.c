/* Batch normalisation of x read as [rows, channels]: images come channels last. Statistics are summed in double. */
#include <math.h>

#include "tensor/cpu/kernels.h"
#include "tensor/cpu/loops.h"
#include "tensor/ops.h"

/* saved [2, channels]: mean, 1 / √(variance + epsilon) */
static size_t saved_count(const dcps_call *call)
{
    return 2 * call->x[1]->count;
}

/* sums [channels] = Σ over rows of x */
DCPS_CPU_LOOP static void sum_rows(size_t rows, size_t channels, const float *restrict x, double *restrict sums)
{
    for (size_t c = 0; c < channels; c++)
        sums[c] = 0.0;
    for (size_t i = 0; i < rows; i++)
        for (size_t c = 0; c < channels; c++)
            sums[c] += (double)x[i * channels + c];
}

/* sums [channels] = Σ over rows of (x − mean)² */
DCPS_CPU_LOOP static void sum_squares(size_t rows, size_t channels, const float *restrict x, const float *restrict mean,
                                      double *restrict sums)
{
    for (size_t c = 0; c < channels; c++)
        sums[c] = 0.0;
    for (size_t i = 0; i < rows; i++)
        for (size_t c = 0; c < channels; c++) {
            double d = (double)(x[i * channels + c] - mean[c]);
            sums[c] += d * d;
        }
}

/* y = x · factor + offset, both [channels] */
DCPS_CPU_LOOP static void affine(size_t rows, size_t channels, const float *restrict x, const float *restrict mean,
                                 const float *restrict factor, const float *restrict offset, float *restrict y)
{
    for (size_t i = 0; i < rows; i++)
        for (size_t c = 0; c < channels; c++)
            y[i * channels + c] = (x[i * channels + c] - mean[c]) * factor[c] + offset[c];
}

/* mean and inverse [channels] of the batch; the running statistics follow */
static void measure(const dcps_call *call, double *sums, float *mean, float *inverse)
{
    const dcps_batch_norm_attributes *is = call->attributes;
    size_t rows = is->batch * is->pixels;
    sum_rows(rows, is->channels, call->x[0]->values, sums);
    for (size_t c = 0; c < is->channels; c++) {
        mean[c] = (float)(sums[c] / (double)rows);
        is->running_mean[c] += is->momentum * (mean[c] - is->running_mean[c]);
    }
    sum_squares(rows, is->channels, call->x[0]->values, mean, sums);
    for (size_t c = 0; c < is->channels; c++) {
        inverse[c] = (float)(1.0 / sqrt(sums[c] / (double)rows + (double)is->epsilon));
        is->running_variance[c] += is->momentum * ((float)(sums[c] / (double)(rows - 1)) - is->running_variance[c]);
    }
}

static dcps_status forward(const dcps_call *call, float *y)
{
    const dcps_batch_norm_attributes *is = call->attributes;
    size_t channels = is->channels;
    double *sums = dcps_call_scratch(call, channels, sizeof *sums);
    float *scratch = dcps_call_scratch(call, 3 * channels, sizeof *scratch);
    if (sums == NULL || scratch == NULL)
        return DCPS_NO_MEMORY;
    float *mean = call->saved == NULL ? scratch : call->saved, *inverse = mean + channels;
    float *factor = scratch + 2 * channels;
    if (is->training)
        measure(call, sums, mean, inverse);
    for (size_t c = 0; c < channels; c++) {
        if (!is->training) {
            mean[c] = is->running_mean[c];
            inverse[c] = 1.0f / sqrtf(is->running_variance[c] + is->epsilon);
        }
        factor[c] = call->x[1]->values[c] * inverse[c];
    }
    affine(is->batch * is->pixels, channels, call->x[0]->values, mean, factor, call->x[2]->values, y);
    return DCPS_OK;
}

/* dshift = Σ dy and dscale = Σ dy x̂, both [channels] */
DCPS_CPU_LOOP static void sum_gradients(size_t rows, size_t channels, const float *restrict x,
                                        const float *restrict mean, const float *restrict inverse,
                                        const float *restrict dy, double *restrict dscale, double *restrict dshift)
{
    for (size_t c = 0; c < channels; c++)
        dscale[c] = dshift[c] = 0.0;
    for (size_t i = 0; i < rows; i++)
        for (size_t c = 0; c < channels; c++) {
            double d = (double)dy[i * channels + c];
            dshift[c] += d;
            dscale[c] += d * (double)((x[i * channels + c] - mean[c]) * inverse[c]);
        }
}

/* dx (+)= factor · (dy − offset − (x − mean) · slope), the last four [channels] */
DCPS_CPU_LOOP static void apply_gradients(size_t rows, size_t channels, bool add, const float *restrict x,
                                          const float *restrict mean, const float *restrict factor,
                                          const float *restrict offset, const float *restrict slope,
                                          const float *restrict dy, float *restrict dx)
{
    for (size_t i = 0; i < rows * channels; i += channels)
        if (add)
            for (size_t c = 0; c < channels; c++)
                dx[i + c] += factor[c] * (dy[i + c] - offset[c] - (x[i + c] - mean[c]) * slope[c]);
        else
            for (size_t c = 0; c < channels; c++)
                dx[i + c] = factor[c] * (dy[i + c] - offset[c] - (x[i + c] - mean[c]) * slope[c]);
}

/* The formula is ref's. */
static dcps_status backward(const dcps_call *call, const float *dy, const dcps_gradient_slot *dx)
{
    const dcps_batch_norm_attributes *is = call->attributes;
    size_t channels = is->channels, rows = is->batch * is->pixels;
    double *dscale = dcps_call_scratch(call, 2 * channels, sizeof *dscale), *dshift = dscale + channels;
    float *factor = dcps_call_scratch(call, 3 * channels, sizeof *factor);
    if (dscale == NULL || factor == NULL)
        return DCPS_NO_MEMORY;
    float *offset = factor + channels, *slope = offset + channels, *mean = call->saved, *inverse = mean + channels;
    sum_gradients(rows, channels, call->x[0]->values, mean, inverse, dy, dscale, dshift);
    for (size_t c = 0; c < channels; c++) {
        factor[c] = call->x[1]->values[c] * inverse[c];
        offset[c] = (float)(dshift[c] / (double)rows);
        slope[c] = (float)(dscale[c] / (double)rows) * inverse[c];
    }
    if (dx[0].values != NULL)
        apply_gradients(rows, channels, dx[0].add, call->x[0]->values, mean, factor, offset, slope, dy, dx[0].values);
    for (size_t c = 0; c < channels; c++) {
        if (dx[1].values != NULL)
            dx[1].values[c] = (float)dscale[c] + (dx[1].add ? dx[1].values[c] : 0.0f);
        if (dx[2].values != NULL)
            dx[2].values[c] = (float)dshift[c] + (dx[2].add ? dx[2].values[c] : 0.0f);
    }
    return DCPS_OK;
}

const dcps_kernel dcps_cpu_batch_norm = {
    .takes = DCPS_TAKES_CHANNELS_LAST, .saved_count = saved_count, .forward = forward, .backward = backward};
