/* dcps doctor: is this machine fit for dcps, and what to do where it is not. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/commands/commands.h"
#include "cli/common/command.h"
#include "cli/common/programs.h"
#include "cli/common/supervisor.h"
#include "cuda/cuda.h"
#include "worker/data/image_files.h"
#include "worker/model_list.h"

#define DCPS_DOCTOR_PROGRAM_MS 10000u
#define DCPS_DOCTOR_MIN_FILES 1024u
#define DCPS_DOCTOR_MIN_MEMORY_MIB 1024u

static const dcps_option doctor_options[] = {
    {.name = "data", .type = DCPS_OPTION_TEXT, .value_name = "DIR", .help = "Folder of the data sets"}, {.name = NULL}};

static const dcps_program program = {
    .name = "dcps doctor", .summary = "Checks this machine and says what to do.", .options = doctor_options};

typedef enum dcps_finding { DCPS_FINDING_GOOD = 1, DCPS_FINDING_WARN, DCPS_FINDING_BAD } dcps_finding;

/* Prints one finding; `advice` says what to do unless it is good. Returns whether it is bad. */
static bool tell(dcps_finding finding, const char *subject, const char *seen, const char *advice)
{
    static const char *const marks[] = {"", "ok  ", "warn", "BAD "};
    (void)printf("%s  %-12s %s\n", marks[finding], subject, seen);
    if (finding != DCPS_FINDING_GOOD) {
        (void)printf("                    -> %s\n", advice);
    }
    return finding == DCPS_FINDING_BAD;
}

/* A line "NAME:   12345 kB" of /proc/meminfo, in MiB; 0: it is not there. */
static uint64_t memory_mib(const char *name)
{
    char line[256];
    unsigned long long kib = 0;
    FILE *file = fopen("/proc/meminfo", "re");
    size_t length = strlen(name);
    while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
        if (strncmp(line, name, length) == 0 && line[length] == ':') {
            kib = strtoull(line + length + 1, NULL, 10);
            break;
        }
    }
    if (file != NULL) {
        (void)fclose(file);
    }
    return kib >> 10;
}

/* What programs can still get: unlike what is free, that counts what the system keeps of files only as long as nobody needs the memory. */
static bool check_memory(void)
{
    char seen[128];
    uint64_t mib = memory_mib("MemAvailable");
    (void)snprintf(seen, sizeof(seen), "%llu MiB available of %llu", (unsigned long long)mib,
                   (unsigned long long)memory_mib("MemTotal"));
    return tell(mib >= DCPS_DOCTOR_MIN_MEMORY_MIB ? DCPS_FINDING_GOOD : DCPS_FINDING_WARN, "memory", seen,
                "end other programs or use fewer workers");
}

static bool check_machine(void)
{
    char seen[128];
    uint32_t cores = dcps_cores_online();
    (void)snprintf(seen, sizeof(seen), "%u", cores);
    bool bad = tell(cores >= 2 ? DCPS_FINDING_GOOD : DCPS_FINDING_WARN, "processors", seen,
                    "workers and servers will share one processor: runs work, speed-ups cannot be seen");
    return bad | check_memory();
}

/* GPUs are nobody's duty: what keeps one from being used is a warning at most. */
static bool check_gpus(void)
{
    uint32_t count = 0;
    dcps_status status = dcps_cuda_count(&count);
    if (status != DCPS_OK) {
        return tell(status == DCPS_UNSUPPORTED ? DCPS_FINDING_GOOD : DCPS_FINDING_WARN, "gpu", dcps_error_message(),
                    "without a GPU all is well: workers compute on processors unless told --device cuda");
    }
    for (uint32_t index = 0; index < count; index++) {
        char subject[32];
        char seen[256];
        (void)snprintf(subject, sizeof(subject), "cuda:%u", index);
        status = dcps_cuda_describe(index, seen, sizeof(seen));
        (void)tell(status == DCPS_OK ? DCPS_FINDING_GOOD : DCPS_FINDING_WARN, subject,
                   status == DCPS_OK ? seen : dcps_error_message(),
                   "workers cannot use this one; others are not affected");
    }
    return false;
}

static bool check_limits(void)
{
    char seen[128];
    struct rlimit files = {0};
    struct rlimit core = {0};
    (void)getrlimit(RLIMIT_NOFILE, &files);
    (void)getrlimit(RLIMIT_CORE, &core);
    (void)snprintf(seen, sizeof(seen), "%llu at once", (unsigned long long)files.rlim_cur);
    bool bad = tell(files.rlim_cur >= DCPS_DOCTOR_MIN_FILES ? DCPS_FINDING_GOOD : DCPS_FINDING_WARN, "open files", seen,
                    "raise the limit: ulimit -n 4096");
    uint16_t port = 0;
    dcps_status status = dcps_ports_pick(&port, 1);
    (void)snprintf(seen, sizeof(seen), "127.0.0.1:%u is free", port);
    bad |=
        tell(status == DCPS_OK ? DCPS_FINDING_GOOD : DCPS_FINDING_BAD, "network",
             status == DCPS_OK ? seen : dcps_error_message(), "the loopback interface must be up: ip link set lo up");
    return bad;
}

/* Keeps the first line a program printed. */
static void keep_line(void *context, dcps_process *process, dcps_stream stream, const char *line)
{
    char *kept = context;
    (void)process;
    (void)stream;
    if (kept[0] == '\0') {
        (void)snprintf(kept, DCPS_PROCESS_LINE_BYTES, "%s", line);
    }
}

/* Starts a program with --version: that it answers shows that its libraries are there. */
static bool check_program(dcps_supervisor *supervisor, const char *dir, const char *name)
{
    char path[PATH_MAX];
    char line[DCPS_PROCESS_LINE_BYTES] = "";
    dcps_process *process = NULL;
    dcps_status status = dcps_program_find(dir, name, path, sizeof(path));
    if (status == DCPS_OK) {
        char version[] = "--version";
        char *const argv[] = {path, version, NULL};
        const dcps_process_config config = {.name = name, .argv = argv, .line = keep_line, .context = line};
        status = dcps_supervisor_start(supervisor, &config, &process);
    }
    if (status != DCPS_OK) {
        return tell(DCPS_FINDING_BAD, name, dcps_error_message(), "build or install all of dcps");
    }
    uint64_t deadline_ns = dcps_clock_ns() + DCPS_DOCTOR_PROGRAM_MS * DCPS_NS_PER_MS;
    while (dcps_process_running(process) && dcps_clock_ns() < deadline_ns) {
        dcps_supervisor_wait(supervisor, 100);
    }
    bool good = !dcps_process_running(process) && dcps_process_exit_status(process) == 0;
    bool bad =
        tell(good ? DCPS_FINDING_GOOD : DCPS_FINDING_BAD, name, line[0] == '\0' ? "no answer to --version" : line,
             "a library may be missing: see ldd of that program");
    dcps_supervisor_forget(supervisor, &process);
    return bad;
}

static bool check_programs(const char *dir)
{
    dcps_supervisor *supervisor = NULL;
    if (dcps_supervisor_create(&supervisor) != DCPS_OK) {
        return tell(DCPS_FINDING_BAD, "programs", dcps_error_message(), "end other programs");
    }
    bool bad = check_program(supervisor, dir, "dcps-server");
    bad |= check_program(supervisor, dir, "dcps-worker");
    dcps_supervisor_destroy(&supervisor);
    return bad;
}

static bool check_models(void)
{
    char names[512] = "";
    dcps_status status = dcps_model_list_names(names, sizeof(names));
    return tell(status == DCPS_OK ? DCPS_FINDING_GOOD : DCPS_FINDING_WARN, "models",
                status == DCPS_OK ? names : dcps_error_message(),
                "build the examples, or name a model by its path: --model ./my.so");
}

static bool check_data(const char *data)
{
    char folder[PATH_MAX];
    dcps_status status = dcps_images_find("fashion-mnist", data, folder);
    return tell(status == DCPS_OK ? DCPS_FINDING_GOOD : DCPS_FINDING_WARN, "data",
                status == DCPS_OK ? folder : dcps_error_message(), "models with data of their own do without");
}

int dcps_command_doctor(int argc, char **argv)
{
    dcps_options *options = NULL;
    int positional = 0;
    int code = 0;
    char dir[PATH_MAX];
    if (!dcps_command_parse(&program, argc, argv, &options, &positional, &code)) {
        return code;
    }
    bool bad = check_machine();
    bad |= check_gpus();
    bad |= check_limits();
    if (dcps_program_dir(dir, sizeof(dir)) == DCPS_OK) {
        bad |= check_programs(dir);
    } else {
        bad |= tell(DCPS_FINDING_BAD, "programs", dcps_error_message(), "mount /proc");
    }
    bad |= check_models();
    bad |= check_data(dcps_options_text(options, "data"));
    (void)printf("\n%s\n", bad ? "Something is missing: see above." : "Ready: try dcps compare.");
    dcps_options_destroy(&options);
    return bad ? DCPS_EXIT_FAILED : DCPS_EXIT_GOOD;
}
