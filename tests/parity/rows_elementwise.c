/* Element by element. */
#include "parity/parity.h"

#define UNARY(name)                                                                                                    \
    static dcps_tensor *call_##name(dcps_tape *tape, dcps_tensor *const *x, const size_t *arguments)                   \
    {                                                                                                                  \
        (void)arguments;                                                                                               \
        return dcps_tape_##name(tape, x[0]);                                                                           \
    }
#define BINARY(name)                                                                                                   \
    static dcps_tensor *call_##name(dcps_tape *tape, dcps_tensor *const *x, const size_t *arguments)                   \
    {                                                                                                                  \
        (void)arguments;                                                                                               \
        return dcps_tape_##name(tape, x[0], x[1]);                                                                     \
    }

UNARY(relu)
UNARY(tanh)
UNARY(sigmoid)
UNARY(gelu)
UNARY(exp)
UNARY(log)
BINARY(add)
BINARY(sub)
BINARY(mul)

/* By a hundredth of the first argument. */
static dcps_tensor *scale(dcps_tape *tape, dcps_tensor *const *x, const size_t *arguments)
{
    return dcps_tape_scale(tape, x[0], -(float)arguments[0] / 100.0f);
}

static const parity_row rows[] = {
    {"relu one number", call_relu, "1", {0}, PARITY_NO_KINK, 0, 0, 1e-4},
    {"relu scalar", call_relu, "", {0}, PARITY_NO_KINK, 0, 0, 1e-4},
    {"relu odd", call_relu, "3,5,1", {0}, PARITY_NO_KINK, 0, 0, 1e-4},
    {"relu 13, 11, 17", call_relu, "13,11,17", {0}, PARITY_NO_KINK, 0, 0, 1e-4},
    {"tanh one number", call_tanh, "1", {0}, PARITY_SIGNED, 1e-6, 1e-6, 1e-4},
    {"tanh odd", call_tanh, "7,3", {0}, PARITY_WIDE, 1e-6, 1e-6, 1e-4},
    {"tanh large", call_tanh, "64,801", {0}, PARITY_WIDE, 1e-6, 1e-6, 0},
    {"sigmoid scalar", call_sigmoid, "", {0}, PARITY_SIGNED, 1e-6, 1e-6, 1e-4},
    {"sigmoid odd", call_sigmoid, "7,3", {0}, PARITY_WIDE, 1e-6, 1e-6, 1e-4},
    {"sigmoid large", call_sigmoid, "64,801", {0}, PARITY_WIDE, 1e-6, 1e-6, 0},
    {"gelu one number", call_gelu, "1", {0}, PARITY_SIGNED, 1e-6, 1e-6, 1e-4},
    {"gelu odd", call_gelu, "7,3", {0}, PARITY_WIDE, 1e-6, 1e-6, 2e-4},
    {"gelu large", call_gelu, "64,801", {0}, PARITY_WIDE, 1e-6, 1e-6, 0},
    {"exp one number", call_exp, "1", {0}, PARITY_SIGNED, 1e-6, 1e-6, 1e-4},
    {"exp odd", call_exp, "7,3", {0}, PARITY_WIDE, 1e-6, 1e-6, 2e-4},
    {"exp large", call_exp, "64,801", {0}, PARITY_WIDE, 1e-6, 1e-6, 0},
    {"log one number", call_log, "1", {0}, PARITY_POSITIVE, 1e-5, 1e-6, 1e-4},
    {"log odd", call_log, "7,3", {0}, PARITY_POSITIVE, 1e-5, 1e-6, 1e-4},
    {"log large", call_log, "64,801", {0}, PARITY_POSITIVE, 1e-5, 1e-6, 0},
    {"scale scalar", scale, "", {250}, PARITY_SIGNED, 1e-6, 1e-6, 1e-4},
    {"scale odd", scale, "5,3,1,2", {33}, PARITY_SIGNED, 1e-6, 1e-6, 1e-4},
    {"add one number", call_add, "1;1", {0}, PARITY_SIGNED, 1e-6, 1e-6, 1e-4},
    {"add odd", call_add, "3,1,5;3,1,5", {0}, PARITY_SIGNED, 1e-6, 1e-6, 1e-4},
    {"add large", call_add, "63,257;63,257", {0}, PARITY_SIGNED, 1e-6, 1e-6, 0},
    {"sub one number", call_sub, "1;1", {0}, PARITY_SIGNED, 1e-6, 1e-6, 1e-4},
    {"sub odd", call_sub, "3,1,5;3,1,5", {0}, PARITY_SIGNED, 1e-6, 1e-6, 1e-4},
    {"sub large", call_sub, "63,257;63,257", {0}, PARITY_SIGNED, 1e-6, 1e-6, 0},
    {"mul one number", call_mul, "1;1", {0}, PARITY_SIGNED, 1e-6, 1e-6, 1e-4},
    {"mul odd", call_mul, "3,1,5;3,1,5", {0}, PARITY_SIGNED, 1e-6, 1e-6, 1e-4},
    {"mul large", call_mul, "63,257;63,257", {0}, PARITY_SIGNED, 1e-6, 1e-6, 0},
};
const parity_table parity_elementwise = {rows, sizeof(rows) / sizeof(rows[0])};
