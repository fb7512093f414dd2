#include <string.h>

#include "base/alloc.h"
#include "base/text.h"
#include "worker/data/file_reader.h"
#include "worker/data/find.h"
#include "worker/data/image_files.h"

#define TRAIN_FILES 5u
#define CLASSES 10u

static dcps_status read_records(const char *path, dcps_file_reader *file, uint32_t count, uint8_t *pixels,
                                uint8_t *labels)
{
    uint8_t record[DCPS_CIFAR_RECORD_BYTES];
    for (uint32_t i = 0; i < count; i++) {
        size_t got = 0;
        dcps_status status = dcps_file_reader_read(file, record, sizeof(record), &got);
        if (status != DCPS_OK) {
            return status;
        }
        if (got < sizeof(record)) {
            return dcps_fail(DCPS_CORRUPT, "%s: expected %u records of %zu bytes, the file ends after %zu bytes", path,
                             count, sizeof(record), (size_t)i * sizeof(record) + got);
        }
        if (record[0] >= CLASSES) {
            return dcps_fail(DCPS_CORRUPT, "%s: label %u: expected 0 … %u, seen %u", path, i, CLASSES - 1, record[0]);
        }
        labels[i] = record[0];
        memcpy(pixels + (size_t)i * DCPS_CIFAR_IMAGE_BYTES, record + 1, DCPS_CIFAR_IMAGE_BYTES);
    }
    return DCPS_OK;
}

dcps_status dcps_cifar_read_file(const char *path, uint32_t file_records, uint8_t *pixels, uint8_t *labels)
{
    dcps_file_reader *file = NULL;
    bool at_end = false;
    dcps_status status = dcps_file_reader_open(path, &file);
    if (status == DCPS_OK) {
        status = read_records(path, file, file_records, pixels, labels);
    }
    if (status == DCPS_OK) {
        status = dcps_file_reader_at_end(file, &at_end);
    }
    if (status == DCPS_OK && !at_end) {
        status = dcps_fail(DCPS_CORRUPT, "%s: expected %u records of %u bytes, the file goes on after them", path,
                           file_records, DCPS_CIFAR_RECORD_BYTES);
    }
    dcps_file_reader_close(&file);
    return status;
}

/* `paths` [file_count] into one set. */
static dcps_status read_set(char (*paths)[PATH_MAX], uint32_t file_count, uint32_t file_records, dcps_image_set *set)
{
    uint32_t count = file_count * file_records;
    uint8_t *pixels = dcps_alloc(count, DCPS_CIFAR_IMAGE_BYTES);
    uint8_t *labels = dcps_alloc(count, 1);
    *set =
        (dcps_image_set){.count = count, .height = 32, .width = 32, .channels = 3, .pixels = pixels, .labels = labels};
    if (pixels == NULL || labels == NULL) {
        return dcps_fail(DCPS_NO_MEMORY, "%s: no memory for %u images", paths[0], count);
    }
    dcps_status status = DCPS_OK;
    for (uint32_t i = 0; i < file_count && status == DCPS_OK; i++) {
        size_t first = (size_t)i * file_records;
        status = dcps_cifar_read_file(paths[i], file_records, pixels + first * DCPS_CIFAR_IMAGE_BYTES, labels + first);
    }
    return status;
}

dcps_status dcps_cifar_read(const char *folder, uint32_t file_records, dcps_image_files *files)
{
    char paths[TRAIN_FILES + 1][PATH_MAX];
    for (uint32_t i = 0; i <= TRAIN_FILES; i++) { /* all are looked for before the first is read */
        char name[32];
        dcps_status status = i < TRAIN_FILES ? dcps_format(name, sizeof(name), "data_batch_%u.bin", i + 1)
                                             : dcps_format(name, sizeof(name), "test_batch.bin");
        if (status == DCPS_OK) {
            status = dcps_data_find_file(folder, name, paths[i]);
        }
        if (status != DCPS_OK) {
            return status;
        }
    }
    dcps_status status = read_set(paths, TRAIN_FILES, file_records, &files->train);
    return status == DCPS_OK ? read_set(paths + TRAIN_FILES, 1, file_records, &files->test) : status;
}
