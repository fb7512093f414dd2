/* Rules to probe, good and hostile; and the files that findings go to. */
#include <stdio.h>
#include <string.h>

#include "cli/run/probe_files.h"
#include "cli/run/probe_rules.h"
#include "support/check_main.h"
#include "support/temp_folder.h"

START_TEST(test_list_of_rules)
{
    dcps_probe_rule rules[DCPS_MAX_PROBE_RULES];
    uint32_t count = 0;
    ck_assert_int_eq(
        dcps_probe_rules_parse(
            "dc-c:lambda=0.5;gap-aware;dc-b,gap-aware:lambda=512:correction-bound=2;dc-a:mean-square-decay=0.5", rules,
            &count),
        DCPS_OK);
    ck_assert_uint_eq(count, 4);
    ck_assert_str_eq(rules[0].name, "dc-c:lambda=0.5");
    ck_assert_int_eq(rules[0].config.compensation, DCPS_COMPENSATE_DC_C);
    ck_assert(rules[0].config.lambda == 0.5);
    ck_assert_int_eq(rules[1].config.compensation, DCPS_COMPENSATE_GAP_AWARE);
    ck_assert_int_eq(rules[2].config.compensation, DCPS_COMPENSATE_DC_B);
    ck_assert_int_eq(rules[2].config.then, DCPS_COMPENSATE_GAP_AWARE);
    ck_assert(rules[2].config.lambda == 512.0 && rules[2].config.correction_bound == 2.0);
    ck_assert(rules[3].config.lambda == 2.0 && rules[3].config.mean_square_decay == 0.5); /* its preset's λ₀ */
}
END_TEST

START_TEST(test_hostile_rules)
{
    static const struct {
        const char *text;
        const char *named; /* in the message */
    } cases[] = {{"", "0 characters"},
                 {";", "0 characters"},
                 {"dc-c;", "0 characters"},
                 {"dc-z", "'dc-z'"},
                 {"dc-c,", "'dc-c,'"},
                 {"dc-c,dc-a", "twice"},
                 {":lambda=1", "':lambda=1'"},
                 {"dc-c:", "'dc-c:'"},
                 {"dc-c:lambda", "'lambda' is no setting"},
                 {"dc-c:lambda=", "'dc-c:lambda='"},
                 {"dc-c:lambda=x", "\"x\""},
                 {"dc-c:lambda=-1", "lambda"},
                 {"dc-c:lambda=nan", "nan"},
                 {"dc-c:lambda=1e99", "lambda"},
                 {"dc-a:mean-square-decay=1", "decay"},
                 {"dc-c:lambd=1", "'lambd=1' is no setting"},
                 {"dc-c:lambda2=1", "'lambda2=1' is no setting"},
                 {"dc-c:=1", "'=1' is no setting"},
                 {"dc-c;dc-c\n", "dc-c\n"}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        dcps_probe_rule rules[DCPS_MAX_PROBE_RULES];
        uint32_t count = 77;
        ck_assert_msg(dcps_probe_rules_parse(cases[i].text, rules, &count) == DCPS_INVALID, "'%s' was taken",
                      cases[i].text);
        ck_assert_msg(strstr(dcps_error_message(), cases[i].named) != NULL, "'%s': %s", cases[i].text,
                      dcps_error_message());
        ck_assert_ptr_nonnull(strstr(dcps_error_message(), "--probe-rules"));
        ck_assert_uint_eq(count, 77);
    }
}
END_TEST

START_TEST(test_too_much)
{
    dcps_probe_rule rules[DCPS_MAX_PROBE_RULES];
    uint32_t count = 0;
    char text[5 * (DCPS_MAX_PROBE_RULES + 1)]; /* "dc-c;" so many times */
    char digits[DCPS_PROBE_NAME_BYTES + 16];
    for (size_t i = 0; i < sizeof(text); i++) {
        text[i] = "dc-c;"[i % 5];
    }
    text[5 * DCPS_MAX_PROBE_RULES - 1] = '\0';
    ck_assert_int_eq(dcps_probe_rules_parse(text, rules, &count), DCPS_OK);
    ck_assert_uint_eq(count, DCPS_MAX_PROBE_RULES);
    text[5 * DCPS_MAX_PROBE_RULES - 1] = ';';
    text[sizeof(text) - 1] = '\0';
    ck_assert_int_eq(dcps_probe_rules_parse(text, rules, &count), DCPS_INVALID);
    ck_assert_ptr_nonnull(strstr(dcps_error_message(), "more than 32"));
    memset(digits, '0', sizeof(digits));
    memcpy(digits, "dc-c:lambda=", strlen("dc-c:lambda="));
    digits[DCPS_PROBE_NAME_BYTES - 1] = '\0';
    ck_assert_int_eq(dcps_probe_rules_parse(digits, rules, &count), DCPS_OK);
    digits[DCPS_PROBE_NAME_BYTES - 1] = '0';
    digits[DCPS_PROBE_NAME_BYTES] = '\0';
    ck_assert_int_eq(dcps_probe_rules_parse(digits, rules, &count), DCPS_INVALID);
}
END_TEST

static uint32_t fields_of(const char *line)
{
    uint32_t fields = 1;
    bool quoted = false;
    for (; *line != '\0'; line++) {
        quoted = quoted != (*line == '"');
        fields += *line == ',' && !quoted ? 1 : 0;
    }
    return fields;
}

/* Reads the head and the only line of a file. */
static void read_lines(const temp_folder *folder, const char *name, char head[1024], char line[1024])
{
    char path[4096];
    (void)snprintf(path, sizeof(path), "%s/deep/%s", folder->path, name);
    FILE *file = fopen(path, "r");
    ck_assert_ptr_nonnull(file);
    ck_assert_ptr_nonnull(fgets(head, 1024, file));
    ck_assert_ptr_nonnull(fgets(line, 1024, file));
    ck_assert_int_eq(fgetc(file), EOF);
    (void)fclose(file);
}

START_TEST(test_files)
{
    const dcps_schedule schedule = {
        .base = 0.5, .workers = 4, .decay_factor = 0.1, .decay_count = 1, .decay_epochs = {2.0}};
    const dcps_world_push push = {.worker = 3, .batch = 41, .samples = 10, .seen = 250, .staleness = 6};
    const dcps_probe_sums sums = {
        .params = 9, .change_square = 10.0, .correction_square = 2.0, .correction_change = 4.0};
    dcps_probe_row row = {.push = &push, .candidate = "dc-b,gap-aware:lambda=512", .sums = &sums};
    dcps_probe_files files = {.all = NULL};
    char head[1024], line[1024], deep[4096];
    temp_folder folder;
    temp_folder_create(&folder);
    (void)snprintf(deep, sizeof(deep), "%s/deep", folder.path);
    ck_assert_int_eq(dcps_probe_files_close(&files), DCPS_OK); /* none is open */
    ck_assert_int_eq(dcps_probe_files_open(deep, &schedule, 100, &files), DCPS_OK);
    dcps_probe_files_add(&files, &row);
    row.tensor = "fc1.weight";
    dcps_probe_files_add(&files, &row);
    ck_assert_int_eq(dcps_probe_files_close(&files), DCPS_OK);
    read_lines(&folder, "probe.csv", head, line);
    ck_assert_uint_eq(fields_of(line), fields_of(head));
    ck_assert_ptr_nonnull(strstr(line, "41,3,2.5,0.05,6,\"dc-b,gap-aware:lambda=512\",9,"));
    ck_assert_ptr_nonnull(
        strstr(line, ",0.894427,0.6,2,0.8,,,,\n")); /* as of test_probe; of the product, nothing exists */
    read_lines(&folder, "tensors.csv", head, line);
    ck_assert_uint_eq(fields_of(line), fields_of(head));
    ck_assert_ptr_nonnull(strstr(line, "\"dc-b,gap-aware:lambda=512\",fc1.weight,9,"));
    temp_folder_delete(&folder);
}
END_TEST

START_TEST(test_unwritable)
{
    const dcps_schedule schedule = {.base = 0.5, .workers = 4, .decay_factor = 1.0};
    dcps_probe_files files = {.all = NULL};
    ck_assert_int_eq(dcps_probe_files_open("/dev/null/probe", &schedule, 100, &files), DCPS_IO);
    ck_assert_ptr_nonnull(strstr(dcps_error_message(), "/dev/null"));
    ck_assert_int_eq(dcps_probe_files_close(&files), DCPS_OK);
    files.all = fopen("/dev/full", "w");
    ck_assert_ptr_nonnull(files.all);
    (void)fputs("head", files.all);
    ck_assert_int_eq(dcps_probe_files_close(&files), DCPS_IO);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {test_list_of_rules, test_hostile_rules, test_too_much, test_files, test_unwritable};
    return CHECK_MAIN("probe of dcps sim", tests);
}
