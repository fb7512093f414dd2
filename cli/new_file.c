#include "cli/new_file.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/folder.h"
#include "base/text.h"

#define DCPS_DOCUMENT_DUMP_FLAGS (JSON_INDENT(2) | JSON_REAL_PRECISION(12))

dcps_status dcps_new_file_open(dcps_new_file *made, const char *path)
{
    dcps_status status = dcps_format(made->path, sizeof(made->path), "%s", path);
    if (status == DCPS_OK) {
        status = dcps_format(made->temporary, sizeof(made->temporary), "%s.%ld.tmp", path, (long)getpid());
    }
    if (status != DCPS_OK) {
        return status;
    }
    made->file = fopen(made->temporary, "we");
    return made->file != NULL ? DCPS_OK : dcps_fail(DCPS_IO, "cannot write %s: %s", made->temporary, strerror(errno));
}

dcps_status dcps_new_file_close(dcps_new_file *made, bool good)
{
    int error = errno;
    good = good && !ferror(made->file);
    if (good && (fflush(made->file) != 0 || fsync(fileno(made->file)) != 0)) {
        error = errno;
        good = false;
    }
    if (fclose(made->file) != 0 && good) {
        error = errno;
        good = false;
    }
    made->file = NULL;
    if (good && rename(made->temporary, made->path) != 0) {
        error = errno;
        good = false;
    }
    if (!good) {
        (void)unlink(made->temporary);
        return dcps_fail(DCPS_IO, "cannot write %s: %s", made->path, strerror(error));
    }
    return dcps_folder_sync(made->path);
}

dcps_status dcps_document_write(json_t *document, const char *path)
{
    dcps_new_file made;
    dcps_status status = dcps_new_file_open(&made, path);
    if (status != DCPS_OK) {
        return status;
    }
    bool good = json_dumpf(document, made.file, DCPS_DOCUMENT_DUMP_FLAGS) == 0 && fputc('\n', made.file) != EOF;
    return dcps_new_file_close(&made, good);
}
