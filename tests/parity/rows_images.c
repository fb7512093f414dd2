/* Ops on images [batch, channels, height, width]. */
#include "parity/parity.h"

/* Arguments: stride, padding. */
static dcps_tensor *conv2d(dcps_tape *tape, dcps_tensor *const *x, const size_t *arguments)
{
    return dcps_tape_conv2d(tape, x[0], x[1], arguments[0], arguments[1]);
}

static dcps_tensor *batch_norm(dcps_tape *tape, dcps_tensor *const *x, const size_t *arguments)
{
    (void)arguments;
    return dcps_tape_batch_norm(tape, x[0], x[1], x[2], x[3], x[4], 1e-5f);
}

/* Arguments: whether the last input is a residual. */
static dcps_tensor *batch_norm_relu(dcps_tape *tape, dcps_tensor *const *x, const size_t *arguments)
{
    return dcps_tape_batch_norm_relu(tape, x[0], x[1], x[2], x[3], x[4], 1e-5f, arguments[0] != 0 ? x[5] : NULL);
}

/* Arguments: kernel, stride, padding. */
static dcps_tensor *max_pool(dcps_tape *tape, dcps_tensor *const *x, const size_t *arguments)
{
    return dcps_tape_max_pool(tape, x[0], arguments[0], arguments[1], arguments[2]);
}

static dcps_tensor *avg_pool(dcps_tape *tape, dcps_tensor *const *x, const size_t *arguments)
{
    return dcps_tape_avg_pool(tape, x[0], arguments[0], arguments[1], arguments[2]);
}

static dcps_tensor *global_avg_pool(dcps_tape *tape, dcps_tensor *const *x, const size_t *arguments)
{
    (void)arguments;
    return dcps_tape_global_avg_pool(tape, x[0]);
}

static const parity_row rows[] = {
    {"conv2d one number", conv2d, "1,1,1,1;1,1,1,1", {1, 0}, PARITY_SIGNED, 1e-6, 1e-6, 1e-4},
    {"conv2d whole image", conv2d, "2,3,5,4;2,3,5,4", {1, 0}, PARITY_SIGNED, 3e-6, 3e-6, 1e-4},
    {"conv2d 3 × 3", conv2d, "2,3,7,5;4,3,3,3", {1, 1}, PARITY_SIGNED, 3e-6, 3e-6, 1e-4},
    {"conv2d odd stride", conv2d, "2,5,8,6;3,5,3,3", {2, 1}, PARITY_SIGNED, 3e-6, 3e-6, 1e-4},
    {"conv2d stride leaves a rest", conv2d, "1,2,9,10;3,2,2,3", {4, 0}, PARITY_SIGNED, 3e-6, 3e-6, 1e-4},
    {"conv2d padding beyond kernel", conv2d, "1,2,3,3;2,2,1,1", {1, 2}, PARITY_SIGNED, 3e-6, 3e-6, 1e-4},
    {"conv2d 1 × 1 stride 2", conv2d, "3,16,8,8;32,16,1,1", {2, 0}, PARITY_SIGNED, 3e-6, 3e-6, 0},
    {"conv2d first of a net", conv2d, "4,3,32,32;16,3,3,3", {1, 1}, PARITY_SIGNED, 3e-6, 1e-5, 0},
    {"conv2d 16 to 32", conv2d, "4,16,32,32;32,16,3,3", {2, 1}, PARITY_SIGNED, 3e-6, 1e-5, 0},
    {"conv2d 64 to 64", conv2d, "3,64,8,8;64,64,3,3", {1, 1}, PARITY_SIGNED, 5e-6, 1e-5, 0},
    {"conv2d 64 channels, odd", conv2d, "2,64,7,9;80,64,3,3", {1, 1}, PARITY_SIGNED, 5e-6, 1e-5, 0},
    {"conv2d 128 to 128", conv2d, "4,128,12,12;128,128,3,3", {1, 1}, PARITY_WIDE, 5e-6, 1e-5, 0},
    {"conv2d 64 channels, no padding", conv2d, "2,64,6,5;64,64,3,3", {1, 0}, PARITY_SIGNED, 5e-6, 1e-5, 0},
    {"conv2d 7 × 7", conv2d, "2,3,33,33;8,3,7,7", {2, 3}, PARITY_SIGNED, 5e-6, 1e-5, 0},
    {"batch_norm three elements", batch_norm, "3,1;1;1;~1;~1", {0}, PARITY_WIDE, 5e-6, 1e-5, 5e-4},
    {"batch_norm rows", batch_norm, "9,5;5;5;~5;~5", {0}, PARITY_SIGNED, 5e-6, 1e-5, 5e-4},
    {"batch_norm images", batch_norm, "3,5,4,7;5;5;~5;~5", {0}, PARITY_SIGNED, 5e-6, 1e-5, 5e-4},
    {"batch_norm one image", batch_norm, "1,2,3,3;2;2;~2;~2", {0}, PARITY_WIDE, 5e-6, 1e-5, 5e-4},
    {"batch_norm large", batch_norm, "16,64,16,16;64;64;~64;~64", {0}, PARITY_SIGNED, 5e-6, 1e-5, 0},
    {"batch_norm images blocked", batch_norm, "3,48,3,5;48;48;~48;~48", {0}, PARITY_SIGNED, 5e-6, 1e-5, 5e-4},
    {"batch_norm far from zero", batch_norm, "4,16,9,9;16;16;~16;~16", {0}, PARITY_POSITIVE, 5e-6, 1e-5, 0},
    {"batch_norm_relu rows", batch_norm_relu, "9,5;5;5;~5;~5", {0}, PARITY_SIGNED, 5e-6, 1e-5, 0},
    {"batch_norm_relu images", batch_norm_relu, "3,5,4,7;5;5;~5;~5", {0}, PARITY_SIGNED, 5e-6, 1e-5, 0},
    {"batch_norm_relu blocked", batch_norm_relu, "3,32,4,7;32;32;~32;~32", {0}, PARITY_SIGNED, 5e-6, 1e-5, 0},
    {"batch_norm_relu add", batch_norm_relu, "2,2,2,3;2;2;~2;~2;2,2,2,3", {1}, PARITY_SIGNED, 5e-6, 1e-5, 5e-4},
    {"batch_norm_relu add images", batch_norm_relu, "3,5,4,7;5;5;~5;~5;3,5,4,7", {1}, PARITY_SIGNED, 5e-6, 1e-5, 0},
    {"batch_norm_relu add blocked",
     batch_norm_relu,
     "5,32,9,7;32;32;~32;~32;5,32,9,7",
     {1},
     PARITY_SIGNED,
     5e-6,
     1e-5,
     0},
    {"max_pool one", max_pool, "1,1,1,1", {1, 1, 0}, PARITY_DISTINCT, 0, 0, 1e-4},
    {"max_pool 2 × 2", max_pool, "2,3,6,4", {2, 2, 0}, PARITY_DISTINCT, 0, 0, 1e-4},
    {"max_pool overlapping", max_pool, "2,5,7,9", {3, 2, 1}, PARITY_DISTINCT, 0, 1e-6, 1e-4},
    {"max_pool stride 1", max_pool, "1,2,5,5", {3, 1, 2}, PARITY_DISTINCT, 0, 1e-6, 1e-4},
    {"max_pool a vector and a rest", max_pool, "2,21,5,6", {3, 2, 1}, PARITY_DISTINCT, 0, 1e-6, 0},
    {"max_pool a vector and a half", max_pool, "2,24,5,6", {2, 2, 0}, PARITY_DISTINCT, 0, 1e-6, 0},
    {"max_pool blocked", max_pool, "2,32,5,6", {2, 1, 1}, PARITY_DISTINCT, 0, 1e-6, 0},
    {"max_pool of equals", max_pool, "2,21,7,9", {3, 2, 1}, PARITY_TIES, 0, 1e-6, 0},
    {"max_pool of equals, blocked", max_pool, "2,16,7,9", {3, 2, 1}, PARITY_TIES, 0, 1e-6, 0},
    {"max_pool large", max_pool, "4,64,16,16", {3, 2, 1}, PARITY_SIGNED, 0, 1e-6, 0},
    {"avg_pool one", avg_pool, "1,1,1,1", {1, 1, 0}, PARITY_SIGNED, 1e-6, 1e-6, 1e-4},
    {"avg_pool 2 × 2", avg_pool, "2,3,6,4", {2, 2, 0}, PARITY_SIGNED, 1e-6, 1e-6, 1e-4},
    {"avg_pool overlapping", avg_pool, "2,5,7,9", {3, 2, 1}, PARITY_SIGNED, 1e-6, 1e-6, 1e-4},
    {"avg_pool large", avg_pool, "4,64,16,16", {3, 2, 1}, PARITY_SIGNED, 1e-6, 1e-6, 0},
    {"global_avg_pool one", global_avg_pool, "1,1,1,1", {0}, PARITY_SIGNED, 1e-6, 1e-6, 1e-4},
    {"global_avg_pool odd", global_avg_pool, "3,5,3,7", {0}, PARITY_SIGNED, 1e-6, 1e-6, 1e-4},
    {"global_avg_pool large", global_avg_pool, "16,64,8,8", {0}, PARITY_SIGNED, 2e-6, 1e-6, 0},
};
const parity_table parity_images = {rows, sizeof(rows) / sizeof(rows[0])};
