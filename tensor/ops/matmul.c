#include "tensor/ops.h"
#include "tensor/tape_state.h"

static const char *expected(bool transpose_a, bool transpose_b)
{
    static const char *const texts[2][2] = {{"a [m, k] and b [k, n], or both with the same leading [batch]",
                                             "a [m, k] and b [n, k], or both with the same leading [batch]"},
                                            {"a [k, m] and b [k, n], or both with the same leading [batch]",
                                             "a [k, m] and b [n, k], or both with the same leading [batch]"}};
    return texts[transpose_a][transpose_b];
}

dcps_tensor *dcps_tape_matmul_transposed(dcps_tape *tape, dcps_tensor *a, bool transpose_a, dcps_tensor *b,
                                         bool transpose_b)
{
    dcps_call *call = dcps_tape_begin(tape, DCPS_OP_MATMUL, 2, (dcps_tensor *[]){a, b});
    if (call == NULL) {
        return NULL;
    }
    uint32_t dims = a->dim_count, first = dims == 3;
    if ((dims != 2 && dims != 3) || b->dim_count != dims || (dims == 3 && a->dims[0] != b->dims[0]) ||
        a->dims[first + !transpose_a] != b->dims[first + transpose_b]) {
        return dcps_tape_refuse(tape, call, expected(transpose_a, transpose_b));
    }
    dcps_matmul_attributes attributes = {.batch = dims == 3 ? a->dims[0] : 1,
                                         .m = a->dims[first + transpose_a],
                                         .k = a->dims[first + !transpose_a],
                                         .n = b->dims[first + !transpose_b],
                                         .transpose_a = transpose_a,
                                         .transpose_b = transpose_b};
    if (!dcps_tape_attach(tape, call, &attributes, sizeof(attributes))) {
        return NULL;
    }
    return dcps_tape_run(tape, call, dims, &((size_t[]){attributes.batch, attributes.m, attributes.n})[3 - dims]);
}

dcps_tensor *dcps_tape_matmul(dcps_tape *tape, dcps_tensor *a, dcps_tensor *b)
{
    return dcps_tape_matmul_transposed(tape, a, false, b, false);
}
