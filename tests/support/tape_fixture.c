#include "support/tape_fixture.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/rng.h"

static void on_final(void *context, uint64_t first, uint64_t count)
{
    tape_fixture *fixture = context;
    ck_assert_uint_lt(fixture->finals, FIXTURE_MAX_FINALS);
    ck_assert_uint_le(first + count, fixture->params);
    fixture->final_first[fixture->finals] = first;
    fixture->final_count[fixture->finals++] = count;
    memcpy(fixture->at_final + first, fixture->gradient + first, count * sizeof(float));
}

void fill_random(float *values, size_t count, uint64_t seed)
{
    dcps_rng rng;
    dcps_rng_seed(&rng, seed);
    for (size_t i = 0; i < count; i++) {
        values[i] = (float)(2.0 * dcps_rng_uniform(&rng) - 1.0);
    }
}

static void add_tensors(dcps_layout *layout, const char *shapes)
{
    for (int number = 0; *shapes != '\0'; number++) {
        size_t dims[DCPS_LAYOUT_MAX_DIMS];
        uint32_t dim_count = 0;
        char name[16], *end;
        bool averaged = *shapes == '~';
        shapes += averaged;
        while (*shapes != '\0' && *shapes != ';') {
            dims[dim_count++] = strtoul(shapes, &end, 10);
            shapes = *end == ',' ? end + 1 : end;
        }
        shapes += *shapes == ';';
        snprintf(name, sizeof(name), "t%d", number);
        ck_assert_int_eq(averaged ? dcps_layout_add_average(layout, name, DCPS_INIT_ZERO, 0.1f, dim_count, dims, NULL)
                                  : dcps_layout_add(layout, name, DCPS_INIT_ZERO, dim_count, dims, NULL),
                         DCPS_OK);
    }
}

void tape_fixture_init(tape_fixture *fixture, const char *shapes, const dcps_backend *backend)
{
    tape_fixture_init_on(fixture, shapes, backend, NULL);
}

void tape_fixture_init_on(tape_fixture *fixture, const char *shapes, const dcps_backend *backend, dcps_device *device)
{
    *fixture = (tape_fixture){0};
    ck_assert_int_eq(dcps_layout_create(&fixture->layout), DCPS_OK);
    add_tensors(fixture->layout, shapes);
    fixture->params = dcps_layout_total_params(fixture->layout);
    fixture->weights = dcps_alloc_aligned(fixture->params, sizeof(float));
    fixture->gradient = dcps_alloc_aligned(fixture->params, sizeof(float));
    fixture->at_final = dcps_alloc_aligned(fixture->params, sizeof(float));
    fill_random(fixture->weights, fixture->params, 7);
    for (uint64_t i = 0; i < fixture->params; i++) {
        fixture->gradient[i] = fixture->at_final[i] = NAN;
    }
    dcps_tape_config config = {.layout = fixture->layout,
                               .weights = fixture->weights,
                               .gradient = fixture->gradient,
                               .backend = backend,
                               .device = device,
                               .gradient_final = on_final,
                               .context = fixture};
    ck_assert_int_eq(dcps_tape_create(&config, &fixture->tape), DCPS_OK);
    config.gradient = NULL;
    ck_assert_int_eq(dcps_tape_create(&config, &fixture->evaluation), DCPS_OK);
}

void tape_fixture_fini(tape_fixture *fixture)
{
    dcps_tape_destroy(&fixture->tape);
    dcps_tape_destroy(&fixture->evaluation);
    dcps_layout_destroy(&fixture->layout);
    dcps_free(fixture->weights);
    dcps_free(fixture->gradient);
    dcps_free(fixture->at_final);
}
