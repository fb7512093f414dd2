/* Any text as --runs, and after its first line feed as --sweep: refused with a reason, or understood so that every run and every combination can be said again. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "cli/compare/sweep.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int holds, const char *what)
{
    if (!holds) {
        (void)fprintf(stderr, "%s: %s\n", what, dcps_error_message());
        abort();
    }
}

/* A name that was understood means the same when it stands alone. */
static void check_spec(const dcps_run_spec *spec)
{
    char text[DCPS_RUN_LABEL_BYTES + 16];
    dcps_run_spec again;
    size_t count = 0;
    (void)snprintf(text, sizeof(text), "%s@%u", spec->name, spec->workers);
    require(dcps_run_specs_parse(text, &again, 1, &count) == DCPS_OK && count == 1, "a run is not understood again");
    require(strcmp(again.name, spec->name) == 0 && again.overrides.count == spec->overrides.count,
            "a run is understood otherwise");
}

static void check_sweep(const char *lines, const dcps_run_spec *specs, size_t count, size_t index)
{
    dcps_sweep sweep;
    dcps_overrides overrides = {.count = 0};
    char text[128];
    if (dcps_sweep_find(lines, specs, count, &specs[index], &sweep) != DCPS_OK) {
        return;
    }
    uint32_t points = dcps_sweep_points(&sweep);
    dcps_sweep_point last = {.number = points - 1};
    require(points >= 1 && points <= DCPS_SWEEP_MAX_POINTS, "a sweep has too few or too many points");
    require(dcps_sweep_apply(&sweep, last, &overrides) == DCPS_OK, "the last point cannot be set");
    require(overrides.count == sweep.count, "a point sets more or less than its options");
    require(strlen(dcps_sweep_describe(&sweep, last, text, sizeof(text))) < sizeof(text), "a text is too long");
    for (uint32_t i = 0; i < sweep.count; i++) {
        (void)dcps_sweep_edge(&sweep, last, i);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static dcps_run_spec specs[DCPS_MAX_RUN_SPECS];
    size_t count = 0;
    char *text = dcps_alloc(size + 1, 1);
    require(text != NULL, "no memory");
    memcpy(text, data, size);
    char *sweeps = memchr(text, '\n', size);
    if (sweeps != NULL) {
        *sweeps++ = '\0';
    }
    if (dcps_run_specs_parse(text, specs, DCPS_MAX_RUN_SPECS, &count) == DCPS_OK) {
        for (size_t i = 0; i < count; i++) {
            check_spec(&specs[i]);
        }
        if (dcps_sweeps_check(sweeps, specs, count) == DCPS_OK) {
            for (size_t i = 0; i < count; i++) {
                check_sweep(sweeps, specs, count, i);
            }
        }
    }
    dcps_free(text);
    return 0;
}
