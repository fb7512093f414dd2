/* Reads data files from beginning to end: plain, gzip or xz, told apart by their first bytes. */
#ifndef DCPS_WORKER_DATA_FILE_READER_H
#define DCPS_WORKER_DATA_FILE_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dcps/status.h"

/* Used by one thread at a time. After a failure it can only be closed. All its errors name the file. */
typedef struct dcps_file_reader dcps_file_reader;

/* Opens a regular file. One whose name ends in .gz or .xz must be of that form; others may be of any. Errors: DCPS_NOT_FOUND, DCPS_IO, DCPS_CORRUPT (its name says another
 * form than its first bytes), DCPS_LIMIT (path too long), DCPS_NO_MEMORY. */
DCPS_MUST_CHECK dcps_status dcps_file_reader_open(const char *path, dcps_file_reader **reader);
void dcps_file_reader_close(dcps_file_reader **reader);

/* A sum over all files that this process has opened so far, each time, of a digest of path, size and time of last change: what it grows by while data are opened tells these files from
 * others in their place. From any thread. */
uint64_t dcps_file_reader_digest(void);

/* Reads `bytes` decoded bytes; *got is less only at the end of the file, whose checksums have then been found good. Errors: DCPS_CORRUPT (cut short, damaged, or going on
 * after its end), DCPS_IO, DCPS_NO_MEMORY, DCPS_LIMIT (an xz file that takes too much memory to decode), DCPS_UNSUPPORTED (a kind of xz that this liblzma does not know). */
DCPS_MUST_CHECK dcps_status dcps_file_reader_read(dcps_file_reader *reader, void *out, size_t bytes, size_t *got);
/* The same into memory of its own that grows as bytes arrive, so that a `most_bytes` which the file lies about takes none. The caller frees *out with dcps_free. */
DCPS_MUST_CHECK dcps_status dcps_file_reader_read_grown(dcps_file_reader *reader, uint64_t most_bytes, uint8_t **out,
                                                        size_t *got);
/* Whether all has been read. Errors as above: it reads on, and so checks the sums at the end. */
DCPS_MUST_CHECK dcps_status dcps_file_reader_at_end(dcps_file_reader *reader, bool *at_end);

#endif
