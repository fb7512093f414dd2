/* Layouts as arrays of tensors: what the wire carries and engines keep. */
#ifndef DCPS_PROTO_LAYOUT_UTIL_H
#define DCPS_PROTO_LAYOUT_UTIL_H

#include <stddef.h>
#include <stdint.h>

#include "dcps/layout.h"
#include "dcps/status.h"

/* Appends a copy of `tensor`, of which name, dims, init, init_bound and average_rate count; *index as in dcps_layout_add, and so are the errors. */
DCPS_MUST_CHECK dcps_status dcps_layout_append(dcps_layout *layout, const dcps_layout_tensor *tensor, uint32_t *index);

/* Checks name, dims, init, init_bound and average_rate of one tensor; *count_params is the product of dims. Errors: DCPS_INVALID, DCPS_LIMIT. */
DCPS_MUST_CHECK dcps_status dcps_layout_check_tensor(const dcps_layout_tensor *tensor, uint64_t *count_params);

/* Whether all names of valid tensors differ; cheap for any list. DCPS_INVALID naming two that do not. `count` at most DCPS_MAX_TENSORS. */
DCPS_MUST_CHECK dcps_status dcps_layout_check_unique(const dcps_layout_tensor *tensors, uint32_t count);

/* Checks `count` tensors and fills offset_params and count_params of each from the dims. Names must be unique. Errors: DCPS_INVALID, DCPS_LIMIT. */
DCPS_MUST_CHECK dcps_status dcps_layout_place_tensors(dcps_layout_tensor *tensors, uint32_t count);

/* A layout of its own with copies of `count` tensors; their offsets are computed anew. Errors: DCPS_INVALID, DCPS_LIMIT, DCPS_NO_MEMORY. */
DCPS_MUST_CHECK dcps_status dcps_layout_from_tensors(const dcps_layout_tensor *tensors, uint32_t count,
                                                     dcps_layout **layout);

DCPS_MUST_CHECK dcps_status dcps_layout_copy(const dcps_layout *layout, dcps_layout **copy);

/* All tensors, in order; NULL when there are none. Belongs to the layout, valid until the next dcps_layout_add. */
const dcps_layout_tensor *dcps_layout_tensors(const dcps_layout *layout);

#endif
