#include "sim/step_times.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/rng.h"
#include "base/text.h"

#define MAX_TEXT_BYTES 64u
#define MAX_DURATION_NS 1e18
#define DEFAULT_SHAPE 100.0
#define MAX_STEP_NS 4e18 /* so that times do not wrap */

static const struct {
    const char *name;
    double ns;
} units[] = {{"ns", 1.0}, {"us", 1e3}, {"ms", 1e6}, {"s", 1e9}};

dcps_status dcps_duration_parse(const char *what, const char *text, double *ns)
{
    char number[MAX_TEXT_BYTES];
    size_t digits = strspn(text, "0123456789.eE+-");
    double value;
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (strcmp(text + digits, units[i].name) != 0 || digits == 0 || digits >= sizeof(number)) {
            continue;
        }
        memcpy(number, text, digits);
        number[digits] = '\0';
        if (dcps_parse_real(what, number, &value) == DCPS_OK && value >= 0.0 &&
            value * units[i].ns <= MAX_DURATION_NS) {
            *ns = value * units[i].ns;
            return DCPS_OK;
        }
    }
    return dcps_fail(DCPS_INVALID,
                     "%s: '%.80s' is no duration: expected a number with ns, us, ms or s, as 100ms, at most 1e9s", what,
                     text);
}

/* One field up to ':' or the end; `text` moves behind it, to NULL behind the last. False: too long. */
static bool take_field(const char **text, char field[MAX_TEXT_BYTES])
{
    size_t length = strcspn(*text, ":");
    if (length >= MAX_TEXT_BYTES) {
        return false;
    }
    memcpy(field, *text, length);
    field[length] = '\0';
    *text = (*text)[length] == ':' ? *text + length + 1 : NULL;
    return true;
}

#define MAX_FIELDS 3u

/* What stands behind the name. */
static dcps_status read_parameters(const char *what, const char fields[MAX_FIELDS][MAX_TEXT_BYTES], size_t count,
                                   dcps_step_times *times)
{
    bool two = count == 3;
    dcps_status status = dcps_duration_parse(what, fields[count > 1 ? 1 : 0], &times->mean_ns);
    if (status == DCPS_OK && times->distribution == DCPS_STEP_UNIFORM && two) {
        times->low_ns = times->mean_ns;
        status = dcps_duration_parse(what, fields[2], &times->mean_ns);
    } else if (status == DCPS_OK && times->distribution == DCPS_STEP_GAMMA && two) {
        status = dcps_parse_real(what, fields[2], &times->shape);
    }
    return status;
}

dcps_status dcps_step_times_parse(const char *what, const char *text, dcps_step_times *times)
{
    static const struct {
        const char *name;
        dcps_step_distribution distribution;
        size_t least;
        size_t most;
    } known[] = {{"constant", DCPS_STEP_CONSTANT_TIME, 2, 2},
                 {"uniform", DCPS_STEP_UNIFORM, 3, 3},
                 {"gamma", DCPS_STEP_GAMMA, 2, 3},
                 {"exponential", DCPS_STEP_EXPONENTIAL, 2, 2}};
    char fields[MAX_FIELDS][MAX_TEXT_BYTES];
    const char *rest = text;
    size_t count = 0;
    bool good = true;
    while (good && rest != NULL && count < MAX_FIELDS) {
        good = take_field(&rest, fields[count++]);
    }
    dcps_step_times made = {.shape = DEFAULT_SHAPE};
    for (size_t i = 0; good && rest == NULL && i < sizeof(known) / sizeof(known[0]); i++) {
        if (strcmp(fields[0], known[i].name) != 0 || count < known[i].least || count > known[i].most) {
            continue;
        }
        made.distribution = known[i].distribution;
        dcps_status status = read_parameters(what, (const char(*)[MAX_TEXT_BYTES])fields, count, &made);
        if (status == DCPS_OK && !(made.low_ns <= made.mean_ns && made.shape > 0.0)) {
            status = dcps_fail(DCPS_INVALID, "%s: '%.80s': the shape must be above 0 and the shorter time come first",
                               what, text);
        }
        if (status == DCPS_OK) {
            *times = made;
        }
        return status;
    }
    return dcps_fail(DCPS_INVALID,
                     "%s is '%.80s', expected constant:TIME, uniform:TIME:TIME, gamma:TIME[:SHAPE], "
                     "exponential:TIME or trace:DIR, as gamma:100ms",
                     what, text);
}

/* In (0, 1]. */
static double uniform_above_zero(dcps_rng *rng)
{
    return 1.0 - dcps_rng_uniform(rng);
}

/* Gamma of mean `shape`: Marsaglia and Tsang, ACM TOMS 26(3), 2000; below shape 1 by their note on U^(1/shape). */
static double draw_gamma(dcps_rng *rng, double shape)
{
    double boost = shape < 1.0 ? pow(uniform_above_zero(rng), 1.0 / shape) : 1.0;
    double d = (shape < 1.0 ? shape + 1.0 : shape) - 1.0 / 3.0;
    double c = 1.0 / sqrt(9.0 * d);
    for (;;) {
        double x = dcps_rng_normal(rng);
        double v = 1.0 + c * x;
        if (v > 0.0) {
            v = v * v * v;
            if (log(uniform_above_zero(rng)) < 0.5 * x * x + d - d * v + d * log(v)) {
                return boost * d * v;
            }
        }
    }
}

static double draw(const dcps_step_times *times, uint64_t seed, uint32_t worker, uint64_t step)
{
    dcps_rng rng;
    if (times->distribution == DCPS_STEP_CONSTANT_TIME) {
        return times->mean_ns;
    }
    if (times->distribution == DCPS_STEP_RECORDED) {
        const dcps_recorded_steps *recorded = &times->recorded[worker % times->recorded_count];
        return (double)recorded->times_ns[step % recorded->count];
    }
    dcps_rng_seed_stream(&rng, seed, "step time", ((uint64_t)worker << 40) ^ step);
    switch (times->distribution) {
    case DCPS_STEP_UNIFORM:
        return times->low_ns + (times->mean_ns - times->low_ns) * dcps_rng_uniform(&rng);
    case DCPS_STEP_GAMMA:
        return times->mean_ns / times->shape * draw_gamma(&rng, times->shape);
    default:
        return -times->mean_ns * log(uniform_above_zero(&rng));
    }
}

uint64_t dcps_step_times_draw(const dcps_step_times *times, uint64_t seed, uint32_t worker, uint64_t step,
                              double factor)
{
    double ns = draw(times, seed, worker, step) * factor;
    return ns < 1.0 ? 1u : ns > MAX_STEP_NS ? (uint64_t)MAX_STEP_NS : (uint64_t)ns;
}
