/* Any bytes as a data file: refused with a reason, or read, and then the same whenever it is read again. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/alloc.h"
#include "worker/data/file_reader.h"
#include "worker/data/idx.h"
#include "worker/data/image_files.h"

#define READ_BYTES (UINT64_C(1) << 22)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char path[64];

static void require(int holds, const char *what)
{
    if (!holds) {
        (void)fprintf(stderr, "%s: %s\n", what, dcps_error_message());
        abort();
    }
}

static void put(const uint8_t *data, size_t size)
{
    static int fd = -1;
    if (fd < 0) {
        fd = memfd_create("data", MFD_CLOEXEC);
        (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    }
    require(fd >= 0 && ftruncate(fd, 0) == 0 && pwrite(fd, data, size, 0) == (ssize_t)size, "no file for the input");
}

static dcps_status read_bytes(uint8_t **bytes, size_t *count)
{
    dcps_file_reader *reader = NULL;
    dcps_status status = dcps_file_reader_open(path, &reader);
    if (status == DCPS_OK) {
        status = dcps_file_reader_read_grown(reader, READ_BYTES, bytes, count);
    }
    dcps_file_reader_close(&reader);
    return status;
}

static void try_reader(void)
{
    uint8_t *bytes = NULL, *again = NULL;
    size_t count = 0, count_again = 0;
    dcps_status status = read_bytes(&bytes, &count);
    require(read_bytes(&again, &count_again) == status, "another answer the second time");
    if (status == DCPS_OK) {
        require(count == count_again && memcmp(bytes, again, count) == 0, "other bytes the second time");
    } else {
        require(bytes == NULL && strstr(dcps_error_message(), path) != NULL, "refused without naming the file");
    }
    dcps_free(bytes);
    dcps_free(again);
}

static void try_idx(uint32_t dim_count)
{
    dcps_idx idx = {0};
    if (dcps_idx_read(path, dim_count, &idx) != DCPS_OK) {
        require(idx.values == NULL && strstr(dcps_error_message(), path) != NULL, "refused without naming the file");
        return;
    }
    size_t product = 1;
    for (uint32_t i = 0; i < dim_count; i++) {
        product *= idx.dims[i];
    }
    require(product > 0 && product == idx.value_bytes, "dims that do not fit the values");
    volatile uint8_t last = idx.values[product - 1]; /* the sanitizer's to check */
    (void)last;
    dcps_idx_release(&idx);
}

static void try_cifar(void)
{
    static uint8_t pixels[2 * DCPS_CIFAR_IMAGE_BYTES];
    uint8_t labels[2];
    for (uint32_t records = 1; records <= 2; records++) {
        if (dcps_cifar_read_file(path, records, pixels, labels) == DCPS_OK) {
            require(labels[0] < 10 && labels[records - 1] < 10, "a label beyond nine was let in");
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    put(data, size);
    try_reader();
    try_idx(1);
    try_idx(3);
    try_cifar();
    return 0;
}
