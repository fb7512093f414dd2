/* Batch normalisation of x read as [rows, channels]: images come channels last. Statistics are summed in double. */
#include <math.h>

#include "tensor/cpu/kernels.h"
#include "tensor/cpu/loops.h"
#include "tensor/ops.h"

/* saved [3, channels]: mean, 1 / √(variance + epsilon), variance with the divisor n − 1 */
static size_t saved_count(const dcps_call *call)
{
    return 3 * call->x[DCPS_BATCH_NORM_SCALE]->count;
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

/* What is saved of the batch. */
static void measure(const dcps_call *call, double *sums)
{
    const dcps_batch_norm_attributes *is = call->attributes;
    size_t rows = is->batch * is->pixels;
    float *mean = call->saved, *inverse = mean + is->channels, *variance = inverse + is->channels;
    const float *x = call->x[DCPS_BATCH_NORM_X]->values;
    sum_rows(rows, is->channels, x, sums);
    for (size_t c = 0; c < is->channels; c++)
        mean[c] = (float)(sums[c] / (double)rows);
    sum_squares(rows, is->channels, x, mean, sums);
    for (size_t c = 0; c < is->channels; c++) {
        inverse[c] = (float)(1.0 / sqrt(sums[c] / (double)rows + (double)is->epsilon));
        variance[c] = (float)(sums[c] / (double)(rows - 1));
    }
}

static dcps_status forward(const dcps_call *call, float *y)
{
    const dcps_batch_norm_attributes *is = call->attributes;
    size_t channels = is->channels;
    double *sums = dcps_call_scratch(call, channels, sizeof *sums);
    float *factor = dcps_call_scratch(call, channels, sizeof *factor);
    if (sums == NULL || factor == NULL)
        return DCPS_NO_MEMORY;
    const float *scale = call->x[DCPS_BATCH_NORM_SCALE]->values, *mean = call->x[DCPS_BATCH_NORM_MEAN]->values;
    if (is->training) {
        measure(call, sums);
        mean = call->saved;
    }
    for (size_t c = 0; c < channels; c++)
        factor[c] =
            scale[c] * (is->training ? call->saved[channels + c]
                                     : 1.0f / sqrtf(call->x[DCPS_BATCH_NORM_VARIANCE]->values[c] + is->epsilon));
    affine(is->batch * is->pixels, channels, call->x[DCPS_BATCH_NORM_X]->values, mean, factor,
           call->x[DCPS_BATCH_NORM_SHIFT]->values, y);
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

/* What is summed in double over the rows, put [channels]. */
static void put_sums(const dcps_gradient_slot *dx, size_t channels, const double *sums)
{
    for (size_t c = 0; dx->values != NULL && c < channels; c++)
        dx->values[c] = (float)sums[c] + (dx->add ? dx->values[c] : 0.0f);
}

static void put_statistic(const dcps_gradient_slot *dx, size_t channels, const float *statistic)
{
    for (size_t c = 0; dx->values != NULL && c < channels; c++)
        dx->values[c] = statistic[c] + (dx->add ? dx->values[c] : 0.0f);
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
    const float *x = call->x[DCPS_BATCH_NORM_X]->values;
    sum_gradients(rows, channels, x, mean, inverse, dy, dscale, dshift);
    for (size_t c = 0; c < channels; c++) {
        factor[c] = call->x[DCPS_BATCH_NORM_SCALE]->values[c] * inverse[c];
        offset[c] = (float)(dshift[c] / (double)rows);
        slope[c] = (float)(dscale[c] / (double)rows) * inverse[c];
    }
    if (dx[DCPS_BATCH_NORM_X].values != NULL)
        apply_gradients(rows, channels, dx[DCPS_BATCH_NORM_X].add, x, mean, factor, offset, slope, dy,
                        dx[DCPS_BATCH_NORM_X].values);
    put_sums(&dx[DCPS_BATCH_NORM_SCALE], channels, dscale);
    put_sums(&dx[DCPS_BATCH_NORM_SHIFT], channels, dshift);
    put_statistic(&dx[DCPS_BATCH_NORM_MEAN], channels, mean);
    put_statistic(&dx[DCPS_BATCH_NORM_VARIANCE], channels, inverse + channels);
    return DCPS_OK;
}

const dcps_kernel dcps_cpu_batch_norm = {
    .takes = DCPS_TAKES_CHANNELS_LAST, .saved_count = saved_count, .forward = forward, .backward = backward};
