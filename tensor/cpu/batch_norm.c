/* Batch normalisation, alone or followed by a sum and ReLU, in as few passes over memory as it takes: two forward and two backward.
 *
 * x is read as planes of [pixels, lanes], one for each image and block of channels, or one for each image where channels come last. Loops run along rows of
 * some pixels, with what belongs to the lanes repeated all along a row. Sums are of few floats and then in double, and do not depend on the number of threads. */
#include <math.h>
#include <string.h>

#include "tensor/cpu/kernels.h"
#include "tensor/cpu/loops.h"
#include "tensor/cpu/order.h"
#include "tensor/ops.h"

#define ROW_FLOATS 256u /* of a row, about */
#define CHUNK_ROWS 16u  /* summed in float */

/* How x is cut. */
typedef struct plan {
    size_t images, blocks; /* planes: [images, blocks] */
    size_t lanes, plane;   /* floats of a plane: pixels · lanes */
    size_t row;            /* floats of a row, a multiple of lanes */
} plan;

static plan plan_of(const dcps_call *call)
{
    const dcps_batch_norm_attributes *is = call->attributes;
    const dcps_tensor *x = call->x[DCPS_BATCH_NORM_X];
    size_t images = is->batch, lanes = dcps_cpu_lanes(x), pixels = is->pixels;
    if (x->dim_count == 2) {
        images = 1;
        pixels = is->batch;
    }
    size_t pixels_a_row = lanes >= ROW_FLOATS ? 1 : ROW_FLOATS / lanes;
    return (plan){.images = images,
                  .blocks = is->channels / lanes,
                  .lanes = lanes,
                  .plane = pixels * lanes,
                  .row = pixels_a_row * lanes};
}

/* to [blocks, row] from [channels] */
static void repeat(const plan *p, const float *from, float *to)
{
    for (size_t block = 0; block < p->blocks; block++, from += p->lanes) {
        for (size_t i = 0; i < p->row; i += p->lanes, to += p->lanes) {
            memcpy(to, from, p->lanes * sizeof(*to));
        }
    }
}

/* sums [lanes] += row [count] */
static void fold(size_t count, size_t lanes, const float *row, double *sums)
{
    for (size_t i = 0; i < count; i += lanes) {
        for (size_t j = 0; j < lanes; j++) {
            sums[j] += (double)row[i + j];
        }
    }
}

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* What all passes share. Arrays [blocks, row] hold what belongs to each channel. */
typedef struct norm {
    plan plan;
    const dcps_call *call;
    const float *x, *dy, *y, *residual;
    float *to;      /* y, or dx */
    bool add;       /* to dx */
    bool relu;      /* y = max(…, 0) */
    bool mask_by_y; /* where ReLU is 0 shows in y; else it follows from x */
    const float *mean, *factor, *shift;
    const float *offset, *slope;           /* of dx */
    const dcps_gradient_slot *to_residual; /* NULL: not wanted */
    double *sums;                          /* [images, blocks, 2, lanes] */
    float *rows;                           /* [images · blocks, 2, row]; those of its first plane are a thread's own */
} norm;

/* Memory that its fields say. False: none. */
static bool take_sums(norm *self)
{
    const plan *p = &self->plan;
    self->sums = dcps_call_scratch(self->call, p->images * p->blocks * 2 * p->lanes, sizeof(*self->sums));
    self->rows = dcps_call_scratch(self->call, p->images * p->blocks * 2 * p->row, sizeof(*self->rows));
    return self->sums != NULL && self->rows != NULL;
}

/* Room for one [blocks, row]; NULL: none. */
static float *take_pattern(const norm *self)
{
    return dcps_call_scratch(self->call, self->plan.blocks * self->plan.row, sizeof(float));
}

/* [blocks, row] from [channels]; NULL: no memory. */
static const float *pattern(const norm *self, const float *from)
{
    float *to = take_pattern(self);
    if (to != NULL) {
        repeat(&self->plan, from, to);
    }
    return to;
}

/* sums [2, channels] = all planes' sums, image after image */
static void total(const norm *self, double *sums)
{
    const plan *p = &self->plan;
    size_t channels = p->blocks * p->lanes;
    memset(sums, 0, 2 * channels * sizeof(*sums));
    const double *from = self->sums;
    for (size_t i = 0; i < p->images * p->blocks; i++) {
        for (size_t which = 0; which < 2; which++, from += p->lanes) {
            for (size_t j = 0; j < p->lanes; j++) {
                sums[which * channels + i % p->blocks * p->lanes + j] += from[j];
            }
        }
    }
}

/* first [row] = Σ over rows of (x − pivot), second of its square */
DCPS_CPU_LOOP static void sum_chunk(size_t count, size_t row, const float *restrict x, const float *restrict pivot,
                                    float *restrict first, float *restrict second)
{
    for (size_t j = 0; j < row; j++) {
        first[j] = second[j] = 0.0f;
    }
    for (size_t i = 0; i < count; i += row) {
        for (size_t j = 0; j < smaller(row, count - i); j++) {
            float d = x[i + j] - pivot[j];
            first[j] += d;
            second[j] += d * d;
        }
    }
}

/* Sums of the planes first … end − 1. */
static void sum_planes(void *context, size_t begin, size_t end)
{
    const norm *self = context;
    const plan *p = &self->plan;
    for (size_t i = begin; i < end; i++) {
        double *sums = self->sums + i * 2 * p->lanes;
        float *first = self->rows + begin * 2 * p->row, *second = first + p->row;
        const float *x = self->x + i * p->plane, *pivot = self->mean + i % p->blocks * p->row;
        memset(sums, 0, 2 * p->lanes * sizeof(*sums));
        for (size_t at = 0; at < p->plane; at += CHUNK_ROWS * p->row) {
            size_t count = smaller(CHUNK_ROWS * p->row, p->plane - at);
            sum_chunk(count, p->row, x + at, pivot, first, second);
            fold(smaller(count, p->row), p->lanes, first, sums);
            fold(smaller(count, p->row), p->lanes, second, sums + p->lanes);
        }
    }
}

/* A value near the mean of each channel, so that squares of distances to it do not cancel: the mean of the first rows of the first image. */
static void find_pivot(const norm *self, float *pivot)
{
    const plan *p = &self->plan;
    size_t count = smaller(CHUNK_ROWS * p->row, p->plane);
    for (size_t block = 0; block < p->blocks; block++, pivot += p->lanes) {
        const float *x = self->x + block * p->plane;
        double *sums = self->sums;
        memset(sums, 0, p->lanes * sizeof(*sums));
        fold(count, p->lanes, x, sums);
        for (size_t j = 0; j < p->lanes; j++) {
            pivot[j] = (float)(sums[j] * (double)p->lanes / (double)count);
        }
    }
}

/* saved [3, channels]: mean, 1 / √(variance + epsilon), variance with the divisor n − 1 */
static size_t saved_count(const dcps_call *call)
{
    return 3 * call->x[DCPS_BATCH_NORM_SCALE]->count;
}

static dcps_status measure(norm *self)
{
    const dcps_call *call = self->call;
    const dcps_batch_norm_attributes *is = call->attributes;
    size_t channels = is->channels;
    double count = (double)is->batch * (double)is->pixels;
    float *mean = call->saved, *inverse = mean + channels, *variance = inverse + channels;
    double *sums = dcps_call_scratch(call, 2 * channels, sizeof(*sums));
    if (sums == NULL || !take_sums(self)) {
        return DCPS_NO_MEMORY;
    }
    find_pivot(self, mean);
    self->mean = pattern(self, mean);
    if (self->mean == NULL) {
        return DCPS_NO_MEMORY;
    }
    dcps_cpu_parallel(self->plan.images * self->plan.blocks, call->y->count, sum_planes, self);
    total(self, sums);
    for (size_t c = 0; c < channels; c++) {
        double beyond = sums[c] / count, spread = sums[channels + c] / count - beyond * beyond;
        spread = spread < 0.0 ? 0.0 : spread; /* a NaN stays one */
        mean[c] = (float)((double)mean[c] + beyond);
        inverse[c] = (float)(1.0 / sqrt(spread + (double)is->epsilon));
        variance[c] = (float)(spread * count / (count - 1.0));
    }
    return DCPS_OK;
}

/* Rows of y = (x − mean) · factor + shift; see ROWS below */
#define NORMAL ((x[i + j] - mean[j]) * factor[j] + shift[j])

#define ROWS(statement)                                                                                                \
    for (size_t i = 0; i < count; i += row)                                                                            \
        for (size_t j = 0; j < smaller(row, count - i); j++) {                                                         \
            statement;                                                                                                 \
        }

DCPS_CPU_LOOP static void affine(size_t count, size_t row, const float *restrict x, const float *restrict mean,
                                 const float *restrict factor, const float *restrict shift,
                                 float *restrict y){ROWS(y[i + j] = NORMAL)}

DCPS_CPU_LOOP static void affine_relu(size_t count, size_t row, const float *restrict x, const float *restrict mean,
                                      const float *restrict factor, const float *restrict shift, float *restrict y)
{
    ROWS(float v = NORMAL; y[i + j] = v < 0.0f ? 0.0f : v)
}

DCPS_CPU_LOOP static void affine_add_relu(size_t count, size_t row, const float *restrict x, const float *restrict mean,
                                          const float *restrict factor, const float *restrict shift,
                                          const float *restrict residual, float *restrict y)
{
    ROWS(float v = NORMAL + residual[i + j]; y[i + j] = v < 0.0f ? 0.0f : v)
}

static void apply_planes(void *context, size_t begin, size_t end)
{
    const norm *self = context;
    const plan *p = &self->plan;
    for (size_t i = begin; i < end; i++) {
        size_t at = i * p->plane, of = i % p->blocks * p->row;
        const float *x = self->x + at, *mean = self->mean + of, *factor = self->factor + of, *shift = self->shift + of;
        if (self->residual != NULL) {
            affine_add_relu(p->plane, p->row, x, mean, factor, shift, self->residual + at, self->to + at);
        } else {
            (self->relu ? affine_relu : affine)(p->plane, p->row, x, mean, factor, shift, self->to + at);
        }
    }
}

static norm norm_of(const dcps_call *call)
{
    bool relu = call->op == DCPS_OP_BATCH_NORM_RELU, residual = call->input_count > DCPS_BATCH_NORM_INPUTS;
    return (norm){.plan = plan_of(call),
                  .call = call,
                  .x = call->x[DCPS_BATCH_NORM_X]->values,
                  .residual = residual ? call->x[DCPS_BATCH_NORM_RESIDUAL]->values : NULL,
                  .relu = relu,
                  .mask_by_y = residual};
}

/* factor and shift, repeated. */
static dcps_status prepare(norm *self, const float *mean, const float *inverse)
{
    const dcps_call *call = self->call;
    size_t channels = call->x[DCPS_BATCH_NORM_SCALE]->count;
    float *factor = dcps_call_scratch(call, channels, sizeof(*factor));
    if (factor == NULL) {
        return DCPS_NO_MEMORY;
    }
    for (size_t c = 0; c < channels; c++) {
        factor[c] = call->x[DCPS_BATCH_NORM_SCALE]->values[c] * inverse[c];
    }
    self->mean = pattern(self, mean);
    self->factor = pattern(self, factor);
    self->shift = pattern(self, call->x[DCPS_BATCH_NORM_SHIFT]->values);
    return self->mean == NULL || self->factor == NULL || self->shift == NULL ? DCPS_NO_MEMORY : DCPS_OK;
}

static dcps_status forward(const dcps_call *call, float *y)
{
    const dcps_batch_norm_attributes *is = call->attributes;
    norm self = norm_of(call);
    const float *mean = call->x[DCPS_BATCH_NORM_MEAN]->values;
    float *inverse = dcps_call_scratch(call, is->channels, sizeof(*inverse));
    if (inverse == NULL) {
        return DCPS_NO_MEMORY;
    }
    dcps_status status = DCPS_OK;
    if (is->training) {
        status = measure(&self);
        mean = call->saved;
        memcpy(inverse, call->saved + is->channels, is->channels * sizeof(*inverse));
    } else {
        for (size_t c = 0; c < is->channels; c++) {
            inverse[c] = 1.0f / sqrtf(call->x[DCPS_BATCH_NORM_VARIANCE]->values[c] + is->epsilon);
        }
    }
    if (status == DCPS_OK) {
        status = prepare(&self, mean, inverse);
    }
    if (status != DCPS_OK) {
        return status;
    }
    self.to = y;
    dcps_cpu_parallel(self.plan.images * self.plan.blocks, call->y->count, apply_planes, &self);
    return DCPS_OK;
}

/* d: what arrives at the normalised x. All of dy; dy where ReLU let y pass, as y or x shows. */
#define ALL dy[i + j]
#define BY_Y (y[i + j] > 0.0f ? dy[i + j] : 0.0f)
#define BY_X (NORMAL > 0.0f ? dy[i + j] : 0.0f)

/* Everything that a backward loop may read. */
#define BACKWARD_READS                                                                                                 \
    size_t count, size_t row, const float *restrict x, const float *restrict mean, const float *restrict factor,       \
        const float *restrict shift, const float *restrict y, const float *restrict dy

/* first [row] = Σ over rows of d, second of d · (x − mean) */
#define SUM_GRADIENTS(name, d)                                                                                         \
    DCPS_CPU_LOOP static void name(BACKWARD_READS, float *restrict first, float *restrict second)                      \
    {                                                                                                                  \
        (void)factor, (void)shift, (void)y;                                                                            \
        for (size_t j = 0; j < row; j++)                                                                               \
            first[j] = second[j] = 0.0f;                                                                               \
        ROWS(float v = (d); first[j] += v; second[j] += v * (x[i + j] - mean[j]))                                      \
    }
SUM_GRADIENTS(sum_all, ALL)
SUM_GRADIENTS(sum_by_y, BY_Y)
SUM_GRADIENTS(sum_by_x, BY_X)

static void sum_gradient_planes(void *context, size_t begin, size_t end)
{
    const norm *self = context;
    const plan *p = &self->plan;
    for (size_t i = begin; i < end; i++) {
        double *sums = self->sums + i * 2 * p->lanes;
        float *first = self->rows + begin * 2 * p->row, *second = first + p->row;
        size_t of = i % p->blocks * p->row;
        memset(sums, 0, 2 * p->lanes * sizeof(*sums));
        for (size_t from = 0; from < p->plane; from += CHUNK_ROWS * p->row) {
            size_t count = smaller(CHUNK_ROWS * p->row, p->plane - from), at = i * p->plane + from;
            (!self->relu       ? sum_all
             : self->mask_by_y ? sum_by_y
                               : sum_by_x)(count, p->row, self->x + at, self->mean + of, self->factor + of,
                                           self->shift + of, self->y + at, self->dy + at, first, second);
            fold(smaller(count, p->row), p->lanes, first, sums);
            fold(smaller(count, p->row), p->lanes, second, sums + p->lanes);
        }
    }
}

/* dx (+)= factor · (d − offset − (x − mean) · slope) */
#define PUT_GRADIENTS(name, d, operator)                                                                               \
    DCPS_CPU_LOOP static void name(BACKWARD_READS, const float *restrict offset, const float *restrict slope,          \
                                   float *restrict dx)                                                                 \
    {                                                                                                                  \
        (void)shift, (void)y;                                                                                          \
        ROWS(dx[i + j] operator factor[j] *((d)-offset[j] - (x[i + j] - mean[j]) * slope[j]))                          \
    }
PUT_GRADIENTS(set_all, ALL, =)
PUT_GRADIENTS(set_by_y, BY_Y, =)
PUT_GRADIENTS(set_by_x, BY_X, =)
PUT_GRADIENTS(add_all, ALL, +=)
PUT_GRADIENTS(add_by_y, BY_Y, +=)
PUT_GRADIENTS(add_by_x, BY_X, +=)

static void put_gradient_planes(void *context, size_t begin, size_t end)
{
    const norm *self = context;
    const plan *p = &self->plan;
    int which = !self->relu ? 0 : self->mask_by_y ? 1 : 2;
    void (*const put[2][3])(BACKWARD_READS, const float *restrict, const float *restrict,
                            float *restrict) = {{set_all, set_by_y, set_by_x}, {add_all, add_by_y, add_by_x}};
    for (size_t i = begin; i < end; i++) {
        size_t at = i * p->plane, of = i % p->blocks * p->row;
        put[self->add][which](p->plane, p->row, self->x + at, self->mean + of, self->factor + of, self->shift + of,
                              self->y + at, self->dy + at, self->offset + of, self->slope + of, self->to + at);
    }
}

/* dresidual (+)= dy where ReLU let y pass */
DCPS_CPU_LOOP static void pass(size_t count, bool add, const float *restrict y, const float *restrict dy,
                               float *restrict to)
{
    if (add) {
        for (size_t i = 0; i < count; i++) {
            float d = dy[i];
            to[i] += y[i] > 0.0f ? d : 0.0f;
        }
    } else {
        for (size_t i = 0; i < count; i++) {
            float d = dy[i];
            to[i] = y[i] > 0.0f ? d : 0.0f;
        }
    }
}

static void pass_planes(void *context, size_t begin, size_t end)
{
    const norm *self = context;
    size_t at = begin * self->plan.plane, count = (end - begin) * self->plan.plane;
    pass(count, self->to_residual->add, self->y + at, self->dy + at, self->to_residual->values + at);
}

static void put(const dcps_gradient_slot *dx, size_t channels, const float *values)
{
    for (size_t c = 0; dx->values != NULL && c < channels; c++) {
        dx->values[c] = values[c] + (dx->add ? dx->values[c] : 0.0f);
    }
}

/* What belongs to the channels: gradients of scale and shift, the statistics, and what dx needs. */
static dcps_status put_channels(norm *self, const dcps_gradient_slot *dx)
{
    const dcps_call *call = self->call;
    const dcps_batch_norm_attributes *is = call->attributes;
    size_t channels = is->channels;
    double count = (double)is->batch * (double)is->pixels;
    const float *mean = call->saved, *inverse = mean + channels;
    double *sums = dcps_call_scratch(call, 2 * channels, sizeof(*sums));
    float *scratch = dcps_call_scratch(call, 4 * channels, sizeof(*scratch));
    if (sums == NULL || scratch == NULL) {
        return DCPS_NO_MEMORY;
    }
    float *dshift = scratch, *dscale = dshift + channels, *offset = dscale + channels, *slope = offset + channels;
    total(self, sums);
    for (size_t c = 0; c < channels; c++) {
        double of_scale = sums[channels + c] * (double)inverse[c];
        dshift[c] = (float)sums[c];
        dscale[c] = (float)of_scale;
        offset[c] = (float)(sums[c] / count);
        slope[c] = (float)(of_scale / count) * inverse[c];
    }
    put(&dx[DCPS_BATCH_NORM_SCALE], channels, dscale);
    put(&dx[DCPS_BATCH_NORM_SHIFT], channels, dshift);
    put(&dx[DCPS_BATCH_NORM_MEAN], channels, mean);
    put(&dx[DCPS_BATCH_NORM_VARIANCE], channels, inverse + channels);
    self->offset = pattern(self, offset);
    self->slope = pattern(self, slope);
    return self->offset == NULL || self->slope == NULL ? DCPS_NO_MEMORY : DCPS_OK;
}

/* The formula is ref's. */
static dcps_status backward(const dcps_call *call, const float *dy, const dcps_gradient_slot *dx)
{
    norm self = norm_of(call);
    size_t planes = self.plan.images * self.plan.blocks;
    self.y = call->y->values;
    self.dy = dy;
    if (!take_sums(&self)) {
        return DCPS_NO_MEMORY;
    }
    dcps_status status = prepare(&self, call->saved, call->saved + call->x[DCPS_BATCH_NORM_SCALE]->count);
    if (status != DCPS_OK) {
        return status;
    }
    dcps_cpu_parallel(planes, call->y->count, sum_gradient_planes, &self);
    status = put_channels(&self, dx);
    if (status != DCPS_OK) {
        return status;
    }
    if (dx[DCPS_BATCH_NORM_X].values != NULL) {
        self.to = dx[DCPS_BATCH_NORM_X].values;
        self.add = dx[DCPS_BATCH_NORM_X].add;
        dcps_cpu_parallel(planes, call->y->count, put_gradient_planes, &self);
    }
    if (self.residual != NULL && dx[DCPS_BATCH_NORM_RESIDUAL].values != NULL) {
        self.to_residual = &dx[DCPS_BATCH_NORM_RESIDUAL];
        dcps_cpu_parallel(planes, call->y->count, pass_planes, &self);
    }
    return DCPS_OK;
}

/* x and a residual lie alike. */
static dcps_order choose(const dcps_call *call, const size_t *y_dims, uint32_t input)
{
    if (input >= DCPS_BATCH_NORM_SCALE && input <= DCPS_BATCH_NORM_VARIANCE) {
        return DCPS_ROW_MAJOR;
    }
    return dcps_cpu_image_order(call->x[DCPS_BATCH_NORM_X], y_dims);
}

const dcps_kernel dcps_cpu_batch_norm = {
    .takes = DCPS_TAKES_CHOSEN, .choose = choose, .saved_count = saved_count, .forward = forward, .backward = backward};
