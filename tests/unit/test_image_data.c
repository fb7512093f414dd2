/* What becomes of images between the file and the tape: held out, normalised, cropped, mirrored. */
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/rng.h"
#include "dcps/data.h"
#include "support/check_main.h"

enum { COUNT = 6, CHANNELS = 3, HEIGHT = 9, WIDTH = 11, PLANE = HEIGHT * WIDTH, FEATURES = CHANNELS * PLANE, PAD = 2 };

static uint8_t pixels[COUNT * FEATURES];
static uint8_t labels[COUNT];
static dcps_image_set set;

/* Pixels differ enough for every crop to be told from every other. */
static void set_up(void)
{
    dcps_rng rng;
    dcps_rng_seed(&rng, 7);
    for (size_t i = 0; i < sizeof(pixels); i++) {
        pixels[i] = (uint8_t)(dcps_rng_next(&rng) >> 16);
    }
    for (uint8_t i = 0; i < COUNT; i++) {
        labels[i] = (uint8_t)(9 - i);
    }
    set = (dcps_image_set){
        .count = COUNT, .height = HEIGHT, .width = WIDTH, .channels = CHANNELS, .pixels = pixels, .labels = labels};
}

static const dcps_image_norm norm = {.mean = {0.5f, 0.25f, 0.75f}, .deviation = {0.25f, 0.5f, 2.0f}};

static double expected_value(uint32_t sample, int channel, int row, int column, const dcps_image_norm *by)
{
    if (row < 0 || row >= HEIGHT || column < 0 || column >= WIDTH) {
        return 0.0;
    }
    double value = pixels[sample * FEATURES + (uint32_t)(channel * PLANE + row * WIDTH + column)] / 255.0;
    return by == NULL ? value : (value - (double)by->mean[channel]) / (double)by->deviation[channel];
}

typedef struct seen_place {
    int down;
    int right;
    bool flip;
} seen_place;

static bool matches(const float *x, uint32_t sample, seen_place at, const dcps_image_norm *by)
{
    for (int c = 0; c < CHANNELS; c++) {
        for (int i = 0; i < HEIGHT; i++) {
            for (int j = 0; j < WIDTH; j++) {
                int column = at.right + (at.flip ? WIDTH - 1 - j : j);
                double expected = expected_value(sample, c, i + at.down, column, by);
                if (!(fabs((double)x[c * PLANE + i * WIDTH + j] - expected) < 1e-5)) {
                    return false;
                }
            }
        }
    }
    return true;
}

/* Which crop of which mirror image this is: exactly one must fit. */
static seen_place place_of(const float *x, uint32_t sample, int pad, const dcps_image_norm *by)
{
    seen_place found = {0};
    int count = 0;
    for (int down = -pad; down <= pad; down++) {
        for (int right = -pad; right <= pad; right++) {
            for (int flip = 0; flip < 2; flip++) {
                seen_place at = {.down = down, .right = right, .flip = flip == 1};
                if (matches(x, sample, at, by)) {
                    found = at;
                    count++;
                }
            }
        }
    }
    ck_assert_int_eq(count, 1);
    return found;
}

START_TEST(images_are_normalised_by_channel)
{
    dcps_image_batch batch = {0};
    const uint32_t samples[] = {5, 0, 5};
    ck_assert_int_eq(dcps_image_batch_load_augmented(&batch, &set, samples, 3, &norm, NULL), DCPS_OK);
    const size_t dims[] = {3, CHANNELS, HEIGHT, WIDTH};
    ck_assert_mem_eq(batch.dims, dims, sizeof(dims));
    ck_assert_uint_eq(batch.features, FEATURES);
    for (uint32_t i = 0; i < 3; i++) {
        ck_assert(matches(batch.x + i * FEATURES, samples[i], (seen_place){0}, &norm));
        ck_assert_int_eq(batch.y[i], 9 - (int)samples[i]);
    }
    ck_assert_int_eq(dcps_image_batch_load_augmented(&batch, &set, samples, 2, NULL, NULL), DCPS_OK);
    ck_assert_uint_eq(batch.dims[0], 2);
    for (int i = 0; i < FEATURES; i++) { /* the very bits of a plain load */
        ck_assert(batch.x[i] == (float)pixels[5 * FEATURES + i] * (1.0f / 255.0f));
    }
    dcps_image_batch_release(&batch);
}
END_TEST

/* Every place and both sides come up, each about as often as the others. */
START_TEST(crops_and_mirrors_are_uniform)
{
    enum { BATCHES = 500, PLACES = (2 * PAD + 1) * (2 * PAD + 1) };
    uint32_t counts[2][PLACES] = {{0}};
    dcps_image_batch batch = {0};
    const uint32_t samples[] = {0, 1, 2, 3, 4, 5};
    for (uint64_t b = 0; b < BATCHES; b++) {
        dcps_image_augment augment = {.pad = PAD, .flip = true, .seed = 1, .number = b};
        ck_assert_int_eq(dcps_image_batch_load_augmented(&batch, &set, samples, COUNT, &norm, &augment), DCPS_OK);
        for (uint32_t i = 0; i < COUNT; i++) {
            seen_place at = place_of(batch.x + i * FEATURES, samples[i], PAD, &norm);
            counts[at.flip][(at.down + PAD) * (2 * PAD + 1) + at.right + PAD]++;
        }
    }
    double expected = BATCHES * COUNT / (2.0 * PLACES), chi_square = 0.0;
    for (int flip = 0; flip < 2; flip++) {
        for (int i = 0; i < PLACES; i++) {
            chi_square += (counts[flip][i] - expected) * (counts[flip][i] - expected) / expected;
        }
    }
    ck_assert_double_lt(chi_square, 85.4); /* 49 degrees of freedom: one in a thousand is larger */
    dcps_image_batch_release(&batch);
}
END_TEST

START_TEST(each_change_can_be_had_alone)
{
    dcps_image_batch batch = {0};
    const uint32_t samples[] = {3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3};
    int flipped = 0, moved = 0;
    dcps_image_augment flip = {.flip = true, .seed = 5, .number = 1};
    ck_assert_int_eq(dcps_image_batch_load_augmented(&batch, &set, samples, 16, NULL, &flip), DCPS_OK);
    for (int i = 0; i < 16; i++) {
        flipped += place_of(batch.x + i * FEATURES, 3, 0, NULL).flip;
    }
    ck_assert(flipped > 0 && flipped < 16);
    dcps_image_augment crop = {.pad = HEIGHT - 1, .seed = 5, .number = 1};
    ck_assert_int_eq(dcps_image_batch_load_augmented(&batch, &set, samples, 16, &norm, &crop), DCPS_OK);
    for (int i = 0; i < 16; i++) {
        seen_place at = place_of(batch.x + i * FEATURES, 3, HEIGHT - 1, &norm);
        ck_assert(!at.flip);
        moved += at.down != 0 || at.right != 0;
    }
    ck_assert_int_gt(moved, 8);
    dcps_image_batch_release(&batch);
}
END_TEST

/* The i-th image of a batch is treated alike whatever else is in the batch, and unlike in other batches and runs. */
START_TEST(changes_depend_on_seed_number_and_position_alone)
{
    dcps_image_batch long_batch = {0}, short_batch = {0};
    const uint32_t samples[] = {0, 1, 2, 3, 4, 5}, others[] = {5, 5, 2};
    dcps_image_augment augment = {.pad = 4, .flip = true, .seed = 11, .number = 3};
    ck_assert_int_eq(dcps_image_batch_load_augmented(&long_batch, &set, samples, 6, &norm, &augment), DCPS_OK);
    ck_assert_int_eq(dcps_image_batch_load_augmented(&short_batch, &set, others, 3, &norm, &augment), DCPS_OK);
    ck_assert_mem_eq(long_batch.x + 2 * FEATURES, short_batch.x + 2 * FEATURES, FEATURES * sizeof(float));
    for (int change = 0; change < 2; change++) {
        dcps_image_augment other = augment;
        *(change == 0 ? &other.seed : &other.number) += 1;
        int same = 0;
        ck_assert_int_eq(dcps_image_batch_load_augmented(&short_batch, &set, samples, 6, &norm, &other), DCPS_OK);
        for (int i = 0; i < 6; i++) {
            same += memcmp(short_batch.x + i * FEATURES, long_batch.x + i * FEATURES, FEATURES * sizeof(float)) == 0;
        }
        ck_assert_int_le(same, 1); /* of 162 changes each */
    }
    dcps_image_batch_release(&long_batch);
    dcps_image_batch_release(&short_batch);
}
END_TEST

START_TEST(unusable_changes_are_refused)
{
    dcps_image_batch batch = {0};
    const uint32_t sample = 0;
    const float bad_deviations[] = {0.0f, -1.0f, NAN, INFINITY};
    for (int i = 0; i < 4; i++) {
        dcps_image_norm bad = norm;
        bad.deviation[2] = bad_deviations[i];
        ck_assert_int_eq(dcps_image_batch_load_augmented(&batch, &set, &sample, 1, &bad, NULL), DCPS_INVALID);
        ck_assert_ptr_nonnull(strstr(dcps_error_message(), "channel 2"));
    }
    dcps_image_norm bad = norm;
    bad.mean[1] = NAN;
    ck_assert_int_eq(dcps_image_batch_load_augmented(&batch, &set, &sample, 1, &bad, NULL), DCPS_INVALID);
    dcps_image_augment wide = {.pad = HEIGHT};
    ck_assert_int_eq(dcps_image_batch_load_augmented(&batch, &set, &sample, 1, NULL, &wide), DCPS_INVALID);
    ck_assert_ptr_nonnull(strstr(dcps_error_message(), "padded by 9"));
    dcps_image_set many = set;
    many.channels = 5;
    ck_assert_int_eq(dcps_image_batch_load_augmented(&batch, &many, &sample, 1, &norm, NULL), DCPS_INVALID);
    ck_assert_int_eq(dcps_image_norm_measure(&many, &bad), DCPS_INVALID);
    many = set;
    many.count = 0;
    ck_assert_int_eq(dcps_image_norm_measure(&many, &bad), DCPS_INVALID);
    ck_assert_ptr_null(batch.x);
}
END_TEST

START_TEST(mean_and_deviation_are_those_of_the_pixels)
{
    dcps_image_norm measured;
    memset(pixels + FEATURES + PLANE, 200, PLANE); /* not constant: one image of six */
    ck_assert_int_eq(dcps_image_norm_measure(&set, &measured), DCPS_OK);
    for (int c = 0; c < CHANNELS; c++) {
        double mean = 0.0, variance = 0.0, all = COUNT * PLANE;
        for (uint32_t s = 0; s < COUNT; s++) {
            for (int i = 0; i < PLANE; i++) {
                mean += expected_value(s, c, i / WIDTH, i % WIDTH, NULL) / all;
            }
        }
        for (uint32_t s = 0; s < COUNT; s++) {
            for (int i = 0; i < PLANE; i++) {
                variance += pow(expected_value(s, c, i / WIDTH, i % WIDTH, NULL) - mean, 2.0) / all;
            }
        }
        ck_assert_double_eq_tol((double)measured.mean[c], mean, 1e-7);
        ck_assert_double_eq_tol((double)measured.deviation[c], sqrt(variance), 1e-7);
    }
    for (uint32_t s = 0; s < COUNT; s++) {
        memset(pixels + s * FEATURES, 77, PLANE);
    }
    ck_assert_int_eq(dcps_image_norm_measure(&set, &measured), DCPS_OK);
    ck_assert(measured.mean[0] == (float)(77.0 / 255.0));
    ck_assert(measured.deviation[0] == 1.0f);
}
END_TEST

START_TEST(the_first_images_are_kept)
{
    dcps_images images = {.train = set, .test = set, .classes = 10};
    images.test.count = 3;
    const uint32_t limits[] = {0, COUNT + 1, 4, 2}, train[] = {COUNT, COUNT, 4, 2}, test[] = {3, 3, 3, 2};
    for (int i = 0; i < 4; i++) {
        dcps_images_limit(&images, limits[i]);
        ck_assert_uint_eq(images.train.count, train[i]);
        ck_assert_uint_eq(images.test.count, test[i]);
        ck_assert_ptr_eq(images.train.pixels, pixels);
    }
}
END_TEST

START_TEST(the_last_images_are_held_out)
{
    dcps_images images = {.train = set, .test = set, .classes = 10};
    const uint32_t counts[] = {2, 5, 0};
    for (int i = 0; i < 3; i++) { /* one after the other: each divides anew */
        uint32_t kept = COUNT - counts[i];
        ck_assert_int_eq(dcps_images_hold_out(&images, counts[i]), DCPS_OK);
        ck_assert_uint_eq(images.train.count, kept);
        ck_assert_uint_eq(images.validation.count, counts[i]);
        ck_assert_uint_eq(images.validation.width, WIDTH);
        ck_assert_ptr_eq(images.train.pixels, pixels);
        ck_assert_ptr_eq(images.validation.pixels, pixels + kept * FEATURES);
        ck_assert_ptr_eq(images.validation.labels, labels + kept);
        ck_assert_uint_eq(images.test.count, COUNT);
    }
    ck_assert_int_eq(dcps_images_hold_out(&images, 4), DCPS_OK);
    for (uint32_t count = COUNT; count < COUNT + 2; count++) {
        ck_assert_int_eq(dcps_images_hold_out(&images, count), DCPS_INVALID);
    }
    ck_assert_ptr_nonnull(strstr(dcps_error_message(), "of 6 training images, 7"));
    ck_assert_uint_eq(images.validation.count, 4);
    ck_assert_uint_eq(images.train.count, 2);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("image_data");
    TCase *tests = tcase_create("image_data");
    tcase_set_timeout(tests, 60);
    tcase_add_checked_fixture(tests, set_up, NULL);
    tcase_add_test(tests, images_are_normalised_by_channel);
    tcase_add_test(tests, crops_and_mirrors_are_uniform);
    tcase_add_test(tests, each_change_can_be_had_alone);
    tcase_add_test(tests, changes_depend_on_seed_number_and_position_alone);
    tcase_add_test(tests, unusable_changes_are_refused);
    tcase_add_test(tests, mean_and_deviation_are_those_of_the_pixels);
    tcase_add_test(tests, the_first_images_are_kept);
    tcase_add_test(tests, the_last_images_are_held_out);
    suite_add_tcase(suite, tests);
    return check_run(suite);
}
