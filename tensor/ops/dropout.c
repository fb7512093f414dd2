#include "tensor/ops.h"
#include "tensor/philox.h"
#include "tensor/tape_state.h"

/* x [any] → [same] */
dcps_tensor *dcps_tape_dropout(dcps_tape *tape, dcps_tensor *x, float rate, uint64_t seed, uint64_t number)
{
    dcps_call *call = dcps_tape_begin(tape, DCPS_OP_DROPOUT, 1, &x);
    if (call == NULL) {
        return NULL;
    }
    if (!(rate >= 0.0f && rate < 1.0f)) {
        return dcps_tape_refuse(tape, call, "a rate of at least 0 and below 1");
    }
    if (x->count > DCPS_PHILOX_MAX_WORDS) {
        return dcps_tape_refuse(tape, call, "at most 2^33 elements");
    }
    if (!dcps_tape_is_training(tape)) {
        return x;
    }
    const dcps_dropout_key key = {.seed = seed, .number = number};
    dcps_dropout_attributes attributes = {
        .key = dcps_tape_keep(tape, &key, sizeof(key)), .index = tape->dropouts++, .rate = rate};
    if (attributes.key == NULL || !dcps_tape_attach(tape, call, &attributes, sizeof(attributes))) {
        return NULL;
    }
    return dcps_tape_run(tape, call, x->dim_count, x->dims);
}
