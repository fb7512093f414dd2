/* The layout of a model: named tensors back to back in one flat float32 vector. Part of the public interface.
 *
 * Tensor i starts at a multiple of 16 parameters (64 bytes); the gaps are zero and count as parameters. Two processes
 * agree on a model exactly when their layouts are equal. */
#ifndef DCPS_LAYOUT_H
#define DCPS_LAYOUT_H

#include <stddef.h>
#include <stdint.h>

#include "dcps/status.h"

#define DCPS_LAYOUT_MAX_DIMS 8u
#define DCPS_LAYOUT_ALIGN_PARAMS 16u

/* How a tensor's initial values are drawn. They depend on (seed, tensor name) alone. */
typedef enum dcps_init {
    DCPS_INIT_ZERO = 1,
    DCPS_INIT_ONE,
    DCPS_INIT_HE_NORMAL, /* normal, variance 2 / fan_in (He et al. 2015); fan_in is the product of all dims but the last */
    DCPS_INIT_GLOROT_UNIFORM, /* uniform in ±√(6 / (fan_in + fan_out)) (Glorot and Bengio 2010); fan_out is the last dim */
    DCPS_INIT_HE_NORMAL_FILTERS, /* as HE_NORMAL for [filters, channels, height, width]: fan_in is the product of all dims but the first */
    DCPS_INIT_UNIFORM /* uniform in ±bound; see dcps_layout_add_uniform */
} dcps_init;

typedef struct dcps_layout dcps_layout;

/* One tensor, row-major. Texts and dims belong to the layout. */
typedef struct dcps_layout_tensor {
    const char *name;
    size_t dims[DCPS_LAYOUT_MAX_DIMS];
    uint32_t dim_count;
    dcps_init init;
    uint64_t offset_params; /* of the first element in the flat vector */
    uint64_t count_params;  /* product of dims */
    float average_rate;     /* 0: trained; else averaged at this rate, see dcps_layout_add_average */
    float init_bound;       /* of DCPS_INIT_UNIFORM; 0 with every other */
} dcps_layout_tensor;

/* An empty layout, the caller's to destroy. Errors: DCPS_NO_MEMORY. */
DCPS_API DCPS_MUST_CHECK dcps_status dcps_layout_create(dcps_layout **layout);
/* Its texts and dims go with it. Accepts NULL inside. */
DCPS_API void dcps_layout_destroy(dcps_layout **layout);

/* Appends a tensor; *index counts from 0 in the order of calls (index may be NULL). Names are unique, 1 to 127 bytes of [A-Za-z0-9_.-/]; 0 to 8
 * dims, each at least 1. Errors: DCPS_INVALID, DCPS_LIMIT, DCPS_NO_MEMORY. */
DCPS_API DCPS_MUST_CHECK dcps_status dcps_layout_add(dcps_layout *layout, const char *name, dcps_init init,
                                                     uint32_t dim_count, const size_t *dims, uint32_t *index);

/* Appends a tensor whose initial values are uniform in ±bound, which is finite and above 0; else as dcps_layout_add. */
DCPS_API DCPS_MUST_CHECK dcps_status dcps_layout_add_uniform(dcps_layout *layout, const char *name, float bound,
                                                             uint32_t dim_count, const size_t *dims, uint32_t *index);

/* Appends a tensor that is not trained but averaged, such as the running statistics of batch norm: what a worker pushes in the place of its gradient are values v
 * (say of its own mini-batch), and the server sets w ← w + rate·(v − w) at its current w; in a synchronous round v is the mean of all workers' values. No learning
 * rate, compensation, weight decay or momentum touches it. rate in (0, 1]; else as dcps_layout_add. */
DCPS_API DCPS_MUST_CHECK dcps_status dcps_layout_add_average(dcps_layout *layout, const char *name, dcps_init init,
                                                             float rate, uint32_t dim_count, const size_t *dims,
                                                             uint32_t *index);

DCPS_API uint32_t dcps_layout_tensor_count(const dcps_layout *layout);
/* index < tensor count (asserted). */
DCPS_API const dcps_layout_tensor *dcps_layout_tensor_at(const dcps_layout *layout, uint32_t index);
/* Length of the flat vector in parameters, padding included: a multiple of 16. */
DCPS_API uint64_t dcps_layout_total_params(const dcps_layout *layout);

/* Fills `weights` [total_params] with the initial values of seed `seed`. */
DCPS_API void dcps_layout_initialise(const dcps_layout *layout, uint64_t seed, float *weights);

/* DCPS_OK when equal, else DCPS_MISMATCH with the first difference named ("tensor 2: here fc2.weight [256, 256], there …"). */
DCPS_API DCPS_MUST_CHECK dcps_status dcps_layout_compare(const dcps_layout *here, const dcps_layout *there);

#endif
