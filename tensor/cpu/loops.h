/* What the loops of the CPU backend share. */
#ifndef DCPS_TENSOR_CPU_LOOPS_H
#define DCPS_TENSOR_CPU_LOOPS_H

#include <stdbool.h>
#include <stddef.h>

#include "tensor/backend.h"

/* A loop over elements, compiled once for each width of vector registers and chosen when the program is loaded. Sanitizers instrument the chooser,
 * which runs before they are set up, so there the one portable version is used. */
#if defined(__GNUC__) && !defined(__clang__) && defined(__x86_64__) && defined(__GLIBC__) &&                           \
    !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define DCPS_CPU_LOOP __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define DCPS_CPU_LOOP
#endif

/* Shares pieces 0 … count − 1 out among the threads of the calling thread's ops, in runs first … end − 1 of nearly equal length, and waits for all; by itself where
 * all of them have too few elements to be worth the wait. The same counts and number of threads give the same runs. */
typedef void (*dcps_cpu_work_fn)(void *context, size_t first, size_t end);
void dcps_cpu_parallel(size_t count, size_t elements, dcps_cpu_work_fn work, void *context);

/* A loop over elements: to (+)= something of a, b and factor, as `add` says. */
typedef void (*dcps_cpu_loop_fn)(size_t count, bool add, float factor, const float *a, const float *b, float *to);
/* Runs it, on all threads where that is worth it. b may be NULL. */
void dcps_cpu_elements(dcps_cpu_loop_fn loop, size_t count, bool add, float factor, const float *a, const float *b,
                       float *to);

/* to [count] += factor · from [count] */
void dcps_cpu_add_scaled(size_t count, float factor, const float *from, float *to);
/* to [count] = factor · from [count] */
void dcps_cpu_set_scaled(size_t count, float factor, const float *from, float *to);
/* Either, as the slot asks for, from its element `first` on. */
void dcps_cpu_put(const dcps_gradient_slot *slot, size_t first, size_t count, float factor, const float *from);
/* to (+)= from [rows, columns] transposed; rows of `from` are `from_step` elements apart, those of `to` `to_step`. */
void dcps_cpu_transpose_matrix(size_t rows, size_t columns, const float *from, size_t from_step, float *to,
                               size_t to_step, bool add);
/* x [count] *= factor */
void dcps_cpu_scale_in_place(size_t count, float factor, float *x);
/* Σ x [count] and Σ a · b [count], in double. */
double dcps_cpu_sum(size_t count, const float *x);
double dcps_cpu_dot(size_t count, const float *a, const float *b);

#endif
