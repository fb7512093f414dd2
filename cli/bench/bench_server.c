#include "cli/bench/bench_server.h"

#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "cli/common/args.h"
#include "cli/common/process.h"
#include "cli/common/programs.h"

enum { START_MS = 20000, STOP_MS = 20000, TURN_MS = 50, ADDRESS_BYTES = 128 };

struct dcps_bench_server {
    dcps_process *process;
    char address[ADDRESS_BYTES]; /* "" until it listens */
};

/* "dcps-server listening control=HOST:PORT" */
static void take_line(void *context, dcps_process *process, dcps_stream stream, const char *line)
{
    (void)process;
    static const char prefix[] = "dcps-server listening control=";
    dcps_bench_server *server = context;
    if (stream != DCPS_STREAM_OUT || strncmp(line, prefix, sizeof(prefix) - 1) != 0) {
        return;
    }
    const char *address = line + sizeof(prefix) - 1;
    const size_t length = strcspn(address, " ");
    if (length < sizeof(server->address)) {
        memcpy(server->address, address, length);
        server->address[length] = '\0';
    }
}

static void add_args(dcps_args *args, const dcps_bench_server_config *config, const char *path)
{
    dcps_args_add(args, "%s", path);
    dcps_args_add_flag(args, "bind", "127.0.0.1:0");
    dcps_args_add_flag(args, "transport", config->transport);
    dcps_args_add_flag(args, "algorithm", config->algorithm);
    dcps_args_add_flag(args, "learning-rate", "1e-6"); /* weights keep ordinary magnitudes however long it runs */
    dcps_args_add_flag(args, "epochs", "1");
    dcps_args_add_flag(args, "batch-size", "1");
    dcps_args_add_flag(args, "log-level", "warn");
    dcps_args_add(args, "--workers");
    dcps_args_add(args, "%" PRIu32, config->workers);
    dcps_args_add(args, "--shards");
    dcps_args_add(args, "%" PRIu32, config->shards);
}

static dcps_status spawn(dcps_bench_server *server, const dcps_bench_server_config *config)
{
    char dir[PATH_MAX];
    char path[PATH_MAX];
    dcps_args args = {0};
    dcps_status status = dcps_program_dir(dir, sizeof(dir));
    if (status == DCPS_OK) {
        status = dcps_program_find(dir, "dcps-server", path, sizeof(path));
    }
    if (status == DCPS_OK) {
        add_args(&args, config, path);
        status = dcps_args_check(&args);
    }
    if (status == DCPS_OK) {
        const dcps_process_config process = {
            .name = "server", .argv = args.items, .line = take_line, .context = server};
        status = dcps_process_start(&process, &server->process);
    }
    dcps_args_fini(&args);
    return status;
}

static dcps_status await_listening(dcps_bench_server *server)
{
    const uint64_t deadline_ns = dcps_clock_ns() + START_MS * DCPS_NS_PER_MS;
    while (server->address[0] == '\0') {
        if (!dcps_bench_server_poll(server, TURN_MS)) {
            return dcps_bench_server_fail(server);
        }
        if (dcps_clock_ns() > deadline_ns) {
            return dcps_fail(DCPS_TIMEOUT, "the server does not listen after %d ms", START_MS);
        }
    }
    return DCPS_OK;
}

dcps_status dcps_bench_server_start(const dcps_bench_server_config *config, dcps_bench_server **server)
{
    dcps_bench_server *made = dcps_alloc(1, sizeof(*made));
    if (made == NULL) {
        return dcps_fail(DCPS_NO_MEMORY, "no memory to start a server");
    }
    dcps_status status = spawn(made, config);
    if (status == DCPS_OK) {
        status = await_listening(made);
    }
    if (status != DCPS_OK) {
        dcps_bench_server_destroy(&made);
        return status;
    }
    *server = made;
    return DCPS_OK;
}

const char *dcps_bench_server_address(const dcps_bench_server *server)
{
    return server->address;
}

bool dcps_bench_server_poll(dcps_bench_server *server, int timeout_ms)
{
    /* Closed descriptors are -1, which poll passes over. */
    struct pollfd fds[] = {{.fd = dcps_process_fd(server->process, DCPS_STREAM_OUT), .events = POLLIN},
                           {.fd = dcps_process_fd(server->process, DCPS_STREAM_ERR), .events = POLLIN}};
    (void)poll(fds, 2, timeout_ms);
    return dcps_process_poll(server->process);
}

dcps_status dcps_bench_server_fail(const dcps_bench_server *server)
{
    char ending[128];
    const char *last = NULL;
    for (size_t i = 0; dcps_process_tail(server->process, i) != NULL; i++) {
        last = dcps_process_tail(server->process, i);
    }
    return dcps_fail(DCPS_SYSTEM, "the server %s%s%.700s", dcps_process_ending(server->process, ending, sizeof(ending)),
                     last == NULL ? "" : ": ", last == NULL ? "" : last);
}

dcps_status dcps_bench_server_stop(dcps_bench_server *server)
{
    const uint64_t deadline_ns = dcps_clock_ns() + STOP_MS * DCPS_NS_PER_MS;
    dcps_process_signal(server->process, SIGTERM);
    while (dcps_bench_server_poll(server, TURN_MS)) {
        if (dcps_clock_ns() > deadline_ns) {
            return dcps_fail(DCPS_TIMEOUT, "the server did not end within %d ms of SIGTERM", STOP_MS);
        }
    }
    return dcps_process_exit_status(server->process) == 0 ? DCPS_OK : dcps_bench_server_fail(server);
}

void dcps_bench_server_destroy(dcps_bench_server **server)
{
    if (*server == NULL) {
        return;
    }
    dcps_process_destroy(&(*server)->process);
    dcps_free(*server);
    *server = NULL;
}
