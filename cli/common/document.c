#include "cli/common/document.h"

#include "base/new_file.h"

#define DCPS_DOCUMENT_DUMP_FLAGS (JSON_INDENT(2) | JSON_REAL_PRECISION(12))

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
