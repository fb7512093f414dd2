#include <math.h>

#include "tensor/ops.h"
#include "tensor/ref/ref.h"

/* Mean and variance of one channel. */
typedef struct moments {
    double mean, variance;
} moments;

static size_t index_of(const dcps_batch_norm_attributes *is, size_t n, size_t c, size_t pixel)
{
    return (n * is->channels + c) * is->pixels + pixel;
}

static moments moments_of(const dcps_call *call, size_t c)
{
    const dcps_batch_norm_attributes *is = call->attributes;
    if (!is->training)
        return (moments){(double)is->running_mean[c], (double)is->running_variance[c]};
    double count = (double)(is->batch * is->pixels);
    moments found = {0.0, 0.0};
    for (size_t n = 0; n < is->batch; n++)
        for (size_t p = 0; p < is->pixels; p++)
            found.mean += (double)call->x[0]->values[index_of(is, n, c, p)] / count;
    for (size_t n = 0; n < is->batch; n++)
        for (size_t p = 0; p < is->pixels; p++)
            found.variance += pow((double)call->x[0]->values[index_of(is, n, c, p)] - found.mean, 2.0) / count;
    return found;
}

/* y = scale · (x − mean) / √(variance + epsilon) + shift */
static dcps_status forward(const dcps_call *call, float *y)
{
    const dcps_batch_norm_attributes *is = call->attributes;
    double count = (double)(is->batch * is->pixels), momentum = (double)is->momentum;
    for (size_t c = 0; c < is->channels; c++) {
        moments of = moments_of(call, c);
        double factor = (double)call->x[1]->values[c] / sqrt(of.variance + (double)is->epsilon);
        for (size_t n = 0; n < is->batch; n++)
            for (size_t p = 0; p < is->pixels; p++) {
                size_t i = index_of(is, n, c, p);
                y[i] = (float)(((double)call->x[0]->values[i] - of.mean) * factor + (double)call->x[2]->values[c]);
            }
        if (!is->training)
            continue;
        is->running_mean[c] = (float)((1.0 - momentum) * (double)is->running_mean[c] + momentum * of.mean);
        is->running_variance[c] = (float)((1.0 - momentum) * (double)is->running_variance[c] +
                                          momentum * of.variance * count / (count - 1.0));
    }
    return DCPS_OK;
}

/* With x̂ = (x − mean) / √(variance + epsilon) over m elements: dshift = Σ dy; dscale = Σ dy x̂;
 * dx = scale / √(variance + epsilon) · (dy − dshift / m − x̂ dscale / m) (Ioffe and Szegedy 2015, section 3) */
static dcps_status backward(const dcps_call *call, const float *dy, const dcps_gradient_slot *dx)
{
    const dcps_batch_norm_attributes *is = call->attributes;
    double count = (double)(is->batch * is->pixels);
    for (size_t c = 0; c < is->channels; c++) {
        moments of = moments_of(call, c);
        double inverse = 1.0 / sqrt(of.variance + (double)is->epsilon), dscale = 0.0, dshift = 0.0;
        for (size_t n = 0; n < is->batch; n++)
            for (size_t p = 0; p < is->pixels; p++) {
                size_t i = index_of(is, n, c, p);
                dshift += (double)dy[i];
                dscale += (double)dy[i] * ((double)call->x[0]->values[i] - of.mean) * inverse;
            }
        for (size_t n = 0; dx[0].values != NULL && n < is->batch; n++)
            for (size_t p = 0; p < is->pixels; p++) {
                size_t i = index_of(is, n, c, p);
                double normal = ((double)call->x[0]->values[i] - of.mean) * inverse;
                double slope = (double)dy[i] - dshift / count - normal * dscale / count;
                dcps_ref_put(&dx[0], i, (double)call->x[1]->values[c] * inverse * slope);
            }
        if (dx[1].values != NULL)
            dcps_ref_put(&dx[1], c, dscale);
        if (dx[2].values != NULL)
            dcps_ref_put(&dx[2], c, dshift);
    }
    return DCPS_OK;
}

const dcps_kernel dcps_ref_batch_norm = {.forward = forward, .backward = backward};
