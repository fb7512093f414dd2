/* Plain, gzip and xz files for tests of what reads them. */
#ifndef DCPS_TESTS_SUPPORT_CODED_FILE_H
#define DCPS_TESTS_SUPPORT_CODED_FILE_H

#include <stdint.h>

#include "support/temp_folder.h"

typedef enum coded_form { CODED_PLAIN, CODED_GZIP, CODED_XZ, CODED_FORMS } coded_form;

/* The bytes in a form, for the caller to free. */
uint8_t *coded_make(coded_form form, const void *bytes, size_t count, size_t *coded_count);
/* Writes them to NAME, NAME.gz or NAME.xz; the path of that in `path`. */
void coded_write(const temp_folder *folder, const char *name, coded_form form, const void *bytes, size_t count,
                 char path[TEMP_PATH_BYTES]);
/* Leaves the process so many more bytes of address space than it has now. */
void limit_memory(size_t more_bytes);

#endif
