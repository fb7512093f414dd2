#include "base/text.h"
#include "worker/data/find.h"
#include "worker/data/idx.h"
#include "worker/data/image_files.h"

static dcps_status read_file(const char *folder, const char *prefix, const char *suffix, uint32_t dim_count,
                             dcps_idx *idx, char path[PATH_MAX])
{
    char file[64];
    dcps_status status = dcps_format(file, sizeof(file), "%s-%s-ubyte", prefix, suffix);
    if (status == DCPS_OK) {
        status = dcps_data_find_file(folder, file, path);
    }
    return status == DCPS_OK ? dcps_idx_read(path, dim_count, idx) : status;
}

static dcps_status labels_check(const char *path, const dcps_image_set *set, const dcps_idx *labels, uint32_t classes)
{
    if (labels->dims[0] != set->count) {
        return dcps_fail(DCPS_CORRUPT, "%s: expected one label for each of %u images, seen %u", path, set->count,
                         labels->dims[0]);
    }
    for (uint32_t i = 0; i < labels->dims[0]; i++) {
        if (labels->values[i] >= classes) {
            return dcps_fail(DCPS_CORRUPT, "%s: label %u: expected 0 … %u, seen %u", path, i, classes - 1,
                             labels->values[i]);
        }
    }
    return DCPS_OK;
}

static dcps_status read_set(const char *folder, const char *prefix, uint32_t classes, dcps_image_set *set)
{
    char path[PATH_MAX];
    dcps_idx pixels = {0}, labels = {0};
    dcps_status status = read_file(folder, prefix, "images-idx3", 3, &pixels, path);
    if (status != DCPS_OK) {
        return status;
    }
    *set = (dcps_image_set){.count = pixels.dims[0],
                            .height = pixels.dims[1],
                            .width = pixels.dims[2],
                            .channels = 1,
                            .pixels = pixels.values};
    status = read_file(folder, prefix, "labels-idx1", 1, &labels, path);
    if (status != DCPS_OK) {
        return status;
    }
    set->labels = labels.values;
    return labels_check(path, set, &labels, classes);
}

dcps_status dcps_mnist_read(const char *folder, uint32_t classes, dcps_image_files *files)
{
    dcps_status status = read_set(folder, "train", classes, &files->train);
    if (status == DCPS_OK) {
        status = read_set(folder, "t10k", classes, &files->test);
    }
    if (status != DCPS_OK) {
        return status;
    }
    const dcps_image_set *train = &files->train, *test = &files->test;
    if (train->height != test->height || train->width != test->width) {
        return dcps_fail(DCPS_CORRUPT, "%s: training images are %u × %u, test images %u × %u: expected one size",
                         folder, train->height, train->width, test->height, test->width);
    }
    return DCPS_OK;
}
