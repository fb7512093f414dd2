/* Pooling of images read as planes of [pixels, lanes], one for each image and block of channels. Planes are shared out among the threads; the innermost loops
 * run over the lanes of one pixel. */
#include <string.h>

#include "tensor/cpu/kernels.h"
#include "tensor/cpu/loops.h"
#include "tensor/cpu/order.h"
#include "tensor/ops.h"

/* What all loops share. Sizes of x and y are those of one plane. */
typedef struct pooling {
    dcps_pool_attributes is;
    size_t lanes, height, width, y_height, y_width;
    const float *from;
    float *to;
    uint32_t *where; /* the pixel in which each maximum was; NULL: nobody asks */
    bool add;        /* to what is there */
} pooling;

static pooling pooling_of(const dcps_call *call)
{
    const size_t *x = call->x[0]->dims, *y = call->y->dims;
    pooling self = {.lanes = dcps_cpu_lanes(call->x[0]), .height = x[2], .width = x[3]};
    if (call->op != DCPS_OP_GLOBAL_AVG_POOL) {
        self.is = *(const dcps_pool_attributes *)call->attributes;
        self.y_height = y[2];
        self.y_width = y[3];
    }
    return self;
}

static size_t plane_count(const dcps_call *call)
{
    return call->x[0]->dims[0] * call->x[0]->dims[1] / dcps_cpu_lanes(call->x[0]);
}

/* The part of a window that lies inside the image, along one side: from … to − 1. */
typedef struct range {
    size_t from, to;
} range;

static inline range range_of(size_t place, const dcps_pool_attributes *is, size_t size)
{
    size_t begin = place * is->stride, end = begin + is->kernel - is->padding;
    return (range){begin < is->padding ? 0 : begin - is->padding, end < size ? end : size};
}

#define MOST_LANES 16u /* of a vector; of more channels, so many at a time */

/* A loop that becomes vectors: unrolled, it would be taken apart into single floats before anybody saw that. */
#define EACH_LANE _Pragma("GCC unroll 1") for (size_t c = 0; c < count; c++)

/* A part of a plane of x, which belongs to one place of y. Pointers into both begin at the first of the lanes in question. */
typedef struct window {
    range rows, columns;
    size_t width, pitch; /* pixels of a row, floats of a pixel */
} window;

/* y [count] = the maxima and where they were; a NaN is larger than anything, and the first of equals stays. */
static inline void max_window(const window *of, size_t count, const float *restrict x, float *restrict y,
                              uint32_t *restrict where)
{
    float best[MOST_LANES];
    uint32_t pixels[MOST_LANES], first = (uint32_t)(of->rows.from * of->width + of->columns.from);
    EACH_LANE
    {
        best[c] = x[first * of->pitch + c];
        pixels[c] = first;
    }
    for (size_t row = of->rows.from; row < of->rows.to; row++) {
        for (size_t column = of->columns.from; column < of->columns.to; column++) {
            size_t pixel = row * of->width + column;
            EACH_LANE
            {
                float seen = x[pixel * of->pitch + c], held = best[c];
                bool larger = (seen > held) | ((seen != seen) & (held == held));
                best[c] = larger ? seen : held;
                pixels[c] = larger ? (uint32_t)pixel : pixels[c];
            }
        }
    }
    EACH_LANE
    {
        y[c] = best[c];
        where[c] = pixels[c];
    }
}

/* dx += dy where the maxima were, and nothing elsewhere: sums that need no branch. */
static inline void max_back_window(const window *of, size_t count, const float *restrict dy,
                                   const uint32_t *restrict where, float *restrict dx)
{
    for (size_t row = of->rows.from; row < of->rows.to; row++) {
        for (size_t column = of->columns.from; column < of->columns.to; column++) {
            size_t pixel = row * of->width + column;
            EACH_LANE
            {
                dx[pixel * of->pitch + c] += where[c] == pixel ? dy[c] : 0.0f;
            }
        }
    }
}

/* Lanes `lane` … `lane` + count − 1 of all windows of one plane. */
static inline void max_lanes(const pooling *self, bool back, size_t plane, size_t lane, size_t count)
{
    size_t lanes = self->lanes, x = plane * self->height * self->width * lanes + lane;
    size_t y = plane * self->y_height * self->y_width * lanes + lane;
    for (size_t y_row = 0; y_row < self->y_height; y_row++) {
        for (size_t y_column = 0; y_column < self->y_width; y_column++, y += lanes) {
            window of = {range_of(y_row, &self->is, self->height), range_of(y_column, &self->is, self->width),
                         self->width, lanes};
            if (back) {
                max_back_window(&of, count, self->from + y, self->where + y, self->to + x);
            } else {
                max_window(&of, count, self->from + x, self->to + y, self->where + y);
            }
        }
    }
}

/* With the number of lanes known, a pixel's are one vector. */
static inline void max_plane(const pooling *self, bool back, size_t plane)
{
    size_t lane = 0;
    for (; lane + MOST_LANES <= self->lanes; lane += MOST_LANES) {
        max_lanes(self, back, plane, lane, MOST_LANES);
    }
    if (self->lanes - lane == MOST_LANES / 2) {
        max_lanes(self, back, plane, lane, MOST_LANES / 2);
    } else if (lane < self->lanes) {
        max_lanes(self, back, plane, lane, self->lanes - lane);
    }
}

DCPS_CPU_LOOP static void max_planes(void *context, size_t begin, size_t end)
{
    for (size_t plane = begin; plane < end; plane++) {
        max_plane(context, false, plane);
    }
}

/* saved [count of y] holds, as whole numbers, the pixel in which each maximum was. */
static dcps_status max_forward(const dcps_call *call, float *y)
{
    pooling self = pooling_of(call);
    self.from = call->x[0]->values;
    self.to = y;
    self.where = call->saved != NULL ? (uint32_t *)(void *)call->saved
                                     : dcps_call_scratch(call, call->y->count, sizeof(*self.where));
    if (self.where == NULL) {
        return DCPS_NO_MEMORY;
    }
    dcps_cpu_parallel(plane_count(call), call->x[0]->count, max_planes, &self);
    return DCPS_OK;
}

static void clear(const pooling *self, size_t begin, size_t end)
{
    size_t plane = self->height * self->width * self->lanes;
    if (!self->add) {
        memset(self->to + begin * plane, 0, (end - begin) * plane * sizeof(*self->to));
    }
}

DCPS_CPU_LOOP static void max_back_planes(void *context, size_t begin, size_t end)
{
    for (size_t plane = begin; plane < end; plane++) {
        clear(context, plane, plane + 1);
        max_plane(context, true, plane);
    }
}

static dcps_status max_backward(const dcps_call *call, const float *dy, const dcps_gradient_slot *dx)
{
    pooling self = pooling_of(call);
    self.from = dy;
    self.to = dx[0].values;
    self.add = dx[0].add;
    self.where = (uint32_t *)(void *)call->saved;
    dcps_cpu_parallel(plane_count(call), call->x[0]->count, max_back_planes, &self);
    return DCPS_OK;
}

/* to [lanes] += share · from [lanes] */
static inline void add_lanes(size_t lanes, float share, const float *restrict from, float *restrict to)
{
    for (size_t c = 0; c < lanes; c++) {
        to[c] += share * from[c];
    }
}

/* Between the pixels of each window and its place in y, forward or backward. */
static inline void avg_plane(const pooling *self, bool back, const float *from, float *to)
{
    size_t lanes = self->lanes;
    for (size_t y_row = 0; y_row < self->y_height; y_row++) {
        for (size_t y_column = 0; y_column < self->y_width; y_column++) {
            range rows = range_of(y_row, &self->is, self->height);
            range columns = range_of(y_column, &self->is, self->width);
            float share = 1.0f / (float)((rows.to - rows.from) * (columns.to - columns.from));
            size_t place = (y_row * self->y_width + y_column) * lanes;
            for (size_t row = rows.from; row < rows.to; row++) {
                for (size_t column = columns.from; column < columns.to; column++) {
                    size_t pixel = (row * self->width + column) * lanes;
                    add_lanes(lanes, share, from + (back ? place : pixel), to + (back ? pixel : place));
                }
            }
        }
    }
}

DCPS_CPU_LOOP static void avg_planes(void *context, size_t begin, size_t end)
{
    const pooling *self = context;
    size_t x_plane = self->height * self->width * self->lanes, y_plane = self->y_height * self->y_width * self->lanes;
    memset(self->to + begin * y_plane, 0, (end - begin) * y_plane * sizeof(*self->to));
    for (size_t plane = begin; plane < end; plane++) {
        avg_plane(self, false, self->from + plane * x_plane, self->to + plane * y_plane);
    }
}

static dcps_status avg_forward(const dcps_call *call, float *y)
{
    pooling self = pooling_of(call);
    self.from = call->x[0]->values;
    self.to = y;
    dcps_cpu_parallel(plane_count(call), call->x[0]->count, avg_planes, &self);
    return DCPS_OK;
}

DCPS_CPU_LOOP static void avg_back_planes(void *context, size_t begin, size_t end)
{
    const pooling *self = context;
    size_t x_plane = self->height * self->width * self->lanes, y_plane = self->y_height * self->y_width * self->lanes;
    clear(self, begin, end);
    for (size_t plane = begin; plane < end; plane++) {
        avg_plane(self, true, self->from + plane * y_plane, self->to + plane * x_plane);
    }
}

static dcps_status avg_backward(const dcps_call *call, const float *dy, const dcps_gradient_slot *dx)
{
    pooling self = pooling_of(call);
    self.from = dy;
    self.to = dx[0].values;
    self.add = dx[0].add;
    dcps_cpu_parallel(plane_count(call), call->x[0]->count, avg_back_planes, &self);
    return DCPS_OK;
}

/* y [planes, lanes] = mean over the pixels of x [planes, pixels, lanes] */
DCPS_CPU_LOOP static void global_planes(void *context, size_t begin, size_t end)
{
    const pooling *self = context;
    size_t lanes = self->lanes, pixels = self->height * self->width;
    memset(self->to + begin * lanes, 0, (end - begin) * lanes * sizeof(*self->to));
    for (size_t i = begin * pixels; i < end * pixels; i++) {
        add_lanes(lanes, 1.0f / (float)pixels, self->from + i * lanes, self->to + i / pixels * lanes);
    }
}

static dcps_status global_forward(const dcps_call *call, float *y)
{
    pooling self = pooling_of(call);
    self.from = call->x[0]->values;
    self.to = y;
    dcps_cpu_parallel(plane_count(call), call->x[0]->count, global_planes, &self);
    return DCPS_OK;
}

DCPS_CPU_LOOP static void global_back_planes(void *context, size_t begin, size_t end)
{
    const pooling *self = context;
    size_t lanes = self->lanes, pixels = self->height * self->width;
    clear(self, begin, end);
    for (size_t i = begin * pixels; i < end * pixels; i++) {
        add_lanes(lanes, 1.0f / (float)pixels, self->from + i / pixels * lanes, self->to + i * lanes);
    }
}

static dcps_status global_backward(const dcps_call *call, const float *dy, const dcps_gradient_slot *dx)
{
    pooling self = pooling_of(call);
    self.from = dy;
    self.to = dx[0].values;
    self.add = dx[0].add;
    dcps_cpu_parallel(plane_count(call), call->x[0]->count, global_back_planes, &self);
    return DCPS_OK;
}

const dcps_kernel dcps_cpu_max_pool = {.takes = DCPS_TAKES_CHOSEN,
                                       .choose = dcps_cpu_choose_image,
                                       .saved_count = dcps_count_of_result,
                                       .forward = max_forward,
                                       .backward = max_backward};
const dcps_kernel dcps_cpu_avg_pool = {
    .takes = DCPS_TAKES_CHOSEN, .choose = dcps_cpu_choose_image, .forward = avg_forward, .backward = avg_backward};
const dcps_kernel dcps_cpu_global_avg_pool = {.takes = DCPS_TAKES_CHOSEN,
                                              .choose = dcps_cpu_choose_image,
                                              .forward = global_forward,
                                              .backward = global_backward};
