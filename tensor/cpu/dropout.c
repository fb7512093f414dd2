#include "tensor/cpu/kernels.h"
#include "tensor/cpu/loops.h"
#include "tensor/ops.h"
#include "tensor/philox.h"

/* Blocks of the generator computed together. */
#define TOGETHER 16u

/* factors [4 · TOGETHER]: 0 or `kept` for the elements of blocks `first` … first + TOGETHER − 1 */
DCPS_CPU_LOOP static void draw(const dcps_dropout_attributes *is, uint32_t first, uint32_t threshold, float kept,
                               float *restrict factors)
{
    for (uint32_t b = 0; b < TOGETHER; b++) {
        uint32_t words[4];
        dcps_philox_block(is->key->seed, is->key->number, is->index, first + b, words);
        for (uint32_t j = 0; j < 4; j++) {
            factors[4 * b + j] = words[j] < threshold ? 0.0f : kept;
        }
    }
}

typedef struct dropping {
    const dcps_call *call;
    float *y;
} dropping;

/* Elements of draws begin … end − 1 */
static void drop(void *context, size_t begin, size_t end)
{
    const dropping *self = context;
    const dcps_call *call = self->call;
    const dcps_dropout_attributes *is = call->attributes;
    float factors[4 * TOGETHER], kept = (float)(1.0 / (1.0 - (double)is->rate));
    for (size_t i = begin * 4 * TOGETHER; i < end * 4 * TOGETHER; i += 4 * TOGETHER) {
        draw(is, (uint32_t)(i / 4), dcps_philox_threshold(is->rate), kept, factors);
        for (size_t j = 0; j < 4 * TOGETHER && i + j < call->y->count; j++) {
            self->y[i + j] = call->x[0]->values[i + j] * factors[j];
            if (call->saved != NULL) {
                call->saved[i + j] = factors[j];
            }
        }
    }
}

/* y = x · factor; saved [count] keeps the factors */
static dcps_status forward(const dcps_call *call, float *y)
{
    dropping self = {.call = call, .y = y};
    dcps_cpu_parallel((call->y->count + 4 * TOGETHER - 1) / (4 * TOGETHER), call->y->count, drop, &self);
    return DCPS_OK;
}

DCPS_CPU_LOOP static void chain(size_t count, bool add, float factor, const float *restrict factors,
                                const float *restrict dy, float *restrict dx)
{
    (void)factor;
    if (add) {
        for (size_t i = 0; i < count; i++) {
            dx[i] += dy[i] * factors[i];
        }
    } else {
        for (size_t i = 0; i < count; i++) {
            dx[i] = dy[i] * factors[i];
        }
    }
}

static dcps_status backward(const dcps_call *call, const float *dy, const dcps_gradient_slot *dx)
{
    dcps_cpu_elements(chain, call->y->count, dx[0].add, 1.0f, call->saved, dy, dx[0].values);
    return DCPS_OK;
}

const dcps_kernel dcps_cpu_dropout = {.saved_count = dcps_count_of_result, .forward = forward, .backward = backward};
