#include "parity/bench.h"

#include <check.h>
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/rng.h"
#include "tensor/tape_state.h"

static float *floats(size_t count)
{
    float *values = dcps_alloc_aligned(count, sizeof(float));
    ck_assert_ptr_nonnull(values);
    return values;
}

static void fill_distinct(float *values, size_t count)
{
    dcps_rng rng;
    dcps_rng_seed(&rng, 11);
    uint32_t *order = dcps_alloc(count, sizeof(*order));
    dcps_rng_permutation(&rng, order, count);
    for (size_t i = 0; i < count; i++) {
        values[i] = 0.05f * ((float)order[i] - (float)count / 2.0f);
    }
    dcps_free(order);
}

static void fill(parity_domain domain, float *values, size_t count, uint64_t seed)
{
    if (domain == PARITY_DISTINCT) {
        fill_distinct(values, count);
        return;
    }
    fill_random(values, count, seed);
    for (size_t i = 0; i < count; i++) {
        if (domain == PARITY_NO_KINK) {
            values[i] += values[i] < 0.0f ? -0.05f : 0.05f;
        } else if (domain == PARITY_POSITIVE) {
            values[i] += 1.5f;
        } else if (domain == PARITY_WIDE) {
            values[i] *= 6.0f;
        } else if (domain == PARITY_TIES) {
            values[i] = roundf(1.5f * values[i]);
        }
    }
}

/* Whether a call only shows a part of its input. */
static bool is_view(const dcps_call *call)
{
    return call->op == DCPS_OP_SLICE || call->op == DCPS_OP_RESHAPE;
}

/* Calls the row's op; returns the call that computes, behind the views of its result that fronts hand out. */
static const dcps_call *build(const bench *self)
{
    dcps_tape *tape = self->fixture.tape;
    dcps_tape_reset(tape);
    dcps_tensor *x[PARITY_MAX_INPUTS];
    for (uint32_t i = 0; i < self->input_count; i++) {
        x[i] = dcps_tape_parameter(tape, i);
    }
    dcps_tensor *y = self->row->build(tape, x, self->row->arguments);
    ck_assert_msg(y != NULL, "%s: %s", self->row->name, dcps_error_message());
    const dcps_call *call = tape->last;
    ck_assert_ptr_nonnull(call);
    ck_assert_ptr_eq(call->y, y);
    while (is_view(call) && call->previous != NULL) {
        call = call->previous;
    }
    return call;
}

void bench_init(bench *self, const parity_row *row, const dcps_backend *backend, dcps_device *device)
{
    *self = (bench){.row = row};
    tape_fixture_init_on(&self->fixture, row->shapes[0] == '\0' ? ";" : row->shapes, backend, device);
    self->input_count = dcps_layout_tensor_count(self->fixture.layout);
    ck_assert_uint_le(self->input_count, PARITY_MAX_INPUTS);
    for (uint32_t i = 0; i < self->input_count; i++) {
        fill(row->domain, bench_input(self, i), bench_count(self, i), 100 + i);
    }
    bench_forward(self);
    self->dy = floats(self->y->count);
    fill_random(self->dy, self->y->count, 200);
}

void bench_fini(bench *self)
{
    dcps_free(self->dy);
    tape_fixture_fini(&self->fixture);
}

void bench_forward(bench *self)
{
    self->call = build(self);
    self->y = self->call->y;
}

const float *bench_result(const bench *self)
{
    return dcps_tensor_values(self->fixture.tape, self->y);
}

size_t bench_count(const bench *self, uint32_t i)
{
    return dcps_layout_tensor_at(self->fixture.layout, i)->count_params;
}

float *bench_input(bench *self, uint32_t i)
{
    return self->fixture.weights + dcps_layout_tensor_at(self->fixture.layout, i)->offset_params;
}

/* Images from one order to the other, `lanes` channels side by side: `from` is as `x` lies, or `to` is, if `back`. */
static void permute(const dcps_tensor *x, size_t lanes, bool back, const float *from, float *to)
{
    size_t channels = x->dims[1], pixels = x->count / x->dims[0] / channels;
    for (size_t n = 0; n < x->dims[0]; n++) {
        for (size_t c = 0; c < channels; c++) {
            for (size_t p = 0; p < pixels; p++) {
                size_t last = ((n * channels + c / lanes * lanes) * pixels + p * lanes) + c % lanes;
                size_t first = (n * channels + c) * pixels + p;
                to[back ? last : first] = from[back ? first : last];
            }
        }
    }
}

/* Turns a gradient as `x` lies into a row-major one, or the other way. */
static void reorder(const bench *self, const dcps_tensor *x, bool back, float *values)
{
    if (x->order == DCPS_ROW_MAJOR) {
        return;
    }
    float *copy = floats(x->count);
    memcpy(copy, values, x->count * sizeof(*copy));
    const dcps_backend *backend = self->fixture.tape->config.backend;
    permute(x, x->order == DCPS_CHANNELS_LAST ? x->dims[1] : backend->channel_block(), back, copy, values);
    dcps_free(copy);
}

/* `values` [count] where the backend computes: they themselves, or a copy on the device. */
static float *to_backend(const bench *self, const float *values, size_t count)
{
    float *there = (float *)dcps_tape_upload(self->fixture.tape, values, count * sizeof(*values));
    ck_assert_msg(there != NULL, "%s: %s", self->row->name, dcps_error_message());
    return there;
}

/* Waits until the device has run all that it was given, and copies `from` [count] of it to `to`. */
static void from_backend(const bench *self, const float *from, size_t count, float *to)
{
    dcps_device_tape *on_device = self->fixture.tape->on_device;
    const float *readable;
    if (on_device == NULL) {
        return;
    }
    ck_assert_msg(dcps_device_tape_read(on_device, from, count, &readable) == DCPS_OK, "%s: %s", self->row->name,
                  dcps_error_message());
    if (to != NULL) {
        memcpy(to, readable, count * sizeof(*to));
    }
}

static void run_backward(bench *self, const float *dy, const dcps_gradient_slot *slots)
{
    dcps_tape *tape = self->fixture.tape;
    dcps_step_mark mark = dcps_step_memory_mark(tape->values);
    from_backend(self, self->y->values, 1, NULL); /* forward must be over */
    uint64_t allocations = dcps_alloc_count();
    ck_assert_msg(tape->config.backend->kernels[self->call->op]->backward(self->call, dy, slots) == DCPS_OK, "%s: %s",
                  self->row->name, dcps_error_message());
    self->backward_allocations = dcps_alloc_count() - allocations;
    from_backend(self, self->y->values, 1, NULL);
    dcps_step_memory_release(tape->values, mark);
}

void bench_backward(bench *self, bool add, float before, uint32_t wanted, float *dx[PARITY_MAX_INPUTS])
{
    dcps_gradient_slot slots[PARITY_MAX_INPUTS] = {0};
    ck_assert_uint_le(self->call->input_count, PARITY_MAX_INPUTS);
    for (uint32_t i = 0; i < PARITY_MAX_INPUTS; i++) {
        dx[i] = NULL;
        if (i >= self->call->input_count || (wanted >> i & 1u) == 0) {
            continue;
        }
        size_t count = self->call->x[i]->count;
        dx[i] = floats(count);
        for (size_t j = 0; j < count; j++) {
            dx[i][j] = before;
        }
        slots[i] = (dcps_gradient_slot){.values = to_backend(self, dx[i], count), .add = add};
    }
    float *dy = floats(self->y->count);
    memcpy(dy, self->dy, self->y->count * sizeof(*dy));
    reorder(self, self->y, true, dy);
    run_backward(self, to_backend(self, dy, self->y->count), slots);
    dcps_free(dy);
    for (uint32_t i = 0; i < self->call->input_count; i++) {
        if (dx[i] != NULL) {
            from_backend(self, slots[i].values, self->call->x[i]->count, dx[i]);
            reorder(self, self->call->x[i], false, dx[i]);
        }
    }
}

void bench_compare_unwanted(bench *self)
{
    float *all[PARITY_MAX_INPUTS], *one[PARITY_MAX_INPUTS];
    bench_backward(self, false, NAN, BENCH_ALL_INPUTS, all);
    for (uint32_t i = 0; i < self->call->input_count; i++) {
        bench_backward(self, false, NAN, 1u << i, one);
        ck_assert_msg(memcmp(one[i], all[i], bench_count(self, i) * sizeof(float)) == 0,
                      "%s: the gradient of input %u alone differs", self->row->name, i);
        bench_free(self, one);
    }
    bench_free(self, all);
}

double bench_objective(bench *self)
{
    const dcps_tensor *y = build(self)->y;
    const float *values = dcps_tensor_values(self->fixture.tape, y);
    double sum = 0.0;
    for (size_t i = 0; i < dcps_tensor_count(y); i++) {
        sum += (double)self->dy[i] * (double)values[i];
    }
    return sum;
}

void bench_free(const bench *self, float *dx[PARITY_MAX_INPUTS])
{
    for (uint32_t i = 0; i < self->call->input_count; i++) {
        dcps_free(dx[i]);
        dx[i] = NULL;
    }
}

double bench_error(const float *seen, const float *expected, size_t count)
{
    double difference = 0.0, magnitude = 0.0;
    for (size_t i = 0; i < count; i++) {
        if (!isfinite((double)seen[i]) || !isfinite((double)expected[i])) {
            return (double)INFINITY;
        }
        difference = fmax(difference, fabs((double)seen[i] - (double)expected[i]));
        magnitude = fmax(magnitude, fabs((double)expected[i]));
    }
    return difference == 0.0 ? 0.0 : difference / magnitude;
}
