/* The plugin host: where models are found, and what is refused. TEST_MODELS_DIR holds the variants of support/plugin_variant.c. */
#include <check.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "support/check_main.h"
#include "support/temp_folder.h"
#include "worker/plugin.h"

static void assert_says(const char *const *words)
{
    for (; *words != NULL; words++) {
        ck_assert_msg(strstr(dcps_error_message(), *words) != NULL, "no \"%s\" in: %s", *words, dcps_error_message());
    }
}

static void assert_refused(const char *model, dcps_status status, const char *const *words)
{
    dcps_plugin *plugin = NULL;
    ck_assert_msg(dcps_plugin_open(model, &plugin) == status, "%s: %s", model, dcps_error_message());
    ck_assert_ptr_null(plugin);
    assert_says(words);
}

START_TEST(opens_by_path)
{
    dcps_plugin *plugin = NULL;
    ck_assert_int_eq(dcps_plugin_open(TEST_MODELS_DIR "/variant_good.so", &plugin), DCPS_OK);
    const dcps_model *model = dcps_plugin_model(plugin);
    ck_assert_str_eq(model->name, "variant");
    ck_assert_str_eq(dcps_plugin_path(plugin), TEST_MODELS_DIR "/variant_good.so");
    dcps_model_info info = {0};
    ck_assert_int_eq(model->describe(NULL, &info), DCPS_OK);
    ck_assert_uint_eq(info.train_samples, 1);
    dcps_plugin_close(&plugin);
    ck_assert_ptr_null(plugin);
    dcps_plugin_close(&plugin);
}
END_TEST

START_TEST(opens_relative_paths)
{
    dcps_plugin *plugin = NULL;
    ck_assert_int_eq(chdir(TEST_MODELS_DIR), 0);
    ck_assert_int_eq(dcps_plugin_open("variant_good.so", &plugin), DCPS_OK);
    dcps_plugin_close(&plugin);
}
END_TEST

START_TEST(opens_by_name_from_environment)
{
    dcps_plugin *plugin = NULL;
    ck_assert_int_eq(setenv("DCPS_MODELS", ":/nowhere/at/all:" TEST_MODELS_DIR ":", 1), 0);
    ck_assert_int_eq(dcps_plugin_open("variant_good", &plugin), DCPS_OK);
    ck_assert_str_eq(dcps_plugin_path(plugin), TEST_MODELS_DIR "/variant_good.so");
    dcps_plugin_close(&plugin);
}
END_TEST

START_TEST(unknown_names_list_the_places)
{
    ck_assert_int_eq(setenv("DCPS_MODELS", "/first:/second", 1), 0);
    assert_refused("absent", DCPS_NOT_FOUND,
                   (const char *[]){"absent.so", "/first, /second", "/../lib/dcps/models", "DCPS_MODELS", NULL});
    assert_refused("/no/such/file.so", DCPS_NOT_FOUND, (const char *[]){"/no/such/file.so", NULL});
    assert_refused("", DCPS_INVALID, (const char *[]){"empty", NULL});
    char longest[PATH_MAX + 10];
    memset(longest, 'a', sizeof(longest) - 1);
    longest[sizeof(longest) - 1] = '\0';
    assert_refused(longest, DCPS_NOT_FOUND, (const char *[]){"model aaa", NULL});
}
END_TEST

START_TEST(other_abi_is_refused)
{
    char numbers[64];
    snprintf(numbers, sizeof(numbers), "expected ABI %u, seen %u", DCPS_MODEL_ABI, DCPS_MODEL_ABI + 41);
    assert_refused(TEST_MODELS_DIR "/variant_old_abi.so", DCPS_MISMATCH,
                   (const char *[]){"variant_old_abi.so", numbers, NULL});
}
END_TEST

START_TEST(missing_symbol_is_refused)
{
    assert_refused(TEST_MODELS_DIR "/variant_no_symbol.so", DCPS_INVALID,
                   (const char *[]){"variant_no_symbol.so", "dcps_model_table", NULL});
}
END_TEST

START_TEST(null_function_is_refused)
{
    assert_refused(TEST_MODELS_DIR "/variant_null_function.so", DCPS_INVALID,
                   (const char *[]){"variant_null_function.so", "loss = NULL", NULL});
}
END_TEST

START_TEST(files_that_are_no_plugins_are_refused)
{
    temp_folder folder;
    char path[TEMP_PATH_BYTES];
    temp_folder_create(&folder);
    temp_write(&folder, "empty.so", "", 0, false);
    assert_refused(temp_path(&folder, "empty.so", path), DCPS_CORRUPT, (const char *[]){path, "cut short", NULL});
    char text[200];
    memset(text, 'x', sizeof(text));
    temp_write(&folder, "text.so", text, sizeof(text), false);
    assert_refused(temp_path(&folder, "text.so", path), DCPS_CORRUPT,
                   (const char *[]){path, "ELF", "78 78 78 78", NULL});
    temp_folder_add(&folder, "folder.so");
    assert_refused(temp_path(&folder, "folder.so", path), DCPS_CORRUPT, (const char *[]){path, "regular file", NULL});
    temp_folder_delete(&folder);
}
END_TEST

static size_t slurp(const char *path, uint8_t *bytes, size_t capacity)
{
    FILE *file = fopen(path, "rb");
    ck_assert_ptr_nonnull(file);
    size_t count = fread(bytes, 1, capacity, file);
    fclose(file);
    ck_assert_uint_lt(count, capacity);
    return count;
}

/* A copy that stopped half-way: dlopen itself would die of it. */
START_TEST(cut_plugins_are_refused)
{
    static uint8_t bytes[1 << 20];
    size_t count = slurp(TEST_MODELS_DIR "/variant_good.so", bytes, sizeof(bytes));
    temp_folder folder;
    char path[TEMP_PATH_BYTES];
    temp_folder_create(&folder);
    for (size_t eighth = 1; eighth < 4; eighth++) {
        temp_write(&folder, "cut.so", bytes, count * eighth / 8, false);
        dcps_plugin *plugin = NULL;
        dcps_status status = dcps_plugin_open(temp_path(&folder, "cut.so", path), &plugin);
        /* Debug information at the end of the file is not needed to load it. */
        ck_assert_msg(status == DCPS_CORRUPT || status == DCPS_INVALID || status == DCPS_OK, "cut at %zu/8: %d", eighth,
                      status);
        dcps_plugin_close(&plugin);
    }
    temp_write(&folder, "cut.so", bytes, 100, false);
    assert_refused(temp_path(&folder, "cut.so", path), DCPS_CORRUPT, (const char *[]){path, "cut short", NULL});
    bytes[18] ^= 0x40; /* machine */
    temp_write(&folder, "cut.so", bytes, count, false);
    assert_refused(path, DCPS_CORRUPT, (const char *[]){path, "machine", NULL});
    temp_folder_delete(&folder);
}
END_TEST

static dcps_plugin *opened;

static void opened_close(void)
{
    dcps_plugin_close(&opened);
}

/* A usable table but for `options`; its plugin stays open until the test ends. */
static dcps_model table_of(const dcps_option *options)
{
    ck_assert_int_eq(dcps_plugin_open(TEST_MODELS_DIR "/variant_good.so", &opened), DCPS_OK);
    dcps_model model = *dcps_plugin_model(opened);
    model.options = options;
    return model;
}

START_TEST(each_missing_field_is_named)
{
    dcps_model model = table_of(NULL);
    ck_assert_int_eq(dcps_plugin_check("p.so", &model), DCPS_OK);
#define WITHOUT(field)                                                                                                 \
    do {                                                                                                               \
        dcps_model lacking = model;                                                                                    \
        lacking.field = NULL;                                                                                          \
        ck_assert_int_eq(dcps_plugin_check("p.so", &lacking), DCPS_INVALID);                                           \
        assert_says((const char *[]){"p.so", #field " = NULL", NULL});                                                 \
    } while (0)
    WITHOUT(name);
    WITHOUT(summary);
    WITHOUT(open);
    WITHOUT(describe);
    WITHOUT(declare);
    WITHOUT(load);
    WITHOUT(loss);
    WITHOUT(evaluate);
    WITHOUT(close);
    model.struct_bytes -= 8;
    ck_assert_int_eq(dcps_plugin_check("p.so", &model), DCPS_MISMATCH);
    assert_says((const char *[]){"p.so", "bytes", NULL});
}
END_TEST

START_TEST(unusable_option_tables_are_refused)
{
    const dcps_option good = {
        .name = "size", .type = DCPS_OPTION_INTEGER, .default_text = "3", .help = "h", .minimum = 1, .maximum = 9};
    dcps_option options[3] = {good, {0}, {0}};
    dcps_model model = table_of(options);
    ck_assert_int_eq(dcps_plugin_check("p.so", &model), DCPS_OK);
    options[0].name = "Size";
    ck_assert_int_eq(dcps_plugin_check("p.so", &model), DCPS_INVALID);
    assert_says((const char *[]){"p.so", "option 0", NULL});
    options[0] = options[1] = good;
    ck_assert_int_eq(dcps_plugin_check("p.so", &model), DCPS_INVALID);
    assert_says((const char *[]){"size", "twice", NULL});
    options[1] = (dcps_option){0};
    options[0].type = (dcps_option_type)77;
    ck_assert_int_eq(dcps_plugin_check("p.so", &model), DCPS_INVALID);
    assert_says((const char *[]){"size", "77", NULL});
    options[0] = good;
    options[0].help = NULL;
    ck_assert_int_eq(dcps_plugin_check("p.so", &model), DCPS_INVALID);
    assert_says((const char *[]){"size", "help", NULL});
    options[0] = good;
    options[0].minimum = 10;
    ck_assert_int_eq(dcps_plugin_check("p.so", &model), DCPS_INVALID);
    assert_says((const char *[]){"size", "10 and 9", NULL});
    options[0] = good;
    options[0].default_text = "12";
    ck_assert_int_eq(dcps_plugin_check("p.so", &model), DCPS_INVALID);
    assert_says((const char *[]){"p.so", "default", "size", NULL});
}
END_TEST

START_TEST(unusable_settings_are_refused)
{
    dcps_model model = table_of(NULL);
    dcps_setting settings[12] = {{"epochs", "3"}, {"momentum", "0.9"}, {NULL, NULL}};
    model.settings = settings;
    ck_assert_int_eq(dcps_plugin_check("p.so", &model), DCPS_OK);
    settings[1].name = "lambda"; /* not every algorithm has it */
    ck_assert_int_eq(dcps_plugin_check("p.so", &model), DCPS_INVALID);
    assert_says((const char *[]){"p.so", "setting 1", "lambda", NULL});
    settings[1] = (dcps_setting){"momentum", NULL};
    ck_assert_int_eq(dcps_plugin_check("p.so", &model), DCPS_INVALID);
    assert_says((const char *[]){"p.so", "momentum", "NULL", NULL});
    for (int i = 0; i < 12; i++) {
        settings[i] = (dcps_setting){"epochs", "3"};
    }
    ck_assert_int_eq(dcps_plugin_check("p.so", &model), DCPS_INVALID);
    assert_says((const char *[]){"p.so", "name is NULL", NULL});
}
END_TEST

START_TEST(endless_option_tables_are_refused)
{
    static dcps_option options[70];
    static char names[70][8];
    for (int i = 0; i < 70; i++) {
        snprintf(names[i], sizeof(names[i]), "o%d", i);
        options[i] = (dcps_option){.name = names[i], .type = DCPS_OPTION_FLAG, .default_text = "false", .help = "h"};
    }
    dcps_model model = table_of(options);
    ck_assert_int_eq(dcps_plugin_check("p.so", &model), DCPS_INVALID);
    assert_says((const char *[]){"p.so", "64 options", NULL});
}
END_TEST

START_TEST(failed_allocations_are_survived)
{
    dcps_plugin *plugin = NULL;
    dcps_alloc_fail_after(0);
    ck_assert_int_eq(dcps_plugin_open(TEST_MODELS_DIR "/variant_good.so", &plugin), DCPS_NO_MEMORY);
    ck_assert_ptr_null(plugin);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("plugin");
    TCase *tests = tcase_create("plugin");
    tcase_add_checked_fixture(tests, NULL, opened_close);
    tcase_add_test(tests, opens_by_path);
    tcase_add_test(tests, opens_relative_paths);
    tcase_add_test(tests, opens_by_name_from_environment);
    tcase_add_test(tests, unknown_names_list_the_places);
    tcase_add_test(tests, other_abi_is_refused);
    tcase_add_test(tests, missing_symbol_is_refused);
    tcase_add_test(tests, null_function_is_refused);
    tcase_add_test(tests, files_that_are_no_plugins_are_refused);
    tcase_add_test(tests, cut_plugins_are_refused);
    tcase_add_test(tests, each_missing_field_is_named);
    tcase_add_test(tests, unusable_option_tables_are_refused);
    tcase_add_test(tests, unusable_settings_are_refused);
    tcase_add_test(tests, endless_option_tables_are_refused);
    tcase_add_test(tests, failed_allocations_are_survived);
    suite_add_tcase(suite, tests);
    return check_run(suite);
}
