/* Whether a model and its snapshots fit into a server's memory. */
#include "server/engine/memory.h"

#include <string.h>

#include "server/engine/algorithm.h"
#include "support/check_main.h"

static uint64_t copies_with_backups(const char *preset, uint32_t backups, uint32_t workers)
{
    dcps_algorithm algorithm;
    dcps_rule *rule;
    ck_assert_int_eq(dcps_algorithm_preset(preset, &algorithm), DCPS_OK);
    algorithm.backup_workers = backups;
    ck_assert_int_eq(dcps_rule_create(&algorithm.rule, &rule), DCPS_OK);
    uint64_t copies = dcps_memory_copies(&algorithm, rule, workers);
    dcps_rule_destroy(&rule);
    return copies;
}

static uint64_t copies_of(const char *preset, uint32_t workers)
{
    return copies_with_backups(preset, 0, workers);
}

START_TEST(copies_follow_algorithm_and_workers)
{
    ck_assert_uint_eq(copies_of("asgd", 4), 3 + 4);
    ck_assert_uint_eq(copies_of("ssgd", 4), 3 + 4);                  /* one snapshot for all, and a gradient of each */
    ck_assert_uint_eq(copies_with_backups("ssgd", 2, 4), 3 + 2 + 4); /* … but for those who missed their rounds */
    ck_assert_uint_eq(copies_of("dc-asgd-a", 4), 3 + 1 + 4);         /* a mean square */
    /* DANA: a momentum of each worker and their sum, and the weights apart from what is shown. */
    ck_assert_uint_eq(copies_of("dana-zero", 4), 3 + 1 + 1 + 4 * 2);
}
END_TEST

START_TEST(snapshots_count)
{
    char text[DCPS_MAX_TEXT_BYTES] = "";
    dcps_memory_use use = {.params = 25000000, .copies = 10, .snapshots = 0}; /* 1 GB */
    ck_assert(dcps_memory_holds(&use, 1000000000, text));
    ck_assert(!dcps_memory_holds(&use, 999999999, text));
    use.snapshots = 90; /* 9 GB more */
    ck_assert(dcps_memory_holds(&use, UINT64_C(10000000000), text));
    ck_assert(!dcps_memory_holds(&use, UINT64_C(9999999999), text));
    const char *const words[] = {"90 snapshots of 100.0 MB", "9.0 GB", "1.0 GB", "10.0 GB", "--snapshot-every-samples"};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        ck_assert_msg(strstr(text, words[i]) != NULL, "\"%s\" lacks \"%s\"", text, words[i]);
    }
}
END_TEST

START_TEST(the_largest_model_does_not_wrap)
{
    char text[DCPS_MAX_TEXT_BYTES];
    dcps_memory_use use = {.params = DCPS_MAX_PARAMS, .copies = 3000, .snapshots = UINT32_MAX};
    ck_assert(!dcps_memory_holds(&use, UINT64_C(1) << 50, text));
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {copies_follow_algorithm_and_workers, snapshots_count,
                                  the_largest_model_does_not_wrap};
    return CHECK_MAIN("memory", tests);
}
