/* Products and biases; losses. */
#include "parity/parity.h"

static dcps_tensor *matmul(dcps_tape *tape, dcps_tensor *const *x, const size_t *arguments)
{
    (void)arguments;
    return dcps_tape_matmul(tape, x[0], x[1]);
}

/* Arguments: whether a, whether b is transposed. */
static dcps_tensor *transposed(dcps_tape *tape, dcps_tensor *const *x, const size_t *arguments)
{
    return dcps_tape_matmul_transposed(tape, x[0], arguments[0] != 0, x[1], arguments[1] != 0);
}

static dcps_tensor *bias(dcps_tape *tape, dcps_tensor *const *x, const size_t *arguments)
{
    (void)arguments;
    return dcps_tape_bias(tape, x[0], x[1]);
}

static dcps_tensor *cross_entropy(dcps_tape *tape, dcps_tensor *const *x, const size_t *arguments)
{
    static int32_t labels[256];
    (void)arguments;
    size_t rows = dcps_tensor_dim(x[0], 0), classes = dcps_tensor_dim(x[0], 1);
    for (size_t i = 0; i < rows; i++) {
        labels[i] = (int32_t)(i * 7 % classes);
    }
    return dcps_tape_cross_entropy(tape, x[0], labels);
}

static const parity_row rows[] = {
    {"matmul one number", matmul, "1,1;1,1", {0}, PARITY_SIGNED, 1e-6, 1e-6, 1e-4},
    {"matmul dot product", matmul, "1,7;7,1", {0}, PARITY_SIGNED, 2e-6, 2e-6, 1e-4},
    {"matmul odd", matmul, "3,5;5,7", {0}, PARITY_SIGNED, 2e-6, 2e-6, 1e-4},
    {"matmul outer product", matmul, "17,1;1,33", {0}, PARITY_SIGNED, 2e-6, 2e-6, 1e-4},
    {"matmul 65, 129, 10", matmul, "65,129;129,10", {0}, PARITY_SIGNED, 3e-6, 3e-6, 1e-4},
    {"matmul large", matmul, "128,784;784,256", {0}, PARITY_SIGNED, 5e-6, 5e-6, 0},
    {"matmul aᵀ b", transposed, "5,3;5,7", {1, 0}, PARITY_SIGNED, 2e-6, 2e-6, 1e-4},
    {"matmul a bᵀ", transposed, "3,5;7,5", {0, 1}, PARITY_SIGNED, 2e-6, 2e-6, 1e-4},
    {"matmul aᵀ bᵀ", transposed, "5,3;7,5", {1, 1}, PARITY_SIGNED, 2e-6, 2e-6, 1e-4},
    {"matmul aᵀ bᵀ large", transposed, "129,65;67,129", {1, 1}, PARITY_SIGNED, 3e-6, 3e-6, 0},
    {"matmul batch of 1", transposed, "1,3,5;1,5,7", {0, 0}, PARITY_SIGNED, 2e-6, 2e-6, 1e-4},
    {"matmul batch", transposed, "4,3,5;4,5,7", {0, 0}, PARITY_SIGNED, 2e-6, 2e-6, 1e-4},
    {"matmul batch aᵀ b", transposed, "3,5,2;3,5,1", {1, 0}, PARITY_SIGNED, 2e-6, 2e-6, 1e-4},
    {"matmul batch a bᵀ", transposed, "20,7,65;20,31,65", {0, 1}, PARITY_SIGNED, 3e-6, 3e-6, 0},
    {"matmul batch aᵀ bᵀ", transposed, "3,5,2;3,7,5", {1, 1}, PARITY_SIGNED, 2e-6, 2e-6, 1e-4},
    {"bias on a vector", bias, "3;3", {0}, PARITY_SIGNED, 1e-6, 1e-6, 1e-4},
    {"bias on three dims", bias, "2,5,3;3", {0}, PARITY_SIGNED, 1e-6, 1e-6, 1e-4},
    {"bias one number", bias, "1,1;1", {0}, PARITY_SIGNED, 1e-6, 1e-6, 1e-4},
    {"bias odd", bias, "5,3;3", {0}, PARITY_SIGNED, 1e-6, 1e-6, 1e-4},
    {"bias one row", bias, "1,31;31", {0}, PARITY_SIGNED, 1e-6, 1e-6, 1e-4},
    {"bias large", bias, "127,257;257", {0}, PARITY_SIGNED, 1e-6, 3e-6, 0},
    {"cross_entropy one class", cross_entropy, "1,1", {0}, PARITY_SIGNED, 0, 1e-6, 1e-4},
    {"cross_entropy one row", cross_entropy, "1,10", {0}, PARITY_SIGNED, 2e-6, 5e-6, 1e-4},
    {"cross_entropy odd", cross_entropy, "7,3", {0}, PARITY_SIGNED, 2e-6, 5e-6, 1e-4},
    {"cross_entropy wide", cross_entropy, "7,13", {0}, PARITY_WIDE, 2e-6, 5e-6, 5e-4},
    {"cross_entropy large", cross_entropy, "128,1001", {0}, PARITY_SIGNED, 2e-6, 5e-6, 0},
};
const parity_table parity_basic = {rows, sizeof(rows) / sizeof(rows[0])};
