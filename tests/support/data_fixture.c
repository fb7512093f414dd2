#include "support/data_fixture.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "support/coded_file.h"

#define RECORD_BYTES 3073u
#define FILE_RECORDS 10000u
#define CLASSES 10u
#define LINE_WORDS 16u

void fixture_cifar10(const temp_folder *folder)
{
    dcps_rng rng;
    dcps_rng_seed(&rng, 10);
    size_t bytes = (size_t)FILE_RECORDS * RECORD_BYTES, coded_bytes = 0;
    uint8_t *records = malloc(bytes);
    ck_assert_ptr_nonnull(records);
    for (uint32_t i = 0; i < CLASSES * RECORD_BYTES; i++) {
        records[i] = (uint8_t)(i % RECORD_BYTES == 0 ? i / RECORD_BYTES : dcps_rng_below(&rng, 256));
    }
    for (size_t filled = CLASSES * RECORD_BYTES; filled < bytes; filled += CLASSES * RECORD_BYTES) {
        memcpy(records + filled, records, CLASSES * RECORD_BYTES);
    }
    uint8_t *coded = coded_make(CODED_GZIP, records, bytes, &coded_bytes);
    free(records);
    for (int i = 0; i < 6; i++) {
        char name[32] = "test_batch.bin.gz";
        if (i > 0) {
            snprintf(name, sizeof(name), "data_batch_%d.bin.gz", i);
        }
        temp_write(folder, name, coded, coded_bytes, false);
    }
    free(coded);
}

void fixture_ptb(const temp_folder *folder, uint32_t vocabulary, uint32_t words)
{
    static const char *const names[] = {"ptb.train.txt", "ptb.valid.txt", "ptb.test.txt"};
    dcps_rng rng;
    dcps_rng_seed(&rng, 20);
    const size_t capacity = (size_t)words * 12 + 1;
    char *text = malloc(capacity);
    ck_assert_ptr_nonnull(text);
    size_t used = 0;
    for (uint32_t i = 0; i < words; i++) {
        uint32_t word = i < vocabulary - 1 ? i : (uint32_t)dcps_rng_below(&rng, vocabulary - 1);
        used += (size_t)snprintf(text + used, capacity - used, i % LINE_WORDS == LINE_WORDS - 1 ? "%u\n" : "%u ", word);
    }
    for (int i = 0; i < 3; i++) {
        temp_write(folder, names[i], text, used, false);
    }
    free(text);
}
