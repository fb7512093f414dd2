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
    if (!is->training) {
        return (moments){(double)call->x[DCPS_BATCH_NORM_MEAN]->values[c],
                         (double)call->x[DCPS_BATCH_NORM_VARIANCE]->values[c]};
    }
    double count = (double)(is->batch * is->pixels);
    moments found = {0.0, 0.0};
    for (size_t n = 0; n < is->batch; n++) {
        for (size_t p = 0; p < is->pixels; p++) {
            found.mean += (double)call->x[DCPS_BATCH_NORM_X]->values[index_of(is, n, c, p)] / count;
        }
    }
    for (size_t n = 0; n < is->batch; n++) {
        for (size_t p = 0; p < is->pixels; p++) {
            found.variance +=
                pow((double)call->x[DCPS_BATCH_NORM_X]->values[index_of(is, n, c, p)] - found.mean, 2.0) / count;
        }
    }
    return found;
}

/* y = scale · (x − mean) / √(variance + epsilon) + shift */
static dcps_status forward(const dcps_call *call, float *y)
{
    const dcps_batch_norm_attributes *is = call->attributes;
    for (size_t c = 0; c < is->channels; c++) {
        moments of = moments_of(call, c);
        double factor = (double)call->x[DCPS_BATCH_NORM_SCALE]->values[c] / sqrt(of.variance + (double)is->epsilon);
        for (size_t n = 0; n < is->batch; n++) {
            for (size_t p = 0; p < is->pixels; p++) {
                size_t i = index_of(is, n, c, p);
                y[i] = (float)(((double)call->x[DCPS_BATCH_NORM_X]->values[i] - of.mean) * factor +
                               (double)call->x[DCPS_BATCH_NORM_SHIFT]->values[c]);
            }
        }
    }
    return DCPS_OK;
}

/* With x̂ = (x − mean) / √(variance + epsilon) over m elements: dshift = Σ dy; dscale = Σ dy x̂;
 * dx = scale / √(variance + epsilon) · (dy − dshift / m − x̂ dscale / m) (Ioffe and Szegedy 2015, section 3).
 * What is pushed for the running variance has the divisor m − 1 (ibid., algorithm 2). */
static dcps_status backward(const dcps_call *call, const float *dy, const dcps_gradient_slot *dx)
{
    const dcps_batch_norm_attributes *is = call->attributes;
    double count = (double)(is->batch * is->pixels);
    for (size_t c = 0; c < is->channels; c++) {
        moments of = moments_of(call, c);
        double inverse = 1.0 / sqrt(of.variance + (double)is->epsilon), dscale = 0.0, dshift = 0.0;
        for (size_t n = 0; n < is->batch; n++) {
            for (size_t p = 0; p < is->pixels; p++) {
                size_t i = index_of(is, n, c, p);
                dshift += (double)dy[i];
                dscale += (double)dy[i] * ((double)call->x[DCPS_BATCH_NORM_X]->values[i] - of.mean) * inverse;
            }
        }
        for (size_t n = 0; dx[DCPS_BATCH_NORM_X].values != NULL && n < is->batch; n++) {
            for (size_t p = 0; p < is->pixels; p++) {
                size_t i = index_of(is, n, c, p);
                double normal = ((double)call->x[DCPS_BATCH_NORM_X]->values[i] - of.mean) * inverse;
                double slope = (double)dy[i] - dshift / count - normal * dscale / count;
                dcps_ref_put(&dx[DCPS_BATCH_NORM_X], i,
                             (double)call->x[DCPS_BATCH_NORM_SCALE]->values[c] * inverse * slope);
            }
        }
        if (dx[DCPS_BATCH_NORM_SCALE].values != NULL) {
            dcps_ref_put(&dx[DCPS_BATCH_NORM_SCALE], c, dscale);
        }
        if (dx[DCPS_BATCH_NORM_SHIFT].values != NULL) {
            dcps_ref_put(&dx[DCPS_BATCH_NORM_SHIFT], c, dshift);
        }
        if (dx[DCPS_BATCH_NORM_MEAN].values != NULL) {
            dcps_ref_put(&dx[DCPS_BATCH_NORM_MEAN], c, of.mean);
        }
        if (dx[DCPS_BATCH_NORM_VARIANCE].values != NULL) {
            dcps_ref_put(&dx[DCPS_BATCH_NORM_VARIANCE], c, of.variance * count / (count - 1.0));
        }
    }
    return DCPS_OK;
}

/* y = max(batch_norm(x) + residual, 0) */
static dcps_status relu_forward(const dcps_call *call, float *y)
{
    bool residual = call->input_count > DCPS_BATCH_NORM_INPUTS;
    dcps_status status = forward(call, y);
    for (size_t i = 0; i < call->y->count; i++) {
        float v = y[i] + (residual ? call->x[DCPS_BATCH_NORM_RESIDUAL]->values[i] : 0.0f);
        y[i] = v < 0.0f ? 0.0f : v;
    }
    return status;
}

static dcps_status relu_backward(const dcps_call *call, const float *dy, const dcps_gradient_slot *dx)
{
    size_t count = call->y->count;
    float *passed = dcps_call_scratch(call, count, sizeof(*passed));
    if (passed == NULL) {
        return DCPS_NO_MEMORY;
    }
    for (size_t i = 0; i < count; i++) {
        passed[i] = call->y->values[i] > 0.0f ? dy[i] : 0.0f;
    }
    dcps_status status = backward(call, passed, dx);
    for (size_t i = 0; call->input_count > DCPS_BATCH_NORM_INPUTS && i < count; i++) {
        if (dx[DCPS_BATCH_NORM_RESIDUAL].values != NULL) {
            dcps_ref_put(&dx[DCPS_BATCH_NORM_RESIDUAL], i, (double)passed[i]);
        }
    }
    return status;
}

const dcps_kernel dcps_ref_batch_norm = {.forward = forward, .backward = backward};
const dcps_kernel dcps_ref_batch_norm_relu = {.forward = relu_forward, .backward = relu_backward};
