/* Deterministic random numbers: same seed, same numbers, on every machine. Not for secrets. */
#ifndef DCPS_BASE_RNG_H
#define DCPS_BASE_RNG_H

#include <stddef.h>
#include <stdint.h>

/* xoshiro256** (Blackman and Vigna 2018), seeded through splitmix64. */
typedef struct dcps_rng {
    uint64_t state[4];
} dcps_rng;

void dcps_rng_seed(dcps_rng *rng, uint64_t seed);
/* A stream that depends on (seed, name, number) alone: independent streams for tensors, epochs, workers. */
void dcps_rng_seed_stream(dcps_rng *rng, uint64_t seed, const char *name, uint64_t number);
uint64_t dcps_rng_next(dcps_rng *rng);
/* Uniform in [0, bound), without modulo bias. bound > 0. */
uint64_t dcps_rng_below(dcps_rng *rng, uint64_t bound);
/* Uniform in [0, 1), 53 bits. */
double dcps_rng_uniform(dcps_rng *rng);
/* Standard normal (Box-Muller, both halves drawn, one used: the stream position is a function of the number of calls). */
double dcps_rng_normal(dcps_rng *rng);
/* Fills `order` with a uniform permutation of 0..count-1 (Fisher-Yates). */
void dcps_rng_permutation(dcps_rng *rng, uint32_t *order, size_t count);

/* 64 bits from the operating system, for tokens and nonces: unpredictable, not reproducible. Never 0. */
uint64_t dcps_random_token(void);

#endif
