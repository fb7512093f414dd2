/* Exponentials of a row, for softmax and cross-entropy. */
#ifndef DCPS_TENSOR_CPU_SOFTMAX_H
#define DCPS_TENSOR_CPU_SOFTMAX_H

#include <stddef.h>

/* y [count] = exp(x − maximum), with the row's maximum, and returns their sum; a NaN in x makes the sum one. y may not be x. */
double dcps_cpu_exponentials(size_t count, const float *x, float *y, float *maximum);
/* The same sum, without the exponentials. */
double dcps_cpu_exponential_sum(size_t count, const float *x, float *maximum);

#endif
