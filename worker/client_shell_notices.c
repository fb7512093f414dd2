/* What people are told about the servers. On the I/O thread. */
#include <stdio.h>

#include "base/clock.h"
#include "worker/client_shell.h"

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

static void on_silent(dcps_client *client, const dcps_client_notice *notice)
{
    dcps_shell_link *link = &client->links[notice->server];
    uint64_t now_ns = dcps_clock_ns();
    double seconds = (double)notice->silent_ms / 1e3;
    if (link->silent_since_ns == 0) {
        link->silent_since_ns = now_ns - notice->silent_ms * DCPS_NS_PER_MS;
    } else if (now_ns - link->silence_told_ns < TOLD_AGAIN_NS) {
        return;
    }
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
    link->silent_since_ns = 0;
    dcps_info("server %u answers at %s (after %.1f s)", notice->server, link->endpoint,
              (double)notice->silent_ms / 1e3);
}

static void on_gradient_lost(dcps_client *client, const dcps_client_notice *notice)
{
    uint64_t untold = 0;
    if (!dcps_rate_limit_pass(&client->lost_limit, dcps_clock_ns(), &untold)) {
        return;
    }
    dcps_warn("server %u no longer knows which weights our gradient was computed on (it was restarted, or our lease "
              "ran out): block %u and maybe "
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
        on_silent(client, notice);
        break;
    case DCPS_CLIENT_BACK:
        on_back(client, notice);
        break;
    case DCPS_CLIENT_REJOINED:
        dcps_warn("server %u at %s had forgotten us (it was restarted, or our lease ran out): joined again",
                  notice->server, client->links[notice->server].endpoint);
        break;
    case DCPS_CLIENT_GRADIENT_LOST:
        on_gradient_lost(client, notice);
        break;
    }
}

static bool any_silent(const dcps_client *client)
{
    for (uint32_t server = 0; server < client->server_count; server++) {
        if (client->links[server].silent_since_ns != 0) {
            return true;
        }
    }
    return false;
}

void dcps_shell_tell_patience(dcps_client *client, uint64_t now_ns)
{
    dcps_command_kind kind = client->active.kind;
    bool for_weights = kind == DCPS_COMMAND_DECLARE || kind == DCPS_COMMAND_WAIT || kind == DCPS_COMMAND_PULL;
    if (client->observer || !for_weights || any_silent(client)) {
        client->patient_since_ns = now_ns;
        client->patience_told_ns = 0;
        return;
    }
    uint64_t quiet_ns =
        client->patience_told_ns == 0 ? now_ns - client->patient_since_ns : now_ns - client->patience_told_ns;
    if (quiet_ns >= (client->patience_told_ns == 0 ? PATIENCE_NS : PATIENCE_AGAIN_NS)) {
        client->patience_told_ns = now_ns;
        dcps_info("waiting for weights (%.1f s): the servers answer, they hold them back until other workers have "
                  "pushed or joined; %u are "
                  "expected",
                  (double)(now_ns - client->patient_since_ns) / 1e9, client->info.workers);
    }
}

dcps_status dcps_shell_check_silence(const dcps_client *client, uint64_t now_ns, char *text)
{
    for (uint32_t server = 0; server < client->server_count; server++) {
        const dcps_shell_link *link = &client->links[server];
        if (link->silent_since_ns != 0 && now_ns - link->silent_since_ns >= client->timeout_ms * DCPS_NS_PER_MS) {
            (void)snprintf(text, DCPS_MAX_TEXT_BYTES,
                           "server %u of %u does not answer at %s (%.1f s): is dcps-server running there?", server,
                           client->server_count, link->endpoint, (double)(now_ns - link->silent_since_ns) / 1e9);
            return DCPS_TIMEOUT;
        }
    }
    return DCPS_OK;
}
