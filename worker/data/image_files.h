/* Readers of image sets in the forms in which they are published. */
#ifndef DCPS_WORKER_DATA_IMAGE_FILES_H
#define DCPS_WORKER_DATA_IMAGE_FILES_H

#include <limits.h>

#include "dcps/data.h"

/* Bytes of a cifar10 record: a label, then 32 rows of 32 for red, green and blue. */
#define DCPS_CIFAR_IMAGE_BYTES 3072u
#define DCPS_CIFAR_RECORD_BYTES (1u + DCPS_CIFAR_IMAGE_BYTES)
/* In each of the published files. */
#define DCPS_CIFAR_FILE_RECORDS 10000u

/* Two sets whose pixels and labels were allocated with dcps_alloc; freed with dcps_image_files_release, which also takes a zeroed one. */
typedef struct dcps_image_files {
    dcps_image_set train;
    dcps_image_set test;
} dcps_image_files;

void dcps_image_files_release(dcps_image_files *files);

/* Where dcps_images_open would read a set from, given the same folder. Errors: DCPS_INVALID (no set of that name), and those of dcps_data_find_folder. */
DCPS_MUST_CHECK dcps_status dcps_images_find(const char *name, const char *dir, char folder[PATH_MAX]);

/* The four idx files of MNIST and its like: {train,t10k}-images-idx3-ubyte and -labels-idx1-ubyte. On failure *files needs a release. Errors name the file: DCPS_NOT_FOUND,
 * DCPS_CORRUPT (also: labels that do not fit the images, sets of different sizes), and those of dcps_idx_read. */
DCPS_MUST_CHECK dcps_status dcps_mnist_read(const char *folder, uint32_t classes, dcps_image_files *files);
/* The binary version of CIFAR-10: data_batch_1.bin … data_batch_5.bin and test_batch.bin, of `file_records` records each. Failures as above. */
DCPS_MUST_CHECK dcps_status dcps_cifar_read(const char *folder, uint32_t file_records, dcps_image_files *files);
/* One of its files into pixels [file_records, 3, 32, 32] and labels [file_records]. */
DCPS_MUST_CHECK dcps_status dcps_cifar_read_file(const char *path, uint32_t file_records, uint8_t *pixels,
                                                 uint8_t *labels);

#endif
