/* Ops that rearrange or reduce. */
#include "parity/parity.h"

static dcps_tensor *reshape(dcps_tape *tape, dcps_tensor *const *x, const size_t *arguments)
{
    uint32_t dim_count = 0;
    while (dim_count < PARITY_MAX_ARGUMENTS && arguments[dim_count] != 0) {
        dim_count++;
    }
    return dcps_tape_reshape(tape, x[0], dim_count, arguments);
}

static dcps_tensor *transpose(dcps_tape *tape, dcps_tensor *const *x, const size_t *arguments)
{
    return dcps_tape_transpose(tape, x[0], (uint32_t)arguments[0], (uint32_t)arguments[1]);
}

/* Along dim arguments[0], as many as arguments[1]. */
static dcps_tensor *concat(dcps_tape *tape, dcps_tensor *const *x, const size_t *arguments)
{
    return dcps_tape_concat(tape, (uint32_t)arguments[1], x, (uint32_t)arguments[0]);
}

static dcps_tensor *slice(dcps_tape *tape, dcps_tensor *const *x, const size_t *arguments)
{
    return dcps_tape_slice(tape, x[0], (uint32_t)arguments[0], arguments[1], arguments[2]);
}

static dcps_tensor *sum(dcps_tape *tape, dcps_tensor *const *x, const size_t *arguments)
{
    (void)arguments;
    return dcps_tape_sum(tape, x[0]);
}

static dcps_tensor *mean(dcps_tape *tape, dcps_tensor *const *x, const size_t *arguments)
{
    (void)arguments;
    return dcps_tape_mean(tape, x[0]);
}

static dcps_tensor *sum_over(dcps_tape *tape, dcps_tensor *const *x, const size_t *arguments)
{
    return dcps_tape_sum_over(tape, x[0], (uint32_t)arguments[0]);
}

static dcps_tensor *mean_over(dcps_tape *tape, dcps_tensor *const *x, const size_t *arguments)
{
    return dcps_tape_mean_over(tape, x[0], (uint32_t)arguments[0]);
}

static const parity_row rows[] = {
    {"reshape scalar", reshape, "", {1, 1}, PARITY_SIGNED, 0, 0, 1e-4},
    {"reshape to scalar", reshape, "1,1,1", {0}, PARITY_SIGNED, 0, 0, 1e-4},
    {"reshape odd", reshape, "3,5,7", {7, 15}, PARITY_SIGNED, 0, 0, 1e-4},
    {"transpose matrix", transpose, "5,3", {0, 1}, PARITY_SIGNED, 0, 0, 1e-4},
    {"transpose ones", transpose, "1,1,1", {2, 0}, PARITY_SIGNED, 0, 0, 1e-4},
    {"transpose ends", transpose, "3,5,2,7", {3, 0}, PARITY_SIGNED, 0, 0, 1e-4},
    {"transpose middle", transpose, "3,5,2,7", {1, 2}, PARITY_SIGNED, 0, 0, 1e-4},
    {"transpose first two", transpose, "20,9,11", {0, 1}, PARITY_SIGNED, 0, 0, 1e-4},
    {"transpose last two", transpose, "4,33,65", {1, 2}, PARITY_SIGNED, 0, 0, 0},
    {"transpose large", transpose, "300,257", {0, 1}, PARITY_SIGNED, 0, 0, 0},
    {"concat one", concat, "3,2", {1, 1}, PARITY_SIGNED, 0, 0, 1e-4},
    {"concat first dim", concat, "3,2;1,2;5,2", {0, 3}, PARITY_SIGNED, 0, 0, 1e-4},
    {"concat last dim", concat, "3,2;3,1;3,5;3,1", {1, 4}, PARITY_SIGNED, 0, 0, 1e-4},
    {"concat middle dim", concat, "3,2,5;3,4,5", {1, 2}, PARITY_SIGNED, 0, 0, 1e-4},
    {"concat large", concat, "63,200;63,101", {1, 2}, PARITY_SIGNED, 0, 0, 0},
    {"slice all", slice, "3,2", {1, 0, 2}, PARITY_SIGNED, 0, 0, 1e-4},
    {"slice one", slice, "7", {0, 6, 1}, PARITY_SIGNED, 0, 0, 1e-4},
    {"slice first dim", slice, "5,3,2", {0, 1, 3}, PARITY_SIGNED, 0, 0, 1e-4},
    {"slice last dim", slice, "5,3,7", {2, 2, 4}, PARITY_SIGNED, 0, 0, 1e-4},
    {"slice large", slice, "20,35,200", {1, 10, 17}, PARITY_SIGNED, 0, 0, 0},
    {"sum scalar", sum, "", {0}, PARITY_SIGNED, 0, 0, 1e-4},
    {"sum odd", sum, "3,7,5", {0}, PARITY_SIGNED, 1e-6, 0, 1e-4},
    {"sum large", sum, "301,1023", {0}, PARITY_SIGNED, 1e-6, 0, 0},
    {"mean odd", mean, "3,7,5", {0}, PARITY_SIGNED, 1e-6, 1e-6, 1e-4},
    {"mean large", mean, "301,1023", {0}, PARITY_SIGNED, 1e-6, 1e-6, 0},
    {"sum_over only dim", sum_over, "9", {0}, PARITY_SIGNED, 1e-6, 0, 1e-4},
    {"sum_over first", sum_over, "7,3,2", {0}, PARITY_SIGNED, 1e-6, 0, 1e-4},
    {"sum_over middle", sum_over, "3,7,2", {1}, PARITY_SIGNED, 1e-6, 0, 1e-4},
    {"sum_over last", sum_over, "3,7,5", {2}, PARITY_SIGNED, 1e-6, 0, 1e-4},
    {"mean_over one", mean_over, "3,1,5", {1}, PARITY_SIGNED, 1e-6, 1e-6, 1e-4},
    {"mean_over middle", mean_over, "3,7,2", {1}, PARITY_SIGNED, 1e-6, 1e-6, 1e-4},
    {"mean_over large", mean_over, "20,35,200", {1}, PARITY_SIGNED, 2e-6, 1e-6, 0},
};
const parity_table parity_shape = {rows, sizeof(rows) / sizeof(rows[0])};
