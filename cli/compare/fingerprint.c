#include "cli/compare/fingerprint.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "base/regular_file.h"
#include "base/text.h"
#include "cli/common/programs.h"
#include "worker/plugin.h"

static dcps_status add_file(const char *path, uint64_t *hash)
{
    unsigned char bytes[65536];
    FILE *file;
    dcps_status status = dcps_regular_file_stream(path, &file);
    if (status != DCPS_OK) {
        return status;
    }
    size_t got;
    while ((got = fread(bytes, 1, sizeof(bytes), file)) > 0) {
        *hash = dcps_hash_bytes(*hash, bytes, got);
    }
    bool failed = ferror(file) != 0;
    (void)fclose(file);
    return failed ? dcps_fail(DCPS_IO, "cannot read %s", path) : DCPS_OK;
}

/* The processes of a real run. */
static dcps_status add_programs(const char *program_dir, uint64_t *hash)
{
    static const char *const names[] = {"dcps-server", "dcps-worker"};
    dcps_status status = DCPS_OK;
    for (size_t i = 0; status == DCPS_OK && i < sizeof(names) / sizeof(names[0]); i++) {
        char path[PATH_MAX];
        status = dcps_program_find(program_dir, names[i], path, sizeof(path));
        status = status == DCPS_OK ? add_file(path, hash) : status;
    }
    return status;
}

dcps_status dcps_fingerprint_build(const char *version, const char *model, const char *program_dir, char *out,
                                   size_t capacity)
{
    uint64_t hash = DCPS_HASH_START;
    dcps_plugin *plugin = NULL;
    dcps_status status = add_file("/proc/self/exe", &hash);
    status = status == DCPS_OK ? dcps_plugin_open(model, &plugin) : status;
    if (status == DCPS_OK) {
        status = add_file(dcps_plugin_path(plugin), &hash);
        dcps_plugin_close(&plugin);
    }
    if (status == DCPS_OK && program_dir != NULL) {
        status = add_programs(program_dir, &hash);
    }
    return status == DCPS_OK ? dcps_format(out, capacity, "%s-%016" PRIx64, version, hash) : status;
}
