#include "base/hash.h"

#include <string.h>

#include "support/check_main.h"

/* From the test suite that its authors published. */
START_TEST(published_values)
{
    static const struct {
        const char *text;
        uint64_t hash;
    } known[] = {{"", UINT64_C(0xcbf29ce484222325)},
                 {"a", UINT64_C(0xaf63dc4c8601ec8c)},
                 {"foobar", UINT64_C(0x85944171f73967e8)}};
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        ck_assert(dcps_hash_bytes(DCPS_HASH_START, known[i].text, strlen(known[i].text)) == known[i].hash);
    }
    /* In parts as in one. */
    ck_assert(dcps_hash_bytes(dcps_hash_bytes(DCPS_HASH_START, "foo", 3), "bar", 3) == known[2].hash);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {published_values};
    return CHECK_MAIN("hash", tests);
}
