/* Random numbers without state: Philox 4×32-10 of Salmon et al., "Parallel random numbers: as easy as 1, 2, 3" (SC 2011). Word i of a stream is a
 * function of (key, number, stream, i), whoever computes it and in whatever order. */
#ifndef DCPS_TENSOR_PHILOX_H
#define DCPS_TENSOR_PHILOX_H

#include <stdint.h>

/* A GPU computes the same words. */
#ifdef __CUDACC__
#define DCPS_HOST_DEVICE __host__ __device__
#else
#define DCPS_HOST_DEVICE
#endif

/* A stream has 2³² blocks of four words; half of it is plenty. */
#define DCPS_PHILOX_MAX_WORDS (UINT64_C(1) << 33)

/* Ten rounds on the counter `c`. */
DCPS_HOST_DEVICE static inline void dcps_philox_rounds(uint32_t c[4], uint64_t key)
{
    uint32_t k0 = (uint32_t)key, k1 = (uint32_t)(key >> 32);
    for (int round = 0; round < 10; round++) {
        uint64_t p0 = UINT64_C(0xD2511F53) * c[0], p1 = UINT64_C(0xCD9E8D57) * c[2];
        uint32_t n0 = (uint32_t)(p1 >> 32) ^ c[1] ^ k0, n2 = (uint32_t)(p0 >> 32) ^ c[3] ^ k1;
        c[0] = n0;
        c[1] = (uint32_t)p1;
        c[2] = n2;
        c[3] = (uint32_t)p0;
        k0 += UINT32_C(0x9E3779B9);
        k1 += UINT32_C(0xBB67AE85);
    }
}

/* Words 4 · block … 4 · block + 3 of stream `stream` of (key, number). */
DCPS_HOST_DEVICE static inline void dcps_philox_block(uint64_t key, uint64_t number, uint32_t stream, uint32_t block,
                                                      uint32_t words[4])
{
    words[0] = block;
    words[1] = stream;
    words[2] = (uint32_t)number;
    words[3] = (uint32_t)(number >> 32);
    dcps_philox_rounds(words, key);
}

/* Words below this mean: drop. 0 ≤ rate < 1. */
DCPS_HOST_DEVICE static inline uint32_t dcps_philox_threshold(float rate)
{
    return (uint32_t)((double)rate * 0x1p32);
}

#endif
