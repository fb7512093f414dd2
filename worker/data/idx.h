/* Reads idx files, the format of MNIST: a big-endian head (0, 0, type, number of dims, each dim) and the values. Plain, gzip or xz. */
#ifndef DCPS_WORKER_DATA_IDX_H
#define DCPS_WORKER_DATA_IDX_H

#include <stddef.h>
#include <stdint.h>

#include "dcps/status.h"

#define DCPS_IDX_MAX_DIMS 3u
/* Far above any known set; a head that claims more is refused. One that claims less takes as much memory as there are values. */
#define DCPS_IDX_MAX_BYTES (UINT64_C(4) << 30)

/* Unsigned bytes [dims…]. */
typedef struct dcps_idx {
    uint32_t dims[DCPS_IDX_MAX_DIMS];
    uint32_t dim_count;
    size_t value_bytes; /* product of dims */
    uint8_t *values;
} dcps_idx;

/* Reads `path`, which must hold unsigned bytes of `dim_count` dims. Release with dcps_idx_release. Errors name the file: DCPS_NOT_FOUND, DCPS_IO, DCPS_CORRUPT (bad
 * head, other type or number of dims, too few or too many values, damaged compression), DCPS_LIMIT, DCPS_NO_MEMORY. */
DCPS_MUST_CHECK dcps_status dcps_idx_read(const char *path, uint32_t dim_count, dcps_idx *idx);
/* Zeroes it. A zeroed one may be released. */
void dcps_idx_release(dcps_idx *idx);

#endif
