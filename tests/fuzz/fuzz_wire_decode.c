/* Any bytes as a header: refused, or understood and then said again in the same way; never with memory beyond the arena. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "proto/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static dcps_arena arena;
static uint8_t said[DCPS_MAX_HEADER_BYTES];
static uint8_t said_again[DCPS_MAX_HEADER_BYTES];

static void require(int holds, const char *what)
{
    if (!holds) {
        (void)fprintf(stderr, "%s: %s\n", what, dcps_error_message());
        abort();
    }
}

/* False when a header that unpacks does not fit once its texts are written out in full. */
static int say(const dcps_message *message, uint8_t *out, size_t *length)
{
    dcps_status status = dcps_wire_encode(message, out, DCPS_MAX_HEADER_BYTES, length);
    require(status == DCPS_OK || status == DCPS_LIMIT, "a message that was let in cannot be encoded");
    return status == DCPS_OK;
}

/* The first four bytes are the size of the payload, little endian; the rest is the header. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    dcps_message message;
    size_t length = 0;
    size_t length_again = 0;
    if (arena.memory == NULL) {
        require(dcps_arena_init(&arena, DCPS_WIRE_ARENA_BYTES) == DCPS_OK, "no memory for the arena");
    }
    if (size < 4) {
        return 0;
    }
    size_t payload_bytes = (size_t)data[0] | (size_t)data[1] << 8 | (size_t)data[2] << 16 | (size_t)data[3] << 24;
    uint64_t allocations = dcps_alloc_count();
    dcps_arena_reset(&arena);
    dcps_status status = dcps_wire_decode(data + 4, size - 4, payload_bytes, &arena, &message);
    require(dcps_alloc_count() == allocations, "decoding took heap memory");
    if (status != DCPS_OK || !say(&message, said, &length)) {
        return 0;
    }
    dcps_arena_reset(&arena);
    status = dcps_wire_decode(said, length, payload_bytes, &arena, &message);
    require(status == DCPS_OK, "our own words are refused");
    require(say(&message, said_again, &length_again), "our own words do not fit");
    require(length == length_again && memcmp(said, said_again, length) == 0, "our own words change");
    return 0;
}
