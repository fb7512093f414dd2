/* Writes the seeds of fuzz_wire_decode into the folder named on the command line: one message of every type. Run again when the protocol grows. */
#include <stdio.h>
#include <stdlib.h>

#include "base/text.h"
#include "proto/wire.h"
#include "support/wire_samples.h"

static dcps_status write_seed(const char *folder, size_t index)
{
    static uint8_t header[DCPS_MAX_HEADER_BYTES];
    char path[4096];
    size_t length = 0;
    wire_sample sample = wire_sample_at(index);
    dcps_status status = dcps_wire_encode(&sample.message, header, sizeof(header), &length);
    if (status == DCPS_OK) {
        status = dcps_format(path, sizeof(path), "%s/%02zu-%s", folder, index, dcps_message_name(sample.message.type));
    }
    if (status != DCPS_OK) {
        return status;
    }
    const uint8_t size[4] = {(uint8_t)sample.payload_bytes, (uint8_t)(sample.payload_bytes >> 8),
                             (uint8_t)(sample.payload_bytes >> 16), (uint8_t)(sample.payload_bytes >> 24)};
    FILE *file = fopen(path, "wbe");
    if (file == NULL) {
        return dcps_fail(DCPS_IO, "cannot write %s", path);
    }
    size_t written = fwrite(size, 1, sizeof(size), file) + fwrite(header, 1, length, file);
    return fclose(file) == 0 && written == sizeof(size) + length ? DCPS_OK
                                                                 : dcps_fail(DCPS_IO, "cannot write %s", path);
}

int main(int argc, char **argv)
{
    dcps_status status = argc == 2 ? DCPS_OK : dcps_fail(DCPS_INVALID, "usage: make_wire_corpus FOLDER");
    for (size_t i = 0; i < WIRE_SAMPLE_COUNT && status == DCPS_OK; i++) {
        status = write_seed(argv[1], i);
    }
    if (status != DCPS_OK) {
        (void)fprintf(stderr, "%s\n", dcps_error_message());
        return EXIT_FAILURE;
    }
    return EXIT_SUCCESS;
}
