#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/text.h"
#include "server/trace/trace.h"
#include "server/trace/row.h"

#define BUFFER_BYTES (256u * 1024u) /* so that a shard writes seldom */

struct dcps_trace_writer {
    FILE *file;
    char *buffer;
    uint64_t origin_ns;
    uint64_t rows;
    char reason[DCPS_TRACE_REASON_BYTES]; /* "" while everything is told */
    char path[PATH_MAX];
};

static dcps_status open_file(dcps_trace_writer *writer)
{
    writer->file = fopen(writer->path, "wxe");
    if (writer->file == NULL) {
        return dcps_fail(DCPS_IO, "cannot write %s: %s", writer->path, strerror(errno));
    }
    (void)setvbuf(writer->file, writer->buffer, _IOFBF, BUFFER_BYTES);
    if (fputs(DCPS_TRACE_HEADING "\n", writer->file) == EOF || fflush(writer->file) != 0) {
        return dcps_fail(DCPS_IO, "cannot write %s: %s", writer->path, strerror(errno));
    }
    return DCPS_OK;
}

dcps_status dcps_trace_writer_create(const char *dir, uint32_t shard, uint64_t origin_ns, dcps_trace_writer **writer)
{
    dcps_trace_writer *made = dcps_alloc(1, sizeof(*made));
    char *buffer = dcps_alloc(BUFFER_BYTES, 1);
    if (made == NULL || buffer == NULL) {
        dcps_free(made);
        dcps_free(buffer);
        return dcps_fail(DCPS_NO_MEMORY, "no memory for the trace of shard %u", shard);
    }
    made->buffer = buffer;
    made->origin_ns = origin_ns;
    dcps_status status = dcps_format(made->path, sizeof(made->path), "%s/shard-%u.csv", dir, shard);
    if (status == DCPS_OK) {
        status = open_file(made);
    }
    if (status != DCPS_OK) {
        if (made->file != NULL) {
            (void)fclose(made->file);
        }
        dcps_free(made->buffer);
        dcps_free(made);
        return status;
    }
    *writer = made;
    return DCPS_OK;
}

void dcps_trace_writer_spoil(dcps_trace_writer *writer, const char *format, ...)
{
    if (writer->reason[0] != '\0') {
        return;
    }
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(writer->reason, sizeof(writer->reason), format, arguments);
    va_end(arguments);
}

void dcps_trace_writer_add(void *context, const dcps_taken *taken, uint64_t now_ns)
{
    dcps_trace_writer *writer = context;
    char line[DCPS_TRACE_ROW_BYTES];
    dcps_trace_row row = {.ns = now_ns - writer->origin_ns, .taken = *taken};
    /* A worker that comes when another has finished already may be given its place. */
    if (taken->incarnation != 1) {
        dcps_trace_writer_spoil(writer, "worker %u was two processes, one after the other", taken->worker);
    }
    size_t length = dcps_trace_row_format(&row, line);
    if (ferror(writer->file) == 0 && fwrite(line, 1, length, writer->file) == length) {
        writer->rows++;
    } else {
        dcps_trace_writer_spoil(writer, "cannot write %.128s: %s", writer->path, strerror(errno));
    }
}

void dcps_trace_writer_close(dcps_trace_writer **writer, uint64_t *rows, char reason[DCPS_TRACE_REASON_BYTES])
{
    dcps_trace_writer *old = *writer;
    if (old == NULL) {
        return;
    }
    if (fclose(old->file) != 0) {
        dcps_trace_writer_spoil(old, "cannot write %.128s: %s", old->path, strerror(errno));
    }
    *rows = old->rows;
    (void)snprintf(reason, DCPS_TRACE_REASON_BYTES, "%s", old->reason);
    dcps_free(old->buffer);
    dcps_free(old);
    *writer = NULL;
}
