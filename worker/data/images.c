#include "dcps/data.h"

#include <string.h>

#include "base/alloc.h"
#include "worker/data/find.h"
#include "worker/data/image_files.h"

/* A data set we know how to find and read. */
typedef struct known_set {
    dcps_data_place place;
    uint32_t classes;
    dcps_status (*read)(const char *folder, uint32_t classes, dcps_image_files *files);
} known_set;

static dcps_status read_cifar10(const char *folder, uint32_t classes, dcps_image_files *files)
{
    (void)classes; /* its labels are always ten */
    return dcps_cifar_read(folder, DCPS_CIFAR_FILE_RECORDS, files);
}

static const known_set known_sets[] = {
    {.place = {.name = "fashion-mnist",
               .marker = "train-images-idx3-ubyte",
               .subfolders = {"fashion-mnist"},
               .system_folder = "/usr/share/datasets/fashion-mnist",
               .advice = "install the Debian package dataset-fashion-mnist, or name its folder with --data"},
     .classes = 10,
     .read = dcps_mnist_read},
    {.place = {.name = "mnist",
               .marker = "train-images-idx3-ubyte",
               .subfolders = {"mnist"},
               .advice = "name the folder with its four idx files (train-images-idx3-ubyte.gz, …) with --data"},
     .classes = 10,
     .read = dcps_mnist_read},
    {.place = {.name = "cifar10",
               .marker = "data_batch_1.bin",
               .subfolders = {"cifar10", "cifar-10-batches-bin"},
               .advice =
                   "unpack the authors' archive of the binary version (cifar-10-binary.tar.gz) into a folder, and "
                   "name that with --data"},
     .classes = 10,
     .read = read_cifar10},
};

/* The public struct is the first member, so that images_close finds the rest: the user may change what it shows. */
typedef struct opened_images {
    dcps_images images;
    dcps_image_files files;
} opened_images;

static dcps_status find_set(const char *name, const known_set **set)
{
    for (size_t i = 0; i < sizeof(known_sets) / sizeof(known_sets[0]); i++) {
        if (strcmp(known_sets[i].place.name, name) == 0) {
            *set = &known_sets[i];
            return DCPS_OK;
        }
    }
    return dcps_fail(DCPS_INVALID, "data set %s: expected fashion-mnist, mnist or cifar10", name);
}

dcps_status dcps_images_find(const char *name, const char *dir, char folder[PATH_MAX])
{
    const known_set *known = NULL;
    dcps_status status = find_set(name, &known);
    return status == DCPS_OK ? dcps_data_find_folder(&known->place, dir, folder) : status;
}

dcps_status dcps_images_open(const char *name, const char *dir, dcps_images **images)
{
    const known_set *known = NULL;
    char folder[PATH_MAX];
    dcps_status status = find_set(name, &known);
    if (status == DCPS_OK) {
        status = dcps_data_find_folder(&known->place, dir, folder);
    }
    if (status != DCPS_OK) {
        return status;
    }
    opened_images *opened = dcps_alloc(1, sizeof(*opened));
    if (opened == NULL) {
        return dcps_fail(DCPS_NO_MEMORY, "data set %s: no memory", name);
    }
    dcps_images *made = &opened->images;
    status = known->read(folder, known->classes, &opened->files);
    if (status != DCPS_OK) {
        dcps_images_close(&made);
        return status;
    }
    *made = (dcps_images){.train = opened->files.train, .test = opened->files.test, .classes = known->classes};
    *images = made;
    return DCPS_OK;
}

void dcps_images_limit(dcps_images *images, uint32_t count)
{
    if (count == 0) {
        return;
    }
    images->train.count = images->train.count < count ? images->train.count : count;
    images->test.count = images->test.count < count ? images->test.count : count;
}

dcps_status dcps_images_hold_out(dcps_images *images, uint32_t count)
{
    dcps_image_set *train = &images->train, *validation = &images->validation;
    uint32_t all = train->count + validation->count;
    if (count >= all) {
        return dcps_fail(DCPS_INVALID, "validation: of %u training images, %u cannot be held out: expected fewer", all,
                         count);
    }
    size_t first = all - count;
    train->count = all - count;
    *validation = *train;
    validation->count = count;
    validation->pixels = train->pixels + first * train->channels * train->height * train->width;
    validation->labels = train->labels + first;
    return DCPS_OK;
}

void dcps_image_files_release(dcps_image_files *files)
{
    const uint8_t *const memory[] = {files->train.pixels, files->train.labels, files->test.pixels, files->test.labels};
    for (size_t i = 0; i < sizeof(memory) / sizeof(memory[0]); i++) {
        dcps_free((void *)memory[i]); /* ours to free, though only shown for reading */
    }
    *files = (dcps_image_files){0};
}

void dcps_images_close(dcps_images **images)
{
    opened_images *opened = (opened_images *)*images;
    if (opened == NULL) {
        return;
    }
    dcps_image_files_release(&opened->files);
    dcps_free(opened);
    *images = NULL;
}
