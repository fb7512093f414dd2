/* Starting the processes of a cluster. */
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "cli/common/programs.h"
#include "cli/run/cluster_state.h"

#define DCPS_START_ATTEMPTS 5u
#define DCPS_START_TURN_MS 50
#define DCPS_ADDRESS_BYTES 24u /* "127.0.0.1:65535," */

/* Picks ports and writes the list of servers. */
static dcps_status choose_addresses(dcps_cluster *cluster)
{
    uint32_t count = cluster->config->servers;
    uint16_t ports[DCPS_MAX_SERVERS];
    dcps_status status = dcps_ports_pick(ports, count);
    if (status != DCPS_OK) {
        return status;
    }
    size_t capacity = (size_t)count * DCPS_ADDRESS_BYTES + 1;
    dcps_free(cluster->servers_text);
    cluster->servers_text = dcps_alloc(capacity, 1);
    if (cluster->servers_text == NULL) {
        return dcps_fail(DCPS_NO_MEMORY, "no memory for the addresses of %" PRIu32 " servers", count);
    }
    size_t used = 0;
    for (uint32_t i = 0; i < count; i++) {
        cluster->addresses[i].port = ports[i];
        (void)snprintf(cluster->addresses[i].host, sizeof(cluster->addresses[i].host), "127.0.0.1");
        used += (size_t)snprintf(cluster->servers_text + used, capacity - used, "%s127.0.0.1:%u", i == 0 ? "" : ",",
                                 ports[i]);
    }
    return DCPS_OK;
}

static void server_args(const dcps_cluster *cluster, dcps_member *member)
{
    dcps_args_add(&member->args, "--bind");
    dcps_args_add(&member->args, "127.0.0.1:%u", cluster->addresses[member->index].port);
    dcps_args_add(&member->args, "--index");
    dcps_args_add(&member->args, "%" PRIu32, member->index);
    dcps_args_add_flag(&member->args, "servers", cluster->servers_text);
    dcps_args_append(&member->args, cluster->config->server_args);
    if (member->restarts > 0) {
        dcps_args_add_flag(&member->args, "resume", "auto");
    }
}

static void slow_down(const dcps_cluster *cluster, dcps_member *member)
{
    const dcps_group *group = dcps_groups_find(cluster->config->groups, member->index, cluster->config->workers);
    if (group != NULL) {
        dcps_args_add(&member->args, "--slowdown");
        dcps_args_add(&member->args, "%.17g", group->factor);
    }
}

static void worker_args(const dcps_cluster *cluster, dcps_member *member)
{
    bool worker = member->kind == DCPS_MEMBER_WORKER;
    dcps_args_add_flag(&member->args, "servers", cluster->servers_text);
    if (worker) {
        dcps_args_add(&member->args, "--name");
        dcps_args_add(&member->args, "worker-%" PRIu32, member->index);
        slow_down(cluster, member);
    }
    dcps_args_append(&member->args, worker ? cluster->config->worker_args : cluster->config->evaluate_args);
}

static dcps_status write_args(const dcps_cluster *cluster, dcps_member *member)
{
    const dcps_cluster_config *config = cluster->config;
    bool server = member->kind == DCPS_MEMBER_SERVER;
    char path[PATH_MAX];
    dcps_status status =
        dcps_program_find(config->program_dir, server ? "dcps-server" : "dcps-worker", path, sizeof(path));
    if (status != DCPS_OK) {
        return status;
    }
    dcps_args_fini(&member->args);
    dcps_args_add(&member->args, "%s", path);
    if (server) {
        server_args(cluster, member);
    } else {
        worker_args(cluster, member);
    }
    return dcps_args_check(&member->args);
}

dcps_status dcps_cluster_start_member(dcps_cluster *cluster, dcps_member *member)
{
    dcps_status status = write_args(cluster, member);
    dcps_supervisor_forget(cluster->config->supervisor, &member->process);
    member->listening = false;
    member->restart_at_ns = 0;
    if (status == DCPS_OK) {
        const dcps_process_config config = {
            .name = member->name, .argv = member->args.items, .line = dcps_cluster_take_line, .context = member};
        status = dcps_supervisor_start(cluster->config->supervisor, &config, &member->process);
    }
    return status == DCPS_OK ? DCPS_OK : dcps_cluster_fail(cluster, status, "%s", dcps_error_message());
}

static uint32_t servers_listening(dcps_cluster *cluster)
{
    uint32_t listening = 0;
    for (uint32_t i = 0; i < cluster->config->servers; i++) {
        listening += dcps_cluster_server(cluster, i)->listening;
    }
    return listening;
}

static dcps_status await_listening(dcps_cluster *cluster)
{
    dcps_status status = DCPS_OK;
    uint32_t wanted = cluster->config->servers;
    uint64_t began_ns = dcps_clock_ns();
    while (status == DCPS_OK && servers_listening(cluster) < wanted) {
        if (dcps_cluster_waited_ns(cluster, began_ns) > cluster->config->limits.start_ms * DCPS_NS_PER_MS) {
            return dcps_cluster_fail(cluster, DCPS_TIMEOUT,
                                     "%" PRIu32 " of %" PRIu32 " servers listen after %g s: see --start-timeout",
                                     servers_listening(cluster), wanted, cluster->config->limits.start_ms / 1e3);
        }
        status = dcps_cluster_turn(cluster, DCPS_START_TURN_MS);
    }
    return status;
}

static dcps_status start_once(dcps_cluster *cluster)
{
    dcps_status status = choose_addresses(cluster);
    if (status != DCPS_OK) {
        return dcps_cluster_fail(cluster, status, "%s", dcps_error_message());
    }
    for (uint32_t i = 0; status == DCPS_OK && i < cluster->config->servers; i++) {
        status = dcps_cluster_start_member(cluster, dcps_cluster_server(cluster, i));
    }
    return status == DCPS_OK ? await_listening(cluster) : status;
}

dcps_status dcps_cluster_start_servers(dcps_cluster *cluster)
{
    dcps_status status = start_once(cluster);
    /* Between our choice of a port and its use another program may have taken it: choose again. */
    for (uint32_t attempt = 1; status != DCPS_OK && cluster->port_taken && attempt < DCPS_START_ATTEMPTS; attempt++) {
        cluster->port_taken = false;
        cluster->failed = DCPS_OK;
        for (uint32_t i = 0; i < cluster->config->servers; i++) {
            dcps_supervisor_forget(cluster->config->supervisor, &dcps_cluster_server(cluster, i)->process);
        }
        status = start_once(cluster);
    }
    return status;
}
