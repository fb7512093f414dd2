/* The hash of Fowler, Noll and Vo (FNV-1a, 64 bits), for where nobody gains by forging one. */
#ifndef DCPS_BASE_HASH_H
#define DCPS_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

#define DCPS_HASH_START UINT64_C(14695981039346656037)

/* One step, by a byte; or by a whole number, which is quicker and another hash than that of its bytes. */
static inline uint64_t dcps_hash_step(uint64_t hash, uint64_t number)
{
    return (hash ^ number) * UINT64_C(1099511628211);
}

/* Goes on from the hash of what was before: DCPS_HASH_START of nothing. */
static inline uint64_t dcps_hash_bytes(uint64_t hash, const void *bytes, size_t count)
{
    const uint8_t *at = (const uint8_t *)bytes;
    for (size_t i = 0; i < count; i++) {
        hash = dcps_hash_step(hash, at[i]);
    }
    return hash;
}

#endif
