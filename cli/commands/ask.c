#include "cli/commands/ask.h"

#include <inttypes.h>

#include "base/clock.h"
#include "base/log.h"
#include "cli/common/command.h"

#define DCPS_ASK_INTERVAL_MS 500u
#define DCPS_ASK_TURN_MS 100

static dcps_status connect_to(const char *text, dcps_monitor **monitor)
{
    dcps_host_port servers[DCPS_MAX_SERVERS];
    size_t count = 0;
    dcps_status status = dcps_parse_host_ports("servers", text, servers, DCPS_MAX_SERVERS, &count);
    return status == DCPS_OK ? dcps_monitor_create(servers, (uint32_t)count, DCPS_ASK_INTERVAL_MS, monitor) : status;
}

/* Parses the command line and connects. */
bool dcps_ask_open(const dcps_program *program, int argc, char **argv, dcps_options **options, dcps_monitor **monitor,
                   int *code)
{
    int positional = 0;
    if (!dcps_command_parse(program, argc, argv, options, &positional, code)) {
        return false;
    }
    dcps_status status = positional == argc - 1
                             ? connect_to(argv[positional], monitor)
                             : dcps_fail(DCPS_INVALID, "expected one argument %s, saw %d; see %s --help",
                                         program->arguments, argc - positional, program->name);
    if (status != DCPS_OK) {
        *code = dcps_command_code(status, false);
        dcps_options_destroy(options);
        return false;
    }
    return true;
}

static uint32_t await_all(dcps_monitor *monitor, bool (*known)(const dcps_server_view *), int64_t timeout_s)
{
    uint64_t deadline_ns = dcps_clock_ns() + (uint64_t)timeout_s * DCPS_NS_PER_S;
    for (;;) {
        uint32_t missing = 0;
        for (uint32_t i = 0; i < dcps_monitor_server_count(monitor); i++) {
            missing += !known(dcps_monitor_server(monitor, i));
        }
        if (missing == 0 || dcps_clock_ns() >= deadline_ns ||
            dcps_monitor_turn(monitor, -1, DCPS_ASK_TURN_MS) != DCPS_OK) {
            return missing;
        }
    }
}

static void name_silent(dcps_monitor *monitor, bool (*known)(const dcps_server_view *), int64_t timeout_s)
{
    for (uint32_t i = 0; i < dcps_monitor_server_count(monitor); i++) {
        if (!known(dcps_monitor_server(monitor, i))) {
            dcps_error("server at %s does not answer (%" PRId64 " s): is dcps-server running there?",
                       dcps_monitor_address(monitor, i), timeout_s);
        }
    }
}

uint32_t dcps_ask_await(dcps_monitor *monitor, bool (*known)(const dcps_server_view *), int64_t timeout_s)
{
    uint32_t missing = await_all(monitor, known, timeout_s);
    if (missing > 0) {
        name_silent(monitor, known, timeout_s);
    }
    return missing;
}
