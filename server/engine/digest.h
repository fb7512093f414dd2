/* A number that tells weights apart: equal for equal bits, and for others with all likelihood another one. */
#ifndef DCPS_ENGINE_DIGEST_H
#define DCPS_ENGINE_DIGEST_H

#include <stddef.h>
#include <stdint.h>

/* Of values [count], which are the parameters from `first` on of a flat vector. The digest of a vector is the sum, modulo 2^64, of the digests of its parts, however it is
 * cut. No protection against forgery. */
uint64_t dcps_digest(uint64_t first, const float *values, size_t count);

#endif
