#include "cli/run/probe_files.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <string.h>

#include "base/folder.h"
#include "base/text.h"

#define PLACE "batch,worker,epoch,learning_rate,staleness,candidate"
#define SUMS                                                                                                           \
    "params,active,against,bounded,flipped,gradient_square,drift_square,change_square,product_square,gradient_drift,"  \
    "gradient_change,gradient_product,change_product,correction_square,correction_gradient,correction_change,"         \
    "correction_product,bounded_square"
#define FITS                                                                                                           \
    "change_cosine,change_share,change_best_scale,change_best_share,product_cosine,product_share,product_best_scale,"  \
    "product_best_share"

static dcps_status open_file(const char *folder, const char *name, const char *head, FILE **file)
{
    char path[PATH_MAX];
    dcps_status status = dcps_format(path, sizeof(path), "%s/%s", folder, name);
    if (status != DCPS_OK) {
        return status;
    }
    *file = fopen(path, "we");
    if (*file == NULL) {
        return dcps_fail(DCPS_IO, "cannot write %s: %s", path, strerror(errno));
    }
    (void)fputs(head, *file);
    return DCPS_OK;
}

dcps_status dcps_probe_files_open(const char *folder, const dcps_schedule *schedule, uint64_t samples_per_epoch,
                                  dcps_probe_files *files)
{
    files->schedule = *schedule;
    files->samples_per_epoch = samples_per_epoch;
    dcps_status status = dcps_folder_make(folder);
    if (status == DCPS_OK) {
        status = open_file(folder, "probe.csv", PLACE "," SUMS "," FITS "\n", &files->all);
    }
    if (status == DCPS_OK) {
        status = open_file(folder, "tensors.csv", PLACE ",tensor," SUMS "," FITS "\n", &files->tensors);
    }
    return status;
}

/* Where the run was. Names of candidates may hold commas, but no quotes. */
static void put_place(FILE *file, const dcps_probe_files *files, const dcps_probe_row *row)
{
    const dcps_world_push *push = row->push;
    (void)fprintf(file, "%" PRIu64 ",%u,%.6g,%.9g,%" PRIu64 ",\"%s\"", push->batch, push->worker,
                  (double)push->seen / (double)files->samples_per_epoch,
                  dcps_schedule_rate(&files->schedule, push->seen, files->samples_per_epoch), push->staleness,
                  row->candidate);
}

static void put_sums(FILE *file, const dcps_probe_sums *sums)
{
    const uint64_t counts[] = {sums->params, sums->active, sums->against, sums->bounded, sums->flipped};
    const double values[] = {sums->gradient_square,     sums->drift_square,      sums->change_square,
                             sums->product_square,      sums->gradient_drift,    sums->gradient_change,
                             sums->gradient_product,    sums->change_product,    sums->correction_square,
                             sums->correction_gradient, sums->correction_change, sums->correction_product,
                             sums->bounded_square};
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        (void)fprintf(file, ",%" PRIu64, counts[i]);
    }
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        (void)fprintf(file, ",%.9g", values[i]);
    }
}

/* What does not exist is left empty. */
static void put_number(FILE *file, double value)
{
    if (isnan(value)) {
        (void)fputc(',', file);
    } else {
        (void)fprintf(file, ",%.6g", value);
    }
}

static void put_fit(FILE *file, const dcps_probe_fit *fit)
{
    put_number(file, fit->cosine);
    put_number(file, fit->share);
    put_number(file, fit->best_scale);
    put_number(file, fit->best_share);
}

void dcps_probe_files_add(void *context, const dcps_probe_row *row)
{
    const dcps_probe_files *files = context;
    const dcps_probe_sums *sums = row->sums;
    FILE *file = row->tensor == NULL ? files->all : files->tensors;
    const dcps_probe_fit change =
        dcps_probe_fit_of(sums->correction_square, sums->correction_change, sums->change_square);
    const dcps_probe_fit product =
        dcps_probe_fit_of(sums->correction_square, sums->correction_product, sums->product_square);
    put_place(file, files, row);
    if (row->tensor != NULL) {
        (void)fprintf(file, ",%s", row->tensor);
    }
    put_sums(file, sums);
    put_fit(file, &change);
    put_fit(file, &product);
    (void)fputc('\n', file);
}

static bool close_file(FILE **file)
{
    bool good = *file == NULL || ferror(*file) == 0;
    good = (*file == NULL || fclose(*file) == 0) && good;
    *file = NULL;
    return good;
}

dcps_status dcps_probe_files_close(dcps_probe_files *files)
{
    bool good = close_file(&files->all);
    good = close_file(&files->tensors) && good;
    return good ? DCPS_OK : dcps_fail(DCPS_IO, "cannot write all of what was probed: is the disk full?");
}
