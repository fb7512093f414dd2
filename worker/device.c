#include "worker/device.h"

#include <stdbool.h>
#include <string.h>

#include "cuda/cuda.h"
#include "tensor/cpu/cpu.h"

#define MAX_DIGITS 4u

typedef struct device_name {
    bool cuda;
    uint32_t index;
} device_name;

/* The digits behind "cuda:". */
static bool read_index(const char *text, uint32_t *index)
{
    size_t digits = strspn(text, "0123456789");
    if (digits == 0 || digits > MAX_DIGITS || text[digits] != '\0') {
        return false;
    }
    *index = 0;
    for (size_t i = 0; i < digits; i++) {
        *index = *index * 10 + (uint32_t)(text[i] - '0');
    }
    return true;
}

static dcps_status read_name(const char *text, device_name *name)
{
    device_name read = {.cuda = strncmp(text, "cuda", 4) == 0};
    if (strcmp(text, "cpu") != 0 && strcmp(text, "cuda") != 0 &&
        !(read.cuda && text[4] == ':' && read_index(text + 5, &read.index))) {
        return dcps_fail(
            DCPS_INVALID,
            "--device %s: expected cpu, cuda or cuda:N, where N counts the GPUs from 0 (nvidia-smi -L lists "
            "them)",
            text);
    }
    *name = read;
    return DCPS_OK;
}

dcps_status dcps_device_check(const char *name)
{
    device_name read = {.cuda = false};
    return read_name(name, &read);
}

dcps_status dcps_compute_open(const char *name, uint32_t threads, dcps_compute *compute)
{
    device_name read = {.cuda = false};
    dcps_status status = read_name(name, &read);
    if (status != DCPS_OK) {
        return status;
    }
    dcps_cpu_set_threads(threads);
    dcps_compute made = {.backend = read.cuda ? dcps_cuda_backend() : dcps_cpu_backend()};
    status = read.cuda ? dcps_cuda_open(read.index, &made.device) : DCPS_OK;
    if (status == DCPS_OK) {
        *compute = made;
    }
    return status;
}

void dcps_compute_close(dcps_compute *compute)
{
    dcps_cuda_close(&compute->device);
    compute->backend = NULL;
}
