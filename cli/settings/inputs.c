#include "cli/settings/inputs.h"

#include <inttypes.h>

#include "base/hash.h"
#include "cli/settings/sim_args.h"
#include "server/trace/trace.h"

static void add_digest(dcps_args *args, const char *name, uint64_t digest)
{
    dcps_args_add(args, "%s", name);
    dcps_args_add(args, "%016" PRIx64, digest);
}

/* Of what simulations take from a trace, not of the files. */
static dcps_status digest_times(const char *dir, uint64_t *digest)
{
    dcps_trace_times times = {.workers = 0};
    dcps_status status = dcps_trace_read_times(dir, &times);
    if (status != DCPS_OK) {
        return status;
    }
    uint64_t hash = DCPS_HASH_START;
    for (uint32_t i = 0; i < times.workers; i++) {
        const uint64_t count = times.steps[i].count;
        hash = dcps_hash_bytes(hash, &count, sizeof(count));
        hash = dcps_hash_bytes(hash, times.steps[i].step_ns, count * sizeof(*times.steps[i].step_ns));
    }
    dcps_trace_times_fini(&times);
    *digest = hash;
    return DCPS_OK;
}

dcps_status dcps_inputs_add(dcps_args *args, const dcps_options *options, const dcps_model_facts *facts)
{
    const char *trace = dcps_step_trace(dcps_options_text(options, "step-time"));
    if (facts != NULL && facts->has_files) {
        add_digest(args, "data-files", facts->files_digest);
    }
    if (trace != NULL) {
        uint64_t digest = 0;
        dcps_status status = digest_times(trace, &digest);
        if (status != DCPS_OK) {
            return status;
        }
        add_digest(args, "step-times", digest);
    }
    return dcps_args_check(args);
}
