/* Runs as files: kept, found, and told from what is no such file. */
#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"
#include "cli/compare/run_store.h"
#include "support/check_main.h"
#include "support/temp_folder.h"

static const char result_text[] =
    "{\"algorithm\":\"asgd\",\"workers\":4,\"seed\":1,\"epochs\":2,\"updates\":10,\"samples\":1200,\"seconds\":0.1,"
    "\"samples_per_second\":3.3333333333333335,\"speedup\":null,\"train_loss\":0.10000000000000001,\"metrics\":{},"
    "\"staleness\":{\"mean\":1.5,\"p50\":1,\"p99\":3,\"max\":4},\"curve\":[]}";

typedef struct fixture {
    temp_folder folder;
    dcps_run_store store;
    dcps_args args;
    dcps_stored_run run;
} fixture;

static void setup(fixture *self)
{
    *self = (fixture){.args = {0}};
    temp_folder_create(&self->folder);
    ck_assert_int_eq(dcps_run_store_init(&self->store, self->folder.path, "1.2"), DCPS_OK);
    dcps_args_add(&self->args, "sim");
    dcps_args_add_flag(&self->args, "workers", "4");
    self->run =
        (dcps_stored_run){.run = json_loads(result_text, 0, NULL), .model = json_string("mlp"), .dataset = json_null()};
}

static void teardown(fixture *self)
{
    dcps_stored_run_fini(&self->run);
    dcps_args_fini(&self->args);
    temp_folder_delete(&self->folder);
}

static dcps_status load(const fixture *self, dcps_stored_run *stored)
{
    return dcps_run_store_load(&self->store, "asgd@4-seed1", &self->args, stored);
}

static void save(const fixture *self)
{
    ck_assert_msg(dcps_run_store_save(&self->store, "asgd@4-seed1", &self->args, &self->run) == DCPS_OK, "%s",
                  dcps_error_message());
}

/* The one file of the store. */
static void find_file(const fixture *self, char *path, size_t capacity)
{
    DIR *dir = opendir(self->store.dir);
    path[0] = '\0';
    for (struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir)) {
        ck_assert_int_eq(dcps_format(path, capacity, "%s/%s", self->store.dir, entry->d_name), DCPS_OK);
        if (strstr(path, ".json") != NULL) {
            break;
        }
    }
    (void)closedir(dir);
    ck_assert_ptr_nonnull(strstr(path, ".json"));
}

START_TEST(test_what_is_kept_comes_back)
{
    fixture self;
    dcps_stored_run stored;
    setup(&self);
    ck_assert_int_eq(load(&self, &stored), DCPS_NOT_FOUND);
    save(&self);
    ck_assert_msg(load(&self, &stored) == DCPS_OK, "%s", dcps_error_message());
    ck_assert(json_equal(stored.run, self.run.run)); /* to the last bit */
    ck_assert_str_eq(json_string_value(stored.model), "mlp");
    ck_assert(json_is_null(stored.dataset));
    dcps_stored_run_fini(&stored);
    /* Other arguments are another run. */
    dcps_args_add(&self.args, "--json");
    ck_assert_int_eq(load(&self, &stored), DCPS_NOT_FOUND);
    teardown(&self);
}
END_TEST

START_TEST(test_names_are_plain)
{
    fixture self;
    char path[PATH_MAX];
    setup(&self);
    ck_assert_int_eq(dcps_run_store_save(&self.store, "../a b/\"c\"\n+x=1,2", &self.args, &self.run), DCPS_OK);
    find_file(&self, path, sizeof(path));
    ck_assert_ptr_nonnull(strstr(path, "/runs/.._a_b__c__+x=1,2-"));
    teardown(&self);
}
END_TEST

START_TEST(test_another_version)
{
    fixture self;
    dcps_stored_run stored;
    setup(&self);
    save(&self);
    self.store.version = "1.3";
    ck_assert_int_eq(load(&self, &stored), DCPS_MISMATCH);
    ck_assert_ptr_nonnull(strstr(dcps_error_message(), "1.2"));
    teardown(&self);
}
END_TEST

/* Be it by the name of the file this one: what it was made with is compared in full. */
START_TEST(test_more_arguments)
{
    fixture self;
    char path[PATH_MAX];
    dcps_stored_run stored;
    setup(&self);
    save(&self);
    find_file(&self, path, sizeof(path));
    json_t *document = json_load_file(path, 0, NULL);
    ck_assert_int_eq(json_array_append_new(json_object_get(document, "arguments"), json_string("--json")), 0);
    ck_assert_int_eq(json_dump_file(document, path, 0), 0);
    json_decref(document);
    ck_assert_int_eq(load(&self, &stored), DCPS_CORRUPT);
    ck_assert_ptr_nonnull(strstr(dcps_error_message(), "its arguments differ"));
    teardown(&self);
}
END_TEST

/* Whatever stands in the file, it is named, and nothing is taken from it. */
START_TEST(test_damage)
{
    static const char *const texts[] = {
        "",
        "{",
        "[]",
        "{\"schema\":\"dcps-run/2\"}",
        "{\"schema\":\"dcps-run/1\",\"version\":\"1.2\",\"arguments\":[\"sim\",\"--workers\"]}",
        "{\"schema\":\"dcps-run/1\",\"version\":\"1.2\",\"arguments\":[\"sim\",\"--workers\",4]}",
        "{\"schema\":\"dcps-run/1\",\"version\":\"1.2\",\"arguments\":[\"sim\",\"--workers\",\"4\"],\"model\":\"m\"}",
        "{\"schema\":\"dcps-run/"
        "1\",\"version\":\"1.2\",\"arguments\":[\"sim\",\"--workers\",\"4\"],\"model\":\"m\",\"dataset\":null}",
        "{\"schema\":\"dcps-run/"
        "1\",\"version\":\"1.2\",\"arguments\":[\"sim\",\"--workers\",\"4\"],\"model\":\"m\",\"dataset\":null,\"run\":{"
        "}}",
        "{\"schema\":\"dcps-run/1\",\"schema\":\"dcps-run/1\"}"};
    fixture self;
    char path[PATH_MAX];
    dcps_stored_run stored;
    setup(&self);
    save(&self);
    find_file(&self, path, sizeof(path));
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        FILE *file = fopen(path, "w");
        (void)fputs(texts[i], file);
        (void)fclose(file);
        ck_assert_msg(load(&self, &stored) == DCPS_CORRUPT, "%s: %s", texts[i], dcps_error_message());
        ck_assert_ptr_nonnull(strstr(dcps_error_message(), path));
    }
    save(&self);
    ck_assert_int_eq(load(&self, &stored), DCPS_OK);
    dcps_stored_run_fini(&stored);
    teardown(&self);
}
END_TEST

/* Nobody writes into a pipe that lies where a result should, so nobody may wait for it. */
START_TEST(test_pipe)
{
    fixture self;
    char path[PATH_MAX];
    dcps_stored_run stored;
    setup(&self);
    save(&self);
    find_file(&self, path, sizeof(path));
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    ck_assert_int_eq(load(&self, &stored), DCPS_CORRUPT);
    ck_assert_ptr_nonnull(strstr(dcps_error_message(), path));
    ck_assert_int_eq(unlink(path), 0);
    teardown(&self);
}
END_TEST

/* Only what it wrote itself. */
START_TEST(test_clear)
{
    fixture self;
    char path[PATH_MAX + 16];
    dcps_stored_run stored;
    setup(&self);
    save(&self);
    (void)snprintf(path, sizeof(path), "%s/notes.json", self.store.dir);
    FILE *file = fopen(path, "w");
    (void)fclose(file);
    ck_assert_int_eq(dcps_run_store_clear(&self.store), DCPS_OK);
    ck_assert_int_eq(load(&self, &stored), DCPS_NOT_FOUND);
    ck_assert_int_eq(unlink(path), 0);
    teardown(&self);
}
END_TEST

START_TEST(test_no_folder)
{
    dcps_run_store store;
    ck_assert_int_eq(dcps_run_store_init(&store, "/proc/nonexistent", "1"), DCPS_IO);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {test_what_is_kept_comes_back,
                                  test_names_are_plain,
                                  test_another_version,
                                  test_more_arguments,
                                  test_damage,
                                  test_pipe,
                                  test_clear,
                                  test_no_folder};
    return CHECK_MAIN("cli run store", tests);
}
