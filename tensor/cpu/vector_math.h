/* Transcendental functions that loops over them can be vectorised with: no branches, no tables, no calls. */
#ifndef DCPS_TENSOR_CPU_VECTOR_MATH_H
#define DCPS_TENSOR_CPU_VECTOR_MATH_H

#include <stdint.h>

/* exp(x) to 2 units in the last place, at least 1.2e-38 and at most 2.4e38; NaN for NaN. With x = n ln 2 + r: 2ⁿ times the Taylor polynomial of exp(r)
 * of degree 7, |r| ≤ ln 2 / 2. */
static inline float dcps_lane_exp(float x)
{
    const float round_bias = 12582912.0f; /* 1.5 · 2²³: adding it leaves the nearest whole number in the low bits */
    x = x < -87.0f ? -87.0f : x;
    x = x > 88.3f ? 88.3f : x;
    union {
        float value;
        uint32_t bits;
    } shifted = {.value = x * 1.44269504f + round_bias}, power;
    float n = shifted.value - round_bias;
    float r = x - n * 0.693359375f + n * 2.12194440e-4f; /* ln 2 in two parts, the first exact in n */
    float p = 1.0f / 5040.0f;
    p = p * r + 1.0f / 720.0f;
    p = p * r + 1.0f / 120.0f;
    p = p * r + 1.0f / 24.0f;
    p = p * r + 1.0f / 6.0f;
    p = p * r + 0.5f;
    p = p * r + 1.0f;
    p = p * r + 1.0f;
    power.bits = (shifted.bits + 127u) << 23; /* the bias has zeros where it matters */
    return p * power.value;
}

/* 1 / (1 + exp(−x)) */
static inline float dcps_lane_sigmoid(float x)
{
    return 1.0f / (1.0f + dcps_lane_exp(-x));
}

/* As 2 sigmoid(2x) − 1: the absolute error is that of a float near 1. */
static inline float dcps_lane_tanh(float x)
{
    return 2.0f * dcps_lane_sigmoid(2.0f * x) - 1.0f;
}

#endif
