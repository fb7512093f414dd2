#include "dcps/data.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/text.h"
#include "worker/data/idx.h"

/* A data set we know how to find. */
typedef struct known_set {
    const char *name;
    uint32_t classes;
    const char *system_folder; /* where a Debian package puts it; NULL: none does */
    const char *advice;        /* ends the error when it is not found */
} known_set;

static const known_set known_sets[] = {
    {"fashion-mnist", 10, "/usr/share/datasets/fashion-mnist",
     "install the Debian package dataset-fashion-mnist, or name its folder with --data"},
    {"mnist", 10, NULL, "name the folder with its four idx files (train-images-idx3-ubyte.gz, …) with --data"},
};

/* The public struct is the first member, so that images_close finds the rest. */
typedef struct image_files {
    dcps_images images;
    dcps_idx pixels[2]; /* train, test */
    dcps_idx labels[2];
} image_files;

static dcps_status find_set(const char *name, const known_set **set)
{
    for (size_t i = 0; i < sizeof known_sets / sizeof known_sets[0]; i++)
        if (strcmp(known_sets[i].name, name) == 0) {
            *set = &known_sets[i];
            return DCPS_OK;
        }
    return dcps_fail(DCPS_INVALID, "data set %s: expected fashion-mnist or mnist", name);
}

/* FOLDER/FILE or FOLDER/FILE.gz, whichever is there. */
static bool find_file(const char *folder, const char *file, char path[PATH_MAX])
{
    return (dcps_format(path, PATH_MAX, "%s/%s", folder, file) == DCPS_OK && access(path, F_OK) == 0) ||
           (dcps_format(path, PATH_MAX, "%s/%s.gz", folder, file) == DCPS_OK && access(path, F_OK) == 0);
}

/* The folder with the set: DIR/NAME, DIR, or the system's. The training images stand for all four files. */
static dcps_status find_folder(const known_set *set, const char *dir, char folder[PATH_MAX])
{
    char path[PATH_MAX], places[2 * PATH_MAX] = "";
    if (dir != NULL) {
        dcps_status status = dcps_format(folder, PATH_MAX, "%s/%s", dir, set->name);
        if (status != DCPS_OK || find_file(folder, "train-images-idx3-ubyte", path))
            return status;
        status = dcps_format(folder, PATH_MAX, "%s", dir);
        if (status != DCPS_OK || find_file(folder, "train-images-idx3-ubyte", path))
            return status;
        status = dcps_format(places, sizeof places, "%s/%s or %s", dir, set->name, dir);
        if (status != DCPS_OK)
            return status;
    }
    if (set->system_folder != NULL) {
        dcps_status status = dcps_format(folder, PATH_MAX, "%s", set->system_folder);
        if (status != DCPS_OK || find_file(folder, "train-images-idx3-ubyte", path))
            return status;
    }
    return dcps_fail(DCPS_NOT_FOUND, "data set %s: no train-images-idx3-ubyte[.gz] in %s%s%s: %s", set->name,
                     dir == NULL && set->system_folder == NULL ? "any folder (none was given)" : places,
                     dir != NULL && set->system_folder != NULL ? " or " : "",
                     set->system_folder == NULL ? "" : set->system_folder, set->advice);
}

static dcps_status read_file(const char *folder, const char *prefix, const char *suffix, uint32_t dim_count,
                             dcps_idx *idx, char path[PATH_MAX])
{
    char file[64];
    dcps_status status = dcps_format(file, sizeof file, "%s-%s-ubyte", prefix, suffix);
    if (status != DCPS_OK)
        return status;
    if (!find_file(folder, file, path))
        return dcps_fail(DCPS_NOT_FOUND, "%s/%s[.gz] is missing", folder, file);
    return dcps_idx_read(path, dim_count, idx);
}

static dcps_status labels_check(const char *path, const dcps_idx *pixels, const dcps_idx *labels, uint32_t classes)
{
    if (labels->dims[0] != pixels->dims[0])
        return dcps_fail(DCPS_CORRUPT, "%s: expected one label for each of %u images, seen %u", path, pixels->dims[0],
                         labels->dims[0]);
    for (uint32_t i = 0; i < labels->dims[0]; i++)
        if (labels->values[i] >= classes)
            return dcps_fail(DCPS_CORRUPT, "%s: label %u: expected 0 … %u, seen %u", path, i, classes - 1,
                             labels->values[i]);
    return DCPS_OK;
}

static dcps_status read_set(const char *folder, const char *prefix, uint32_t classes, dcps_idx *pixels,
                            dcps_idx *labels, dcps_image_set *set)
{
    char path[PATH_MAX];
    dcps_status status = read_file(folder, prefix, "images-idx3", 3, pixels, path);
    if (status == DCPS_OK)
        status = read_file(folder, prefix, "labels-idx1", 1, labels, path);
    if (status == DCPS_OK)
        status = labels_check(path, pixels, labels, classes);
    if (status != DCPS_OK)
        return status;
    *set = (dcps_image_set){.count = pixels->dims[0],
                            .height = pixels->dims[1],
                            .width = pixels->dims[2],
                            .channels = 1,
                            .pixels = pixels->values,
                            .labels = labels->values};
    return DCPS_OK;
}

static dcps_status read_both(const char *folder, const known_set *known, image_files *files)
{
    dcps_images *images = &files->images;
    images->classes = known->classes;
    dcps_status status =
        read_set(folder, "train", known->classes, &files->pixels[0], &files->labels[0], &images->train);
    if (status == DCPS_OK)
        status = read_set(folder, "t10k", known->classes, &files->pixels[1], &files->labels[1], &images->test);
    if (status != DCPS_OK)
        return status;
    if (images->train.height != images->test.height || images->train.width != images->test.width)
        return dcps_fail(DCPS_CORRUPT, "%s: training images are %u × %u, test images %u × %u: expected one size",
                         folder, images->train.height, images->train.width, images->test.height, images->test.width);
    return DCPS_OK;
}

dcps_status dcps_images_open(const char *name, const char *dir, dcps_images **images)
{
    const known_set *known = NULL;
    char folder[PATH_MAX];
    dcps_status status = find_set(name, &known);
    if (status == DCPS_OK)
        status = find_folder(known, dir, folder);
    if (status != DCPS_OK)
        return status;
    image_files *files = dcps_alloc(1, sizeof *files);
    if (files == NULL)
        return dcps_fail(DCPS_NO_MEMORY, "data set %s: no memory", name);
    dcps_images *made = &files->images;
    status = read_both(folder, known, files);
    if (status != DCPS_OK) {
        dcps_images_close(&made);
        return status;
    }
    *images = made;
    return DCPS_OK;
}

void dcps_images_close(dcps_images **images)
{
    image_files *files = (image_files *)*images;
    if (files == NULL)
        return;
    for (int i = 0; i < 2; i++) {
        dcps_idx_release(&files->pixels[i]);
        dcps_idx_release(&files->labels[i]);
    }
    dcps_free(files);
    *images = NULL;
}
