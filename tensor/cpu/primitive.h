/* oneDNN primitives, made once for each shape and then found again.
 *
 * Each thread has a cache of its own, since a primitive's memory objects can serve one call at a time; it goes when the thread ends. A full cache
 * drops what was used longest ago. Memory that a primitive needs while it runs is the step's. */
#ifndef DCPS_TENSOR_CPU_PRIMITIVE_H
#define DCPS_TENSOR_CPU_PRIMITIVE_H

#include <oneapi/dnnl/dnnl.h>

#include "tensor/backend.h"

#define DCPS_PRIMITIVE_NUMBERS 14u

/* What a primitive is made from: numbers that mean what `make` says; those unused are 0. */
typedef struct dcps_primitive_key {
    dnnl_status_t (*make)(const struct dcps_primitive_key *key, dnnl_engine_t engine, const_dnnl_primitive_attr_t attr,
                          dnnl_primitive_desc_t *desc);
    int64_t numbers[DCPS_PRIMITIVE_NUMBERS];
} dcps_primitive_key;

typedef struct dcps_primitive dcps_primitive;

/* One argument of a run: DNNL_ARG_…, and its values in the layout that the primitive was made for. */
typedef struct dcps_primitive_argument {
    int which;
    const void *values;
} dcps_primitive_argument;

/* The calling thread's primitive for `key`, made if need be; valid until 100 others have been found. Errors: DCPS_NO_MEMORY, DCPS_SYSTEM. */
DCPS_MUST_CHECK dcps_status dcps_primitive_find(const dcps_call *call, const dcps_primitive_key *key,
                                                dcps_primitive **found);
/* Layout of an argument. */
const dnnl_memory_desc_t *dcps_primitive_layout(const dcps_primitive *primitive, int which);
/* Runs it on `arguments` [count], at most 14, on behalf of `call`. Errors: DCPS_NO_MEMORY, DCPS_SYSTEM. */
DCPS_MUST_CHECK dcps_status dcps_primitive_run(const dcps_call *call, dcps_primitive *primitive, int count,
                                               const dcps_primitive_argument *arguments);
/* Both. */
DCPS_MUST_CHECK dcps_status dcps_primitive_call(const dcps_call *call, const dcps_primitive_key *key, int count,
                                                const dcps_primitive_argument *arguments);

#endif
