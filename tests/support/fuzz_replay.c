/* Runs a fuzz target over every file of the folders named on the command line: how builds without libFuzzer replay a corpus. */
#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define MAX_INPUT_BYTES (4u * 1024u * 1024u)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint8_t input[MAX_INPUT_BYTES];

/* False when the file cannot be read. */
static int replay_file(const char *folder, const char *name)
{
    char path[4096];
    if ((size_t)snprintf(path, sizeof(path), "%s/%s", folder, name) >= sizeof(path)) {
        return 0;
    }
    FILE *file = fopen(path, "rbe");
    if (file == NULL) {
        return 0;
    }
    size_t bytes = fread(input, 1, sizeof(input), file);
    int failed = ferror(file);
    (void)fclose(file);
    if (failed) {
        return 0;
    }
    (void)fprintf(stderr, "%s: %zu bytes\n", path, bytes); /* the last one named is the one that crashed */
    (void)LLVMFuzzerTestOneInput(input, bytes);
    return 1;
}

static long replay_folder(const char *folder)
{
    DIR *entries = opendir(folder);
    if (entries == NULL) {
        (void)fprintf(stderr, "cannot open the corpus %s: %s\n", folder, strerror(errno));
        return -1;
    }
    long replayed = 0;
    for (struct dirent *entry = readdir(entries); entry != NULL && replayed >= 0; entry = readdir(entries)) {
        if (entry->d_name[0] == '.') {
            continue;
        }
        replayed = replay_file(folder, entry->d_name) ? replayed + 1 : -1;
    }
    (void)closedir(entries);
    return replayed;
}

int main(int argc, char **argv)
{
    long total = 0;
    for (int i = 1; i < argc; i++) {
        long replayed = replay_folder(argv[i]);
        if (replayed < 0) {
            return 1;
        }
        total += replayed;
    }
    printf("%ld inputs replayed\n", total);
    return total > 0 ? 0 : 1; /* an empty corpus tests nothing */
}
