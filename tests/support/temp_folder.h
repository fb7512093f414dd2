/* A folder of a test's own, with files written byte for byte. */
#ifndef DCPS_TESTS_SUPPORT_TEMP_FOLDER_H
#define DCPS_TESTS_SUPPORT_TEMP_FOLDER_H

#include <stdbool.h>
#include <stddef.h>

#define TEMP_PATH_BYTES 256

typedef struct temp_folder {
    char path[TEMP_PATH_BYTES];
} temp_folder;

void temp_folder_create(temp_folder *folder);
/* Deletes it with the files in it and in its folders. */
void temp_folder_delete(temp_folder *folder);
void temp_folder_add(const temp_folder *folder, const char *name);
/* FOLDER/NAME in `path`; returns `path`. */
const char *temp_path(const temp_folder *folder, const char *name, char path[TEMP_PATH_BYTES]);
void temp_write(const temp_folder *folder, const char *name, const void *bytes, size_t count, bool gzip);

#endif
