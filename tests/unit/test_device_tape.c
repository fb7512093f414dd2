/* A tape on a device: the reference kernels on the emulated GPU give the bits that they give on the host, whatever is put off, replayed or cut into pieces. */
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "cuda/cuda.h"
#include "support/check_main.h"
#include "support/cuda/ref_on_device.h"
#include "support/device_pair.h"
#include "support/tape_fixture.h"
#include "tensor/device.h"
#include "tensor/ref/ref.h"
#include "tensor/tape_state.h"

START_TEST(steps_give_the_bits_of_the_host_and_are_replayed)
{
    pair self;
    unsigned long calls = 0;
    uint64_t allocations = 0;
    pair_init(&self, LARGE);
    for (int i = 0; i < 8; i++) {
        pair_step(&self, BATCH);
        if (i == 3) { /* measured, run, captured; from here on replayed */
            calls = ref_on_device_calls();
            allocations = dcps_alloc_count();
        }
    }
    ck_assert_uint_gt(calls, 0);
    ck_assert_uint_eq(ref_on_device_calls(), calls);
    ck_assert_uint_eq(dcps_alloc_count(), allocations);
    pair_fini(&self);
}
END_TEST

START_TEST(a_smaller_last_batch_is_replayed_too)
{
    pair self;
    unsigned long calls = 0;
    pair_init(&self, SMALL);
    for (int epoch = 0; epoch < 6; epoch++) {
        for (int i = 0; i < 2; i++) {
            pair_step(&self, BATCH);
        }
        pair_step(&self, BATCH - 1);
        calls = epoch == 3 ? ref_on_device_calls() : calls;
    }
    ck_assert_uint_eq(ref_on_device_calls(), calls);
    pair_fini(&self);
}
END_TEST

START_TEST(many_shapes_are_more_than_are_remembered)
{
    pair self;
    float x[400] = {0};
    pair_open(&self, "4;4");
    for (size_t round = 0; round < 2; round++) {
        for (size_t rows = 1; rows <= 100; rows++) {
            tape_fixture *both[] = {&self.host, &self.there};
            fill_random(x, 4 * rows, round * 100 + rows);
            for (int i = 0; i < 2; i++) {
                pair_begin(both[i]);
                dcps_tape *tape = both[i]->tape;
                dcps_tensor *y = dcps_tape_bias(tape, dcps_tape_input(tape, x, 2, (size_t[]){rows, 4}),
                                                dcps_tape_parameter(tape, 0));
                dcps_tensor *loss = dcps_tape_mean(tape, dcps_tape_tanh(tape, y));
                ck_assert_int_eq(dcps_tape_backward(tape, loss), DCPS_OK);
            }
            pair_expect_same_gradients(&self);
        }
    }
    pair_fini(&self);
}
END_TEST

/* Pieces that had not been waited for when the first was reported. */
typedef struct overlap {
    dcps_tape *tape;
    float *gradient;
    uint64_t params;
    bool first_seen;
    float last_then;
    float loss_then;
    uint64_t reported;
} overlap;

static void look(void *context, uint64_t first, uint64_t count)
{
    overlap *self = context;
    if (!self->first_seen) {
        self->last_then = self->gradient[0]; /* of t0, whose gradient is final last */
        self->loss_then = dcps_tape_loss(self->tape);
    }
    self->first_seen = true;
    self->reported += count;
    uint64_t missing = 0;
    for (uint64_t i = first; i < first + count; i++) {
        missing += isnan(self->gradient[i]) ? 1 : 0;
    }
    ck_assert_uint_eq(missing, 0);
}

START_TEST(pieces_are_reported_while_others_are_on_their_way)
{
    pair self;
    overlap seen = {.first_seen = false};
    pair_init(&self, LARGE);
    seen.gradient = dcps_alloc_aligned(self.host.params, sizeof(float));
    dcps_tape_config config = {.layout = self.host.layout,
                               .weights = self.there.weights,
                               .gradient = seen.gradient,
                               .backend = ref_on_device_backend(),
                               .device = self.device,
                               .gradient_final = look,
                               .context = &seen};
    ck_assert_int_eq(dcps_tape_create(&config, &seen.tape), DCPS_OK);
    for (int i = 0; i < 5; i++) {
        pair_step(&self, BATCH);
        seen.first_seen = false;
        seen.reported = 0;
        for (uint64_t j = 0; j < self.host.params; j++) {
            seen.gradient[j] = NAN;
        }
        dcps_tape_reset(seen.tape);
        dcps_tensor *loss = pair_loss(&self, seen.tape, pair_hidden(&self, seen.tape, BATCH));
        ck_assert_int_eq(dcps_tape_backward(seen.tape, loss), DCPS_OK);
        ck_assert(isnan(seen.last_then));
        ck_assert(seen.loss_then == dcps_tape_loss(self.host.tape));
        ck_assert_uint_eq(seen.reported, self.host.params);
        expect_same_bits(self.host.gradient, seen.gradient, self.host.params, "gradient");
    }
    dcps_tape_destroy(&seen.tape);
    dcps_free(seen.gradient);
    pair_fini(&self);
}
END_TEST

START_TEST(values_can_be_read_in_mid_step)
{
    pair self;
    unsigned long calls = 0;
    pair_init(&self, SMALL);
    for (int i = 0; i < 7; i++) {
        pair_next_batch(&self);
        dcps_tape *host = self.host.tape, *there = self.there.tape;
        pair_begin(&self.host);
        pair_begin(&self.there);
        dcps_tensor *a = pair_hidden(&self, host, BATCH), *b = pair_hidden(&self, there, BATCH);
        expect_same_bits(dcps_tensor_values(host, a), dcps_tensor_values(there, b), a->count, "hidden");
        expect_same_bits(self.x,
                         dcps_tensor_values(there, dcps_tape_input(there, self.x, 1, (size_t[]){self.features})),
                         self.features, "an input");
        expect_same_bits(self.host.weights, dcps_tensor_values(there, dcps_tape_parameter(there, 0)),
                         self.features * self.width, "a parameter");
        ck_assert_int_eq(dcps_tape_backward(host, pair_loss(&self, host, a)), DCPS_OK);
        ck_assert_int_eq(dcps_tape_backward(there, pair_loss(&self, there, b)), DCPS_OK);
        pair_expect_same_gradients(&self);
        calls = i == 3 ? ref_on_device_calls() : calls;
    }
    ck_assert_uint_eq(ref_on_device_calls(), calls);
    pair_fini(&self);
}
END_TEST

START_TEST(fetched_values_come_with_the_gradients)
{
    pair self;
    float host_kept[BATCH * MOST_HIDDEN], kept[BATCH * MOST_HIDDEN], unchanged = 5.0f;
    pair_init(&self, SMALL);
    for (int i = 0; i < 5; i++) {
        tape_fixture *both[] = {&self.host, &self.there};
        float *to[] = {host_kept, kept};
        pair_next_batch(&self);
        kept[0] = NAN;
        for (int j = 0; j < 2; j++) {
            pair_begin(both[j]);
            dcps_tape *tape = both[j]->tape;
            dcps_tensor *h = pair_hidden(&self, tape, BATCH);
            dcps_tape_fetch(tape, h, to[j]);
            dcps_tape_fetch(tape, NULL, &unchanged);
            dcps_tensor *loss = pair_loss(&self, tape, h);
            ck_assert(j == 0 || isnan(kept[0]));
            ck_assert_int_eq(dcps_tape_backward(tape, loss), DCPS_OK);
        }
        expect_same_bits(host_kept, kept, BATCH * self.width, "fetched");
        pair_expect_same_gradients(&self);
    }
    ck_assert(unchanged == 5.0f);
    pair_fini(&self);
}
END_TEST

/* On a tape that evaluates, weights are copied when the host says that they have changed. */
START_TEST(evaluates)
{
    pair self;
    float kept[BATCH * MOST_HIDDEN];
    pair_init(&self, SMALL);
    for (int i = 0; i < 6; i++) {
        pair_next_batch(&self);
        dcps_tape_weights_changed(self.host.evaluation);
        dcps_tape_weights_changed(self.there.evaluation);
        for (uint32_t batch = 1; batch <= BATCH; batch++) {
            dcps_tape *host = self.host.evaluation, *there = self.there.evaluation;
            dcps_tape_reset(host);
            dcps_tape_reset(there);
            dcps_tensor *a = pair_hidden(&self, host, batch), *b = pair_hidden(&self, there, batch);
            dcps_tape_fetch(there, b, kept);
            const float *values = dcps_tensor_values(host, a);
            expect_same_bits(values, kept, a->count, "fetched");
            values = dcps_tensor_values(host, pair_loss(&self, host, a));
            expect_same_bits(values, dcps_tensor_values(there, pair_loss(&self, there, b)), 1, "loss");
        }
    }
    ck_assert_int_eq(dcps_tape_backward(self.there.evaluation, dcps_tape_parameter(self.there.evaluation, 7)),
                     DCPS_INVALID);
    pair_fini(&self);
}
END_TEST

START_TEST(without_replay_every_kernel_is_called)
{
    pair self;
    unsigned long calls = 0;
    pair_init(&self, SMALL);
    self.there.tape->on_device->replay.off = true;
    for (int i = 0; i < 5; i++) {
        unsigned long before = ref_on_device_calls();
        pair_step(&self, BATCH);
        ck_assert_uint_eq(ref_on_device_calls() - before, i == 0 ? ref_on_device_calls() - before : calls);
        calls = ref_on_device_calls() - before;
        ck_assert_uint_gt(calls, 10);
    }
    pair_fini(&self);
}
END_TEST

/* A loss that is itself a parameter, and one that depends on nothing. */
START_TEST(odd_losses)
{
    pair self;
    const float constant = 3.5f;
    pair_open(&self, ";3");
    tape_fixture *both[] = {&self.host, &self.there};
    for (int i = 0; i < 2; i++) {
        pair_begin(both[i]);
        ck_assert_int_eq(dcps_tape_backward(both[i]->tape, dcps_tape_parameter(both[i]->tape, 0)), DCPS_OK);
    }
    pair_expect_same_gradients(&self);
    ck_assert(self.there.gradient[0] == 1.0f);
    for (int i = 0; i < 2; i++) {
        pair_begin(both[i]);
        ck_assert_int_eq(dcps_tape_backward(both[i]->tape, dcps_tape_input(both[i]->tape, &constant, 0, NULL)),
                         DCPS_OK);
    }
    pair_expect_same_gradients(&self);
    ck_assert(dcps_tape_loss(self.there.tape) == constant);
    pair_fini(&self);
}
END_TEST

/* Whichever kernel fails, in whichever step (run or captured): the step says so, and the next is right. */
START_TEST(a_kernel_that_fails_spoils_no_other_step)
{
    pair self;
    pair_init(&self, SMALL);
    for (unsigned long n = 0; n < 40; n++) {
        for (int i = 0; i < (int)n % 3; i++) {
            pair_step(&self, BATCH);
        }
        pair_next_batch(&self);
        pair_begin(&self.there);
        ref_on_device_fail_after(n % 20);
        dcps_tensor *loss = pair_loss(&self, self.there.tape, pair_hidden(&self, self.there.tape, BATCH));
        dcps_status status = dcps_tape_backward(self.there.tape, loss);
        ref_on_device_fail_after(~0ul);
        ck_assert(status == DCPS_OK || status == DCPS_SYSTEM);
        if (status == DCPS_SYSTEM) {
            ck_assert_str_eq(dcps_error_message(), "the device is on fire");
        }
        ck_assert_int_eq(dcps_tape_status(self.there.tape), status);
    }
    pair_step(&self, BATCH);
    pair_fini(&self);
}
END_TEST

START_TEST(lack_of_host_memory_fails_the_step_alone)
{
    pair self;
    pair_init(&self, SMALL);
    for (uint64_t n = 0; n < 200; n++) {
        pair_next_batch(&self);
        pair_begin(&self.there);
        dcps_alloc_fail_after(n);
        dcps_tensor *loss = pair_loss(&self, self.there.tape, pair_hidden(&self, self.there.tape, BATCH));
        dcps_status status = dcps_tape_backward(self.there.tape, loss);
        dcps_alloc_fail_after(UINT64_MAX);
        ck_assert_msg(status == DCPS_OK || status == DCPS_NO_MEMORY, "%s", dcps_error_message());
    }
    pair_step(&self, BATCH);
    pair_fini(&self);
}
END_TEST

/* A device whose allocations lie back to back, as a driver places small ones, and whose copies must stay inside one. */
#define ROOM_BYTES ((size_t)4 << 20)
#define MOST_BLOCKS 256u
typedef struct room {
    uint8_t *memory;
    size_t begin[MOST_BLOCKS], end[MOST_BLOCKS]; /* of what was handed out */
    size_t count;
} room;

static const dcps_device_ops *real_ops;
static room device_room, host_room;
static unsigned uploads_seen;

static void *room_take(room *self, size_t bytes)
{
    size_t at = self->count == 0 ? 0 : self->end[self->count - 1];
    ck_assert_uint_lt(self->count, MOST_BLOCKS);
    ck_assert_uint_le(at + bytes, ROOM_BYTES);
    self->begin[self->count] = at;
    self->end[self->count++] = at + bytes;
    return self->memory + at;
}

static void expect_in_one_block(const room *self, const void *memory, size_t bytes)
{
    const size_t at = (uintptr_t)memory - (uintptr_t)self->memory;
    if ((uintptr_t)memory < (uintptr_t)self->memory || at >= ROOM_BYTES) {
        return; /* not from here: weights */
    }
    size_t i = 0;
    while (i < self->count && at >= self->end[i]) {
        i++;
    }
    ck_assert_msg(i < self->count && at >= self->begin[i] && at + bytes <= self->end[i],
                  "a copy of %zu bytes reaches from one allocation into the next", bytes);
}

static void *touching_take(dcps_device *device, size_t bytes)
{
    (void)device;
    return room_take(&device_room, bytes);
}

static void *touching_take_pinned(dcps_device *device, size_t bytes)
{
    (void)device;
    return room_take(&host_room, bytes);
}

static void touching_release(dcps_device *device, void *memory)
{
    (void)device;
    (void)memory;
}

static dcps_status touching_upload(dcps_device *device, void *to, const void *from, size_t bytes)
{
    uploads_seen++;
    expect_in_one_block(&host_room, from, bytes);
    expect_in_one_block(&device_room, to, bytes);
    return real_ops->upload(device, to, from, bytes);
}

START_TEST(copies_stay_inside_an_allocation)
{
    pair self;
    pair_init(&self, SMALL);
    real_ops = ref_on_device_backend()->device_ops;
    dcps_device_ops ops = *real_ops;
    ops.take = touching_take;
    ops.take_pinned = touching_take_pinned;
    ops.release = ops.release_pinned = touching_release;
    ops.upload = touching_upload;
    dcps_backend backend = *ref_on_device_backend();
    backend.device_ops = &ops;
    device_room = (room){.memory = real_ops->take(self.device, ROOM_BYTES)};
    host_room = (room){.memory = real_ops->take_pinned(self.device, ROOM_BYTES)};
    uploads_seen = 0;

    float *gradient = dcps_alloc_aligned(self.host.params, sizeof(float));
    dcps_tape_config config = {.layout = self.host.layout,
                               .weights = self.there.weights,
                               .gradient = gradient,
                               .backend = &backend,
                               .device = self.device};
    dcps_tape *tape = NULL;
    ck_assert_int_eq(dcps_tape_create(&config, &tape), DCPS_OK);
    unsigned first_step = 0, later_step = 0;
    for (int i = 0; i < 6; i++) {
        const unsigned before = uploads_seen;
        pair_step(&self, BATCH);
        dcps_tape_reset(tape);
        dcps_tensor *loss = pair_loss(&self, tape, pair_hidden(&self, tape, BATCH));
        ck_assert_int_eq(dcps_tape_backward(tape, loss), DCPS_OK);
        expect_same_bits(self.host.gradient, gradient, 1, "gradient");
        later_step = uploads_seen - before;
        first_step = i == 0 ? later_step : first_step;
    }
    ck_assert_uint_eq(later_step, 2); /* all that the batch brings at once, and the weights */
    ck_assert_uint_gt(first_step, later_step);

    dcps_tape_destroy(&tape);
    dcps_free(gradient);
    real_ops->release(self.device, device_room.memory);
    real_ops->release_pinned(self.device, host_room.memory);
    pair_fini(&self);
}
END_TEST

START_TEST(lack_of_device_memory_is_told_in_figures)
{
    pair self;
    pair_open(&self, "4;4");
    dcps_tape *tape = self.there.tape;
    dcps_tensor *x = dcps_tape_parameter(tape, 0);
    x = dcps_tape_reshape(tape, x, 2, (size_t[]){4, 1});
    for (int i = 0; i < 16; i++) { /* each twice as large, in elements squared: 4^16 */
        x = dcps_tape_concat(tape, 8, (dcps_tensor *[]){x, x, x, x, x, x, x, x}, 0);
    }
    ck_assert_int_eq(dcps_tape_backward(tape, x), DCPS_NO_MEMORY);
    ck_assert_msg(strstr(dcps_error_message(), "device cuda:0: no device memory for ") != NULL &&
                      strstr(dcps_error_message(), " MiB (of the device's 4096 MiB, ") != NULL,
                  "%s", dcps_error_message());
    dcps_tape_reset(tape);
    pair_fini(&self);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("device_tape");
    TCase *group = tcase_create("device_tape");
    tcase_set_timeout(group, 120);
    tcase_add_test(group, steps_give_the_bits_of_the_host_and_are_replayed);
    tcase_add_test(group, a_smaller_last_batch_is_replayed_too);
    tcase_add_test(group, many_shapes_are_more_than_are_remembered);
    tcase_add_test(group, pieces_are_reported_while_others_are_on_their_way);
    tcase_add_test(group, values_can_be_read_in_mid_step);
    tcase_add_test(group, fetched_values_come_with_the_gradients);
    tcase_add_test(group, evaluates);
    tcase_add_test(group, without_replay_every_kernel_is_called);
    tcase_add_test(group, odd_losses);
    tcase_add_test(group, a_kernel_that_fails_spoils_no_other_step);
    tcase_add_test(group, lack_of_host_memory_fails_the_step_alone);
    tcase_add_test(group, copies_stay_inside_an_allocation);
    tcase_add_test(group, lack_of_device_memory_is_told_in_figures);
    suite_add_tcase(suite, group);
    return check_run(suite);
}
