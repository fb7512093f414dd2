#include "cli/common/csv.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/new_file.h"
#include "base/text.h"

static void put_text(FILE *out, const char *text)
{
    if (text[strcspn(text, "\",\r\n")] == '\0') {
        (void)fputs(text, out);
        return;
    }
    (void)fputc('"', out);
    for (; *text != '\0'; text++) {
        if (*text == '"') {
            (void)fputc('"', out);
        }
        (void)fputc(*text, out);
    }
    (void)fputc('"', out);
}

/* "learning-rate=0.1 lambda=2". */
static void put_setting(FILE *out, json_t *object)
{
    char text[1024] = "";
    size_t used = 0;
    const char *name;
    json_t *value;
    json_object_foreach(object, name, value)
    {
        int wrote = json_is_string(value) ? snprintf(text + used, sizeof(text) - used, "%s%s=%s", used > 0 ? " " : "",
                                                     name, json_string_value(value))
                                          : snprintf(text + used, sizeof(text) - used, "%s%s=%.12g",
                                                     used > 0 ? " " : "", name, json_number_value(value));
        used += wrote > 0 && used + (size_t)wrote < sizeof(text) ? (size_t)wrote : 0;
    }
    put_text(out, text);
}

static void put_value(FILE *out, json_t *value)
{
    switch (value == NULL ? JSON_NULL : json_typeof(value)) {
    case JSON_STRING:
        put_text(out, json_string_value(value));
        break;
    case JSON_INTEGER:
        (void)fprintf(out, "%lld", (long long)json_integer_value(value));
        break;
    case JSON_REAL:
        (void)fprintf(out, "%.12g", json_real_value(value));
        break;
    case JSON_TRUE:
    case JSON_FALSE:
        (void)fputs(json_is_true(value) ? "true" : "false", out);
        break;
    case JSON_OBJECT:
        put_setting(out, value);
        break;
    case JSON_NULL:
    case JSON_ARRAY:
    default:
        break;
    }
}

/* The member at a path "staleness.mean". */
static json_t *member(json_t *object, const char *path)
{
    char part[128];
    while (*path != '\0') {
        size_t length = strcspn(path, ".");
        if (dcps_format(part, sizeof(part), "%.*s", (int)length, path) != DCPS_OK) {
            return NULL;
        }
        object = json_object_get(object, part);
        path += length + (path[length] == '.');
    }
    return object;
}

typedef struct column {
    const char *heading;
    const char *path;
} column;

static void put_headings(FILE *out, const column *columns, size_t count)
{
    for (size_t c = 0; c < count; c++) {
        (void)fprintf(out, "%s%s", c > 0 ? "," : "", columns[c].heading);
    }
}

static void put_cells(FILE *out, json_t *object, const column *columns, size_t count)
{
    for (size_t c = 0; c < count; c++) {
        if (c > 0) {
            (void)fputc(',', out);
        }
        put_value(out, member(object, columns[c].path));
    }
}

/* An object whose members are the names of all metrics that any element of `array` has, in the order in which they appear. */
static json_t *metric_names(json_t *names, json_t *array)
{
    size_t index;
    json_t *entry;
    json_array_foreach(array, index, entry)
    {
        const char *name;
        json_t *value;
        json_object_foreach(json_object_get(entry, "metrics"), name, value)
        {
            (void)json_object_set(names, name, value);
        }
    }
    return names;
}

/* A cell for each metric: its value, or with `of` a member of it. */
static void put_metrics(FILE *out, json_t *names, json_t *metrics, const char *of)
{
    const char *name;
    json_t *unused;
    json_object_foreach(names, name, unused)
    {
        json_t *value = json_object_get(metrics, name);
        (void)fputc(',', out);
        put_value(out, of == NULL ? value : json_object_get(value, of));
    }
}

static void put_metric_headings(FILE *out, json_t *names, const char *suffix)
{
    const char *name;
    json_t *unused;
    json_object_foreach(names, name, unused)
    {
        (void)fputc(',', out);
        put_text(out, name);
        (void)fputs(suffix, out);
    }
}

static const column run_columns[] = {{"name", "name"},
                                     {"algorithm", "algorithm"},
                                     {"workers", "workers"},
                                     {"seed", "seed"},
                                     {"setting", "setting"},
                                     {"epochs", "epochs"},
                                     {"updates", "updates"},
                                     {"samples", "samples"},
                                     {"seconds", "seconds"},
                                     {"samples_per_second", "samples_per_second"},
                                     {"speedup", "speedup"},
                                     {"staleness_mean", "staleness.mean"},
                                     {"staleness_p50", "staleness.p50"},
                                     {"staleness_p99", "staleness.p99"},
                                     {"staleness_max", "staleness.max"},
                                     {"failure", "failure"},
                                     {"diverged", "diverged"},
                                     {"restarts", "restarts"},
                                     {"workers_lost", "workers_lost"},
                                     {"train_loss", "train_loss"}};

static void put_run_lines(FILE *out, json_t *names, json_t *runs, const char *phase)
{
    size_t index;
    json_t *run;
    json_array_foreach(runs, index, run)
    {
        (void)fprintf(out, "%s,", phase);
        put_cells(out, run, run_columns, sizeof(run_columns) / sizeof(run_columns[0]));
        put_metrics(out, names, json_object_get(run, "metrics"), NULL);
        (void)fputs("\r\n", out);
    }
}

static void put_runs(FILE *out, json_t *document)
{
    json_t *runs = json_object_get(document, "runs");
    json_t *trials = json_object_get(document, "trials");
    json_t *names = metric_names(metric_names(json_object(), runs), trials);
    (void)fputs("phase,", out);
    put_headings(out, run_columns, sizeof(run_columns) / sizeof(run_columns[0]));
    put_metric_headings(out, names, "");
    (void)fputs("\r\n", out);
    put_run_lines(out, names, trials, "trial");
    put_run_lines(out, names, runs, "final");
    json_decref(names);
}

static void put_curves(FILE *out, json_t *document)
{
    static const column head[] = {{"name", "name"}, {"workers", "workers"}, {"seed", "seed"}};
    static const column point_columns[] = {{"epoch", "epoch"}, {"seconds", "seconds"}, {"train_loss", "train_loss"}};
    json_t *runs = json_object_get(document, "runs");
    json_t *names = metric_names(json_object(), runs);
    size_t r;
    size_t p;
    json_t *run;
    json_t *point;
    put_headings(out, head, sizeof(head) / sizeof(head[0]));
    (void)fputc(',', out);
    put_headings(out, point_columns, sizeof(point_columns) / sizeof(point_columns[0]));
    put_metric_headings(out, names, "");
    (void)fputs("\r\n", out);
    json_array_foreach(runs, r, run)
    {
        json_array_foreach(json_object_get(run, "curve"), p, point)
        {
            put_cells(out, run, head, sizeof(head) / sizeof(head[0]));
            (void)fputc(',', out);
            put_cells(out, point, point_columns, sizeof(point_columns) / sizeof(point_columns[0]));
            put_metrics(out, names, json_object_get(point, "metrics"), NULL);
            (void)fputs("\r\n", out);
        }
    }
    json_decref(names);
}

static void put_summary(FILE *out, json_t *document)
{
    static const column columns[] = {{"name", "name"},
                                     {"algorithm", "algorithm"},
                                     {"workers", "workers"},
                                     {"runs", "runs"},
                                     {"failed", "failed"},
                                     {"diverged", "diverged"},
                                     {"setting", "chosen.setting"},
                                     {"gap_recovered", "gap_recovered.value"},
                                     {"gap_low", "gap_recovered.low"},
                                     {"gap_high", "gap_recovered.high"},
                                     {"gap_state", "gap_recovered.state"},
                                     {"minus_asgd", "minus_asgd.mean"},
                                     {"minus_asgd_se", "minus_asgd.se"},
                                     {"minus_sgd", "minus_sgd.mean"},
                                     {"minus_sgd_se", "minus_sgd.se"},
                                     {"seconds_to_target", "seconds_to_target.mean"},
                                     {"seconds_to_target_se", "seconds_to_target.se"},
                                     {"reached_target", "seconds_to_target.reached"},
                                     {"seconds_short_of_target", "seconds_to_target.short_of"},
                                     {"train_loss", "train_loss.mean"},
                                     {"train_loss_se", "train_loss.se"},
                                     {"seconds", "seconds.mean"},
                                     {"seconds_se", "seconds.se"},
                                     {"samples_per_second", "samples_per_second.mean"},
                                     {"samples_per_second_se", "samples_per_second.se"},
                                     {"speedup", "speedup.mean"},
                                     {"speedup_se", "speedup.se"},
                                     {"staleness_mean", "staleness_mean.mean"},
                                     {"staleness_p99", "staleness_p99.mean"},
                                     {"far_apart", "far_apart"}};
    static const struct {
        const char *member;
        const char *suffix;
    } figures[] = {{"mean", ""}, {"se", "_se"}, {"median", "_median"}, {"min", "_min"}, {"max", "_max"}};
    json_t *rows = json_object_get(document, "summary");
    json_t *names = metric_names(json_object(), rows);
    size_t index;
    json_t *row;
    put_headings(out, columns, sizeof(columns) / sizeof(columns[0]));
    for (size_t i = 0; i < sizeof(figures) / sizeof(figures[0]); i++) {
        put_metric_headings(out, names, figures[i].suffix);
    }
    (void)fputs("\r\n", out);
    json_array_foreach(rows, index, row)
    {
        put_cells(out, row, columns, sizeof(columns) / sizeof(columns[0]));
        for (size_t i = 0; i < sizeof(figures) / sizeof(figures[0]); i++) {
            put_metrics(out, names, json_object_get(row, "metrics"), figures[i].member);
        }
        (void)fputs("\r\n", out);
    }
    json_decref(names);
}

dcps_status dcps_csv_write(json_t *document, const char *dir)
{
    static const struct {
        const char *name;
        void (*put)(FILE *out, json_t *document);
    } tables[] = {{"runs.csv", put_runs}, {"curves.csv", put_curves}, {"summary.csv", put_summary}};
    dcps_status status = DCPS_OK;
    for (size_t i = 0; status == DCPS_OK && i < sizeof(tables) / sizeof(tables[0]); i++) {
        char path[PATH_MAX];
        dcps_new_file made;
        status = dcps_format(path, sizeof(path), "%s/%s", dir, tables[i].name);
        status = status == DCPS_OK ? dcps_new_file_open(&made, path) : status;
        if (status == DCPS_OK) {
            tables[i].put(made.file, document);
            status = dcps_new_file_close(&made, true);
        }
    }
    return status;
}
