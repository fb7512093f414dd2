/* What people are told about the servers. On the I/O thread. */
#include <stdio.h>

#include "base/clock.h"
#include "worker/client_shell.h"

#define SHARD_ADVICE "does a firewall close that port, or does --advertise name another machine?"
#define TOLD_AGAIN_NS (5u * DCPS_NS_PER_S)
#define PATIENCE_NS (5u * DCPS_NS_PER_S)
#define PATIENCE_AGAIN_NS (15u * DCPS_NS_PER_S)

static void on_connected(dcps_client *client, const dcps_client_notice *notice)
{
    dcps_shell_link *link = &client->links[notice->server];
    const dcps_welcome *welcome = notice->welcome;
    if (!link->connected) {
        dcps_debug("server %u of %u at %s: welcomed, %u shards", notice->server, client->server_count, link->endpoint,
                   welcome->endpoint_count);
    }
    if (notice->server == 0 && !link->connected) {
        (void)snprintf(client->info.algorithm, sizeof(client->info.algorithm), "%s",
                       welcome->algorithm == NULL ? "" : welcome->algorithm);
    }
    link->connected = true;
    dcps_shell_connect_shards(client, notice->server, welcome);
}

/* "unknown": it is not connected, and so cannot have been asked. */
static const char *shard_endpoint(const dcps_shell_link *link, uint32_t shard)
{
    return shard < link->shard_count ? link->shard_endpoints[shard] : "unknown";
}

/* Its server is heard all the while: see client_silence.c. */
static void on_shard_silent(const dcps_client *client, const dcps_client_notice *notice)
{
    const dcps_shell_link *link = &client->links[notice->server];
    dcps_warn("shard %u of server %u does not answer at %s (%.1f s), its server does at %s: " SHARD_ADVICE
              " still trying",
              notice->shard, notice->server, shard_endpoint(link, notice->shard), (double)notice->silent_ms / 1e3,
              link->endpoint);
}

static void on_server_silent(dcps_client *client, const dcps_client_notice *notice)
{
    dcps_shell_link *link = &client->links[notice->server];
    uint64_t now_ns = dcps_clock_ns();
    double seconds = (double)notice->silent_ms / 1e3;
    if (link->silent && now_ns - link->silence_told_ns < TOLD_AGAIN_NS) {
        return;
    }
    link->silent = true;
    link->silence_told_ns = now_ns;
    if (link->connected) {
        dcps_warn("server %u does not answer at %s (%.1f s): is dcps-server running there? still trying",
                  notice->server, link->endpoint, seconds);
    } else {
        dcps_info("waiting for server %u of %u at %s (%.1f s): is dcps-server running there?", notice->server,
                  client->server_count, link->endpoint, seconds);
    }
}

static void on_back(dcps_client *client, const dcps_client_notice *notice)
{
    dcps_shell_link *link = &client->links[notice->server];
    double seconds = (double)notice->silent_ms / 1e3;
    if (notice->shard != DCPS_ROUTE_CONTROL) {
        dcps_info("shard %u of server %u answers at %s (after %.1f s)", notice->shard, notice->server,
                  shard_endpoint(link, notice->shard), seconds);
        return;
    }
    link->silent = false;
    dcps_info("server %u answers at %s (after %.1f s)", notice->server, link->endpoint, seconds);
}

static void on_gradient_lost(dcps_client *client, const dcps_client_notice *notice)
{
    uint64_t untold = 0;
    if (!dcps_rate_limit_pass(&client->lost_limit, dcps_clock_ns(), &untold)) {
        return;
    }
    dcps_warn("server %u no longer knows which weights our gradient was computed on (it was restarted, our lease "
              "ran out, or others waited too long for us): block %u and maybe "
              "others are dropped, the weights are pulled again",
              notice->server, notice->block);
    if (untold > 0) {
        dcps_warn("server %u: %llu blocks were dropped since that was last said", notice->server,
                  (unsigned long long)untold);
    }
}

void dcps_shell_notice(void *context, const dcps_client_notice *notice)
{
    dcps_client *client = context;
    switch (notice->kind) {
    case DCPS_CLIENT_CONNECTED:
        on_connected(client, notice);
        break;
    case DCPS_CLIENT_SILENT:
        if (notice->shard == DCPS_ROUTE_CONTROL) {
            on_server_silent(client, notice);
        } else {
            on_shard_silent(client, notice);
        }
        break;
    case DCPS_CLIENT_BACK:
        on_back(client, notice);
        break;
    case DCPS_CLIENT_REJOINED:
        dcps_warn("server %u at %s had forgotten us (it was restarted, our lease ran out, or others waited too long "
                  "for us): joined again",
                  notice->server, client->links[notice->server].endpoint);
        break;
    case DCPS_CLIENT_GRADIENT_LOST:
        on_gradient_lost(client, notice);
        break;
    }
}

void dcps_shell_tell_patience(dcps_client *client, uint64_t now_ns)
{
    dcps_command_kind kind = client->active.kind;
    bool for_weights = kind == DCPS_COMMAND_DECLARE || kind == DCPS_COMMAND_WAIT || kind == DCPS_COMMAND_PULL;
    if (client->observer || !for_weights || dcps_client_core_in_doubt(client->core)) {
        client->patient_since_ns = now_ns;
        client->patience_told_ns = 0;
        return;
    }
    uint64_t quiet_ns =
        client->patience_told_ns == 0 ? now_ns - client->patient_since_ns : now_ns - client->patience_told_ns;
    if (quiet_ns >= (client->patience_told_ns == 0 ? PATIENCE_NS : PATIENCE_AGAIN_NS)) {
        client->patience_told_ns = now_ns;
        dcps_info(
            "waiting for weights (%.1f s): the servers answer; what was sent is still on its way, or they hold the "
            "weights back until other workers have pushed or joined; %u are expected",
            (double)(now_ns - client->patient_since_ns) / 1e9, client->info.workers);
    }
}

static void name_silent(const dcps_client *client, dcps_route silent, double seconds, char *text)
{
    const dcps_shell_link *link = &client->links[silent.server];
    if (silent.shard == DCPS_ROUTE_CONTROL) {
        (void)snprintf(text, DCPS_MAX_TEXT_BYTES,
                       "server %u of %u does not answer at %s (%.1f s): is dcps-server running there?", silent.server,
                       client->server_count, link->endpoint, seconds);
    } else {
        (void)snprintf(text, DCPS_MAX_TEXT_BYTES,
                       "shard %u of server %u does not answer at %s (%.1f s), its server does at %s: " SHARD_ADVICE,
                       silent.shard, silent.server, shard_endpoint(link, silent.shard), seconds, link->endpoint);
    }
}

dcps_status dcps_shell_check_silence(const dcps_client *client, uint64_t now_ns, char *text)
{
    dcps_route silent;
    uint64_t silent_ms = dcps_client_core_silence_ms(client->core, now_ns, &silent);
    if (silent_ms == 0 || silent_ms < client->timeout_ms) {
        return DCPS_OK;
    }
    name_silent(client, silent, (double)silent_ms / 1e3, text);
    return DCPS_TIMEOUT;
}
