#include "base/rng.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <string.h>
#include <sys/random.h>
#include <sys/types.h>

#include "base/hash.h"

#define GOLDEN_GAMMA UINT64_C(0x9e3779b97f4a7c15)

/* The output function of splitmix64 (Steele, Lea and Flood 2014). */
static uint64_t mix(uint64_t x)
{
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

void dcps_rng_seed(dcps_rng *rng, uint64_t seed)
{
    for (int i = 0; i < 4; i++) {
        seed += GOLDEN_GAMMA;
        rng->state[i] = mix(seed);
    }
}

void dcps_rng_seed_stream(dcps_rng *rng, uint64_t seed, const char *name, uint64_t number)
{
    uint64_t folded = mix(seed + GOLDEN_GAMMA);
    folded = mix((folded ^ dcps_hash_bytes(DCPS_HASH_START, name, strlen(name))) + GOLDEN_GAMMA);
    folded = mix((folded ^ number) + GOLDEN_GAMMA);
    dcps_rng_seed(rng, folded);
}

static uint64_t rotate_left(uint64_t x, int bits)
{
    return (x << bits) | (x >> (64 - bits));
}

uint64_t dcps_rng_next(dcps_rng *rng)
{
    uint64_t *s = rng->state;
    uint64_t result = rotate_left(s[1] * 5, 7) * 9;
    uint64_t shifted = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= shifted;
    s[3] = rotate_left(s[3], 45);
    return result;
}

uint64_t dcps_rng_below(dcps_rng *rng, uint64_t bound)
{
    assert(bound > 0);
    uint64_t excess = (0 - bound) % bound; /* 2^64 mod bound: that many low values would be drawn once too often */
    uint64_t drawn;
    do {
        drawn = dcps_rng_next(rng);
    } while (drawn < excess);
    return drawn % bound;
}

double dcps_rng_uniform(dcps_rng *rng)
{
    return (double)(dcps_rng_next(rng) >> 11) * 0x1p-53;
}

/* ln x for x in (0, 1]. Our own, because the last bit of the C library's depends on its version and on the processor:
 * x = m 2^e, ln m = 2 artanh((m - 1) / (m + 1)) by its series. */
static double natural_log(double x)
{
    int exponent;
    double m = frexp(x, &exponent);
    if (m < 0.70710678118654752) {
        m *= 2;
        exponent--;
    }
    double s = (m - 1) / (m + 1); /* |s| <= 0.172 */
    double s2 = s * s;
    double sum = 0;
    for (int k = 23; k >= 1; k -= 2) {
        sum = sum * s2 + 1.0 / k;
    }
    return 2 * s * sum + exponent * 0.69314718055994531;
}

/* Σ (-1)^k r^(2k + odd) / (2k + odd)!: cos r (odd = 0) or sin r (odd = 1) for |r| <= π/4. */
static double alternating_series(double r, int odd)
{
    double sum = 0;
    for (int k = 9; k >= 1; k--) { /* Horner's rule on the ratios of neighbouring terms */
        sum = (1 + sum) * (-r * r / ((2 * k + odd) * (2 * k + odd - 1)));
    }
    return (1 + sum) * (odd ? r : 1);
}

/* cos 2πu for u in [0, 1); our own for the same reason. */
static double cosine_of_turns(double u)
{
    int quarter = (int)(u * 4 + 0.5);
    double r = (u * 4 - quarter) * 1.57079632679489662;
    switch (quarter & 3) {
    case 0:
        return alternating_series(r, 0);
    case 1:
        return -alternating_series(r, 1);
    case 2:
        return -alternating_series(r, 0);
    default:
        return alternating_series(r, 1);
    }
}

double dcps_rng_normal(dcps_rng *rng)
{
    double radius = sqrt(-2 * natural_log(1 - dcps_rng_uniform(rng))); /* 1 - u is never 0 */
    return radius * cosine_of_turns(dcps_rng_uniform(rng));
}

void dcps_rng_permutation(dcps_rng *rng, uint32_t *order, size_t count)
{
    assert(count <= UINT32_MAX);
    for (size_t i = 0; i < count; i++) {
        order[i] = (uint32_t)i;
    }
    for (size_t i = count; i > 1; i--) {
        size_t j = (size_t)dcps_rng_below(rng, i);
        uint32_t swapped = order[i - 1];
        order[i - 1] = order[j];
        order[j] = swapped;
    }
}

uint64_t dcps_random_token(void)
{
    uint64_t token = 0;
    while (token == 0) {
        ssize_t got = getrandom(&token, sizeof(token), 0); /* never short for so few bytes */
        if (got != (ssize_t)sizeof(token)) {
            assert(got < 0 && errno == EINTR);
            token = 0;
        }
    }
    return token;
}
